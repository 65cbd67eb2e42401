"""Forgets once an hour what is kept for a while only: old rows of the change feed, answers to
repeated requests, pushes."""

from __future__ import annotations

import asyncio

from zaiko_sdk import Clock, Log

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.errors import ServiceError
from zaiko_core.storage.database import Database
from zaiko_core.sync.merchants import each_merchant

_HOUR = 3600.0
KEPT = 24 * 3_600_000_000
"""µs for which changes and answers are kept at least."""
PUSHES_KEPT = 30 * KEPT
"""µs for which pushes are kept, so that any number can be explained."""
OVERSELLS_KEPT = 90 * KEPT
"""µs for which an oversell is kept after it was cleared."""
WEBHOOKS_KEPT = 3 * KEPT
"""µs for which a repeated notification is known; platforms repeat for up to two days (Shopify)."""
DRIFTS_KEPT = 30 * KEPT
"""µs for which differences found in shops are kept."""
REVISIONS = 1_000_000
"""Revisions of a merchant that stay in the change feed, however old."""


class Maintenance:
    """Runs until stopped. Several replicas may do it at once: each merchant's rows are forgotten
    under its lock."""

    def __init__(self, db: Database, *, clock: Clock, log: Log) -> None:
        self._db, self._clock, self._log = db, clock, log
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; the first round comes after an hour."""
        self._task = asyncio.create_task(self._rounds(), name="zaiko maintenance")

    async def stop(self) -> None:
        """End, also in the middle of a round."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def round(self) -> None:
        """Forget what is old, merchant by merchant."""
        async for merchant in each_merchant(self._db):
            await self._db.write(merchant, _forget)

    async def _rounds(self) -> None:
        while True:
            await self._clock.sleep(_HOUR)
            try:
                await self.round()
            except ServiceError as error:
                self._log.error("maintenance_failed", reason=error.reason)


def _forget(uow: UnitOfWork) -> None:
    uow.feed.compact(older_than=uow.now - KEPT, keep=REVISIONS)
    uow.requests.forget(older_than=uow.now - KEPT)
    sent_upto = uow.pushes.forget(older_than=uow.now - PUSHES_KEPT)
    uow.ledger.forget(older_than=uow.now - PUSHES_KEPT, known_from=sent_upto)
    uow.oversells.forget(older_than=uow.now - OVERSELLS_KEPT)
    uow.webhooks.forget(older_than=uow.now - WEBHOOKS_KEPT)
    uow.drifts.forget(older_than=uow.now - DRIFTS_KEPT)
