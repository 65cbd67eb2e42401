"""Clocks for tests: virtual time, and real time without the waiting."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Virtual time. `sleep` advances it and yields to other tasks once, so that code which waits
    runs through at once. `slept` holds every wait longer than 0."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, tzinfo=UTC)) -> None:
        self._start, self._elapsed = start, 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the virtual wall clock."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the virtual seconds since the start."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass and give other tasks a turn."""
        if seconds > 0:
            self.slept.append(seconds)
        self._elapsed += max(0.0, seconds)
        await asyncio.sleep(0)


class NowClock(FakeClock):
    """Virtual time that begins at the real time, for tests against a simulated shop, whose clock is
    real."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))


class HurriedClock:
    """The real clock, except that sleeping takes no time: its monotonic time jumps instead.

    `skipped` is the sum of what was slept. `offset` is added to both clocks: hours that pass, or a
    clock that is wrong.
    """

    def __init__(self) -> None:
        self.skipped = self.offset = 0.0

    def now(self) -> datetime:
        """Return the real wall clock plus `offset`."""
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def monotonic(self) -> float:
        """Return the real monotonic clock plus `skipped` and `offset`."""
        return time.monotonic() + self.skipped + self.offset

    async def sleep(self, seconds: float) -> None:
        """Skip `seconds` and give other tasks a turn."""
        self.skipped += max(0.0, seconds)
        await asyncio.sleep(0)
