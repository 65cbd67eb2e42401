"""Keeps the gauges about the store: how late the oldest shop is, how well numbers are verified."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from zaiko_sdk import Clock, Log

from zaiko_core import metrics as m
from zaiko_core.domain.errors import ServiceError
from zaiko_core.metrics import Metrics
from zaiko_core.storage.database import Database
from zaiko_core.storage.jobs import job_door

LATENESS = 5.0
"""Seconds between two readings of what is due."""
STATISTICS = 300.0
"""Seconds between two counts of all links."""


class Gauges:
    """Runs until stopped, in each replica: the numbers are the same everywhere."""

    def __init__(self, db: Database, metrics: Metrics, *, clock: Clock, log: Log) -> None:
        self._db, self._metrics, self._clock, self._log = db, metrics, clock, log
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Count once, then begin."""
        await self.count()
        self._task = asyncio.create_task(self._rounds(), name="zaiko gauges")

    async def stop(self) -> None:
        """End, also in the middle of a count."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def count(self) -> None:
        """Count all links, drifts and oversells now."""
        statistics = await self._db.system.read(lambda rows: rows.statistics())
        for gauge in (m.LINKS, m.VERIFIED, m.WITHOUT_EFFECT, m.DRIFTS, m.UNREADABLE):
            self._metrics.forget(gauge)
        for connector, (enabled, verified, stuck) in statistics.links.items():
            self._metrics.set(m.LINKS, enabled, connector=connector)
            self._metrics.set(m.WITHOUT_EFFECT, stuck, connector=connector)
            self._metrics.set(
                m.VERIFIED, verified / enabled if enabled else 1.0, connector=connector
            )
        for (connector, cause), count in statistics.drifts.items():
            self._metrics.set(m.DRIFTS, count, connector=connector, cause=cause)
        self._metrics.set(m.OVERSOLD, statistics.oversells)
        for connector, count in statistics.unreadable.items():
            self._metrics.set(m.UNREADABLE, count, connector=connector)
        await self._read_lateness()

    async def _read_lateness(self) -> None:
        due = (await job_door(self._db.transactions).read(lambda jobs: jobs.next_due())).first
        self._metrics.set(m.DUE_SECONDS, max(0.0, -due / 1_000_000) if due is not None else 0.0)

    async def _rounds(self) -> None:
        while True:
            for _ in range(int(STATISTICS / LATENESS)):
                await self._clock.sleep(LATENESS)
                await self._try(self._read_lateness)
            await self._try(self.count)

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except ServiceError as error:
            self._log.error("gauges_failed", reason=error.reason)
