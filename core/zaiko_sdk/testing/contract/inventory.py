"""Rules about changing what the shop shows: what the mode promises, and that results are true."""

from __future__ import annotations

from zaiko_sdk import (
    Capability,
    Connector,
    ConnectorError,
    InventoryMode,
    ItemRefused,
    Listing,
    ListingGone,
    WriteOutcome,
    WriteResult,
)
from zaiko_sdk.testing.contract.bench import ContractBench, by_sku, check_claim
from zaiko_sdk.testing.contract.rule import rule

_WRITES = (Capability.LIST_LISTINGS, Capability.READ_INVENTORY, Capability.SET_INVENTORY)


class InventoryRules:
    """`set_inventory`."""

    @rule(
        *_WRITES,
        why="This is what the shop is connected for.",
        fix=(
            "Send the change in the form of the mode, and return APPLIED when the platform has "
            "acknowledged it."
        ),
    )
    def test_a_number_is_set(self, bench: ContractBench) -> None:
        """Raising, lowering and setting to 0 are APPLIED, and the shop shows the numbers."""
        skus = bench.stock_up(5, 5, 5)
        connector = bench.open()
        listings = bench.listings(connector)
        wanted = dict(zip(skus, (9, 2, 0), strict=True))
        results = _write_each(
            bench, connector, *((listings[sku], 5, quantity) for sku, quantity in wanted.items())
        )
        assert all(result.outcome is WriteOutcome.APPLIED for result in results.values()), (
            f"{results}"
        )
        assert bench.shop.stock() == wanted, f"the shop shows {bench.shop.stock()}, not {wanted}"

    @rule(
        *_WRITES,
        why=(
            "The host cuts its calls to Limits.write_batch, and settles each write that has no "
            "result by reading it again."
        ),
        fix=(
            "Lower Limits.write_batch to what the platform accepts; return exactly one result per "
            "write."
        ),
    )
    def test_a_full_batch_is_written(self, bench: ContractBench) -> None:
        """`set_inventory` of Limits.write_batch changes (at most 300 here) has one APPLIED result
        for each."""
        most = min(bench.kind.limits.write_batch, 300)
        skus = bench.stock_up(*[5] * most)
        connector = bench.open()
        listings = bench.listings(connector)
        results = bench.write(
            connector, *((listings[sku], 5, 6 + place % 3) for place, sku in enumerate(skus))
        )
        failed = [sku for sku in skus if results[sku].outcome is not WriteOutcome.APPLIED]
        assert not failed, (
            f"{len(failed)} of {most} were not applied: {[results[sku] for sku in failed[:3]]}"
        )
        wrong = [sku for place, sku in enumerate(skus) if bench.shop.stock()[sku] != 6 + place % 3]
        assert not wrong, (
            f"{len(wrong)} of {most} listings show another number than was acknowledged"
        )

    @rule(
        *_WRITES,
        why=(
            "The host limits numbers to Limits.max_quantity; a limit that is too high makes it "
            "send a number that is refused each time."
        ),
        fix="Set Limits.max_quantity to the largest number that the platform accepts.",
    )
    def test_the_largest_number_is_taken(self, bench: ContractBench) -> None:
        """Limits.max_quantity is APPLIED."""
        (sku,) = bench.stock_up(5)
        connector = bench.open()
        most = bench.kind.limits.max_quantity
        result = bench.write(connector, (bench.listings(connector)[sku], 5, most))[sku]
        assert result.outcome is WriteOutcome.APPLIED, f"{most} was not applied: {result}"
        assert bench.shop.stock()[sku] == most, f"the shop shows {bench.shop.stock()[sku]}"

    @rule(
        *_WRITES,
        modes=(InventoryMode.COMPARE_AND_SET,),
        why=(
            "Only the condition protects an order that zaiko has not seen from a number that "
            "overwrites it."
        ),
        fix=(
            "Send `expected` as the platform's condition, and return STALE when it did not hold. "
            "Never read and compare yourself."
        ),
    )
    def test_a_condition_that_does_not_hold_changes_nothing(self, bench: ContractBench) -> None:
        """With an `expected` that the shop does not show, the write is STALE, and the shop's number
        stays."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        listing = bench.listings(connector)[sku]
        bench.shop.place_order({sku: 3})
        result = bench.write(connector, (listing, 10, 8))[sku]
        assert bench.shop.stock()[sku] == 7, (
            f"the shop showed 7 and was overwritten with {bench.shop.stock()[sku]}"
        )
        assert result.outcome is WriteOutcome.STALE, f"not applied, and called {result.outcome}"

    @rule(
        *_WRITES,
        modes=(InventoryMode.COMPARE_AND_SET,),
        why="One listing that was sold meanwhile must neither delay nor falsify the others.",
        fix=(
            "Read the platform's per-item errors; where it refuses the batch as a whole, send the "
            "others again."
        ),
    )
    def test_one_stale_item_is_its_own(self, bench: ContractBench) -> None:
        """In a batch in which one condition does not hold, that one is STALE, and what is said of
        the others is true."""
        skus = bench.stock_up(10, 10, 10)
        connector = bench.open()
        listings = bench.listings(connector)
        bench.shop.place_order({skus[1]: 3})
        changes = [(listings[sku], 10, 8) for sku in skus]
        results = (
            bench.write(connector, *changes)
            if bench.kind.limits.write_batch > 1
            else _write_each(bench, connector, *changes)
        )
        assert results[skus[1]].outcome is WriteOutcome.STALE, (
            f"the sold one is {results[skus[1]].outcome}"
        )
        for sku, before in zip(skus, (10, 7, 10), strict=True):
            check_claim(sku, bench.shop.stock()[sku], before, 8, results[sku])

    @rule(
        *_WRITES,
        modes=(InventoryMode.ADJUST,),
        why=(
            "A relative change keeps the orders that zaiko has not fetched yet; an absolute one "
            "would undo them."
        ),
        fix="Send `InventoryWrite.delta` through the platform's relative call.",
    )
    def test_a_change_keeps_what_was_sold_meanwhile(self, bench: ContractBench) -> None:
        """A change from 10 to 8 while an order took 3 leaves 5."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        listing = bench.listings(connector)[sku]
        bench.shop.place_order({sku: 3})
        result = bench.write(connector, (listing, 10, 8))[sku]
        assert result.outcome is WriteOutcome.APPLIED, f"the change was not applied: {result}"
        assert bench.shop.stock()[sku] == 5, (
            f"7 lowered by 2 is 5; the shop shows {bench.shop.stock()[sku]}"
        )

    @rule(
        *_WRITES,
        modes=(InventoryMode.ADJUST,),
        why=(
            "No merchant asked for a number below 0, and zaiko would explain the next reading "
            "wrongly."
        ),
        fix=(
            "When the platform refuses the change, return STALE; when it stops at 0, return the "
            "number seen."
        ),
    )
    def test_a_change_below_zero_is_reported(self, bench: ContractBench) -> None:
        """Lowering by more than is there leaves the shop's number or 0, never less, and no change
        is not called APPLIED."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        listing = bench.listings(connector)[sku]
        bench.shop.place_order({sku: 8})
        result = bench.attempt("set_inventory", bench.writing(connector, (listing, 10, 3)))
        shown = bench.shop.stock()[sku]
        assert shown in (0, 2), f"2 lowered by 7 left {shown}"
        outcome = (
            result
            if isinstance(result, ConnectorError)
            else by_sku([(listing, 10, 3)], result)[sku]
        )
        applied = isinstance(outcome, WriteResult) and outcome.outcome is WriteOutcome.APPLIED
        assert not (applied and shown == 2), "nothing was changed, and the connector said APPLIED"

    @rule(
        *_WRITES,
        modes=(InventoryMode.SET,),
        why="The host reads before and after a SET, and computes with the number that it sent.",
        fix="Send `quantity` as the platform's absolute number; do not turn it into a difference.",
    )
    def test_a_number_is_set_whatever_was_there(self, bench: ContractBench) -> None:
        """A SET to 8 leaves 8, whatever the shop showed."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        listing = bench.listings(connector)[sku]
        bench.shop.place_order({sku: 3})
        result = bench.write(connector, (listing, 10, 8))[sku]
        assert result.outcome is WriteOutcome.APPLIED, f"the write was not applied: {result}"
        assert bench.shop.stock()[sku] == 8, f"the shop shows {bench.shop.stock()[sku]}, not 8"

    @rule(
        *_WRITES,
        why="One bad item stops a whole shop when the error does not name it.",
        fix=(
            "Return REFUSED with a Skip for that item; where the platform does not name it, raise "
            "ItemRefused: the host splits the batch."
        ),
    )
    def test_one_refused_item_is_its_own(self, bench: ContractBench) -> None:
        """A deleted listing in a batch is refused with a Skip, or the call raises Skip and nothing
        of it was applied."""
        skus = bench.stock_up(5, 5, 5)
        connector = bench.open()
        listings = bench.listings(connector)
        bench.offered(bench.shop.remove_listing, skus[1])
        changes = [(listings[sku], 5, 6) for sku in skus]
        kept = [skus[0], skus[2]]
        results = _results(bench, connector, changes)
        if isinstance(results, ConnectorError):
            assert isinstance(results, ItemRefused | ListingGone), f"the batch raised {results!r}"
            applied = [sku for sku in kept if bench.shop.stock()[sku] != 5]
            assert not applied, (
                f"the call raised {type(results).__name__}, and these were applied: {applied}"
            )
            return
        gone = results[skus[1]]
        assert gone.outcome in (WriteOutcome.REFUSED, WriteOutcome.UNKNOWN), (
            f"the deleted listing is {gone.outcome}"
        )
        assert gone.outcome is WriteOutcome.UNKNOWN or gone.error is not None, (
            "REFUSED without an error"
        )
        for sku in kept:
            check_claim(sku, bench.shop.stock()[sku], 5, 6, results[sku])
            assert results[sku].outcome is not WriteOutcome.REFUSED, (
                "a good item was refused because of a bad one"
            )


