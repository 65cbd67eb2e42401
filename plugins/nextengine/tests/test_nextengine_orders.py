"""Orders: none is lost while the list moves, and each is read whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from zaiko_nextengine.connector import NextEngineConnector
from zaiko_nextengine.orders import OVERLAP
from zaiko_nextengine.rows import OrderRow
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import ContractBroken, Order, OrderPage, OrderState
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., NextEngineConnector]

pytestmark = pytest.mark.anyio


async def fetched(connector: NextEngineConnector, cursor: str | None = None) -> list[OrderPage]:
    return [page async for page in connector.fetch_orders(cursor)]


def orders_of(pages: list[OrderPage]) -> dict[str, Order]:
    return {order.external_id: order for page in pages for order in page.orders}


def to_leave(order: Order) -> int:
    lines = sum(line.ordered - line.cancelled - line.fulfilled for line in order.lines)
    return lines if order.state is OrderState.OPEN else 0


@pytest.fixture
def stocked(shop: NextEngineSimulator) -> NextEngineSimulator:
    shop.add_listings([NewListing("A", 1000), NewListing("B", 1000)])
    return shop


async def test_the_first_fetch_delivers_open_orders_however_old_and_no_ended_ones(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    old = stocked.place_order({"A": 1}, days_ago=400)
    stocked.fulfil_order(stocked.place_order({"A": 1}))
    stocked.cancel_order(stocked.place_order({"A": 1}), restock=True)

    assert set(orders_of(await fetched(connect()))) == {old}


async def test_an_order_with_one_changed_line_is_delivered_whole(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    order = stocked.place_order({"A": 2, "B": 3}, days_ago=1)
    newer = stocked.place_order({"A": 1})
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    stocked.edit_order(order, {"A": 1})

    (page,) = await fetched(connector, cursor)

    changed = orders_of([page])[order]
    assert [(line.listing, line.ordered) for line in changed.lines] == [("A", 1), ("B", 3)]
    # The newer one is still too fresh to be sure of, and comes again.
    assert set(orders_of([page])) == {order, newer}


async def test_a_cancelled_line_and_an_added_one_are_seen(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    order = stocked.place_order({"A": 2})
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    stocked.edit_order(order, {"A": 0, "B": 4})

    found = orders_of(await fetched(connector, cursor))[order]

    assert to_leave(found) == 4


async def test_shipping_and_cancelling_are_seen(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    shipped, cancelled = stocked.place_order({"A": 2}), stocked.place_order({"A": 3})
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    stocked.fulfil_order(shipped)
    stocked.cancel_order(cancelled, restock=True)

    found = orders_of(await fetched(connector, cursor))

    assert (found[shipped].state, found[cancelled].state) == (
        OrderState.SHIPPED,
        OrderState.CANCELLED,
    )


async def test_merged_units_count_once_and_their_new_slip_comes_with_the_old_one(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    first, second = stocked.place_order({"A": 2}), stocked.place_order({"A": 3})
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    stocked.merge_order(first, second)

    pages = await fetched(connector, cursor)

    found = orders_of(pages)
    assert (found[first].state, to_leave(found[first]), to_leave(found[second])) == (
        OrderState.CANCELLED,
        0,
        5,
    )


async def test_a_slip_that_took_over_units_is_read_with_it_even_when_the_search_does_not_show_it_yet(  # noqa: E501
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer
) -> None:
    first, second = stocked.place_order({"A": 2}), stocked.place_order({"A": 3})
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    stocked.merge_order(first, second)
    row = {
        "receive_order_row_receive_order_id": first,
        "receive_order_row_last_modified_newest_date": stocked.slips[first].documents({})[0][
            "receive_order_row_last_modified_newest_date"
        ],
    }
    server.inject(
        Fault(
            FaultKind.REFUSE,
            match="newest_date-gte",
            status=200,
            body=json.dumps({"result": "success", "data": [row]}),
        )
    )

    (page,) = await fetched(connector, cursor)

    # First the one that holds the units now: they are never counted nowhere.
    assert [order.external_id for order in page.orders] == [second, first]


@pytest.mark.parametrize("rows", [1, 2, 7, 1000])
async def test_orders_over_several_pages_are_all_delivered_whole(
    connect: Open, stocked: NextEngineSimulator, rows: int
) -> None:
    placed = [stocked.place_order({"A": 1, "B": 2}) for _ in range(9)]

    found = orders_of(await fetched(connect(rows_per_call=rows)))

    assert set(found) == {*placed}
    assert {to_leave(order) for order in found.values()} == {3}


async def test_orders_that_ship_while_they_are_listed_hide_no_others(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer
) -> None:
    """The first fetch lists open orders: each that ends meanwhile would push one past the edge of a
    page by offset."""
    placed = [stocked.place_order({"A": 1}) for _ in range(9)]
    connector = connect(rows_per_call=3)
    listing = connector._client.search
    calls = 0

    async def disturbed(path: str, form: Any) -> Any:
        nonlocal calls
        answer = await listing(path, form)
        calls += 1
        if calls <= 2:
            stocked.fulfil_order(placed[calls - 1])
        return answer

    connector._client.search = disturbed  # type: ignore[method-assign]

    assert set(orders_of(await fetched(connector))) == {*placed}


async def test_pages_are_in_the_order_of_change_and_a_crash_after_any_loses_nothing(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    placed = [stocked.place_order({"A": 1}, days_ago=(7 * number) % 250) for number in range(230)]
    pages = await fetched(connect())
    assert len(pages) == 3

    changed = [order.version for page in pages for order in page.orders]
    assert changed == sorted(changed, key=lambda moment: moment or 0)  # type: ignore[arg-type, return-value]
    for number, page in enumerate(pages):
        rest = await fetched(connect(), page.cursor)
        assert set(orders_of(pages[: number + 1])) | set(orders_of(rest)) == {*placed}


async def test_an_unchanged_order_is_not_read_again(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    stocked.place_order({"A": 1}, days_ago=0.003)
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    calls = stocked.counters()["rows"]

    (page,) = await fetched(connector, cursor)

    assert not page.orders
    assert stocked.counters()["rows"] == calls + 1


async def test_a_change_of_one_line_counts_whichever_line_comes_last(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    order = stocked.place_order({"A": 2, "B": 2}, days_ago=0.003)
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    stocked.edit_order(order, {"A": 1})

    assert to_leave(orders_of(await fetched(connector, cursor))[order]) == 3


async def test_a_cursor_that_the_host_did_not_keep_is_read_from_again(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    order = stocked.place_order({"A": 1}, days_ago=0.003)
    connector = connect()
    first = (await fetched(connector))[-1].cursor
    stocked.place_order({"A": 1})
    await fetched(connector, first)  # its page was not stored

    assert order in orders_of(await fetched(connector, first))


async def test_an_order_that_shows_late_is_within_the_overlap(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    late = stocked.place_order({"A": 1}, visible_after=3600)
    stocked.place_order({"A": 1})
    connector = connect()
    cursor = (await fetched(connector))[-1].cursor
    stocked.slips[late].visible_at = stocked.now()
    stocked.slips[late].changed_at = stocked.now() - timedelta(seconds=OVERLAP - 60)
    stocked.slips[late].lines[0].changed_at = stocked.slips[late].changed_at

    assert late in orders_of(await fetched(connector, cursor))


async def test_a_shop_without_open_orders_is_looked_at_a_day_back(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    connector = connect()
    (page,) = await fetched(connector)
    shipped = stocked.place_order({"A": 1})
    stocked.fulfil_order(shipped)

    # Placed and shipped between two fetches: it was never seen open.
    assert orders_of(await fetched(connector, page.cursor))[shipped].state is OrderState.SHIPPED


async def test_a_time_in_the_future_does_not_move_the_cursor_there(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    stocked.switch("clock_skew_seconds", 86_400)
    early = stocked.place_order({"A": 1})
    stocked.switch("clock_skew_seconds", 0)
    stocked.slips[early].visible_at = stocked.now()
    connector = connect()
    pages = await fetched(connector)
    assert early in orders_of(pages)
    cursor = pages[-1].cursor
    order = stocked.place_order({"A": 1})

    assert order in orders_of(await fetched(connector, cursor))


async def test_an_order_that_cannot_be_understood_stops_nothing(
    connect: Open, stocked: NextEngineSimulator, log: object
) -> None:
    bad, good = stocked.place_order({"A": 1}), stocked.place_order({"A": 1})
    stocked.slips[bad].status = ""

    found = orders_of(await fetched(connect()))

    assert (found[bad].lines_known, found[good].lines_known) == (False, True)
    assert "order_not_understood" in log.events  # type: ignore[attr-defined]


async def test_an_order_whose_time_cannot_be_understood_is_delivered(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer
) -> None:
    order = stocked.place_order({"A": 1})
    rows = [
        {
            "receive_order_row_receive_order_id": order,
            "receive_order_row_last_modified_newest_date": "soon",
        },
        {},
    ]
    server.inject(
        Fault(
            FaultKind.REFUSE,
            match="status_id-neq",
            status=200,
            body=json.dumps({"result": "success", "data": rows}),
        )
    )

    assert set(orders_of(await fetched(connect()))) == {order}


async def test_chosen_orders_are_read_and_vanished_ones_left_out(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    kept, flagged, gone = (stocked.place_order({"A": 1}) for _ in range(3))
    stocked.delete_order(flagged)
    stocked.switch("deleted_slips", "gone")
    stocked.delete_order(gone)

    found = {
        order.external_id: order
        for order in await connect().read_orders([kept, flagged, gone, "999999", "x"])
    }

    assert {order: found[order].state for order in found} == {
        kept: OrderState.OPEN,
        flagged: OrderState.DELETED,
    }


async def test_rows_of_other_orders_do_not_make_one_vanish(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer
) -> None:
    first, second = stocked.place_order({"A": 1}), stocked.place_order({"A": 1})
    body = json.dumps(
        {"result": "success", "count": "1", "data": stocked.slips[second].documents({})}
    )
    server.inject(Fault(FaultKind.REFUSE, match="receiveorder", status=200, body=body))

    with pytest.raises(ContractBroken):
        await connect().read_orders([first])


async def test_many_chosen_orders_cost_one_call(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    placed = [stocked.place_order({"A": 1, "B": 1}) for _ in range(200)]

    assert len(await connect().read_orders(placed)) == 200
    assert stocked.counters()["rows"] == 1


async def test_a_cursor_of_an_older_version_begins_from_the_start(
    connect: Open, stocked: NextEngineSimulator, log: object
) -> None:
    order = stocked.place_order({"A": 1})

    assert order in orders_of(await fetched(connect(), "v0"))
    assert "order_cursor_not_understood" in log.events  # type: ignore[attr-defined]


async def test_no_buyer_is_asked_for(connect: Open, stocked: NextEngineSimulator) -> None:
    private = ("purchaser", "consignee", "tel", "mail", "zip", "address", "kana")

    assert not [name for name in OrderRow.model_fields for word in private if word in name]
