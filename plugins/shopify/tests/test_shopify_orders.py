"""Orders of the simulated shop, fetched over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from zaiko_sdk import ContractBroken, Order, OrderState
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_shopify import feed
from zaiko_shopify.documents import Document

if TYPE_CHECKING:
    from conftest import Open, ShopifyBench

pytestmark = pytest.mark.anyio


def counts(order: Order) -> list[tuple[int, int, int]]:
    return [(line.ordered, line.cancelled, line.fulfilled) for line in order.lines]


async def test_an_order_names_the_listing_that_was_sold(open_bench: Open) -> None:
    async with open_bench({"A": 5, "B": 5}) as bench:
        placed = bench.sim.place_order({"A": 2, "B": 1}, custom={"engraving": 1})

        order = await bench.order()
        listings = await bench.listings()

    assert order.external_id == placed
    assert [line.listing for line in order.lines] == [
        listings["A"].ref.external_id,
        listings["B"].ref.external_id,
        None,
    ]
    assert counts(order) == [(2, 0, 0), (1, 0, 0), (1, 0, 0)]
    assert (order.state, order.paid, order.archived) == (OrderState.OPEN, True, False)


async def test_each_change_of_an_order_is_delivered_again(open_bench: Open) -> None:
    async with open_bench({"A": 9}) as bench:
        placed = bench.sim.place_order({"A": 5})
        pages = [page async for page in bench.connector.fetch_orders(None)]
        cursor = pages[-1].cursor
        seen = []
        for change in (
            lambda: bench.sim.edit_order(placed, {"A": 4}),
            lambda: bench.sim.fulfil_order(placed, {"A": 2}),
            lambda: bench.sim.refund_order(placed, {"A": 1}, "RETURN"),
            lambda: bench.sim.refund_order(placed, {"A": 1}, "CANCEL"),
            lambda: bench.sim.archive_order(placed),
            lambda: bench.sim.fulfil_order(placed),
        ):
            change()
            (order,) = await bench.orders(cursor)
            seen.append((*counts(order)[0], order.archived, order.state.value))

    assert seen == [
        (5, 1, 0, False, "OPEN"),
        (5, 1, 2, False, "OPEN"),
        (5, 1, 2, False, "OPEN"),  # what came back is no cancellation
        (5, 2, 2, False, "OPEN"),
        (5, 2, 2, True, "OPEN"),
        (5, 2, 3, True, "SHIPPED"),
    ]


@pytest.mark.parametrize("restock", [True, False])
async def test_a_cancelled_order_releases_everything(open_bench: Open, restock: bool) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.cancel_order(bench.sim.place_order({"A": 2}), restock=restock)

        order = await bench.order()

        assert bench.sim.stock() == {"A": 5 if restock else 3}
    assert (order.state, counts(order)) == (OrderState.CANCELLED, [(2, 2, 0)])


async def test_units_still_open_are_never_too_few_when_unfulfilled_includes_refunded_ones(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.switch("unfulfilled_includes_refunded", True)
        placed = bench.sim.place_order({"A": 3})
        bench.sim.fulfil_order(placed, {"A": 1})
        bench.sim.refund_order(placed, {"A": 1}, "CANCEL")

        ordered, cancelled, fulfilled = counts(await bench.order())[0]

    assert ordered - cancelled - fulfilled >= 1
    assert cancelled == 1


@pytest.mark.parametrize(("restock_type", "unrestocked"), [("CANCEL", 0), ("NO_RESTOCK", 2)])
async def test_units_refunded_before_shipping_say_whether_they_were_restocked(
    open_bench: Open, restock_type: str, unrestocked: int
) -> None:
    async with open_bench({"A": 5}) as bench:
        placed = bench.sim.place_order({"A": 3})
        bench.sim.refund_order(placed, {"A": 2}, restock_type)

        (line,) = (await bench.order()).lines

    assert (line.cancelled, line.unrestocked) == (2, unrestocked)


async def test_a_changed_order_comes_again_within_the_overlap_only(open_bench: Open) -> None:
    async with open_bench({"A": 5}, order_overlap_minutes=10) as bench:
        bench.sim.place_order({"A": 1})
        cursor = [page.cursor async for page in bench.connector.fetch_orders(None)][-1]
        again = await bench.orders(cursor)
        bench.sim.order(again[0].external_id).indexed[:] = [
            (moment, moment.replace(year=moment.year - 1))
            for moment, _ in bench.sim.order(again[0].external_id).indexed
        ]
        later = await bench.orders(cursor)

    assert (len(again), later) == (1, [])


async def test_an_order_that_the_search_shows_late_is_fetched_when_it_does(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        placed = bench.sim.place_order({"A": 2}, visible_after=30)
        assert bench.sim.stock() == {"A": 3}
        pages = [page async for page in bench.connector.fetch_orders(None)]
        assert [order for page in pages for order in page.orders] == []

        bench.sim.switch("time_offset", 31.0)

        assert [order.external_id for order in await bench.orders(pages[-1].cursor)] == [placed]


async def test_many_orders_come_in_pages_and_a_crash_repeats_one_page_at_most(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHANGES_PAGE", 3)
    async with open_bench({"A": 500}) as bench:
        placed = [bench.sim.place_order({"A": 1}) for _ in range(8)]
        pages = [page async for page in bench.connector.fetch_orders(None)]
        resumed = await bench.orders(pages[0].cursor)

    assert [len(page.orders) for page in pages] == [3, 3, 2]
    assert [order.external_id for page in pages for order in page.orders] == placed
    assert [order.external_id for order in resumed] == placed[3:]
    assert [page.complete_until is not None for page in pages] == [False, False, True]


async def test_a_sequence_too_long_for_shopify_goes_on_with_a_new_search(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHANGES_PAGE", 2)
    monkeypatch.setattr(feed, "_LONGEST_SEQUENCE", 4)
    async with open_bench({"A": 500}) as bench:
        placed = []
        for second in range(9):
            bench.sim.switch("time_offset", float(second))
            placed.append(bench.sim.place_order({"A": 1}))
        pages = [page async for page in bench.connector.fetch_orders(None)]

    found = [order.external_id for page in pages for order in page.orders]
    assert set(found) == set(placed)
    assert len(found) > len(placed)
    assert len({json.loads(page.cursor)["since"] for page in pages}) > 1


async def test_a_cursor_that_shopify_no_longer_takes_begins_the_sequence_again(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        placed = bench.sim.place_order({"A": 1})
        since = bench.sim.order(placed).created_at.isoformat()
        cursor = feed.Position(since=since, began=since, after="bogus", seen=50).cursor()

        assert [order.external_id for order in await bench.orders(cursor)] == [placed]
        assert "shopify_order_cursor_refused" in bench.log.events


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "[]",
        "7",
        '{"since": 1}',
        '{"since": "2026-11-23"}',
        '{"other": "2026-11-23T00:00:00Z"}',
    ],
)
async def test_a_cursor_of_another_kind_begins_from_the_start(
    open_bench: Open, cursor: str
) -> None:
    async with open_bench({"A": 5}) as bench:
        placed = bench.sim.place_order({"A": 1})

        assert [order.external_id for order in await bench.orders(cursor)] == [placed]


async def test_an_order_with_many_lines_is_read_whole(open_bench: Open) -> None:
    stock = {f"S{number:03}": 5 for number in range(130)}
    async with open_bench(stock) as bench:
        bench.sim.place_order(dict.fromkeys(stock, 1))
        bench.sim.place_order({"S000": 1})

        long, short = await bench.orders()

    assert [line.sku for line in long.lines] == sorted(stock)
    assert len(short.lines) == 1


@pytest.mark.parametrize(("setting", "found"), [("ignore", 0), ("count", 1)])
async def test_test_orders_are_left_out_unless_the_setting_counts_them(
    open_bench: Open, setting: str, found: int
) -> None:
    async with open_bench({"A": 5}, test_orders=setting) as bench:
        placed = bench.sim.place_order({"A": 1}, test=True)

        assert len(await bench.orders()) == found
        # Asked for by its id it is there: an order that is left out must not look vanished.
        assert len(await bench.connector.read_orders([placed])) == 1


async def test_reading_orders_by_id_leaves_out_what_has_vanished(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        kept, deleted = bench.sim.place_order({"A": 1}), bench.sim.place_order({"A": 1})
        bench.sim.delete_order(deleted)
        variant = (await bench.listings())["A"].ref.external_id

        found = await bench.connector.read_orders([deleted, kept, variant])

    assert [order.external_id for order in found] == [kept]


async def test_an_order_is_read_by_id_before_the_search_knows_it(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        placed = bench.sim.place_order({"A": 1}, visible_after=600)

        assert [order.external_id for order in await bench.connector.read_orders([placed])] == [
            placed
        ]


Spoil = Callable[[list[Any]], None]


def spoil(
    bench: ShopifyBench, monkeypatch: pytest.MonkeyPatch, operation: str, change: Spoil
) -> None:
    """Let `change` work on the rows of every reply to this operation."""
    query = bench.connector._client.query

    async def spoiled(document: Document, *arguments: Any) -> Any:
        data = await query(document, *arguments)
        if document.name == operation:
            change(data.raw("nodes") if "nodes" in data else data.raw("orders")["nodes"])
        return data

    monkeypatch.setattr(bench.connector._client, "query", spoiled)


async def test_a_change_without_an_order_id_never_stops_the_page(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench({"A": 9}) as bench:
        good = [bench.sim.place_order({"A": 1}) for _ in range(2)]

        def broken(rows: list[Any]) -> None:
            rows[1:1] = [None, {"updatedAt": "2026-11-23T00:00:00Z"}, 7]
            del rows[0]["updatedAt"]

        spoil(bench, monkeypatch, "OrderChanges", broken)

        assert [order.external_id for order in await bench.orders()] == good
        assert bench.log.events.count("shopify_order_without_id") == 3


@pytest.mark.parametrize(
    "broken",
    [
        lambda row: row.pop("lineItems"),
        lambda row: row.update(id="gid://shopify/Order/1"),
        lambda row: row["lineItems"]["nodes"].append(None),
        lambda row: row["lineItems"]["nodes"][0].pop("id"),
        lambda row: row["lineItems"]["nodes"][0].update(
            quantity="x", currentQuantity=None, unfulfilledQuantity=[]
        ),
    ],
)
async def test_an_order_that_cannot_be_understood_is_reported_without_guessed_lines(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch, broken: Callable[[dict[str, Any]], None]
) -> None:
    async with open_bench({"A": 9}) as bench:
        bad, good = bench.sim.place_order({"A": 1}), bench.sim.place_order({"A": 1})
        spoil(bench, monkeypatch, "OrdersById", lambda rows: broken(rows[0]))

        fetched = await bench.orders()
        again = await bench.connector.read_orders([bad, good])

        for orders in (fetched, again):
            assert [
                (order.external_id, order.lines_known, order.state_known) for order in orders
            ] == [
                (bad, False, False),
                (good, True, True),
            ]
            assert orders[0].lines == ()
        assert bench.log.events.count("shopify_order_not_read") == 2


async def test_an_order_that_the_host_has_is_not_read_again(open_bench: Open) -> None:
    async with open_bench({"A": 99}) as bench:
        placed = [bench.sim.place_order({"A": 1}) for _ in range(3)]
        bench.sim.switch("time_offset", 60.0)
        cursor = await taken(bench, None, placed)
        reads = bench.sim.counters()["nodes"]

        cursor = await taken(bench, cursor, [])
        assert bench.sim.counters()["nodes"] == reads
        bench.sim.edit_order(placed[1], {"A": 2})
        cursor = await taken(bench, cursor, [placed[1]])


async def test_two_changes_within_one_second_are_both_delivered(open_bench: Open) -> None:
    async with open_bench({"A": 99}) as bench:
        placed = bench.sim.place_order({"A": 1})
        cursor = await taken(bench, None, [placed])
        order = bench.sim.order(placed)
        version = order.updated_at
        bench.sim.edit_order(placed, {"A": 2})
        order.updated_at = version  # the clock of Shopify shows whole seconds

        (reading,) = await bench.orders(cursor)

        assert (reading.version, counts(reading)) == (version, [(2, 0, 0)])


async def test_orders_of_a_page_that_the_host_did_not_take_are_delivered_again(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHANGES_PAGE", 2)
    async with open_bench({"A": 99}) as bench:
        placed = [bench.sim.place_order({"A": 1}) for _ in range(4)]
        bench.sim.switch("time_offset", 60.0)
        pages = bench.connector.fetch_orders(None)
        first = await anext(pages)
        await anext(pages)
        await pages.aclose()  # type: ignore[attr-defined]

        # The host has the first page only, which it proves by its cursor.
        assert [order.external_id for order in await bench.orders(first.cursor)] == placed[2:]
        # A host that starts without a cursor, as after a restored backup, receives everything.
        assert [order.external_id for order in await bench.orders(None)] == placed


async def test_a_host_that_stops_after_the_last_page_proves_by_its_cursor_that_it_has_it(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 99}) as bench:
        bench.sim.place_order({"A": 1})
        bench.sim.switch("time_offset", 60.0)
        pages = bench.connector.fetch_orders(None)
        last = await anext(pages)
        await pages.aclose()  # type: ignore[attr-defined]

        assert await bench.orders(last.cursor) == []


async def test_an_order_understood_in_part_is_read_again(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench({"A": 99}) as bench:
        placed = bench.sim.place_order({"A": 1})
        bench.sim.switch("time_offset", 60.0)
        with monkeypatch.context() as patched:
            spoil(
                bench,
                patched,
                "OrdersById",
                lambda rows: rows[0]["lineItems"]["nodes"][0].update(currentQuantity="x"),
            )
            cursor = await taken(bench, None, [placed])

        await taken(bench, cursor, [placed])


async def test_no_two_pages_have_the_same_cursor(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHANGES_PAGE", 2)
    async with open_bench({"A": 99}) as bench:
        for _ in range(4):
            bench.sim.place_order({"A": 1})
        # Also within one second of Shopify's clock: a page that the host could not store must not
        # look stored by its cursor.
        cursors = [
            page.cursor for _ in range(3) async for page in bench.connector.fetch_orders(None)
        ]

    assert len(set(cursors)) == len(cursors) == 6


async def taken(bench: ShopifyBench, cursor: str | None, expected: list[str]) -> str:
    """Fetch as a host does that stores every page; the new cursor."""
    pages = [page async for page in bench.connector.fetch_orders(cursor)]
    assert [order.external_id for page in pages for order in page.orders] == expected
    return pages[-1].cursor


async def test_a_search_that_ignores_our_filter_is_an_error(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench({"A": 5}) as bench:
        monkeypatch.setattr(feed, "_text", lambda moment: "' bogus:'")

        with pytest.raises(ContractBroken, match="ignored a filter"):
            await bench.orders()


async def test_a_page_that_costs_too_much_is_halved(open_bench: Open) -> None:
    async with open_bench({"A": 50}) as bench:
        bench.sim.switch("max_cost", 200)
        placed = [bench.sim.place_order({"A": 1}) for _ in range(12)]

        pages = [page async for page in bench.connector.fetch_orders(None)]

    assert [order.external_id for page in pages for order in page.orders] == placed
    assert max(len(page.orders) for page in pages) <= 12


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.MALFORMED, FaultKind.REFUSE])
async def test_a_failure_while_reading_is_repeated(open_bench: Open, kind: FaultKind) -> None:
    async with open_bench({"A": 5}) as bench:
        placed = bench.sim.place_order({"A": 1})
        bench.server.inject(Fault(kind, match="Orders", times=2, status=503))

        assert [order.external_id for order in await bench.orders()] == [placed]
        assert bench.clock.slept == [1.0, 2.0]
