"""Listings and levels: goods by their code, sets as what cannot be set, and フリー在庫数 as the
number."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from zaiko_nextengine.connector import NextEngineConnector
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import (
    ContractBroken,
    InventoryWrite,
    ItemRefused,
    Listing,
    ListingGone,
    ListingRef,
    ListingWarning,
    WriteOutcome,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., NextEngineConnector]

pytestmark = pytest.mark.anyio


async def listed(connector: NextEngineConnector, cursor: str | None = None) -> list[list[Listing]]:
    return [list(page.listings) async for page in connector.list_listings(cursor)]


async def test_goods_are_listed_with_what_is_free(connect: Open, shop: NextEngineSimulator) -> None:
    shop.add_listings(
        [NewListing("towel-wm", 40, "タオル 白 M", "4900000000001", {"parent": "towel"})]
    )
    shop.place_order({"towel-wm": 6})

    (goods, _) = await listed(connect())

    assert goods == [
        Listing(
            ListingRef("towel-wm"),
            "タオル 白 M",
            "towel-wm",
            "4900000000001",
            "towel",
            34,
            frozenset(),
        ),
    ]


async def test_what_a_person_should_know_is_reported(
    connect: Open, shop: NextEngineSimulator
) -> None:
    shop.add_listings(
        [
            NewListing("hidden", extra={"visible": False}),
            NewListing("made", extra={"type_id": "20"}),
            NewListing("pre", extra={"type_id": "10"}),
            NewListing("uncounted", extra={"managed": False}),
        ]
    )

    (goods, _) = await listed(connect())

    assert {listing.sku: set(listing.warnings) for listing in goods} == {
        "hidden": {ListingWarning.OFF_SALE},
        "made": {ListingWarning.SELLS_BELOW_ZERO},
        "pre": {ListingWarning.SELLS_BELOW_ZERO},
        "uncounted": {ListingWarning.UNTRACKED},
    }


async def test_a_set_is_listed_once_read_only_and_neither_read_nor_written(
    connect: Open, shop: NextEngineSimulator
) -> None:
    shop.add_listings(
        [
            NewListing("A", 5),
            NewListing("B", 5),
            NewListing("box", extra={"parts": {"A": 1, "B": 2}}),
        ]
    )
    connector = connect()
    (box,) = (await listed(connector))[-1]

    levels = await connector.read_inventory([box.ref, ListingRef("A")])
    (result,) = await connector.set_inventory([InventoryWrite(box.ref, 1, 0)], "key")

    assert box.warnings == {ListingWarning.READ_ONLY}
    assert isinstance(levels[0].error, ItemRefused)
    assert levels[1].quantity == 5
    assert (result.outcome, type(result.error)) == (WriteOutcome.REFUSED, ItemRefused)
    assert "upload" not in shop.counters()


async def test_a_catalogue_continues_after_any_page_also_in_the_middle_of_a_set(
    connect: Open, shop: NextEngineSimulator
) -> None:
    shop.add_listings([NewListing(f"S{number:02}", number) for number in range(11)])
    shop.add_listings(
        [NewListing(f"box{n}", extra={"parts": {"S01": 1, "S02": 1, "S03": 1}}) for n in range(3)]
    )
    everything = {*shop.goods, *shop.sets}
    connector = connect(rows_per_call=2)
    pages = [page async for page in connector.list_listings(None)]

    assert len(pages) > 8
    for number, page in enumerate(pages):
        before = {listing.sku for earlier in pages[: number + 1] for listing in earlier.listings}
        after = {
            listing.sku
            for rest in await listed(connect(rows_per_call=2), page.cursor)
            for listing in rest
        }
        assert before | after == everything

    calls = shop.counters()["goods"]
    await listed(connect(), pages[-1].cursor)
    assert shop.counters()["goods"] == calls


async def test_codes_that_look_like_numbers_are_all_listed(
    connect: Open, shop: NextEngineSimulator
) -> None:
    codes = [str(number) for number in range(95, 106)]
    shop.add_listings([NewListing(code, 1) for code in codes])

    pages = await listed(connect(rows_per_call=2))

    assert {listing.sku for page in pages for listing in page} == {*codes}


async def test_goods_that_go_while_paging_hide_no_others(
    connect: Open, shop: NextEngineSimulator
) -> None:
    shop.add_listings([NewListing(f"S{number:02}", number) for number in range(12)])
    seen = set()
    async for page in connect(rows_per_call=3).list_listings(None):
        seen |= {listing.sku for listing in page.listings}
        # Two that were already delivered: by offset, the next two would be skipped.
        for sku in sorted(shop.goods)[:2]:
            if sku in seen and len(shop.goods) > 4:
                shop.remove_listing(sku)

    assert seen == {f"S{number:02}" for number in range(12)}


@pytest.mark.parametrize("count_tells", ["matching", "returned"])
async def test_pages_end_whatever_count_tells(
    connect: Open, shop: NextEngineSimulator, count_tells: str
) -> None:
    shop.switch("count_tells", count_tells)
    shop.add_listings([NewListing(f"S{number:02}", number) for number in range(9)])

    pages = await listed(connect(rows_per_call=3))

    assert {listing.sku for page in pages for listing in page} == set(shop.goods)
    assert shop.counters()["goods"] <= 5


async def test_a_row_that_cannot_be_read_costs_itself_only(
    connect: Open, server: SimulatorServer, log: object
) -> None:
    rows = [{"goods_id": None}, {"goods_id": "B", "goods_name": "b", "stock_free_quantity": "3"}]
    body = json.dumps({"result": "success", "count": "2", "data": rows})
    server.inject(Fault(FaultKind.REFUSE, match="master_goods", status=200, body=body))

    (goods, _) = await listed(connect())

    assert [listing.sku for listing in goods] == ["B"]
    assert "goods_not_understood" in log.events  # type: ignore[attr-defined]


async def test_a_level_is_what_is_free_and_not_what_is_registered(
    connect: Open, shop: NextEngineSimulator
) -> None:
    shop.add_listings([NewListing("A", 10)])
    order = shop.place_order({"A": 4})
    connector = connect()

    (allocated,) = await connector.read_inventory([ListingRef("A")])
    shop.fulfil_order(order)
    (shipped,) = await connector.read_inventory([ListingRef("A")])

    assert (shop.goods["A"].registered, allocated.quantity, shipped.quantity) == (6, 6, 6)


async def test_levels_cost_one_call(connect: Open, shop: NextEngineSimulator) -> None:
    shop.add_listings([NewListing(f"S{number}", number) for number in range(1000)])

    levels = await connect().read_inventory([ListingRef(f"S{number}") for number in range(1000)])

    assert [level.quantity for level in levels] == list(range(1000))
    assert shop.counters()["stock"] == 1


async def test_a_code_that_is_not_there_is_gone_and_one_that_cannot_be_asked_for_is_refused(
    connect: Open, shop: NextEngineSimulator
) -> None:
    shop.add_listings([NewListing("A", 10)])

    gone, odd, good = await connect().read_inventory(
        [ListingRef("X"), ListingRef("A,B"), ListingRef("A")]
    )

    assert isinstance(gone.error, ListingGone)
    assert isinstance(odd.error, ItemRefused)
    assert good.quantity == 10


@pytest.mark.parametrize(
    "rows",
    [
        [{"stock_goods_id": "other", "stock_free_quantity": "5"}],
        [{"stock_goods_id": "a", "stock_free_quantity": "5"}],
        [{}],
        [None],
    ],
)
async def test_rows_of_other_goods_do_not_make_a_listing_gone(
    connect: Open, server: SimulatorServer, rows: list[object]
) -> None:
    body = json.dumps({"result": "success", "count": "1", "data": rows})
    server.inject(Fault(FaultKind.REFUSE, match="master_stock", status=200, body=body))

    with pytest.raises(ContractBroken):
        await connect().read_inventory([ListingRef("A")])


@pytest.mark.parametrize(
    ("value", "flag"), [("", "0"), (None, "0"), ("5.5", "0"), ("x", "0"), (True, "0"), ("5", "1")]
)
async def test_a_number_that_cannot_be_read_is_an_error_of_its_listing(
    connect: Open, server: SimulatorServer, value: object, flag: str
) -> None:
    rows = [
        {"stock_goods_id": "A", "stock_free_quantity": value, "stock_deleted_flag": flag},
        {"stock_goods_id": "B", "stock_free_quantity": "7.00"},
    ]
    body = json.dumps({"result": "success", "count": "2", "data": rows})
    server.inject(Fault(FaultKind.REFUSE, match="master_stock", status=200, body=body))

    bad, good = await connect().read_inventory([ListingRef("A"), ListingRef("B")])

    assert bad.quantity is None
    assert isinstance(bad.error, ListingGone if flag == "1" else ItemRefused)
    assert good.quantity == 7
