"""The conversation with a shop in which received units are added to its numbers (ADR 0017); its
transactions are in app/adding.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zaiko_sdk import (
    Clock,
    ConnectorError,
    ContractBroken,
    InventoryWrite,
    Limits,
    ListingRef,
    Skip,
    WriteOutcome,
    WriteResult,
)

from zaiko_core.app import adding, sync
from zaiko_core.app.sync import Outcome, Write
from zaiko_core.domain.decision import Observation, Policy
from zaiko_core.sync import translation
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.run import Run

_LIMIT = 250
"""Places that one round looks after."""
_HURRY = 4.0
"""Seconds within which a recorded attempt must be sent, or is not sent at all: a process that slept
since may have lost the shop, and its successor judges the attempt by what the shop shows."""


@dataclass(slots=True)
class Adding:
    """One round of one run. `key` is the beginning of the keys of its writes; `sent` counts
    them."""

    run: Run
    limits: Limits
    policy: Policy
    connector: GuardedConnector
    clock: Clock
    key: str
    sent: int = 0

    async def to_read(self) -> list[ListingRef]:
        """The listings to read before orders are fetched."""
        claim = self.run.claim
        found = await self.run.db.read(
            claim.merchant, lambda uow: adding.to_read(uow, claim.shop, self.policy, limit=_LIMIT)
        )
        return [ListingRef(listing.external_id, listing.data) for listing in found]

    async def send(self, observations: Mapping[str, Observation]) -> bool:
        """After orders were fetched: judge, record, send, record; whether another round has
        something to do at once. Raises what the connector raises, after it was recorded what became
        of each attempt."""
        recorded = self.clock.monotonic()
        shop, token = self.run.claim.shop, self.run.claim.token
        prepared = await self.run.write(
            lambda uow: adding.prepare(
                uow, shop, token, self.policy, observations, key=self.key, limit=_LIMIT
            )
        )
        writes = list(prepared.writes)
        while writes:
            batch, writes = writes[: self.limits.write_batch], writes[self.limits.write_batch :]
            shadow = await self.run.db.read(
                self.run.claim.merchant, lambda uow: sync.in_shadow(uow, shop)
            )
            if shadow or self.clock.monotonic() - recorded > _HURRY:
                await self._settle([(write, Outcome(unsent=True)) for write in batch + writes])
                return not shadow
            try:
                await self._send(batch, batch[0].key)
            except ConnectorError:
                await self._settle([(write, Outcome(unsent=True)) for write in writes])
                raise
        return prepared.again or bool(prepared.writes)

    async def _send(self, writes: Sequence[Write], key: str) -> None:
        asked = [
            InventoryWrite(ListingRef(w.external_id, w.data), w.quantity, w.expected)
            for w in writes
        ]
        try:
            results = {
                result.external_id: result
                for result in await self.connector.set_inventory(asked, key)
            }
        except Skip as error:
            # Refused without saying for which item.
            if len(writes) == 1:
                await self._settle([(writes[0], Outcome(problem=translation.problem_of(error)))])
                return
            half = len(writes) // 2
            await self._send(writes[:half], f"{key}a")
            await self._send(writes[half:], f"{key}b")
            return
        except ConnectorError as error:
            ambiguous = translation.is_ambiguous(error)
            await self._settle(
                [(write, Outcome(unknown=ambiguous, unsent=not ambiguous)) for write in writes]
            )
            raise
        await self._settle([(write, _outcome(results.get(write.external_id))) for write in writes])
        self.sent += len(writes)

    async def _settle(self, outcomes: Sequence[tuple[Write, Outcome]]) -> None:
        if outcomes:
            claim = self.run.claim
            await self.run.write(
                lambda uow: adding.settle(uow, claim.shop, claim.token, self.policy, outcomes)
            )


def _outcome(result: WriteResult | None) -> Outcome:
    if result is None or result.outcome is WriteOutcome.UNKNOWN:
        return Outcome(unknown=True)
    if result.outcome is WriteOutcome.APPLIED:
        return Outcome(applied=True)
    if result.outcome is WriteOutcome.STALE:
        return Outcome(stale=True)
    error = result.error or ContractBroken("the connector refused a write without saying why")
    return Outcome(problem=translation.problem_of(error))
