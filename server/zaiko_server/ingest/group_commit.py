"""Group commit: items of one stream, many in one go, answered one by one and in order.

Three parts that wait for each other: reading (stops when `unanswered` items have no answer yet),
committing (one group at a time), and the caller, who takes the answers. The caller's taking makes
room, so a client that does not read stops the reading.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Items of one group; seconds that the first of a group waits for others; items without an
    answer."""

    group: int = 128
    window: float = 0.020
    unanswered: int = 256


@dataclass(frozen=True, slots=True)
class StreamClock:
    """Seconds on a clock that never goes back, and how to wait for some."""

    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class GroupCommit(Generic[Item, Answer]):
    """One stream. `commit` gives an answer for every item that it is given, in their order, when
    all of them are durable; what it raises ends the stream, and its group has no answers."""

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        limits: StreamLimits | None = None,
        time: StreamClock | None = None,
    ) -> None:
        self._commit, self._limits, self._time = (
            commit,
            limits or StreamLimits(),
            time or StreamClock(),
        )
        self._room = asyncio.Semaphore(self._limits.unanswered)
        self._waiting: deque[tuple[float, Item]] = deque()
        self._news = asyncio.Event()
        self._end: _End | None = None
        self._outbox: asyncio.Queue[Answer | _End] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def answers(self, items: AsyncIterator[Item]) -> AsyncGenerator[Answer, None]:
        """One for each item, until `items` end or `finish` is called. Raises what `items` raised or
        `finish` was given, after the answers to everything before it, and what `commit` raises.
        Once only."""
        self._tasks = [
            asyncio.create_task(self._read(items), name="zaiko ingest: read"),
            asyncio.create_task(self._commit_all(), name="zaiko ingest: commit"),
        ]
        try:
            while not isinstance(answer := await self._outbox.get(), _End):
                yield answer
                self._room.release()
            if answer.error is not None:
                raise answer.error
        finally:
            self.close()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def finish(self, error: BaseException | None = None) -> None:
        """Take nothing in any more; what was taken in is committed and answered. Only the first
        call counts."""
        if self._end is None:
            self._end = _End(error)
        self._news.set()

    def close(self) -> None:
        """Stop at once. A group whose commit has begun is recorded or not as a whole. A second call
        does nothing."""
        for task in self._tasks:
            task.cancel()

    async def _read(self, items: AsyncIterator[Item]) -> None:
        try:
            await self._room.acquire()
            async for item in items:
                if self._end is not None:
                    return
                self._waiting.append((self._time.clock(), item))
                self._news.set()
                await self._room.acquire()
        except Exception as error:  # noqa: BLE001 - it is the stream's end, whatever it is: told by the generator
            self.finish(error)
        else:
            self.finish()

    async def _commit_all(self) -> None:
        try:
            while group := await self._next():
                for answer in await self._commit(group):
                    self._outbox.put_nowait(answer)
        except Exception as error:  # noqa: BLE001 - as above
            self._outbox.put_nowait(_End(error))
        else:
            assert self._end is not None
            self._outbox.put_nowait(self._end)

    async def _next(self) -> list[Item]:
        """The next group; empty at the end."""
        while not self._waiting and self._end is None:
            await self._wait()
        if not self._full():
            window = asyncio.create_task(self._window(), name="zaiko ingest: window")
            try:
                while not self._full() and not window.done():
                    await self._wait()
            finally:
                window.cancel()
        return [
            self._waiting.popleft()[1] for _ in range(min(len(self._waiting), self._limits.group))
        ]

    def _full(self) -> bool:
        return len(self._waiting) >= self._limits.group or self._end is not None

    async def _window(self) -> None:
        try:
            await self._time.sleep(
                max(0.0, self._waiting[0][0] + self._limits.window - self._time.clock())
            )
        finally:
            self._news.set()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()
