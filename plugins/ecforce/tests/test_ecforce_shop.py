"""The connector and the simulated shop together, over real HTTP."""

from __future__ import annotations

import pytest
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_sdk import (
    FindingLevel,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    ListingWarning,
    OrderState,
    WriteOutcome,
)
from zaiko_sdk.testing.simulator import NewListing

pytestmark = pytest.mark.anyio


async def _orders(connector, cursor=None):
    pages = [page async for page in connector.fetch_orders(cursor)]
    return [order for page in pages for order in page.orders], pages[-1].cursor


async def _listings(connector, cursor=None):
    return {
        row.ref.external_id: row
        async for page in connector.list_listings(cursor)
        for row in page.listings
    }


async def test_a_sale_lowers_the_number_and_is_read_with_the_listing_that_was_sold(
    shop: EcforceSimulator, connect
):
    shop.add_listings([NewListing("SERUM-30", 10), NewListing("SOAP-1", 5)])
    connector = connect()

    order_id = shop.place_order({"SERUM-30": 2, "SOAP-1": 1})
    orders, _ = await _orders(connector)
    levels = await connector.read_inventory([ListingRef("SERUM-30"), ListingRef("SOAP-1")])

    assert [order.external_id for order in orders] == [order_id]
    assert [(line.listing, line.ordered, line.fulfilled) for line in orders[0].lines] == [
        ("SERUM-30", 2, 0),
        ("SOAP-1", 1, 0),
    ]
    assert orders[0].state is OrderState.OPEN
    assert orders[0].state_known
    assert {level.external_id: level.quantity for level in levels} == {"SERUM-30": 8, "SOAP-1": 4}


async def test_the_listing_of_an_order_line_is_the_id_of_a_listing(shop: EcforceSimulator, connect):
    shop.add_listings([NewListing("A", 3), NewListing("B", 3)])
    shop.place_order({"B": 1})
    connector = connect()

    orders, _ = await _orders(connector)

    assert orders[0].lines[0].listing in await _listings(connector)


async def test_a_write_is_absolute_and_read_back(shop: EcforceSimulator, connect):
    shop.add_listings([NewListing("A", 3), NewListing("B", 7)])
    connector = connect()

    results = await connector.set_inventory(
        [InventoryWrite(ListingRef("A"), 9, 3), InventoryWrite(ListingRef("B"), 0, 7)], "k"
    )

    assert {(r.external_id, r.outcome, r.quantity) for r in results} == {
        ("A", WriteOutcome.APPLIED, 9),
        ("B", WriteOutcome.APPLIED, 0),
    }
    assert shop.stock() == {"A": 9, "B": 0}


async def test_one_refused_row_does_not_hold_up_the_others(shop: EcforceSimulator, connect):
    shop.add_listings(
        [
            NewListing("A", 3),
            NewListing("HERE-NOT", 0, extra={"stocked": False, "locations": {"osaka": 4}}),
        ]
    )
    connector = connect()
    writes = [InventoryWrite(ListingRef(sku), 5, None) for sku in ("A", "HERE-NOT", "GONE")]

    results = {result.external_id: result for result in await connector.set_inventory(writes, "k")}

    assert results["A"].outcome is WriteOutcome.APPLIED
    assert results["HERE-NOT"].outcome is WriteOutcome.REFUSED
    assert isinstance(results["HERE-NOT"].error, ItemRefused)
    assert "ASI2002" in results["HERE-NOT"].error.platform_message
    assert isinstance(results["GONE"].error, ListingGone)


async def test_levels_say_why_a_listing_cannot_be_synced(shop: EcforceSimulator, connect):
    shop.add_listings(
        [
            NewListing("UNLIMITED", 1, extra={"stock_unlimited": True}),
            NewListing("OSAKA-ONLY", extra={"stocked": False, "locations": {"osaka": 4}}),
            NewListing("TWICE", 1, extra={"product": "P1"}),
            NewListing("TWICE", 2, extra={"product": "P2"}),
        ]
    )
    names = ["UNLIMITED", "OSAKA-ONLY", "TWICE", "NEVER"]

    levels = {
        level.external_id: level
        for level in await connect().read_inventory([ListingRef(name) for name in names])
    }

    assert set(levels) == set(names)
    assert all(level.quantity is None for level in levels.values())
    assert "在庫無制限" in str(levels["UNLIMITED"].error)
    assert "osaka" in str(levels["OSAKA-ONLY"].error)
    assert "2 variants" in str(levels["TWICE"].error)
    assert isinstance(levels["NEVER"].error, ListingGone)


