"""One run of one shop as the store knows it: begun with its first write, ended when it releases the
shop (ADR 0005)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from zaiko_core.app import runs
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import FoundShop, JobClaim, RunRecord, RunResult, RunState, Trigger
from zaiko_core.storage.database import Database

T = TypeVar("T")


@dataclass(slots=True)
class LeasedRun:
    """Everything that a run reads from and writes to the store goes through here. Used by one task.
    `id` is the run's name, written down or not."""

    db: Database
    claim: JobClaim
    id: str
    _began: bool = False
    _orders_read_at: int | None = None

    @property
    def found(self) -> FoundShop:
        """What the claim found."""
        return self.claim.found

    @property
    def record(self) -> RunRecord:
        """The run as it is written down when it begins."""
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
        """Whether it is written down whatever it finds to do: a person asked for it and looks for
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

    async def read(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` in one snapshot of the shop's merchant."""
        return await self.db.read(self.claim.merchant, work)

    async def write(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` in one transaction of the shop's merchant; the first one begins the run.
        What was noted goes with it. Raises LeaseLost."""
        is_first, noted = not self._began, self._orders_read_at
        if not is_first and noted is None:
            return await self.db.write(self.claim.merchant, work)

        def more(uow: UnitOfWork) -> T:
            if is_first:
                runs.begin_run(uow, self.record, unended=self.found.unended)
            if noted is not None:
                runs.note_orders_read(uow, self.record, noted)
            return work(uow)

        done = await self.db.write(self.claim.merchant, more)
        self._began, self._orders_read_at = True, None
        return done

    def note_orders_read(self, at: int) -> None:
        """Note that every order that the shop showed at `at` (µs) is ingested. It is stored with
        the run's next write, or with its end: a fetch that brings nothing costs no transaction."""
        self._orders_read_at = at

    async def end(self, result: RunResult) -> bool:
        """Record how it ended, and release the shop, in one transaction. Return whether the run is
        written down. Raises LeaseLost."""
        began = self._began
        return await self.db.write(
            self.claim.merchant,
            lambda uow: runs.end_run(uow, self.found, self.record, result, began=began),
        )
