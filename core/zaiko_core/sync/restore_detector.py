"""Detects that the database is no longer the one that this process, and this host, have written to
(ADR 0023, ADR 0029)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from zaiko_sdk import Log

from zaiko_core.app import restoring
from zaiko_core.domain.errors import ServiceError, StorageUnavailable
from zaiko_core.storage.database import Database
from zaiko_core.storage.high_water_mark import HighWaterMark, HighWaterMarkFile, has_gone_back
from zaiko_core.storage.system import SystemRows
from zaiko_core.sync.merchants import each_merchant

_CHECK_EVERY, _RETRY_AFTER = 10.0, 1.0
"""Seconds between two checks; and until a database that could not be prepared is tried again."""
_BEYOND = 2**63 - 1
"""More revisions than any database has."""


async def prepare_restored(db: Database, epoch: str) -> tuple[int, str]:
    """Prepare a restored database: send nothing to any shop before a person allows it, refuse the
    tokens that watchers resume from, and read every link first. Return how many shops there are,
    and the new epoch. A second call does all of it again."""
    shops = 0
    async for merchant in each_merchant(db):
        shops += await db.write(merchant, restoring.prepare_restored)
    # Last: a process that dies before this does all of it again.
    return shops, await db.system.write(lambda rows: rows.new_epoch(epoch))


class RestoreDetector:
    """One per process. Call `begin` before anything runs, and `end` once. When the database was
    replaced under this process, it calls `stop_accepting`, prepares the database over a fresh
    connection of `reopen`, and sets `replaced`."""

    def __init__(
        self,
        db: Database,
        reopen: Callable[[], Database],
        *,
        stop_accepting: Callable[[], None],
        log: Log,
    ) -> None:
        self._db, self._reopen, self._log = db, reopen, log
        self._stop_accepting = stop_accepting
        self._file: HighWaterMarkFile | None = None
        self._seen: HighWaterMark | None = None
        self._epoch = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._opened: tuple[int, int] | None = None
        self.has_witness = False
        """Whether the high-water mark could be written last time."""
        self.replaced = asyncio.Event()
        """Set when the process must stop and start again."""

    def check_exists(self, path: Path | None) -> None:
        """Check that there is a database where this host has seen one, before one is made. Raises
        StorageUnavailable."""
        file = self._db.sqlite_file
        known = None if path is None else HighWaterMarkFile(path).read()
        if known is None or file is None or (file.exists() and file.stat().st_size):
            return
        raise StorageUnavailable(
            f"{file} is missing or empty, and this host has used a database before (as {path} "
            "says); put it back, or start once with --new-database"
        )

    async def begin(self, epoch: str, path: Path | None, *, accept: bool = False) -> str:
        """Prepare the database if it is not as far as when this host last saw it. Return the epoch
        to continue with. Raises StorageUnavailable for another database than this host last used,
        unless `accept`."""
        self._loop, self._epoch = asyncio.get_running_loop(), epoch
        self._opened = self._inode()
        self._file = None if path is None else HighWaterMarkFile(path)
        before = None if self._file is None else self._file.read()
        if before is not None and before.epoch != epoch and not accept:
            former = await self._db.system.read(SystemRows.former_epochs)
            if before.epoch not in former:
                raise StorageUnavailable(
                    f"this is not the database that this host last used (as {path} says); name the "
                    "right one with --db, or start once with --new-database"
                )
        if has_gone_back(before, await self._db.system.read(SystemRows.high_water_mark)):
            await self._prepare(self._db)
        self._remember(await self._db.system.read(SystemRows.high_water_mark))
        self._task = asyncio.create_task(self._watch(), name="zaiko restore detector")
        return self._epoch

    async def end(self) -> None:
        """Stop watching, and remember how far the database has come."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self.replaced.is_set() and not self._lost.is_set():
            with contextlib.suppress(ServiceError):
                self._remember(await self._db.system.read(SystemRows.high_water_mark))

    def on_lost_commits(self) -> None:
        """Note that the database lacks what it acknowledged to this process. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._lost.set)

    async def _watch(self) -> None:
        while not (replaced := self._lost.is_set()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_EVERY):
                    await self._lost.wait()
                    continue
            # The mark first: what another process of this host writes meanwhile may be newer than
            # what we read from the database then.
            before = self._seen if self._file is None else self._file.read()
            if self._inode() != self._opened:
                # What is written now is in no file that anybody finds again.
                self._log.error(
                    "database_file_replaced",
                    file=str(self._db.sqlite_file),
                    do="the server ends; put the right file there and start it again",
                )
                self._stop_accepting()
                self.replaced.set()
                return
            try:
                now = await self._db.system.read(SystemRows.high_water_mark)
            except ServiceError:
                continue
            if replaced := has_gone_back(before, now) or now.epoch != self._epoch:
                break
            self._remember(now)
        assert replaced
        # Under a process that has begun with another state nothing can be trusted.
        self._log.error("database_replaced", do="the server ends; start it again")
        # Should this process die before the database is prepared, its next start does it.
        self._remember(HighWaterMark(self._epoch, _BEYOND))
        self._stop_accepting()
        await self._prepare_again()
        self.replaced.set()

    def _inode(self) -> tuple[int, int] | None:
        """Return which file is at the path of a SQLite database now; None: none."""
        if (file := self._db.sqlite_file) is None:
            return None
        with contextlib.suppress(OSError):
            found = file.stat()
            return found.st_dev, found.st_ino
        return None

    async def _prepare_again(self) -> None:
        while True:
            db = self._reopen()
            try:
                # Another epoch: another process has prepared it.
                if await db.system.read(SystemRows.epoch) == self._epoch:
                    await self._prepare(db)
                return
            except ServiceError as error:
                self._log.error("database_not_prepared", reason=error.reason)
                await asyncio.sleep(_RETRY_AFTER)
            finally:
                await asyncio.to_thread(db.close)

    async def _prepare(self, db: Database) -> None:
        shops, self._epoch = await prepare_restored(db, self._epoch)
        self._log.error(
            "database_restored",
            shops=shops,
            do="see docs/operations/backup.md; every shop waits for a person",
        )

    def _remember(self, now: HighWaterMark) -> None:
        self._seen = now
        if self._file is None:
            return
        try:
            self._file.write(now)
            self.has_witness = True
        except OSError as error:
            self.has_witness = False
            self._log.error(
                "high_water_mark_not_written",
                problem=str(error),
                do="let the server write its state folder; see docs/operations/backup.md",
            )
