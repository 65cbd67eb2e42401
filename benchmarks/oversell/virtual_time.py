"""An event loop with virtual time. Sleepers wake in order, and a day passes as fast as it can be
computed.

Everything runs on one thread and waits for nothing outside, so the same seed gives the same day.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

TRANSACTION = 0.004
"""Virtual seconds that a database transaction takes (measured on SQLite: 2 to 5 ms)."""


class _Skipping(selectors.SelectSelector):
    """Advances the time instead of waiting for sockets, of which there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError(
                "nothing will ever happen again: a task waits for something that is not on "
                "this loop"
            )
        self.elapsed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs the work of other threads (transactions) at once, on this thread. Its result arrives
    after `TRANSACTION`."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.elapsed

    def call_soon_threadsafe(
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:  # type: ignore[override]
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:  # type: ignore[override]
        done = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - the caller that awaits the result gets it
            self.call_later(TRANSACTION, _unless_cancelled, done, done.set_exception, error)
        else:
            self.call_later(TRANSACTION, _unless_cancelled, done, done.set_result, result)
        return done


def _unless_cancelled(
    future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any
) -> None:
    if not future.done():
        settle(value)


class VirtualClock:
    """The loop's time as a `zaiko_sdk.Clock`."""

    def __init__(
        self, loop: VirtualLoop, start: datetime = datetime(2026, 11, 23, tzinfo=UTC)
    ) -> None:
        self._loop, self._start = loop, start

    def now(self) -> datetime:
        """Return the virtual wall clock."""
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Return the virtual seconds since the start."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        await asyncio.sleep(max(0.0, seconds))
