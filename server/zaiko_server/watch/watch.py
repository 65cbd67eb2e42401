"""One watch, from its first message to its last (the promises are in watch.proto)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Generic

from zaiko_server.refusals import ServerDraining
from zaiko_server.watch.cursor import Cursors
from zaiko_server.watch.hub import Hub, Subscriber
from zaiko_server.watch.topics import Response, Topic

_SHORTEST, _LONGEST = 1.0, 300.0
_DEFAULT = 10.0
_JITTER = 0.1
_STALE = 0.05


@dataclass(frozen=True, slots=True)
class JitteredClock:
    """What varies between two runs of the same watch: the wall clock in µs since 1970, and a number
    in [0, 1)."""

    now: Callable[[], int] = lambda: time.time_ns() // 1000
    random: Callable[[], float] = random.random


def bookmark_interval(seconds: float | None) -> float:
    """Seconds between marks, as asked for and as allowed."""
    return _DEFAULT if seconds is None else min(max(seconds, _SHORTEST), _LONGEST)


class Watch(Generic[Response]):
    """`start` is the revision to go on after, or None for a snapshot."""

    def __init__(
        self,
        hub: Hub,
        topic: Topic[Response],
        cursors: Cursors,
        *,
        start: int | None,
        interval: float,
        clock: JitteredClock,
    ) -> None:
        self._hub, self._topic, self._cursors = hub, topic, cursors
        self._start, self._interval, self._clock = start, interval, clock
        self._asked = False
        self._subscriber: Subscriber | None = None

    def request_progress(self) -> None:
        """Send a mark as soon as everything up to now is delivered. Several calls before it are
        answered by one."""
        self._asked = True
        if self._subscriber is not None:
            self._subscriber.wake.set()

    async def messages(self) -> AsyncGenerator[Response, None]:
        """Never ends by itself: raises ServerDraining, RevisionCompacted, RevisionInFuture, or what
        the store raises."""
        monotonic = asyncio.get_running_loop().time
        if self._start is None:
            delivery = await self._hub.snapshot(self._topic, self._cursors)
        else:
            delivery = await self._hub.changes(self._topic, self._cursors, self._start)
        response: Response | None = None
        for response in delivery.responses:
            yield response
        position = delivery.revision
        # An idle watch would keep its whole snapshot for as long as it lasts (350 KiB of 800
        # products; 53 without).
        del delivery, response
        # Also a client that resumes is told at once that it has caught up.
        yield self._mark(position, snapshot_complete=self._start is None)
        due = monotonic() + self._pause()
        with self._hub.subscribe(self._topic.merchant) as subscriber:
            self._subscriber = subscriber
            while not self._hub.draining:
                newest = await subscriber.wait(position, 0 if self._asked else due - monotonic())
                asked, self._asked = self._asked, False
                if newest > position or asked:
                    read = self._hub.fresh_changes if asked else self._hub.changes
                    delivery = await read(self._topic, self._cursors, position)
                    for response in delivery.responses:
                        yield response
                    if delivery.revision == position and not asked:
                        # A replica that was read is behind the one that told of the change.
                        await asyncio.sleep(_STALE)
                    position = delivery.revision
                if asked or monotonic() >= due:
                    yield self._mark(position)
                    due = monotonic() + self._pause()
        yield self._mark(position)
        raise ServerDraining(2 * self._clock.random())

    def _mark(self, revision: int, *, snapshot_complete: bool = False) -> Response:
        return self._topic.marked(
            self._cursors, revision, now=self._clock.now(), snapshot_complete=snapshot_complete
        )

    def _pause(self) -> float:
        return self._interval * (1 - _JITTER + 2 * _JITTER * self._clock.random())
