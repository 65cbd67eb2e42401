"""Rules about the catalogue and the numbers that it shows."""

from __future__ import annotations

from zaiko_sdk import Capability, ListingGone, ListingPage, ListingWarning
from zaiko_sdk.testing.contract.bench import ContractBench
from zaiko_sdk.testing.contract.rule import rule
from zaiko_sdk.testing.simulator import NewListing

_MANY = 130
_PAGE = 25
_NUMBERS = (Capability.LIST_LISTINGS, Capability.READ_INVENTORY)


class ListingRules:
    """`list_listings` and `read_inventory`."""

    @rule(
        Capability.LIST_LISTINGS,
        why=(
            "A listing that is left out can neither be linked nor seen, and zaiko does not control "
            "its stock."
        ),
        fix=(
            "Read every page; continue after the last row rather than by number where the "
            "platform can."
        ),
    )
    def test_the_catalogue_is_whole(self, bench: ContractBench) -> None:
        """Every listing of a catalogue of several pages is delivered, with its code and title."""
        skus = bench.stock_up(*range(_MANY))
        bench.try_switch("page_size", _PAGE)
        found = bench.listings(bench.open())
        assert sorted(found) == sorted(skus), (
            f"{len(found)} of {len(skus)} listings; missing: {sorted({*skus} - found.keys())[:5]}"
        )
        assert all(listing.title.strip() for listing in found.values()), "a listing without a title"
        wrong = [sku for place, sku in enumerate(skus) if found[sku].quantity not in (None, place)]
        assert not wrong, f"a quantity that the shop does not show: {wrong[:5]}"

    @rule(
        Capability.LIST_LISTINGS,
        why="A refresh that was interrupted continues where it was, also in another process.",
        fix="Put everything needed to continue into the cursor, and nothing into memory.",
    )
    def test_the_catalogue_continues_after_any_page(self, bench: ContractBench) -> None:
        """What comes up to a page, and what comes after its cursor in a fresh connector, is the
        whole catalogue."""
        skus = bench.stock_up(*[1] * _MANY)
        bench.try_switch("page_size", _PAGE)
        pages = bench.run(_pages(bench))
        for number in range(len(pages) - 1):
            before = {listing.sku for page in pages[: number + 1] for listing in page.listings}
            after = bench.run(bench.reading_listings(bench.open(), pages[number].cursor))
            missing = {*skus} - before - after.keys()
            assert not missing, (
                f"continued after page {number + 1}, these never came: {sorted(missing)[:5]}"
            )

    @rule(
        Capability.LIST_LISTINGS,
        why=(
            "Links use the listing's id; an id that changes or is used twice sends numbers to the "
            "wrong listing."
        ),
        fix=(
            "Use the platform's own id of the variant as ListingRef.external_id, never its code "
            "or its place."
        ),
    )
    def test_a_listing_keeps_its_id(self, bench: ContractBench) -> None:
        """Ids are unique, and the same in every reading and every connector."""
        skus = bench.stock_up(*range(20))
        first = bench.listings(bench.open())
        bench.shop.set_stock(skus[0], 99)
        second = bench.listings(bench.open())
        ids = [listing.ref.external_id for listing in first.values()]
        assert all(ids), "an empty id"
        assert len({*ids}) == len(ids), "an id is used twice"
        moved = [sku for sku in skus if first[sku].ref.external_id != second[sku].ref.external_id]
        assert not moved, f"the id changed between two readings: {moved[:5]}"

    @rule(
        Capability.LIST_LISTINGS,
        why=(
            "Owners use one code for several variants. A listing that another one hides is neither "
            "linked nor seen."
        ),
        fix=(
            "Keep both, each with its own id, and with ListingWarning.DUPLICATE_SKU where the "
            "platform lets you know."
        ),
    )
    def test_a_code_used_twice_hides_no_listing(self, bench: ContractBench) -> None:
        """Two listings with one code are two listings with two ids; or one that says DUPLICATE_SKU,
        where the code is the id."""
        bench.stock_up(1)
        bench.offered(
            bench.shop.add_listings, [NewListing("TWICE", 1, "One"), NewListing("TWICE", 2, "Two")]
        )
        pages = bench.run(_pages(bench))
        twice = {
            listing.ref.external_id: listing
            for page in pages
            for listing in page.listings
            if listing.sku == "TWICE"
        }
        warned = [
            listing
            for listing in twice.values()
            if ListingWarning.DUPLICATE_SKU in listing.warnings
        ]
        assert len(twice) == 2 or warned, (
            f"of two listings with one code, {len(twice)} came, and no warning"
        )

    @rule(
        *_NUMBERS,
        why=(
            "Every fence compares with the level: an order that a cached number hides is "
            "overwritten."
        ),
        fix="Read from the platform each time; one level per ref, by the ref's id.",
    )
    def test_levels_are_read_now(self, bench: ContractBench) -> None:
        """Each level is what the shop shows at that moment, one per ref, by its id."""
        skus = bench.stock_up(3, 0, 7)
        connector = bench.open()
        listings = bench.listings(connector)
        for numbers in ((3, 0, 7), (4, 1, 0)):
            for sku, number in zip(skus, numbers, strict=True):
                bench.shop.set_stock(sku, number)
            levels = bench.run(bench.reading(connector, *(listings[sku] for sku in skus)))
            shown = {level.external_id: level.quantity for level in levels}
            assert len(levels) == 3, f"{len(levels)} levels for 3 refs"
            assert shown == {
                listings[sku].ref.external_id: n for sku, n in zip(skus, numbers, strict=True)
            }, f"{shown}"

    @rule(
        *_NUMBERS,
        why=(
            "The host cuts its calls to Limits.read_batch; a level that is missing at that size "
            "stalls its link."
        ),
        fix="Lower Limits.read_batch to what the platform accepts, or page within the call.",
    )
    def test_a_full_batch_is_read(self, bench: ContractBench) -> None:
        """`read_inventory` of Limits.read_batch listings (at most 300 here) answers for each."""
        most = min(bench.kind.limits.read_batch, 300)
        skus = bench.stock_up(*[n % 50 for n in range(most)])
        connector = bench.open()
        listings = bench.listings(connector)
        levels = bench.levels(connector, *listings.values())
        wrong = [
            sku
            for n, sku in enumerate(skus)
            if (lv := levels.get(listings[sku].ref.external_id)) is None or lv.quantity != n % 50
        ]
        assert not wrong, f"{len(wrong)} of {most} levels are missing or wrong"

    @rule(
        *_NUMBERS,
        why="One deleted listing must not stop the others, and its number is not zero but unknown.",
        fix=(
            "Return a level for it whose error is ListingGone, or one without a number where the "
            "platform does not show that it is gone."
        ),
    )
    def test_a_listing_that_is_gone_is_reported(self, bench: ContractBench) -> None:
        """The level of a deleted listing has the error ListingGone, or at least no number; the
        others are read."""
        kept, gone = bench.stock_up(4, 6)
        connector = bench.open()
        listings = bench.listings(connector)
        bench.offered(bench.shop.remove_listing, gone)
        levels = bench.levels(connector, listings[kept], listings[gone])
        assert levels[listings[kept].ref.external_id].quantity == 4, (
            "the listing beside the deleted one was not read"
        )
        level = levels[listings[gone].ref.external_id]
        assert level.quantity is None, f"the deleted listing is said to show {level.quantity}"
        assert isinstance(level.error, ListingGone | None), (
            f"the deleted listing's level says {level.error!r}"
        )


async def _pages(bench: ContractBench) -> list[ListingPage]:
    return [page async for page in bench.open().list_listings(None)]
