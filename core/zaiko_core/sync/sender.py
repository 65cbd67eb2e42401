"""Sends writes that were recorded, and has what became of each recorded: for links and for received
units."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    InventoryWrite,
    ListingRef,
    Skip,
    WriteOutcome,
    WriteResult,
)

from zaiko_core.app import sync
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import RunCounts
from zaiko_core.app.sync import SendOutcome, Write
from zaiko_core.domain.decision import Observation
from zaiko_core.domain.sending import Sending
from zaiko_core.sync import translation
from zaiko_core.sync.run_context import RunCancelled, RunContext

Outcomes = Sequence[tuple[Write, SendOutcome]]
UNSENT = SendOutcome(unsent=True)


class Ending(enum.Enum):
    """How sending came to its end."""

    ALL_SENT = enum.auto()
    FORBIDDEN = enum.auto()
    """Since the writes were recorded, sending to the shop came to be forbidden: the rest was not
    sent."""
    LATE = enum.auto()
    """The deadline was over: the rest was not sent."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Writes that go to the platform in one call, under one idempotency key."""

    key: str
    writes: Sequence[Write]


@dataclass(frozen=True, slots=True)
class Sent:
    """How sending ended. `readings`: what connectors read right after their writes, by listing."""

    ending: Ending
    readings: Mapping[str, Observation] = field(default_factory=dict)


def unheard(listing: str, words: str) -> None:
    """Take no notice of what the platform said."""


def unnoticed(write: Write) -> None:
    """Take no notice of an attempt."""


def may_send(uow: UnitOfWork, shop: str) -> bool:
    """Return whether the numbers of links may be sent to the shop now."""
    return sync.permission(uow, shop) is Sending.ALLOWED


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends batches one after the other. `settle` records outcomes in one transaction; each write
    is settled exactly once, also when sending breaks off. `counts` is where writes are tallied;
    `on_attempt` is called for each write each time before it is sent; `is_allowed` is asked before
    each batch; `on_words` gets what the platform said of a link's write."""

    context: RunContext
    settle: Callable[[Outcomes], Awaitable[None]]
    counts: RunCounts
    on_attempt: Callable[[Write], None] = unnoticed
    is_cancellable: bool = True
    is_allowed: Callable[[UnitOfWork, str], bool] = may_send
    on_words: Callable[[str, str], None] = unheard

    async def send(self, batches: Sequence[Batch], *, deadline: float | None = None) -> Sent:
        """Send the batches in their order until `deadline` (the clock's monotonic seconds). Raises
        RunCancelled and what the connector raises, after what was not sent was settled."""
        readings: dict[str, Observation] = {}
        for number, batch in enumerate(batches):
            try:
                if self.is_cancellable:
                    self.context.may_end()
            except RunCancelled:
                await self._give_up(batches[number:])
                raise
            ending = await self._stops(deadline)
            if ending is not None:
                await self._give_up(batches[number:])
                return Sent(ending, readings)
            try:
                readings |= await self._send(batch)
            except ConnectorError:
                await self._give_up(batches[number + 1 :])
                raise
        return Sent(Ending.ALL_SENT, readings)

    async def _stops(self, deadline: float | None) -> Ending | None:
        run = self.context.run
        if not await run.read(lambda uow: self.is_allowed(uow, run.claim.shop)):
            return Ending.FORBIDDEN
        if deadline is not None and self.context.clock.monotonic() > deadline:
            return Ending.LATE
        return None

    async def _send(self, batch: Batch) -> dict[str, Observation]:
        """Send one batch and settle it. A batch that is refused without naming the item is
        split."""
        for write in batch.writes:
            self.on_attempt(write)
        at = self.context.now
        asked = [
            InventoryWrite(
                ListingRef(write.external_id, write.data), write.quantity, write.expected
            )
            for write in batch.writes
        ]
        try:
            results = {
                result.external_id: result
                for result in await self.context.connector.set_inventory(asked, batch.key)
            }
        except Skip as error:
            return await self._send_halves(batch, error)
        except ConnectorError as error:
            outcome = SendOutcome(unknown=True) if translation.is_ambiguous(error) else UNSENT
            await self._settle([(write, outcome) for write in batch.writes])
            raise
        answers = [(write, results.get(write.external_id)) for write in batch.writes]
        outcomes = [(write, outcome_of(result)) for write, result in answers]
        self.counts.unknown += sum(outcome.unknown for _, outcome in outcomes)
        self.counts.stale += sum(outcome.stale for _, outcome in outcomes)
        for write, result in answers:
            if result is not None and result.message:
                self.on_words(write.listing, result.message)
        await self._settle(outcomes)
        self.counts.pushed += len(batch.writes)
        return {
            write.listing: Observation(at, result.quantity, withheld=result.withheld)
            for write, result in answers
            if result is not None and is_known(result) and result.quantity is not None
        }

    async def _send_halves(self, batch: Batch, error: Skip) -> dict[str, Observation]:
        writes, half = batch.writes, len(batch.writes) // 2
        if len(writes) == 1:
            refused = SendOutcome(problem=translation.problem_of(error))
            await self._settle([(writes[0], refused)])
            return {}
        first = await self._send(Batch(f"{batch.key}a", writes[:half]))
        return first | await self._send(Batch(f"{batch.key}b", writes[half:]))

    async def _give_up(self, batches: Sequence[Batch]) -> None:
        await self._settle([(write, UNSENT) for batch in batches for write in batch.writes])

    async def _settle(self, outcomes: Outcomes) -> None:
        if outcomes:
            await self.settle(outcomes)


def is_known(result: WriteResult) -> bool:
    """Return whether the platform said what became of the write."""
    return result.outcome is not WriteOutcome.UNKNOWN


def outcome_of(result: WriteResult | None) -> SendOutcome:
    """Translate the platform's answer to one write; None: it said nothing of it."""
    if result is None or not is_known(result):
        return SendOutcome(unknown=True)
    if result.outcome is WriteOutcome.APPLIED:
        return SendOutcome(applied=True)
    if result.outcome is WriteOutcome.STALE:
        return SendOutcome(stale=True)
    error = result.error or ContractBroken("the connector refused a write without saying why")
    return SendOutcome(problem=translation.problem_of(error))
