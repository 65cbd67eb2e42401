"""What all watches of one process share: wake-ups, reads of the feed, seats, and the end.

A watch holds a position, never a queue: the hub only tells that there is something newer, and the
watch reads it when it comes to that. So a watch that is stuck costs what it is writing, and delays
nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from zaiko_server.refusals import ServerDraining, TooManyStreams
from zaiko_server.watch.cursor import Cursors
from zaiko_server.watch.topics import Response, Topic, TopicDelivery

T = TypeVar("T")
_FOLLOW = 60.0
_BREATH, _LONGEST_BREATH = 0.0003, 0.5
"""Seconds per watch, and at most, that the next telling of one merchant's changes waits for those
who were told."""
_MOST = 0.9
"""The share of them that it waits for: the others are slow, or stuck."""


class Store(Protocol):
    """Where states are read (storage.engine.Database)."""

    async def read(self, merchant: str, work: Callable[[Any], T]) -> T: ...


class Feed(Protocol):
    """Tells of newer revisions (sync.feed.ChangeFeed)."""

    async def wait(self, merchant: str, after: int, timeout: float) -> int: ...


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """Watches at once, in this process and for one caller; seconds that a write may be blocked."""

    process: int = 10_000
    principal: int = 1_000
    blocked: float = 30.0


class Hub:
    """One per process."""

    def __init__(self, store: Store, feed: Feed, limits: WatchLimits) -> None:
        self._store, self._feed, self.limits = store, feed, limits
        self.draining = False
        self.drained = asyncio.Event()
        self._slots: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()
        self._followed: dict[str, _Merchant] = {}
        self._reading: dict[tuple[bytes, int], asyncio.Task[TopicDelivery[Any]]] = {}

    @property
    def watches(self) -> int:
        """How many are open."""
        return self._slots.total()

    def take_slot(self, principal: str) -> Callable[[], None]:
        """Admit one more watch; call what is returned when it has ended, once or more. Raises
        TooManyStreams and ServerDraining."""
        if self.draining:
            raise ServerDraining(1.0)
        if self.watches >= self.limits.process:
            raise TooManyStreams(self.limits.process)
        if self._slots[principal] >= self.limits.principal:
            raise TooManyStreams(self.limits.principal)
        self._slots[principal] += 1
        self._empty.clear()
        taken = True

        def release() -> None:
            nonlocal taken
            if not taken:
                return
            taken = False
            self._slots[principal] -= 1
            if not self._slots[principal]:
                del self._slots[principal]
            if not self.watches:
                self._empty.set()

        return release

    async def snapshot(self, topic: Topic[Response], cursors: Cursors) -> TopicDelivery[Response]:
        """Everything that matches. Never shared: a snapshot from before the call may be older than
        what its caller knows."""
        return await self._store.read(topic.merchant, topic.snapshot(cursors))

    async def changes(
        self, topic: Topic[Response], cursors: Cursors, position: int
    ) -> TopicDelivery[Response]:
        """What changed after `position`. Watches of the same thing at the same position share one
        reading and its messages."""
        key = (topic.scope, position)
        task = self._reading.get(key)
        if task is None:
            reading = self._store.read(topic.merchant, topic.changes(cursors, position))
            task = self._reading[key] = asyncio.create_task(
                reading, name=f"zaiko watch {topic.merchant}@{position}"
            )
            task.add_done_callback(lambda done: self._read(key, done))
        # One watch that is cancelled does not take the reading from the others.
        return await asyncio.shield(task)

    async def fresh_changes(
        self, topic: Topic[Response], cursors: Cursors, position: int
    ) -> TopicDelivery[Response]:
        """As `changes`, and never of a reading that began before this call."""
        return await self._store.read(topic.merchant, topic.changes(cursors, position))

    @contextlib.contextmanager
    def subscribe(self, merchant: str) -> Iterator[Subscriber]:
        """Wake-ups of one merchant, for one watch."""
        followed = self._followed.get(merchant)
        if followed is None:
            followed = self._followed[merchant] = _Merchant(merchant)
            followed.task = asyncio.create_task(
                self._follow(followed), name=f"zaiko watch of {merchant}"
            )
        subscriber = Subscriber(self, followed)
        followed.subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            followed.subscribers.discard(subscriber)
            if not followed.subscribers and followed.task is not None:
                followed.task.cancel()
                self._followed.pop(merchant, None)

    async def drain(self, grace: float) -> bool:
        """Ask every watch to end with a mark; whether all did within `grace` seconds."""
        self.draining = True
        self.drained.set()
        for followed in self._followed.values():
            followed.wake()
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def _follow(self, followed: _Merchant) -> None:
        while True:
            newest = await self._feed.wait(followed.merchant, followed.known, _FOLLOW)
            if newest > followed.known:
                followed.known = newest
                followed.wake()
                # With many watches the changes that come while these are told go together, as one
                # message to each.
                await followed.told(min(_LONGEST_BREATH, _BREATH * len(followed.subscribers)))

    def _read(self, key: tuple[bytes, int], task: asyncio.Task[TopicDelivery[Any]]) -> None:
        self._reading.pop(key, None)
        if not task.cancelled():
            task.exception()  # looked at, also when every watch that waited for it has gone


class _Merchant:
    """A merchant that somebody watches: its newest known revision and who wants to hear of it."""

    def __init__(self, merchant: str) -> None:
        self.merchant, self.known = merchant, 0
        self.subscribers: set[Subscriber] = set()
        self._back, self._most_back = 0, asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._back = 0
        self._most_back.clear()
        for subscriber in self.subscribers:
            subscriber.wake.set()

    def back(self) -> None:
        """A listener has told its watch everything, and waits again."""
        self._back += 1
        if self._back >= _MOST * len(self.subscribers):
            self._most_back.set()

    async def told(self, patience: float) -> None:
        """Until most listeners are back since they were woken, or for `patience` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._most_back.wait()


class Subscriber:
    """One watch's ear."""

    def __init__(self, hub: Hub, followed: _Merchant) -> None:
        self._hub, self._followed, self.wake = hub, followed, asyncio.Event()

    async def wait(self, after: int, timeout: float) -> int:
        """The newest known revision, as soon as it exceeds `after`, the hub drains, or `timeout`
        seconds have passed."""
        if self._followed.known <= after and not self._hub.draining:
            self.wake.clear()
            self._followed.back()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, timeout)):
                    await self.wake.wait()
        return self._followed.known