async def test_listings_warn_of_what_a_person_should_know_before_linking(
    shop: EcforceSimulator, connect
):
    shop.add_listings(
        [
            NewListing("PLAIN", 4, title="美容液"),
            NewListing("UNLIMITED", 1, extra={"stock_unlimited": True}),
            NewListing("HIDDEN", 1, extra={"state": "inactive"}),
            NewListing("UNSTOCKED", extra={"stocked": False}),
            NewListing("TWICE", 1, extra={"product": "P1"}),
            NewListing("TWICE", 2, extra={"product": "P2"}),
        ]
    )

    listings = await _listings(connect())

    assert {sku: set(row.warnings) for sku, row in listings.items()} == {
        "PLAIN": set(),
        "UNLIMITED": {ListingWarning.UNTRACKED},
        "HIDDEN": {ListingWarning.OFF_SALE},
        "UNSTOCKED": {ListingWarning.NOT_STOCKED},
        "TWICE": {ListingWarning.DUPLICATE_SKU},
    }
    assert (listings["PLAIN"].sku, listings["PLAIN"].title, listings["PLAIN"].quantity) == (
        "PLAIN",
        "美容液",
        4,
    )
    assert listings["PLAIN"].barcode == ""


async def test_a_variant_is_distinguished_by_its_options_and_grouped_by_its_product(
    shop: EcforceSimulator, connect
):
    shop.add_listings(
        [
            NewListing(
                "T-S",
                1,
                "Tシャツ S",
                extra={"product": "T", "product_name": "Tシャツ", "option": "S"},
            ),
            NewListing(
                "T-M",
                2,
                "Tシャツ M",
                extra={"product": "T", "product_name": "Tシャツ", "option": "M"},
            ),
        ]
    )

    listings = await _listings(connect())

    assert [listings[sku].title for sku in ("T-S", "T-M")] == ["Tシャツ S", "Tシャツ M"]
    assert listings["T-S"].group_id == listings["T-M"].group_id != ""


@pytest.mark.parametrize("included", [True, False])
async def test_the_master_sku_is_listed_whether_or_not_the_variants_hold_it(
    shop: EcforceSimulator, connect, included: bool
):
    shop.switch("master_in_variants", included)
    shop.add_listings(
        [NewListing("M", 1, extra={"product": "T"}), NewListing("V", 2, extra={"product": "T"})]
    )

    assert set(await _listings(connect())) == {"M", "V"}


@pytest.mark.parametrize("filters", ["ignored", "all"])
async def test_every_product_is_listed_whether_or_not_the_shop_filters_by_id(
    shop: EcforceSimulator, connect, filters: str
):
    shop.switch("unknown_filters", filters)
    shop.add_listings([NewListing(f"S{number:03d}", number) for number in range(230)])
    connector = connect()
    pages = [page async for page in connector.list_listings(None)]

    rest = await _listings(connector, pages[0].cursor)

    assert {row.sku: row.quantity for page in pages for row in page.listings} == {
        f"S{n:03d}": n for n in range(230)
    }
    # A shop that ignores the filter is noticed on the second page, and read again from the first.
    assert len(rest) == (130 if filters == "ignored" else 230)


