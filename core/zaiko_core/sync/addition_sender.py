"""One round of a run in which received units are added to a shop's numbers (ADR 0017). Its
transactions are in app/adding.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zaiko_sdk import ListingRef

from zaiko_core.app import adding
from zaiko_core.app.records import RunCounts
from zaiko_core.domain.decision import Observation, Policy
from zaiko_core.sync.run_context import RunContext, chunks
from zaiko_core.sync.sender import Batch, Ending, Outcomes, Sender

_LIMIT = 250
"""Places that one round handles at most."""
_HURRY = 4.0
"""Seconds within which a recorded attempt must be sent, or is not sent at all: a process that slept
since may have lost the shop, and its successor judges the attempt by what the shop shows."""


@dataclass(frozen=True, slots=True)
class AdditionSender:
    """Used once. `key` is the beginning of the keys of its writes."""

    context: RunContext
    policy: Policy
    key: str

    async def to_read(self) -> list[ListingRef]:
        """Return the listings to read before orders are fetched."""
        shop = self.context.run.claim.shop
        found = await self.context.run.read(
            lambda uow: adding.to_read(uow, shop, self.policy, limit=_LIMIT)
        )
        return [ListingRef(listing.external_id, listing.data) for listing in found]

    async def send(self, readings: Mapping[str, Observation]) -> bool:
        """Judge, record, send, record; call it after orders were fetched. Return whether another
        round has something to do at once. Raises what the connector raises, after what became of
        each attempt was recorded."""
        context, tally = self.context, RunCounts()
        recorded_at = context.clock.monotonic()
        shop, token = context.run.claim.shop, context.run.claim.token
        planned = await context.run.write(
            lambda uow: adding.plan(
                uow, shop, token, adding.AdditionRequest(self.policy, readings, self.key, _LIMIT)
            )
        )
        batches = [
            Batch(part[0].key, part)
            for part in chunks(planned.writes, context.kind.limits.write_batch)
        ]
        sender = Sender(
            context, self._settle, tally, is_cancellable=False, is_allowed=adding.may_add
        )
        sent = await sender.send(batches, deadline=recorded_at + _HURRY)
        context.counts.pushed += tally.pushed
        if sent.ending is Ending.ALL_SENT:
            return planned.again or bool(planned.writes)
        return sent.ending is Ending.LATE

    async def _settle(self, outcomes: Outcomes) -> None:
        claim = self.context.run.claim
        await self.context.run.write(
            lambda uow: adding.settle(uow, claim.shop, claim.token, self.policy, outcomes)
        )
