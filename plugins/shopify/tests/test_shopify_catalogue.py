"""The catalogue: by pages, and by a bulk operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zaiko_sdk import ListingWarning
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing
from zaiko_shopify import catalogue

if TYPE_CHECKING:
    from conftest import Open, ShopifyBench

pytestmark = pytest.mark.anyio

STOCK = {f"S{number:03}": number for number in range(30)}


async def pages(bench: ShopifyBench, cursor: str | None = None) -> list[Any]:
    return [page async for page in bench.connector.list_listings(cursor)]


def skus(found: list[Any]) -> list[str]:
    return [listing.sku for page in found for listing in page.listings]


async def test_the_whole_catalogue_comes_in_pages_that_can_be_resumed(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "LISTINGS_PAGE", 12)
    async with open_bench(STOCK) as bench:
        found = await pages(bench)
        rest = await pages(bench, found[0].cursor)

    assert skus(found) == list(STOCK)
    assert [len(page.listings) for page in found] == [12, 12, 6]
    assert skus(rest) == list(STOCK)[12:]
    assert {listing.sku: listing.quantity for page in found for listing in page.listings} == STOCK


async def test_an_empty_catalogue_is_one_empty_page(open_bench: Open) -> None:
    async with open_bench() as bench:
        assert [list(page.listings) for page in await pages(bench)] == [[]]


async def test_a_page_that_costs_too_much_is_halved(open_bench: Open) -> None:
    async with open_bench(STOCK) as bench:
        bench.sim.switch("max_cost", 30)

        assert skus(await pages(bench)) == list(STOCK)


@pytest.mark.parametrize("above", [0, 29])
async def test_a_large_catalogue_is_read_by_a_bulk_operation(open_bench: Open, above: int) -> None:
    async with open_bench(STOCK) as bench:
        plain = await pages(bench)
    async with open_bench(bulk_listings_above=above) as bench:
        found = await pages(bench)

        assert bench.sim.counters()["bulkOperationRunQuery"] == 1
    assert [page.listings for page in found] == [page.listings for page in plain]


async def test_a_bulk_file_is_resumed_after_the_last_page_that_came(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "_BULK_PAGE", 8)
    async with open_bench(STOCK, bulk_listings_above=0) as bench:
        found = await pages(bench)
        rest = await pages(bench, found[1].cursor)

        assert bench.sim.counters()["bulkOperationRunQuery"] == 1
    assert skus(found) == list(STOCK)
    assert skus(rest) == list(STOCK)[16:]


async def test_while_a_bulk_operation_runs_empty_pages_come(open_bench: Open) -> None:
    async with open_bench(STOCK, bulk_listings_above=0) as bench:
        bench.sim.switch("bulk_seconds", 60.0)

        found = await pages(bench)

    assert [len(page.listings) for page in found] == [0, 0, 0, 30]


@pytest.mark.parametrize("outcome", ["FAILED", "CANCELED", "EXPIRED"])
async def test_after_a_failed_bulk_operation_the_pages_come(open_bench: Open, outcome: str) -> None:
    async with open_bench(STOCK, bulk_listings_above=0) as bench:
        bench.sim.switch("bulk_outcome", outcome)

        assert skus(await pages(bench)) == list(STOCK)


async def test_after_a_lost_bulk_file_the_pages_come(open_bench: Open) -> None:
    async with open_bench(STOCK, bulk_listings_above=0) as bench:
        bench.server.inject(Fault(FaultKind.DROP_AFTER, match="/bulk/"))

        assert set(skus(await pages(bench))) == set(STOCK)


async def test_when_too_many_bulk_operations_run_the_pages_come(open_bench: Open) -> None:
    async with open_bench(STOCK, bulk_listings_above=0) as bench:
        bench.sim.switch("bulk_seconds", 999.0)
        for _ in range(5):
            bench.sim.platform.bulk.begin("{ productVariants { edges { node { id } } } }")

        assert skus(await pages(bench)) == list(STOCK)


async def test_a_broken_listing_never_stops_the_page(open_bench: Open) -> None:
    async with open_bench({"A": 1, "B": 2}) as bench:
        query = bench.connector._client.query

        async def spoiled(*arguments: Any) -> Any:
            data = await query(*arguments)
            if "productVariants" in data:
                data.raw("productVariants")["nodes"][0:0] = [None, {"id": 7}]
            return data

        bench.connector._client.query = spoiled  # type: ignore[method-assign]

        assert skus(await pages(bench)) == ["A", "B"]
        assert bench.log.events.count("shopify_listing_not_read") == 2


@pytest.mark.parametrize("above", [0, 10_000])
async def test_a_code_that_two_variants_carry_is_warned_about(open_bench: Open, above: int) -> None:
    async with open_bench(bulk_listings_above=above) as bench:
        bench.sim.add_listings(
            [
                NewListing("A", 1),
                NewListing("A", 2),
                NewListing("B", 3),
                NewListing("", 4),
                NewListing("", 5),
            ]
        )

        listings = [
            listing
            async for page in bench.connector.list_listings(None)
            for listing in page.listings
        ]

    warned = [
        (listing.sku, ListingWarning.DUPLICATE_SKU in listing.warnings) for listing in listings
    ]
    assert warned == [("A", True), ("A", True), ("B", False), ("", False), ("", False)]


async def test_rows_that_come_twice_while_paging_are_delivered_twice_and_none_is_lost(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "LISTINGS_PAGE", 2)
    async with open_bench(dict.fromkeys("ABCDE", 1)) as bench:
        bench.sim.switch("pages", "duplicate")

        listings = [
            listing.sku
            async for page in bench.connector.list_listings(None)
            for listing in page.listings
        ]

    assert set(listings) == set("ABCDE")
    assert len(listings) > 5
