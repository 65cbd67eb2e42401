"""A clock that a test moves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Virtual time: `sleep` advances it and yields once, so that code which waits runs through in
    no time."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, tzinfo=UTC)) -> None:
        self._start, self._elapsed = start, 0.0

    def now(self) -> datetime:
        """The virtual wall clock."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass and give other tasks a turn."""
        self._elapsed += max(0.0, seconds)
        await asyncio.sleep(0)
