"""One run of one shop as the store knows it: begun with its first write, ended when it gives the
shop back (ADR 0025)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from zaiko_core.app import sync
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import FoundShop, JobClaim, RunRecord, RunState, Trigger
from zaiko_core.app.sync import RunEnd
from zaiko_core.storage.engine import Database

T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """Used by one task. `id` is the run's name, written down or not."""

    db: Database
    claim: JobClaim
    id: str
    _began: bool = False

    @property
    def found(self) -> FoundShop:
        """What the claim found."""
        return self.claim.found

    @property
    def record(self) -> RunRecord:
        """As it is written down when it begins."""
        claim = self.claim
        return RunRecord(
            claim.shop,
            self.id,
            RunState.RUNNING,
            claim.trigger.value,
            claim.token,
            started_at=claim.found.at,
        )

    @property
    def begins_at_once(self) -> bool:
        """Whether it is written down whatever it finds to do: somebody asked for it and looks for
        it, nobody has seen the shop run yet, the shop was in trouble, or an older run has died."""
        shop = self.found.shop
        return (
            self.claim.trigger is Trigger.REQUEST
            or not shop.last_run
            or shop.problem is not None
            or self.found.unended
        )

    async def begin(self) -> None:
        """Write down that it has begun. Raises LeaseLost."""
        await self.write(lambda uow: None)

    async def write(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run `Database.write` for a transaction of this run; the first one begins it. Raises
        LeaseLost."""
        if self._began:
            return await self.db.write(self.claim.merchant, work)

        def first(uow: UnitOfWork) -> T:
            sync.begin_run(uow, self.record, unended=self.found.unended)
            return work(uow)

        done = await self.db.write(self.claim.merchant, first)
        self._began = True
        return done

    async def end(self, end: RunEnd) -> bool:
        """Record how it ended, and give the shop back, in one transaction; whether it is written
        down. Raises LeaseLost."""
        began = self._began
        return await self.db.write(
            self.claim.merchant,
            lambda uow: sync.end_run(uow, self.found, self.record, end, began=began),
        )
