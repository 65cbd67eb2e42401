"""What the watches of one process share: wake-ups after commits, reads of the change feed, slots,
and the drain.

A watch holds a position, never a queue. The hub only wakes it; the watch reads the new range once
its client has taken the last one. So a stuck watch costs the message that it is writing, and delays
no other watch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from zaiko_core.storage.database import Database
from zaiko_core.sync.feed import ChangeFeed

from zaiko_server.watch.resume_tokens import ResumeTokens
from zaiko_server.watch.slots import StreamSlots, WatchLimits
from zaiko_server.watch.topics import Response, Topic, TopicDelivery

_FEED_TIMEOUT = 60.0
"""Seconds that one wait for a newer revision lasts, before the next wait begins."""
_DEBOUNCE, _MAX_DEBOUNCE = 0.0003, 0.5
"""Seconds per subscriber, and in total, that the next wake-up of a merchant is delayed at most
while its subscribers still deliver the last changes."""
_CAUGHT_UP = 0.9
"""The share of subscribers that ends this delay. The others are slow consumers."""


class Hub:
    """The watches of one process. Used by one event loop."""

    def __init__(self, db: Database, feed: ChangeFeed, limits: WatchLimits) -> None:
        self._db, self._feed = db, feed
        self.slots = StreamSlots(limits)
        self._followed: dict[str, _FollowedMerchant] = {}
        self._reads: dict[tuple[bytes, int], asyncio.Task[TopicDelivery[Any]]] = {}

    async def snapshot(
        self, topic: Topic[Response], tokens: ResumeTokens
    ) -> TopicDelivery[Response]:
        """Read all states that match. The read is never shared: one that began before this call may
        be older than what the caller already knows."""
        return await self._db.read(topic.merchant, topic.read_snapshot(tokens))

    async def changes(
        self, topic: Topic[Response], tokens: ResumeTokens, position: int
    ) -> TopicDelivery[Response]:
        """Read what changed after `position`. Watches of the same topic at the same position share
        one read and its messages."""
        key = (topic.scope, position)
        task = self._reads.get(key)
        if task is None:
            reading = self._db.read(topic.merchant, topic.read_changes(tokens, position))
            task = self._reads[key] = asyncio.create_task(
                reading, name=f"zaiko watch {topic.merchant}@{position}"
            )
            task.add_done_callback(lambda done: self._forget(key, done))
        # Cancelling one watch must not cancel the read for the others.
        return await asyncio.shield(task)

    async def fresh_changes(
        self, topic: Topic[Response], tokens: ResumeTokens, position: int
    ) -> TopicDelivery[Response]:
        """Like `changes`, but never served from a read that began before this call."""
        return await self._db.read(topic.merchant, topic.read_changes(tokens, position))

    @contextlib.contextmanager
    def subscribe(self, merchant: str) -> Iterator[Subscriber]:
        """Subscribe one watch to the wake-ups of a merchant, while the context lasts."""
        followed = self._followed.get(merchant)
        if followed is None:
            followed = self._followed[merchant] = _FollowedMerchant(merchant)
            followed.task = asyncio.create_task(
                self._follow(followed), name=f"zaiko watch of {merchant}"
            )
        subscriber = Subscriber(self.slots, followed)
        followed.subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            followed.subscribers.discard(subscriber)
            if not followed.subscribers and followed.task is not None:
                followed.task.cancel()
                self._followed.pop(merchant, None)

    async def drain(self, grace: float) -> bool:
        """Ask every watch to end with a bookmark, and refuse new ones. Return whether all streams
        ended within `grace` seconds."""
        self.slots.drained.set()
        for followed in self._followed.values():
            followed.wake()
        return await self.slots.wait_until_free(grace)

    async def _follow(self, followed: _FollowedMerchant) -> None:
        while True:
            newest = await self._feed.wait(followed.merchant, followed.known, _FEED_TIMEOUT)
            if newest > followed.known:
                followed.known = newest
                followed.wake()
                # With many watches, the changes that are committed while they deliver go together,
                # as one message to each.
                await followed.wait_until_caught_up(
                    min(_MAX_DEBOUNCE, _DEBOUNCE * len(followed.subscribers))
                )

    def _forget(self, key: tuple[bytes, int], task: asyncio.Task[TopicDelivery[Any]]) -> None:
        self._reads.pop(key, None)
        if not task.cancelled():
            # Retrieved here too, because every watch that waited for it may have gone.
            task.exception()


class _FollowedMerchant:
    """A merchant that has subscribers, with the newest revision that this process knows of."""

    def __init__(self, merchant: str) -> None:
        self.merchant, self.known = merchant, 0
        self.subscribers: set[Subscriber] = set()
        self.task: asyncio.Task[None] | None = None
        self._caught_up = 0
        self._most_caught_up = asyncio.Event()

    def wake(self) -> None:
        """Wake every subscriber."""
        self._caught_up = 0
        self._most_caught_up.clear()
        for subscriber in self.subscribers:
            subscriber.wake.set()

    def count_caught_up(self) -> None:
        """Count a subscriber that has delivered everything and waits again."""
        self._caught_up += 1
        if self._caught_up >= _CAUGHT_UP * len(self.subscribers):
            self._most_caught_up.set()

    async def wait_until_caught_up(self, timeout: float) -> None:
        """Wait until most subscribers have caught up since the last wake-up, or for `timeout`
        seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._most_caught_up.wait()


class Subscriber:
    """One watch's subscription to the wake-ups of its merchant."""

    def __init__(self, slots: StreamSlots, followed: _FollowedMerchant) -> None:
        self._slots, self._followed, self.wake = slots, followed, asyncio.Event()

    async def wait(self, after: int, timeout: float) -> int:
        """Return the newest known revision as soon as it exceeds `after`, the hub drains, `wake` is
        set, or `timeout` seconds have passed."""
        if self._followed.known <= after and not self._slots.draining:
            self.wake.clear()
            self._followed.count_caught_up()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, timeout)):
                    await self.wake.wait()
        return self._followed.known
