"""Group commit: the items of one stream are committed in groups, and answered one by one in order.

Three parts wait for each other: the reader (it pauses while `unanswered` items have no answer), the
committer (one group at a time), and the caller, who takes the answers. Taking an answer makes room
for the reader, so a client that does not read its answers stops the reading.
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
    """Limits of one stream."""

    group: int = 128
    """Items of one group."""
    window: float = 0.020
    """Seconds that the first item of a group waits for others."""
    unanswered: int = 256
    """Items that may wait for an answer."""


@dataclass(frozen=True, slots=True)
class StreamClock:
    """A monotonic clock in seconds, and how to sleep by it."""

    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class FactGroups(Generic[Item, Answer]):
    """One stream. `commit` returns one answer per item, in order, once all of them are durable. An
    error of `commit` ends the stream, and the items of its group get no answers."""

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        limits: StreamLimits | None = None,
        time: StreamClock | None = None,
    ) -> None:
        self._commit = commit
        self._limits = limits or StreamLimits()
        self._time = time or StreamClock()
        self._room = asyncio.Semaphore(self._limits.unanswered)
        self._waiting: deque[tuple[float, Item]] = deque()
        self._changed = asyncio.Event()
        self._end: _End | None = None
        self._outbox: asyncio.Queue[Answer | _End] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def answers(self, items: AsyncIterator[Item]) -> AsyncGenerator[Answer, None]:
        """Yield one answer per item, until `items` end or `finish` is called. Call it once. Raises
        the error of `items` or of `finish` after the answers to everything before it, and the error
        of `commit` at once."""
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
        """Accept no further items. Those already read are committed and answered. Only the first
        call counts."""
        if self._end is None:
            self._end = _End(error)
        self._changed.set()

    def close(self) -> None:
        """Cancel everything now. A group that is being committed is recorded as a whole or not at
        all. A second call does nothing."""
        for task in self._tasks:
            task.cancel()

    async def _read(self, items: AsyncIterator[Item]) -> None:
        try:
            await self._room.acquire()
            async for item in items:
                if self._end is not None:
                    return
                self._waiting.append((self._time.clock(), item))
                self._changed.set()
                await self._room.acquire()
        except Exception as error:  # noqa: BLE001 - any error ends the stream: `answers` raises it
            self.finish(error)
        else:
            self.finish()

    async def _commit_all(self) -> None:
        try:
            while group := await self._next_group():
                for answer in await self._commit(group):
                    self._outbox.put_nowait(answer)
        except Exception as error:  # noqa: BLE001 - as above
            self._outbox.put_nowait(_End(error))
        else:
            assert self._end is not None
            self._outbox.put_nowait(self._end)

    async def _next_group(self) -> list[Item]:
        """Return the next group, or an empty list at the end of the stream."""
        while not self._waiting and self._end is None:
            await self._wait()
        if not self._is_complete():
            window = asyncio.create_task(self._window(), name="zaiko ingest: window")
            try:
                while not self._is_complete() and not window.done():
                    await self._wait()
            finally:
                window.cancel()
        return [
            self._waiting.popleft()[1] for _ in range(min(len(self._waiting), self._limits.group))
        ]

    def _is_complete(self) -> bool:
        return len(self._waiting) >= self._limits.group or self._end is not None

    async def _window(self) -> None:
        try:
            await self._time.sleep(
                max(0.0, self._waiting[0][0] + self._limits.window - self._time.clock())
            )
        finally:
            self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
