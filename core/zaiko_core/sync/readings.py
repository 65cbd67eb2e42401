"""What the shop shows: read batch by batch, and given up where an order superseded it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zaiko_sdk import ContractBroken, ListingRef, Skip

from zaiko_core.domain.decision import Observation
from zaiko_core.domain.ids import listing_id
from zaiko_core.sync import translation
from zaiko_core.sync.run_context import RunContext

Readings = Mapping[str, Observation]
"""What was read, by listing."""
MOST_GIVEN_UP = 2
"""How often in one run a reading of one link is given up because an order superseded it."""
_WHOLE_SECOND = 1_000_000
"""Platforms cut the times of orders to whole seconds."""


async def read_batch(context: RunContext, refs: Sequence[ListingRef]) -> dict[str, Observation]:
    """Read one batch. A batch that is refused without naming the item is split. Raises what the
    connector raises otherwise."""
    at = context.now
    try:
        levels = {
            level.external_id: level for level in await context.connector.read_inventory(refs)
        }
    except Skip as error:
        if len(refs) == 1:
            refused = translation.problem_of(error)
            return {listing_id(refs[0].external_id): Observation(at, problem=refused)}
        half = len(refs) // 2
        first = await read_batch(context, refs[:half])
        return first | await read_batch(context, refs[half:])
    until = context.now
    context.counts.read += len(refs)
    found: dict[str, Observation] = {}
    for ref in refs:
        level = levels.get(ref.external_id)
        if level is None:
            raise ContractBroken(f"read_inventory said nothing of {ref.external_id}")
        problem = None if level.error is None else translation.problem_of(level.error)
        found[listing_id(ref.external_id)] = Observation(
            at,
            level.quantity,
            problem,
            until,
            translation.units_of(ref.external_id, level.withheld) or 0,
            translation.units_of(ref.external_id, level.committed),
        )
    return found


@dataclass(slots=True)
class SupersededRule:
    """Gives up readings that an order has superseded which was fetched after the reading: nobody
    can tell whether it is in them. They are read again, a few times: a link that sells all the time
    must go on."""

    _given_up: dict[str, int] = field(default_factory=dict)

    def keep(self, readings: Readings, sold: Mapping[str, int]) -> dict[str, Observation]:
        """Return the readings that count. `sold`: when the shop last sold a listing (µs, by its
        clock), of the orders that this round fetched."""
        kept = {}
        for listing, seen in readings.items():
            times = self._given_up.get(listing, 0)
            if sold.get(listing, 0) + _WHOLE_SECOND > seen.at and times < MOST_GIVEN_UP:
                self._given_up[listing] = times + 1
            else:
                kept[listing] = seen
        return kept