async def test_an_sku_that_comes_again_on_a_later_page_is_known_as_double_at_once(
    shop: EcforceSimulator, connect
):
    twice = {"product": "FIRST"}, {"product": "LAST"}
    shop.add_listings(
        [
            NewListing("TWICE", 1, extra=twice[0]),
            NewListing("UNSTOCKED", extra={"stocked": False, **twice[0]}),
        ]
    )
    shop.add_listings([NewListing(f"S{number:03d}") for number in range(120)])
    shop.add_listings(
        [
            NewListing("TWICE", 2, extra=twice[1]),
            NewListing("UNSTOCKED", extra={"stocked": False, **twice[1]}),
        ]
    )

    pages = [
        {row.sku: row.warnings for row in page.listings}
        async for page in connect().list_listings(None)
    ]

    assert ListingWarning.DUPLICATE_SKU in pages[0]["TWICE"]
    # Without stock records nothing shows it before the second variant is seen.
    assert ListingWarning.DUPLICATE_SKU not in pages[0]["UNSTOCKED"]
    assert ListingWarning.DUPLICATE_SKU in pages[-1]["UNSTOCKED"]


async def test_a_page_with_many_variants_comes_in_parts_and_is_repeated_from_any_but_the_last(
    shop: EcforceSimulator, connect, monkeypatch
):
    monkeypatch.setattr("zaiko_ecforce.catalogue._PART", 2)
    shop.add_listings([NewListing(f"V{number}", extra={"product": "P"}) for number in range(5)])
    connector = connect()

    pages = [page async for page in connector.list_listings(None)]

    assert [len(page.listings) for page in pages] == [2, 2, 1]
    assert len(await _listings(connector, pages[1].cursor)) == 5
    assert len(await _listings(connector, pages[2].cursor)) == 0


async def test_deleted_variants_and_variants_without_an_sku_are_no_listings(
    shop: EcforceSimulator, connect, log
):
    shop.add_listings(
        [NewListing(sku, extra={"product": "P"}) for sku in ("M", "GONE", "", "LEFT")]
    )
    shop.products[0].variants[1].deleted_at = shop.now()

    assert set(await _listings(connect())) == {"M", "LEFT"}
    assert "variant_without_sku" in log.events


async def test_an_order_is_shipped_cancelled_or_deleted_as_the_shop_says(
    shop: EcforceSimulator, connect
):
    shop.add_listings([NewListing("A", 50)])
    shipped, voided, by_hand, deleted, open_ = (shop.place_order({"A": 2}) for _ in range(5))
    shop.fulfil_order(shipped)
    shop.cancel_order(voided, restock=True)
    shop.cancel_order(by_hand, restock=False)
    shop.delete_order(deleted)

    orders, _ = await _orders(connect())

    assert {order.external_id: order.state for order in orders} == {
        shipped: OrderState.SHIPPED,
        voided: OrderState.CANCELLED,
        by_hand: OrderState.CANCELLED,
        deleted: OrderState.DELETED,
        open_: OrderState.OPEN,
    }
    assert next(order for order in orders if order.external_id == shipped).lines[0].fulfilled == 2
    # The staff's own move to cancelled gives nothing back; payment cancels did.
    assert shop.stock() == {"A": 50 - 2 - 2 - 2}


async def test_check_finds_a_good_shop_good(shop: EcforceSimulator, connect):
    shop.add_listings([NewListing("A", 1)])

    findings = await connect().check()

    assert [(finding.level, finding.reason) for finding in findings] == [
        (FindingLevel.OK, "CONNECTED")
    ]


async def test_check_names_the_locations_when_the_chosen_one_does_not_exist(
    shop: EcforceSimulator, connect
):
    shop.add_listings([NewListing("A", 1, extra={"locations": {"osaka": 1}})])

    findings = await connect(location_code="tokyo").check()

    assert [(finding.level, finding.reason) for finding in findings] == [
        (FindingLevel.ERROR, "UNKNOWN_LOCATION")
    ]
    assert "default, osaka" in findings[0].message


async def test_check_reports_a_refused_token_as_a_finding(shop: EcforceSimulator, connect):
    findings = await connect(token="wrong").check()

    assert [(finding.level, finding.reason) for finding in findings] == [
        (FindingLevel.ERROR, "CREDENTIALS_REJECTED")
    ]
    assert "API 認証トークン" in findings[0].message
