"""Notices that the clock was set back, and brings back what would wait for it (ADR 0039)."""

from __future__ import annotations

import asyncio

from zaiko_sdk import Log

from zaiko_core import metrics as m
from zaiko_core.domain.errors import ServiceError
from zaiko_core.metrics import Metrics
from zaiko_core.storage.database import Database
from zaiko_core.storage.system import SystemRows
from zaiko_core.sync.merchants import each_merchant

_EVERY = 10.0
"""Seconds between two notes of the time."""
_STEP = 5_000_000
"""µs. A clock that went back by less was corrected in the usual way: nothing waits long for it."""


class ClockWatch:
    """One per process. The highest time that was ever noted is kept in the database, because only
    one that outlives the process shows a step between two of them."""

    def __init__(self, db: Database, metrics: Metrics, *, log: Log) -> None:
        self._db, self._metrics, self._log = db, metrics, log
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, accept: bool = False) -> None:
        """Note the time once, then begin. Call it before anything runs. `accept`: the clock is
        right; the highest time, which was wrong, is forgotten."""
        await self.note()
        if accept:
            await self._db.system.write(SystemRows.accept_time)
            await self.note()
        self._task = asyncio.create_task(self._rounds(), name="zaiko clock watch")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def note(self) -> None:
        """Note the time. If it is before the one noted last, make everything due that was to come
        later. A second call changes nothing."""
        noted = await self._db.system.read(SystemRows.time)
        self._metrics.set(m.CLOCK_BEHIND, noted.behind / 1_000_000)
        if noted.step > _STEP:
            self._log.error(
                "clock_set_back",
                seconds=noted.step // 1_000_000,
                behind=noted.behind // 1_000_000,
                do="let the clock follow the time by NTP; see docs/operations/doctor.md",
            )
            async for merchant in each_merchant(self._db):
                await self._db.write(merchant, lambda uow: uow.stamps.bring_back())
            # Last: a process that dies before this does all of it again.
        await self._db.system.write(lambda rows: rows.keep_time(noted))

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.note()
            except ServiceError as error:
                self._log.error("time_not_noted", reason=error.reason)
