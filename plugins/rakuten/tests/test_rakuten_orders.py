"""Orders: found by time, read whole, from either API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import ContractBroken, Order, OrderPage, OrderState, PermissionMissing
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import SimulatorServer

pytestmark = pytest.mark.anyio


async def pages_of(connector: RakutenConnector, cursor: str | None = None) -> list[OrderPage]:
    return [page async for page in connector.fetch_orders(cursor)]


async def orders_of(connector: RakutenConnector, cursor: str | None = None) -> list[Order]:
    return [order for page in await pages_of(connector, cursor) for order in page.orders]


async def test_an_order_is_delivered_with_the_listing_that_was_sold(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    number = shop.place_order({"TEA-100": 2, "CUP-200": 1})

    [order] = await orders_of(connector)

    assert (order.external_id, order.state, order.version) == (number, OrderState.OPEN, None)
    assert [(line.listing, line.ordered, line.sku) for line in order.lines] == [
        ("tea-100/TEA-100", 2, "TEA-100"),
        ("cup-200/CUP-200", 1, "CUP-200"),
    ]
    assert order.platform_state == "100 注文確認待ち"


async def test_a_listing_is_named_alike_by_orders_catalogue_and_stock(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.place_order({"TEA-100": 2})

    [order] = await orders_of(connector)
    listings = [
        listing async for page in connector.list_listings(None) for listing in page.listings
    ]
    [tea] = [listing for listing in listings if listing.sku == "TEA-100"]
    [level] = await connector.read_inventory([tea.ref])

    assert order.lines[0].listing == tea.ref.external_id == level.external_id
    assert level.quantity == 8


async def test_an_empty_shop_still_moves_the_cursor_on(connector: RakutenConnector) -> None:
    [page] = await pages_of(connector)

    assert page.orders == []
    assert page.cursor


async def test_the_next_fetch_overlaps_so_that_a_late_order_is_found(
    connector: RakutenConnector, shop: RakutenSimulator, clock: Any
) -> None:
    [page] = await pages_of(connector)
    number = shop.place_order({"TEA-100": 1}, placed_ago=600)
    clock.advance(120)

    assert [order.external_id for order in await orders_of(connector, page.cursor)] == [number]


async def test_an_order_that_is_not_visible_yet_comes_when_it_is(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    number = shop.place_order({"TEA-100": 1}, visible_after=30)
    [page] = await pages_of(connector)
    assert page.orders == []
    assert shop.stock()["TEA-100"] == 9

    shop.switch("clock_skew_seconds", 31)

    assert [order.external_id for order in await orders_of(connector, page.cursor)] == [number]


async def test_the_cursor_is_never_ahead_of_the_platforms_clock(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("clock_skew_seconds", -1800)

    [page] = await pages_of(connector)
    number = shop.place_order({"TEA-100": 1})

    assert [order.external_id for order in await orders_of(connector, page.cursor)] == [number]


async def test_more_than_a_hundred_orders_come_in_pages_oldest_first(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.set_stock("TEA-100", 1000)
    numbers = [shop.place_order({"TEA-100": 1}, placed_ago=3000 - index) for index in range(250)]

    pages = await pages_of(connector)

    assert [len(page.orders) for page in pages] == [100, 100, 50]
    assert [order.external_id for page in pages for order in page.orders] == numbers
    assert [page.cursor for page in pages] == sorted(page.cursor for page in pages)


async def test_a_crash_after_a_page_loses_nothing(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.set_stock("TEA-100", 1000)
    numbers = {
        shop.place_order({"TEA-100": 1}, placed_ago=90_000 - 100 * index) for index in range(250)
    }

    first, *_ = await pages_of(connector)
    again = await orders_of(connector, first.cursor)

    assert {order.external_id for order in [*first.orders, *again]} == numbers
    assert len(again) < 200


async def test_a_window_with_more_orders_than_can_be_paged_is_split(
    connector: RakutenConnector, shop: RakutenSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zaiko_rakuten.orders.SPLIT_AT", 20)
    shop.set_stock("TEA-100", 1000)
    numbers = {shop.place_order({"TEA-100": 1}, placed_ago=3600 * index) for index in range(90)}

    orders = await orders_of(connector)

    assert {order.external_id for order in orders} == numbers
    assert shop.counters()["purchaseItem.searchOrderItem"] > 5


async def test_more_days_than_one_search_may_span_are_searched_one_after_the_other(
    connect: Any, shop: RakutenSimulator
) -> None:
    old = shop.place_order({"TEA-100": 1}, placed_ago=199 * 86400)
    middle = shop.place_order({"TEA-100": 1}, placed_ago=100 * 86400)

    orders = await orders_of(connect(first_fetch_days=200))

    assert [order.external_id for order in orders] == [old, middle]


async def test_auto_takes_the_purchased_item_api_and_no_buyers_data_with_it(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.place_order({"TEA-100": 1})

    await orders_of(connector)

    assert shop.counters()["purchaseItem.getOrderItem"] == 1
    assert "order.searchOrder" not in shop.counters()


@pytest.mark.parametrize("shape", ["errors", "results"])
async def test_auto_falls_back_to_the_order_api_when_the_first_is_not_enabled(
    connector: RakutenConnector, shop: RakutenSimulator, shape: str
) -> None:
    shop.switch("auth_error_shape", shape)
    shop.switch("disabled_functions", ["purchaseItem.searchOrderItem", "purchaseItem.getOrderItem"])
    number = shop.place_order({"TEA-100": 1})

    for _ in range(3):
        assert [order.external_id for order in await orders_of(connector)] == [number]

    assert shop.counters()["purchaseItem.searchOrderItem"] == 1, "remembered"
    [again] = await connector.read_orders([number])
    assert again.lines[0].external_id


async def test_both_apis_name_lines_alike(connect: Any, shop: RakutenSimulator) -> None:
    number = shop.place_order({"TEA-100": 1, "CUP-200": 2}, packages=2)

    [by_item] = await connect(order_source="purchased_items").read_orders([number])
    [by_order] = await connect(order_source="orders").read_orders([number])

    assert by_item.lines == by_order.lines


async def test_no_order_api_enabled_is_a_missing_permission(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("disabled_functions", ["purchaseItem.searchOrderItem", "order.searchOrder"])

    with pytest.raises(PermissionMissing, match="楽天ペイ受注API"):
        await orders_of(connector)


async def test_edits_and_cancels_show_when_an_order_is_read_again(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    number = shop.place_order({"TEA-100": 3, "CUP-200": 1})
    shop.edit_order(number, {"TEA-100": 1, "CUP-200": 0})
    [edited] = await connector.read_orders([number])

    shop.cancel_order(number, restock=False)
    [cancelled] = await connector.read_orders([number])

    assert [(line.sku, line.ordered) for line in edited.lines] == [("TEA-100", 1)]
    assert cancelled.state is OrderState.CANCELLED


async def test_a_removed_line_that_is_flagged_counts_no_units(
    connect: Any, shop: RakutenSimulator
) -> None:
    shop.switch("removed_lines", "flagged")
    number = shop.place_order({"TEA-100": 3, "CUP-200": 1})
    shop.edit_order(number, {"TEA-100": 0})

    [order] = await connect(order_source="orders").read_orders([number])

    assert [(line.sku, line.ordered - line.cancelled) for line in order.lines] == [
        ("TEA-100", 0),
        ("CUP-200", 1),
    ]


async def test_orders_in_every_state_are_found(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.set_stock("TEA-100", 100)
    states = (100, 200, 300, 400, 500, 600, 700, 800, 900)
    for progress in states:
        shop.place_order({"TEA-100": 1}, progress=progress)

    assert [int(order.platform_state[:3]) for order in await orders_of(connector)] == list(states)


async def test_an_order_that_cannot_be_read_is_shown_and_never_stops_the_page(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, log: Any
) -> None:
    good, bad = shop.place_order({"TEA-100": 1}, placed_ago=60), shop.place_order({"TEA-100": 2})
    rows = [shop.orders[number].as_json(shop.variants, personal=False) for number in (good, bad)]
    rows[1]["PackageModelList"][0]["ItemModelList"][0]["units"] = "two"
    body = json.dumps({"MessageModelList": [], "OrderModelList": rows})
    server.inject(Fault(FaultKind.REFUSE, match="getOrderItem", status=200, body=body, times=2))

    found = {order.external_id: order for order in await orders_of(connector)}
    again = {order.external_id: order for order in await connector.read_orders([good, bad])}

    for orders in (found, again):
        assert (orders[good].lines[0].ordered, orders[good].state_known) == (1, True)
        assert (orders[bad].lines, orders[bad].lines_known, orders[bad].state_known) == (
            (),
            False,
            False,
        )
    assert log.events.count("order_unreadable") == 2


async def test_shipping_fulfils_every_unit(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    number = shop.place_order({"TEA-100": 3})
    shop.fulfil_order(number)

    [order] = await connector.read_orders([number])

    assert (order.state, order.lines[0].fulfilled) == (OrderState.SHIPPED, 3)


@pytest.mark.parametrize("mode", ["warning", "silent", "error"])
async def test_an_unknown_number_is_missing_in_the_answer(
    connector: RakutenConnector, shop: RakutenSimulator, mode: str
) -> None:
    shop.switch("unknown_orders", mode)
    number = shop.place_order({"TEA-100": 3})

    assert [
        order.external_id
        for order in await connector.read_orders(["987001-20200101-0000000001", number])
    ] == [number]


async def test_an_order_that_was_found_but_not_returned_is_reported_and_asked_for_again(
    connector: RakutenConnector,
    server: SimulatorServer,
    shop: RakutenSimulator,
    log: Any,
    clock: Any,
) -> None:
    number = shop.place_order({"TEA-100": 1}, placed_ago=300)
    nothing = '{"MessageModelList":[],"OrderModelList":[]}'
    server.inject(Fault(FaultKind.REFUSE, match="getOrderItem", status=200, body=nothing))
    [page] = await pages_of(connector)
    assert page.orders == []
    assert ("orders_not_returned", {"orders": [number], "count": 1}) in log.lines

    clock.advance(3600)
    later = (page.read_at + timedelta(hours=1)).isoformat()

    assert [order.external_id for order in await orders_of(connector, later)] == [number]


async def test_a_reply_without_the_list_of_orders_is_not_taken_for_vanished_orders(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator
) -> None:
    number = shop.place_order({"TEA-100": 1})
    server.inject(
        Fault(
            FaultKind.REFUSE,
            match="getOrderItem",
            status=200,
            body='{"MessageModelList":[],"OrderModelList":null}',
        )
    )

    with pytest.raises(ContractBroken):
        await connector.read_orders([number])


async def test_an_error_message_inside_a_success_is_an_error(
    connector: RakutenConnector, server: SimulatorServer
) -> None:
    body = '{"MessageModelList":[{"messageType":"ERROR","messageCode":"ORDER_EXT_API_SEARCH_ORDER_ERROR_011","message":"m"}]}'  # noqa: E501
    server.inject(Fault(FaultKind.REFUSE, match="searchOrder", status=200, body=body))

    with pytest.raises(ContractBroken) as raised:
        await orders_of(connector)

    assert "ERROR_011" in raised.value.platform_message


async def test_a_cut_reply_is_asked_for_again(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator
) -> None:
    number = shop.place_order({"TEA-100": 1})
    server.inject(Fault(FaultKind.MALFORMED, match="getOrderItem"))

    assert [order.external_id for order in await orders_of(connector)] == [number]


async def test_a_cursor_of_somebody_else_is_refused(connector: RakutenConnector) -> None:
    with pytest.raises(ContractBroken, match="cursor"):
        await orders_of(connector, "page-7")
