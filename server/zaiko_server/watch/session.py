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
from zaiko_server.watch.hub import Hub, Listener
from zaiko_server.watch.topics import Response, Topic

_SHORTEST, _LONGEST = 1.0, 300.0
_DEFAULT = 10.0
_JITTER = 0.1
_STALE = 0.05


@dataclass(frozen=True, slots=True)
class Chance:
    """What varies between two runs of the same watch: the wall clock in µs since 1970, and a number
    in [0, 1)."""

    now: Callable[[], int] = lambda: time.time_ns() // 1000
    random: Callable[[], float] = random.random


def bookmark_interval(seconds: float | None) -> float:
    """Seconds between marks, as asked for and as allowed."""
    return _DEFAULT if seconds is None else min(max(seconds, _SHORTEST), _LONGEST)


class Session(Generic[Response]):
    """`start` is the revision to go on after, or None for a snapshot."""

    def __init__(
        self,
        hub: Hub,
        topic: Topic[Response],
        cursors: Cursors,
        *,
        start: int | None,
        interval: float,
        chance: Chance,
    ) -> None:
        self._hub, self._topic, self._cursors = hub, topic, cursors
        self._start, self._interval, self._chance = start, interval, chance
        self._asked = False
        self._listener: Listener | None = None

    def ask_mark(self) -> None:
        """Send a mark as soon as everything up to now is delivered. Several calls before it are
        answered by one."""
        self._asked = True
        if self._listener is not None:
            self._listener.wake.set()

    async def messages(self) -> AsyncGenerator[Response, None]:
        """Never ends by itself: raises ServerDraining, RevisionCompacted, RevisionInFuture, or what
        the store raises."""
        clock = asyncio.get_running_loop().time
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
        due = clock() + self._pause()
        with self._hub.listen(self._topic.merchant) as listener:
            self._listener = listener
            while not self._hub.draining:
                newest = await listener.wait(position, 0 if self._asked else due - clock())
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
                if asked or clock() >= due:
                    yield self._mark(position)
                    due = clock() + self._pause()
        yield self._mark(position)
        raise ServerDraining(2 * self._chance.random())

    def _mark(self, revision: int, *, snapshot_complete: bool = False) -> Response:
        return self._topic.marked(
            self._cursors, revision, now=self._chance.now(), snapshot_complete=snapshot_complete
        )

    def _pause(self) -> float:
        return self._interval * (1 - _JITTER + 2 * _JITTER * self._chance.random())
