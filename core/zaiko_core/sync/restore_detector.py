"""Looks whether the database is still the one that this process, and this host, have written to
(ADR 0023, ADR 0029)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from zaiko_sdk import Log

from zaiko_core.app import restoring
from zaiko_core.app.records import Page
from zaiko_core.domain.errors import ServiceError
from zaiko_core.storage.engine import Database
from zaiko_core.storage.high_water_mark import (
    HighWaterMark,
    HighWaterMarkFile,
    has_gone_back,
)
from zaiko_core.storage.system import SystemRows

_LOOK, _AGAIN = 10.0, 1.0
"""Seconds between two looks; and before a database that could not be prepared is tried again."""
_BEYOND = 2**63 - 1
"""More revisions than any database has."""


async def quarantine(db: Database, epoch: str) -> tuple[int, str]:
    """After a restore: let nothing be sent to any shop before a person says so, refuse what
    watchers resume from, and read every link first; how many shops, and the new epoch. A second
    call begins it anew."""
    shops, page = 0, Page(size=500)
    while merchants := await db.directory.read(lambda directory, page=page: directory.page(page)):  # type: ignore[misc]
        for record in merchants:
            shops += await db.write(record.merchant, restoring.quarantine)
        page = Page(size=500, after=(merchants[-1].merchant,))
    # Last: who dies before it does all of it again.
    return shops, await db.system.write(lambda rows: rows.new_epoch(epoch))


class RestoreDetector:
    """One per process. `begin` before anything runs, `end` once; `lose` from any thread. When the
    database was replaced under this process it calls `rest`, prepares the database, over a
    connection of `again` that holds nothing against it, and sets `replaced`."""

    def __init__(
        self, db: Database, again: Callable[[], Database], *, rest: Callable[[], None], log: Log
    ) -> None:
        self._db, self._again, self._rest, self._log = db, again, rest, log
        self._witness: HighWaterMarkFile | None = None
        self._seen: HighWaterMark | None = None
        self._epoch = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.replaced = asyncio.Event()
        """Stop, and start anew."""

    async def begin(self, epoch: str, witness: Path | None) -> str:
        """Is the database as far as it was when this host saw it last? If not, it is prepared. The
        epoch to go on with."""
        self._loop, self._epoch = asyncio.get_running_loop(), epoch
        self._witness = None if witness is None else HighWaterMarkFile(witness)
        before = None if self._witness is None else self._witness.read()
        if has_gone_back(before, await self._db.system.read(SystemRows.high_water_mark)):
            await self._prepare(self._db)
        self._remember(await self._db.system.read(SystemRows.high_water_mark))
        self._task = asyncio.create_task(self._look(), name="zaiko lookout")
        return self._epoch

    async def end(self) -> None:
        """Look no more, and remember how far the database has come."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self.replaced.is_set() and not self._lost.is_set():
            with contextlib.suppress(ServiceError):
                self._remember(await self._db.system.read(SystemRows.high_water_mark))

    def lose(self) -> None:
        """The database does not have what this process was told that it has."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._lost.set)

    async def _look(self) -> None:
        while not (replaced := self._lost.is_set()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._lost.wait()
                    continue
            # First what was seen: what another process of this host writes meanwhile may be newer
            # than what we then read.
            before = self._seen if self._witness is None else self._witness.read()
            try:
                now = await self._db.system.read(SystemRows.high_water_mark)
            except ServiceError:
                continue
            if replaced := has_gone_back(before, now) or now.epoch != self._epoch:
                break
            self._remember(now)
        assert replaced
        # Under a process that has begun with another state nothing can be trusted.
        self._log.error("database_replaced", do="the server ends; start it anew")
        # Should this process die before the database is prepared, its next start does it.
        self._remember(HighWaterMark(self._epoch, _BEYOND))
        self._rest()
        await self._prepare_again()
        self.replaced.set()

    async def _prepare_again(self) -> None:
        while True:
            db = self._again()
            try:
                # Another epoch: somebody has prepared it.
                if await db.system.read(SystemRows.epoch) == self._epoch:
                    await self._prepare(db)
                return
            except ServiceError as error:
                self._log.error("database_not_prepared", reason=error.reason)
                await asyncio.sleep(_AGAIN)
            finally:
                await asyncio.to_thread(db.close)

    async def _prepare(self, db: Database) -> None:
        shops, self._epoch = await quarantine(db, self._epoch)
        self._log.error(
            "database_restored",
            shops=shops,
            do="see docs/operations/backup.md; every shop waits for a person",
        )

    def _remember(self, now: HighWaterMark) -> None:
        self._seen = now
        if self._witness is None:
            return
        try:
            self._witness.write(now)
        except OSError as error:
            self._log.warning("witness_not_written", problem=str(error))
