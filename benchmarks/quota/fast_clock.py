"""One clock for both sides of the benchmark, faster than real time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 6, 1, 0, 0, tzinfo=UTC)
"""The full hour at which every benchmark begins, so that quotas per clock hour are whole."""


class FastClock:
    """`factor` seconds pass in a real second. A call takes `factor` times as long by this clock, so
    the worse case is measured: a pace that holds here also holds for real calls that are slower by
    the same factor."""

    def __init__(self, factor: float) -> None:
        self.factor, self._began = factor, time.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self.factor

    def now(self) -> datetime:
        return _START + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.factor)
