"""Fetching orders: nothing is missed, whatever the shop does meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_sdk import ContractBroken, OrderState, SettingsInvalid
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulationError

pytestmark = pytest.mark.anyio


async def _fetch(connector, cursor=None):
    pages = [page async for page in connector.fetch_orders(cursor)]
    return [order for page in pages for order in page.orders], pages


def _age(shop: EcforceSimulator, order: str, **past: float) -> None:
    """Let an order be of the past."""
    found = shop.orders[int(order)]
    found.created_at = found.completed_at = found.updated_at = datetime.now(UTC) - timedelta(**past)


@pytest.fixture(autouse=True)
def _goods(shop: EcforceSimulator) -> None:
    shop.add_listings([NewListing("A", 100_000), NewListing("B", 100_000)])


@pytest.mark.parametrize("total_pages", ["given", "missing", "zero", "sometimes"])
async def test_all_pages_are_read_also_when_one_second_holds_more_orders_than_a_page(
    shop, connect, total_pages
):
    shop.switch("total_pages", total_pages)
    placed = [shop.place_order({"A": 1}) for _ in range(250)]
    same_second = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    for order in placed[20:]:
        shop.orders[int(order)].updated_at = same_second

    orders, pages = await _fetch(connect())

    assert {order.external_id for order in orders} == set(placed)
    assert pages[-1].complete_until == pages[-1].read_at
    assert all(page.complete_until is None for page in pages[:-1])


async def test_no_page_is_asked_for_more_than_once(shop, connect):
    for order in [shop.place_order({"A": 1}) for _ in range(250)]:
        _age(shop, order, seconds=int(order) % 97)

    orders, pages = await _fetch(connect())

    assert len({order.external_id for order in orders}) == 250
    assert shop.counters()["list_orders"] == len(pages) <= 4


@pytest.mark.parametrize("pages", ["duplicate", "missing"])
async def test_pages_that_come_twice_or_not_at_all_do_no_harm(shop, connect, pages):
    shop.switch("pages", pages)
    placed = [shop.place_order({"A": 1}) for _ in range(350)]
    for number, order in enumerate(placed):
        _age(shop, order, seconds=number)

    orders, _ = await _fetch(connect())

    assert {order.external_id for order in orders} == set(placed)


async def test_an_order_that_changes_while_paging_pushes_no_other_out_of_sight(shop, connect):
    placed = [shop.place_order({"A": 1}) for _ in range(250)]
    for number, order in enumerate(placed):
        _age(shop, order, seconds=1000 - number)
    seen: set[str] = set()

    async for page in connect().fetch_orders(None):
        seen |= {order.external_id for order in page.orders}
        # The ten oldest go to the end: by page numbers, ten orders behind the boundary would be
        # skipped.
        for order in placed[:10]:
            shop.set_state(order, "wmswait")

    assert seen == set(placed)


async def test_the_next_fetch_begins_an_overlap_before_the_newest_order_seen(shop, connect):
    old, late = shop.place_order({"A": 1}), shop.place_order({"A": 1}, visible_after=3600)
    _age(shop, late, minutes=9)
    connector = connect()
    first, pages = await _fetch(connector)
    shop.orders[int(late)].visible_at = datetime.now(UTC)

    again, _ = await _fetch(connector, pages[-1].cursor)

    assert [order.external_id for order in first] == [old]
    assert {order.external_id for order in again} == {old, late}


async def test_the_overlap_is_a_setting(shop, connect):
    before, newest = shop.place_order({"A": 1}), shop.place_order({"A": 1})
    _age(shop, before, minutes=20)
    _, pages = await _fetch(connect())

    short, _ = await _fetch(connect(overlap_minutes=10), pages[-1].cursor)
    long, _ = await _fetch(connect(overlap_minutes=30), pages[-1].cursor)

    assert [order.external_id for order in short] == [newest]
    assert [order.external_id for order in long] == [before, newest]


async def test_the_first_fetch_reaches_back_as_many_days_as_set(shop, connect):
    old, older = shop.place_order({"A": 1}), shop.place_order({"A": 1})
    _age(shop, old, days=60)
    _age(shop, older, days=100)

    orders, _ = await _fetch(connect())
    more, _ = await _fetch(connect(first_fetch_days=120))

    assert [order.external_id for order in orders] == [old]
    assert [order.external_id for order in more] == [older, old]


async def test_a_quiet_shop_gives_one_empty_page_and_keeps_its_cursor(shop, connect):
    connector = connect()
    _, first = await _fetch(connector)
    _, second = await _fetch(connector, first[-1].cursor)

    assert [len(page.orders) for page in (*first, *second)] == [0, 0]
    assert second[-1].cursor == first[-1].cursor


@pytest.mark.parametrize("skew", [-7200, 7200])
async def test_a_shop_whose_clock_is_wrong_loses_no_order(shop, connect, skew):
    shop.switch("clock_skew_seconds", skew)
    first = shop.place_order({"A": 1})
    connector = connect()
    _, pages = await _fetch(connector)

    second = shop.place_order({"A": 1})
    orders, _ = await _fetch(connector, pages[-1].cursor)

    assert {order.external_id for order in orders} == {first, second}


async def test_an_order_from_the_far_future_hides_no_later_one(shop, connect):
    _age(shop, shop.place_order({"A": 1}), days=-30_000)
    connector = connect()
    _, pages = await _fetch(connector)

    later = shop.place_order({"A": 1})
    orders, _ = await _fetch(connector, pages[-1].cursor)

    assert later in {order.external_id for order in orders}


@pytest.mark.parametrize("total_pages", ["given", "missing", "zero"])
async def test_a_shop_that_ignores_the_filter_is_read_from_the_newest_down(
    shop, connect, log, total_pages
):
    shop.switch("total_pages", total_pages)
    shop.switch("orders_updated_at_filter", False)
    old = [shop.place_order({"A": 1}) for _ in range(300)]
    for order in old:
        _age(shop, order, days=120)
    recent = [shop.place_order({"A": 1}) for _ in range(150)]
    connector = connect()

    orders, pages = await _fetch(connector)

    assert {order.external_id for order in orders} == set(recent)
    assert log.events.count("order_filter_ignored") == 1
    # Until the last page something between is missing, so the cursor stays.
    assert len({page.cursor for page in pages[:-1]}) == 1
    assert pages[-1].cursor > pages[0].cursor

    newest = shop.place_order({"A": 1})
    calls = shop.counters()["list_orders"]
    again, _ = await _fetch(connector, pages[-1].cursor)
    assert newest in {order.external_id for order in again}
    assert shop.counters()["list_orders"] - calls <= 2


async def test_an_order_whose_id_is_older_than_its_confirmation_is_not_missed(shop, connect):
    for _ in range(5):
        shop.place_order({"A": 1})
    connector = connect()
    _, pages = await _fetch(connector)

    slow_buyer = shop.place_order({"A": 1}, old_id=True)
    orders, _ = await _fetch(connector, pages[-1].cursor)

    found = next(order for order in orders if order.external_id == slow_buyer)
    assert int(slow_buyer) < int(orders[0].external_id)
    assert (datetime.now(UTC) - found.placed_at) < timedelta(minutes=1)


async def test_an_edit_brings_the_order_again_with_its_new_lines(shop, connect):
    order = shop.place_order({"A": 3})
    shop.edit_order(order, {"A": 1, "B": 2})

    orders, _ = await _fetch(connect())

    assert [(line.listing, line.ordered) for line in orders[0].lines] == [("A", 1), ("B", 2)]
    assert (shop.stock()["A"], shop.stock()["B"]) == (99_999, 99_998)


async def test_a_state_of_the_shops_own_stays_open_and_is_put_before_a_person(shop, connect):
    shop.place_order({"A": 1}, state="cooolawait")

    orders, _ = await _fetch(connect())
    known, _ = await _fetch(connect(open_states=["complete", "cooolawait"]))

    assert (orders[0].state, orders[0].state_known, orders[0].platform_state) == (
        OrderState.OPEN,
        False,
        "cooolawait / authed",
    )
    assert known[0].state_known


@pytest.mark.parametrize("flagged", [True, False])
async def test_a_deleted_order_is_found_by_its_mark_or_by_hiding(shop, connect, flagged):
    shop.switch("deleted_at_on_orders", flagged)
    deleted, cancelled = shop.place_order({"A": 1}), shop.place_order({"A": 1})
    shop.delete_order(deleted)
    shop.cancel_order(cancelled, restock=True)

    orders, _ = await _fetch(connect())

    assert {order.external_id: order.state for order in orders} == {
        deleted: OrderState.DELETED,
        cancelled: OrderState.CANCELLED,
    }
    assert shop.counters()["list_orders"] == (1 if flagged else 2)


async def test_a_shop_that_ignores_the_id_filter_makes_no_order_deleted(shop, connect):
    for _ in range(120):
        shop.place_order({"A": 1})
    cancelled = shop.place_order({"A": 1})
    shop.cancel_order(cancelled, restock=True)
    shop.switch("unknown_filters", "all")

    orders, _ = await _fetch(connect())

    assert {order.external_id: order.state for order in orders}[cancelled] is OrderState.CANCELLED


@pytest.mark.parametrize("filters", ["ignored", "all"])
async def test_reading_by_id_distinguishes_deleted_from_vanished(shop, connect, filters):
    shop.switch("unknown_filters", filters)
    shop.switch("deleted_at_on_orders", True)
    open_, deleted = shop.place_order({"A": 1}), shop.place_order({"A": 1})
    shop.delete_order(deleted)

    orders = {
        order.external_id: order.state
        for order in await connect().read_orders([open_, deleted, "4", "not-a-number"])
    }

    if filters == "ignored":
        assert orders == {open_: OrderState.OPEN, deleted: OrderState.DELETED}
    else:
        # Filters that do nothing leave reading one by one, which cannot see deleted orders.
        assert orders == {open_: OrderState.OPEN}


async def test_a_bad_order_is_reported_and_stops_no_other(shop, connect, log):
    bad, good = shop.place_order({"A": 1}), shop.place_order({"B": 1})
    shop.orders[int(bad)].lines[0].quantity = -5

    orders, _ = await _fetch(connect())
    again = await connect().read_orders([bad, good])

    for found in (orders, again):
        assert sorted(
            (order.external_id, order.lines_known, len(order.lines)) for order in found
        ) == [
            (bad, False, 0),
            (good, True, 1),
        ]
    assert ("order_not_understood", bad) in [
        (event, fields.get("order")) for event, fields in log.lines
    ]


async def test_orders_without_any_lines_at_all_stop_the_shop_instead_of_emptying_its_orders(
    server, shop, connect
):
    shop.place_order({"A": 1})
    body = '{"data":[{"id":"7","type":"order","attributes":{"id":7,"state":"complete","updated_at":"2026/11/23 10:00:00"}}]}'  # noqa: E501
    server.inject(Fault(FaultKind.REFUSE, match="orders.json", status=200, body=body, times=2))

    with pytest.raises(ContractBroken, match="without order_items"):
        await connect().read_orders(["7"])


async def test_a_buyers_data_reaches_neither_orders_nor_the_log(shop, connect, log):
    shop.place_order({"A": 1}, state="calling")
    bad = shop.place_order({"A": 1})
    shop.orders[int(bad)].lines[0].quantity = -5

    orders, _ = await _fetch(connect())

    assert log.lines
    printed = repr(orders) + repr(log.lines)
    assert "yamada" not in printed
    assert "山田" not in printed


async def test_only_whole_orders_are_shipped_and_nothing_is_archived(shop):
    order = shop.place_order({"A": 2})

    with pytest.raises(SimulationError, match="as a whole"):
        shop.fulfil_order(order, {"A": 1})
    with pytest.raises(SimulationError, match="archive"):
        shop.archive_order(order)


async def test_orders_of_other_locations_count_unless_the_setting_says_no(shop, connect):
    shop.add_listings([NewListing("LAMP", 5, extra={"locations": {"osaka": 5}})])
    here, there = shop.place_order({"LAMP": 1}), shop.place_order({"LAMP": 2}, location="osaka")

    every, _ = await _fetch(connect())
    this, _ = await _fetch(connect(count_orders_of="this_location"))
    again = await connect(count_orders_of="this_location").read_orders([there])

    assert {order.external_id: len(order.lines) for order in every} == {here: 1, there: 1}
    assert {order.external_id: len(order.lines) for order in this} == {here: 1, there: 0}
    assert [(order.external_id, len(order.lines), order.lines_known) for order in again] == [
        (there, 0, True)
    ]


async def test_a_location_without_an_id_stops_the_shop_instead_of_counting_nothing(shop, connect):
    shop.place_order({"A": 1})

    with pytest.raises(SettingsInvalid, match="nowhere"):
        await _fetch(connect(count_orders_of="this_location", location_code="nowhere"))
