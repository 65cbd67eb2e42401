"""The first phase of a round: reads the numbers that links and received units need, before orders
are fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zaiko_sdk import ListingRef

from zaiko_core.app import sync
from zaiko_core.domain.decision import Policy
from zaiko_core.domain.fence import WriteMode
from zaiko_core.sync.addition_sender import AdditionSender
from zaiko_core.sync.link_pusher import SHARE
from zaiko_core.sync.readings import Readings, read_batch
from zaiko_core.sync.round import Round
from zaiko_core.sync.run_context import RunContext, chunks

_SOON = 1_000_000
"""µs before it is due that a received unit is looked after already."""


async def read_links(context: RunContext, policy: Policy, this: Round, *, is_first: bool) -> Round:
    """Read the numbers that the due links need. In its first round a run knows from its claim what
    is due. Raises what the connector raises, and RunCancelled between batches."""
    found = context.run.found
    if is_first and (found.links_due_at is None or found.links_due_at > found.at):
        return replace(this, is_due=False)
    is_read_needed = (
        policy.mode is not WriteMode.COMPARE_AND_SET or found.shop.shadow or found.reading_due
    )
    if is_first and not is_read_needed:
        return replace(this, is_due=True)
    (due, number), began_at = await context.run.read(
        lambda uow: (sync.needs_reading(uow, found.shop.shop, policy, limit=SHARE), uow.now)
    )
    refs = [
        ListingRef(item.external_id, item.data)
        for item in due
        if item.link.listing not in this.readings
    ]
    readings = await _read(context, this.readings, refs, is_cancellable=True)
    return Round(began_at, readings, is_due=number > 0)


async def read_for_additions(
    context: RunContext, policy: Policy, this: Round
) -> tuple[AdditionSender | None, Round]:
    """Read the numbers that received units are to be added to. Return what adds them; None when
    there is nothing to add. Raises as `read_links`."""
    due_at = context.shop.additions_due_at
    if due_at is None or due_at > context.now + _SOON:
        return None, this
    context.may_end()
    additions = AdditionSender(context, policy, f"{context.run.id}-a{context.counts.rounds}")
    refs = await additions.to_read()
    readings = await _read(context, this.readings, refs, is_cancellable=False)
    return additions, replace(this, readings=readings)


async def _read(
    context: RunContext, before: Readings, refs: Sequence[ListingRef], *, is_cancellable: bool
) -> Readings:
    readings = dict(before)
    for chunk in chunks(refs, context.kind.limits.read_batch):
        if is_cancellable:
            context.may_end()
        readings |= await read_batch(context, chunk)
    return readings
