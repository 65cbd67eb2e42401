"""Connectors that change numbers wrongly, or say what is not true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contract.broken.delegating import ADJUST, SET, Delegating, behaves
from zaiko_sdk import (
    InventoryWrite,
    ItemRefused,
    WriteOutcome,
    WriteResult,
)


@behaves("a_number_is_set")
class OnlySaysSo(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        return [WriteResult(write.ref.external_id, WriteOutcome.APPLIED) for write in writes]


@behaves("a_full_batch_is_written")
class AnswersForMost(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        return list(await self.inner.set_inventory(writes, key))[: max(1, len(writes) - 1)]


@behaves("a_condition_that_does_not_hold_changes_nothing", sends=SET)
class ReadsAndCompares(Delegating):
    """The order comes between its reading and its writing; here it was read earlier."""


@behaves("one_stale_item_is_its_own")
class CallsAllStale(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        results = await self.inner.set_inventory(writes, key)
        stale = any(result.outcome is WriteOutcome.STALE for result in results)
        return (
            [replace(result, outcome=WriteOutcome.STALE) for result in results]
            if stale
            else results
        )


@behaves("a_change_keeps_what_was_sold_meanwhile", says=ADJUST, sends=SET)
class SendsAbsoluteNumbers(Delegating):
    """Says that it adjusts."""


@behaves("a_change_below_zero_is_reported", says=ADJUST, sends=ADJUST)
class TakesStaleForDone(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        return [
            replace(result, outcome=WriteOutcome.APPLIED)
            for result in await self.inner.set_inventory(writes, key)
        ]


@behaves("a_number_is_set_whatever_was_there", says=SET, sends=ADJUST)
class SendsDifferences(Delegating):
    """Says that it sets."""


@behaves("one_refused_item_is_its_own")
class RaisesForOne(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        results = await self.inner.set_inventory(writes, key)
        if any(result.outcome is WriteOutcome.REFUSED for result in results):
            raise ItemRefused("something in this batch was refused")
        return results