def _write_each(
    bench: ContractBench, connector: Connector, *changes: tuple[Listing, int, int]
) -> dict[str, WriteResult]:
    """Write in calls of the connector's own size."""
    size = bench.kind.limits.write_batch
    results: dict[str, WriteResult] = {}
    for start in range(0, len(changes), size):
        results |= bench.write(connector, *changes[start : start + size])
    return results


def _results(
    bench: ContractBench, connector: Connector, changes: list[tuple[Listing, int, int]]
) -> dict[str, WriteResult] | ConnectorError:
    """Write like `_write_each`. Where each item is a call of its own, a Skip that the call raises
    becomes that item's result."""
    if bench.kind.limits.write_batch > 1:
        results = bench.attempt("set_inventory", bench.writing(connector, *changes))
        return results if isinstance(results, ConnectorError) else by_sku(changes, results)
    found: dict[str, WriteResult] = {}
    for change in changes:
        one = bench.attempt("set_inventory", bench.writing(connector, change))
        if isinstance(one, ItemRefused | ListingGone):
            found[change[0].sku] = WriteResult(
                change[0].ref.external_id, WriteOutcome.REFUSED, error=one
            )
        elif isinstance(one, ConnectorError):
            return one
        else:
            found |= by_sku([change], one)
    return found
