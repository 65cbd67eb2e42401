"""The last phase of a round: settle what was read, decide each due link, send what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zaiko_core.app import sync
from zaiko_core.app.sync import PlanRequest, PushPlan, Write
from zaiko_core.domain.decision import Observation, Policy
from zaiko_core.sync.readings import SupersededRule
from zaiko_core.sync.round import Round
from zaiko_core.sync.run_context import RunContext, chunks
from zaiko_core.sync.sender import Batch, Outcomes, Sender

SHARE, _SLICE = 2_000, 250
"""Due links that one round takes at most, and one transaction: all other writers of the merchant
wait for it."""
_ATTEMPTS = 5
"""How often one link is sent in one run because of the same change before it waits a little."""


def falls_first(writes: Sequence[Write]) -> tuple[Sequence[Write], Sequence[Write]]:
    """Return the writes that lower a number, and the others. Where the calls of a quota run out,
    units that are gone must not stay on offer: a number that rises late sells late only."""
    falls = [
        write for write in writes if write.expected is not None and write.quantity < write.expected
    ]
    lowered = {write.key for write in falls}
    return falls, [write for write in writes if write.key not in lowered]


@dataclass(slots=True)
class Attempts:
    """How often each link was sent in this run because of its last change."""

    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, write: Write) -> None:
        """Count one attempt. A newer change of the link begins at one again."""
        change, times = self._sent.get(write.listing, (write.due_revision, 0))
        times = times + 1 if change == write.due_revision else 1
        self._sent[write.listing] = (write.due_revision, times)

    @property
    def exhausted(self) -> dict[str, int]:
        """The links that must wait, with the change that they were sent for."""
        return {
            listing: change for listing, (change, times) in self._sent.items() if times >= _ATTEMPTS
        }


@dataclass(frozen=True, slots=True)
class LinkPusher:
    """Of one run. `adjust` asks the plugins."""

    context: RunContext
    adjust: sync.Adjust = sync.unadjusted
    _attempts: Attempts = field(default_factory=Attempts)
    _superseded: SupersededRule = field(default_factory=SupersededRule)
    _words: dict[str, str] = field(default_factory=dict)
    """What the platform said last of a link's write."""

    async def push(self, policy: Policy, this: Round) -> tuple[Round, bool]:
        """Settle what was read and send what follows. Return what the next round begins with, and
        whether there must be one: a link is to be read, to be read back, or to be sent again, or
        there were more links than one round takes."""
        readings = self._superseded.keep(this.readings, this.sold)
        counts, after = self.context.counts, dict[str, Observation]()
        key, is_unfinished = f"{self.context.run.id}-{counts.rounds}", False
        for part in range(SHARE // _SLICE):
            before = counts.confirmed + counts.failed
            planned, seen = await self._push_slice(
                PlanRequest(
                    policy,
                    readings,
                    f"{key}-{part}",
                    _SLICE,
                    self._attempts.exhausted,
                    self.adjust,
                    self._words,
                    this.orders_until,
                ),
            )
            after |= seen
            handled = len(planned.handled)
            done = counts.confirmed + counts.failed - before + planned.held
            is_unfinished = is_unfinished or done < handled
            # What was sent since is not in a reading, so each is used once.
            readings = {
                listing: reading
                for listing, reading in readings.items()
                if listing not in planned.handled
            }
            if handled < _SLICE or planned.unread == handled:
                return Round(this.began_at, after), is_unfinished
        return Round(this.began_at, after), True

    async def _push_slice(self, request: PlanRequest) -> tuple[PushPlan, Mapping[str, Observation]]:
        context, counts = self.context, self.context.counts
        context.may_end()
        shop, token = context.run.claim.shop, context.run.claim.token
        planned = await context.run.write(lambda uow: sync.plan(uow, shop, token, request))
        counts.computed += len(planned.handled)
        counts.confirmed += planned.confirmed
        counts.failed += planned.failed

        async def settle(outcomes: Outcomes) -> None:
            confirmed, failed = await context.run.write(
                lambda uow: sync.settle(uow, shop, token, request.policy, outcomes),
            )
            counts.confirmed += confirmed
            counts.failed += failed

        sender = Sender(
            context, settle, counts, self._attempts.note, on_words=self._words.__setitem__
        )
        parts = [
            part
            for writes in falls_first(planned.writes)
            for part in chunks(writes, context.kind.limits.write_batch)
        ]
        sent = await sender.send(
            [Batch(f"{request.key}-{number}", part) for number, part in enumerate(parts)]
        )
        return planned, sent.readings
