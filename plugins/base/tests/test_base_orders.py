"""Orders: a list without lines and without a filter on changes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from zaiko_base.connector import BaseConnector
from zaiko_base.order_cursor import OrderCursor, read_cursor
from zaiko_base.simulator import BaseSimulator
from zaiko_sdk import Order, OrderPage, OrderState, Throttled
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., BaseConnector]

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def stocked(shop: BaseSimulator) -> None:
    shop.add_listings([NewListing("A", 10_000), NewListing("B", 10_000)])


async def _fetch(connector: BaseConnector, cursor: str | None = None) -> tuple[list[Order], str]:
    pages: list[OrderPage] = [page async for page in connector.fetch_orders(cursor)]
    return [order for page in pages for order in page.orders], pages[-1].cursor


async def test_changes_to_an_order_are_delivered_by_the_next_fetch(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    key = shop.place_order({"A": 2, "B": 1}, days_ago=3)
    _, cursor = await _fetch(connector)
    shop.fulfil_order(key, {"A": 2})

    (order,), cursor = await _fetch(connector, cursor)
    assert [(line.fulfilled, order.state) for line in order.lines] == [
        (2, OrderState.OPEN),
        (0, OrderState.OPEN),
    ]

    shop.cancel_order(key, restock=True)
    (order,), _ = await _fetch(connector, cursor)
    assert [(line.fulfilled, line.cancelled) for line in order.lines] == [(2, 0), (0, 1)]
    assert order.state is OrderState.SHIPPED


async def test_what_has_not_changed_is_not_read_again(connect: Open, shop: BaseSimulator) -> None:
    connector = connect()
    for _ in range(5):
        shop.place_order({"A": 1}, days_ago=0.01)
    _, cursor = await _fetch(connector)
    read = shop.counters()["order"]

    orders, _ = await _fetch(connector, cursor)

    assert orders == []
    assert (read, shop.counters()["order"]) == (5, 5)


async def test_a_page_that_the_host_did_not_take_is_delivered_again(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    _, cursor = await _fetch(connector)
    key = shop.place_order({"A": 1}, days_ago=0.01)
    async for page in connector.fetch_orders(cursor):
        assert [order.external_id for order in page.orders] == [key]
        break

    orders, _ = await _fetch(connector, cursor)

    assert [order.external_id for order in orders] == [key]


async def test_an_order_of_this_second_is_read_again_because_it_may_change_within_it(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    shop.place_order({"A": 1})
    _, cursor = await _fetch(connector)

    orders, _ = await _fetch(connector, cursor)

    assert len(orders) == 1


async def test_a_closed_order_is_not_read_when_a_shop_is_connected(
    connect: Open, shop: BaseSimulator
) -> None:
    shop.fulfil_order(shop.place_order({"A": 1}, days_ago=5))
    shop.cancel_order(shop.place_order({"A": 1}, days_ago=5), restock=True)
    still_open = shop.place_order({"A": 1}, days_ago=5)

    orders, _ = await _fetch(connect())

    assert [order.external_id for order in orders] == [still_open]
    assert shop.counters()["order"] == 1


@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_every_order_is_delivered_whichever_way_the_list_is_sorted(
    connect: Open, shop: BaseSimulator, sort: str
) -> None:
    shop.switch("orders_sort", sort)
    keys = {shop.place_order({"A": 1}, days_ago=number / 10) for number in range(230)}

    orders, cursor = await _fetch(connect())

    assert {order.external_id for order in orders} == keys
    assert read_cursor(cursor) is not None


async def test_a_first_fetch_that_breaks_off_goes_on(
    connect: Open, shop: BaseSimulator, server: SimulatorServer
) -> None:
    keys = {shop.place_order({"A": 1}, days_ago=1 + number / 10) for number in range(60)}
    server.inject(Fault(FaultKind.REFUSE, match="/detail/", skip=50, status=429))
    seen: list[str] = []
    cursor: str | None = None
    with contextlib.suppress(Throttled):
        async for page in connect().fetch_orders(None):
            seen += [order.external_id for order in page.orders]
            cursor = page.cursor
    assert len(seen) == 50

    orders, _ = await _fetch(connect(), cursor)

    assert {*seen, *(order.external_id for order in orders)} == keys
    # The last quarter of an hour of what was delivered is read again, not all of it.
    assert len(orders) == 11


async def test_a_large_shop_is_not_looked_through_on_every_fetch(
    connect: Open, shop: BaseSimulator, clock: FakeClock
) -> None:
    for number in range(350):
        shop.fulfil_order(shop.place_order({"A": 1}, days_ago=2 + number / 10))
    old = shop.place_order({"A": 1}, days_ago=9)
    connector = connect()
    _, cursor = await _fetch(connector)
    looked = shop.counters()["orders"]
    assert looked == 4

    shop.cancel_order(old, restock=True)
    key = shop.place_order({"A": 1})
    orders, cursor = await _fetch(connector, cursor)
    found = [order.external_id for order in orders]
    assert key in found
    assert old not in found
    assert shop.counters()["orders"] == looked + 1

    # 4 pages at a tenth of 5,000 calls an hour: after 28.8 seconds.
    clock.advance(30)
    orders, _ = await _fetch(connector, cursor)
    assert (old, OrderState.CANCELLED) in [(order.external_id, order.state) for order in orders]


async def test_an_order_that_shows_late_is_delivered(connect: Open, shop: BaseSimulator) -> None:
    connector = connect()
    shop.place_order({"A": 1})
    late = shop.place_order({"A": 1}, visible_after=0.3)
    shop.place_order({"A": 1})
    orders, cursor = await _fetch(connector)
    assert late not in [order.external_id for order in orders]
    shop.orders[late].visible_at = shop.now()

    orders, _ = await _fetch(connector, cursor)

    assert late in [order.external_id for order in orders]


async def test_an_order_dated_in_the_future_hides_none_after_it(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    shop.place_order({"A": 1}, days_ago=-400)
    _, cursor = await _fetch(connector)
    later = shop.place_order({"A": 1})

    orders, _ = await _fetch(connector, cursor)

    assert later in [order.external_id for order in orders]


async def test_a_bad_order_is_reported_and_hides_none(
    connect: Open, shop: BaseSimulator, server: SimulatorServer, log: Any
) -> None:
    bad, good = shop.place_order({"A": 1}, days_ago=2), shop.place_order({"A": 1}, days_ago=1)
    body: Any = {"order": {"unique_key": bad, "order_items": []}}
    server.inject(
        Fault(FaultKind.REFUSE, match=f"/detail/{bad}", status=200, body=json.dumps(body))
    )

    orders, _ = await _fetch(connect())

    assert [(order.external_id, order.lines_known) for order in orders] == [
        (bad, False),
        (good, True),
    ]
    assert "order_not_understood" in log.events


async def test_a_row_that_is_no_order_hides_none(
    connect: Open, shop: BaseSimulator, server: SimulatorServer
) -> None:
    key = shop.place_order({"A": 1})
    rows = ["?", {"unique_key": "ABC", "ordered": "soon"}, shop.orders[key].header()]
    server.inject(
        Fault(FaultKind.REFUSE, match="/1/orders?", status=200, body=json.dumps({"orders": rows}))
    )

    orders, _ = await _fetch(connect())

    assert [(order.external_id, order.lines_known) for order in orders] == [
        (key, True),
        ("ABC", False),
    ]


async def test_an_order_that_does_not_exist_is_missing_in_what_is_read(
    connect: Open, shop: BaseSimulator
) -> None:
    key = shop.place_order({"A": 1})

    found = await connect().read_orders([key, "0000000000000000"])

    assert [order.external_id for order in found] == [key]


async def test_a_shop_without_orders_delivers_one_empty_page(connect: Open) -> None:
    pages = [page async for page in connect().fetch_orders(None)]

    assert [list(page.orders) for page in pages] == [[]]


async def test_a_cursor_that_is_not_understood_begins_from_the_start(
    connect: Open, shop: BaseSimulator, log: Any
) -> None:
    key = shop.place_order({"A": 1}, days_ago=20)

    orders, _ = await _fetch(connect(), "?")

    assert [order.external_id for order in orders] == [key]
    assert "order_cursor_not_understood" in log.events


async def test_a_line_moves_the_version_when_the_header_does_not(
    connect: Open, shop: BaseSimulator
) -> None:
    shop.switch("line_change_bumps_header", False)
    connector = connect()
    key = shop.place_order({"A": 1, "B": 1}, days_ago=2)
    (before,) = await connector.read_orders([key])
    shop.edit_order(key, {"A": 0})

    (after,) = await connector.read_orders([key])

    assert before.version is not None
    assert after.version is not None
    assert after.version > before.version
    assert [line.cancelled for line in after.lines] == [1, 0]


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = OrderCursor(1, 2, 3.5, 4, first=False)

    assert read_cursor(cursor.text()) == cursor


async def test_a_long_look_at_the_list_shows_life(
    connect: Open, shop: BaseSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zaiko_base.orders._PATIENCE", 2)
    for number in range(450):
        shop.cancel_order(shop.place_order({"A": 1}, days_ago=2 + number / 10), restock=True)

    pages = [page async for page in connect().fetch_orders(None)]

    assert [len(page.orders) for page in pages] == [0, 0, 0]
    assert [read_cursor(page.cursor).first for page in pages] == [True, True, False]  # type: ignore[union-attr]


async def test_another_order_than_asked_for_is_not_believed(
    connect: Open, shop: BaseSimulator, server: SimulatorServer
) -> None:
    first, second = shop.place_order({"A": 1}), shop.place_order({"B": 5})
    body = json.dumps({"order": shop.orders[second].document(shop.behaviour)})
    server.inject(Fault(FaultKind.REFUSE, match="/detail/", status=200, body=body))

    (order,) = await connect().read_orders([first])

    assert (order.external_id, order.lines_known) == (first, False)


async def test_a_host_that_comes_back_with_an_older_cursor_gets_everything_since(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    _, cursor = await _fetch(connector)
    key = shop.place_order({"A": 1}, days_ago=0.001)
    await _fetch(connector, cursor)

    orders, _ = await _fetch(connector, cursor)

    assert [order.external_id for order in orders] == [key]


async def test_between_looks_at_all_orders_only_the_last_minutes_are_read(
    connect: Open, shop: BaseSimulator
) -> None:
    for number in range(150):
        shop.place_order({"A": 1}, days_ago=0.2 + number / 10)
    _, cursor = await _fetch(connect())
    # Dated in the future by a wrong clock; and one that shows two minutes after it was placed.
    shop.place_order({"A": 1}, days_ago=-30)
    _, cursor = await _fetch(connect(), cursor)
    late, read = shop.place_order({"A": 1}, days_ago=2 / 1440), shop.counters()["order"]

    orders, _ = await _fetch(connect(), cursor)

    # Nothing of the last hours is read again by a connector that has forgotten all.
    assert late in [order.external_id for order in orders]
    assert shop.counters()["order"] - read == 2
