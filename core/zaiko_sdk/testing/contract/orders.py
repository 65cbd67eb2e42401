"""Rules about orders: none is lost, none is changed on the way, whatever the platform's search does
meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

import pytest

from zaiko_sdk import Capability, Connector, ConnectorError, Listing, Order, OrderPage, OrderState
from zaiko_sdk.testing.contract.bench import ContractBench
from zaiko_sdk.testing.contract.rule import rule
from zaiko_sdk.testing.faults import Fault, FaultKind

_ORDERS = (Capability.FETCH_ORDERS, Capability.LIST_LISTINGS)
_MANY = 23
_PAGE = 5
_OLD = 700
"""Days. Older than any window, and not too old for platforms that keep orders for two years."""
_LAG = 1.6
"""Seconds by which an order comes late into the search: more than a second, the step of many
platforms' times."""


class OrderRules:
    """`fetch_orders` and `read_orders`."""

    @rule(
        Capability.FETCH_ORDERS,
        why=(
            "Without a cursor the next fetch starts at the beginning again, and zaiko cannot know "
            "how far the orders lag."
        ),
        fix=(
            "Yield at least one page, empty if need be, with a cursor and the time at which the "
            "request was sent."
        ),
    )
    def test_a_shop_without_orders_has_a_cursor(self, bench: ContractBench) -> None:
        """A fetch delivers at least one page, each with a cursor, and a fetch from that cursor
        works."""
        connector = bench.open()
        pages = bench.pages(connector)
        assert pages, "no page at all"
        assert not [order for page in pages for order in page.orders], (
            "orders in a shop without any"
        )
        assert all(page.cursor and page.read_at.tzinfo for page in pages), (
            "a page without a cursor, or read_at without a time zone"
        )
        assert bench.pages(connector, pages[-1].cursor), "no page from the cursor on"

    @rule(
        *_ORDERS,
        why="Units that are read wrongly are sold twice, or never.",
        fix="Deliver every line with the listing's external id, and `ordered` as bought.",
    )
    def test_a_new_order_is_delivered_whole(self, bench: ContractBench) -> None:
        """Each line of a new order is there with its listing and units; the order is open and has a
        time with a zone."""
        skus = bench.stock_up(10, 10, 10)
        connector = bench.open()
        listings = bench.listings(connector)
        placed = bench.shop.place_order({skus[0]: 1, skus[1]: 3})
        order = _delivered(bench.orders(connector), placed)
        assert order.state is OrderState.OPEN, f"a new order is {order.state}"
        assert order.state_known, f"the state {order.platform_state!r} of a new order is not known"
        assert order.placed_at.tzinfo is not None, "placed_at without a time zone"
        assert order.version is None or order.version.tzinfo is not None, (
            "version without a time zone"
        )
        assert order.number, "an order without a number for people"
        _check_units(order, listings, {skus[0]: 1, skus[1]: 3})
        assert len({line.external_id for line in order.lines}) == len(order.lines), (
            "two lines with one id"
        )

    @rule(
        *_ORDERS,
        why="Pre-orders are open for months; one that is not read is sold again.",
        fix=(
            "In the first fetch ask the platform for its open orders, whenever they changed, or "
            "say in `order_reach` how far back you look."
        ),
    )
    def test_an_open_order_is_delivered_however_old(self, bench: ContractBench) -> None:
        """A fetch without a cursor delivers an open order that is older than any window, or
        `order_reach` says that it does not, and delivers what is within its reach."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        reach = connector.order_reach
        ages = [_OLD] if reach is None else [_OLD, reach.days - 1]
        for days in ages:
            placed = bench.offered(bench.shop.place_order, {sku: 1}, days_ago=days)
            found = bench.orders(connector).get(placed)
            if found is None:
                assert reach is not None, f"an open order of {days} days ago was not delivered"
                assert reach.days < days, f"order_reach says {reach.days} days; {days} are too many"
            elif (bench.clock.now() - found.placed_at).days < days - 1:
                pytest.skip("cannot be played: the simulator does not know `days_ago`")

    @rule(
        *_ORDERS,
        why="An order that is missed oversells.",
        fix="Read every page; continue after the last row, or overlap the pages.",
    )
    def test_orders_over_several_pages_are_all_delivered(self, bench: ContractBench) -> None:
        """Of many orders none is missing, also from one fetch to the next."""
        (sku,) = bench.stock_up(1_000)
        bench.try_switch("page_size", _PAGE)
        connector = bench.open()
        first = [bench.shop.place_order({sku: 1}) for _ in range(_MANY)]
        pages = bench.pages(connector)
        _check_all(pages, first)
        second = [bench.shop.place_order({sku: 1}) for _ in range(_MANY)]
        _check_all(bench.pages(connector, pages[-1].cursor), second)

    @rule(
        *_ORDERS,
        why="The host stores a page and its cursor together, and may be killed at any moment.",
        fix=(
            "Move the cursor only past what was delivered; when the platform sorts newest first, "
            "only with the last page."
        ),
    )
    def test_a_crash_after_any_page_loses_no_order(self, bench: ContractBench) -> None:
        """What came up to a page, and what a fresh connector fetches from its cursor, are all
        orders."""
        (sku,) = bench.stock_up(1_000)
        bench.try_switch("page_size", _PAGE)
        placed = [bench.shop.place_order({sku: 1}) for _ in range(_MANY)]
        pages = bench.pages(bench.open())
        for number in range(len(pages)):
            rest = bench.pages(bench.open(), pages[number].cursor)
            _check_all([*pages[: number + 1], *rest], placed)

    @rule(
        *_ORDERS,
        why=(
            "Buyers and staff do not wait until a fetch ends: rows that move push others past a "
            "page's edge."
        ),
        fix=(
            "Page by the last key rather than by number, or overlap the pages; do not rely on a "
            "list that does not change."
        ),
    )
    def test_orders_that_move_while_paging_are_not_lost(self, bench: ContractBench) -> None:
        """An order that is changed, and one that is placed, between two pages hide no other one."""
        (sku,) = bench.stock_up(1_000)
        bench.try_switch("page_size", _PAGE)
        placed = [bench.shop.place_order({sku: 1}) for _ in range(_MANY)]
        connector = bench.open()

        async def disturbed() -> list[OrderPage]:
            pages = []
            async for page in connector.fetch_orders(None):
                pages.append(page)
                if len(pages) <= 3:
                    bench.shop.cancel_order(placed[len(pages) - 1], restock=True)
                    placed.append(bench.shop.place_order({sku: 1}))
            return pages

        pages = bench.run(disturbed())
        _check_all([*pages, *bench.pages(connector, pages[-1].cursor)], placed)

    @rule(
        *_ORDERS,
        why="Search indexes lag: an order that was placed earlier shows up after later ones.",
        fix=(
            "Reach back behind the cursor by more than the platform's lag; the host removes "
            "duplicates."
        ),
    )
    def test_an_order_that_shows_late_is_delivered(self, bench: ContractBench) -> None:
        """An order that the search shows only after a later one is delivered by a later fetch."""
        (sku,) = bench.stock_up(100)
        connector = bench.open()
        late = bench.shop.place_order({sku: 1}, visible_after=_LAG)
        shown_at = time.monotonic() + _LAG
        time.sleep(1.1)
        soon = bench.shop.place_order({sku: 1})
        pages = bench.pages(connector)
        _check_all(pages, [soon])
        time.sleep(max(0.0, shown_at - time.monotonic()) + 0.2)
        _check_all(bench.pages(connector, pages[-1].cursor), [late])

    @rule(
        *_ORDERS,
        why=(
            "A laptop's clock may be off by an hour, and the only sign are orders that are never "
            "fetched."
        ),
        fix=(
            "Use the platform's times in the cursor, never your own; search with an open end, not "
            "«until now»."
        ),
    )
    @pytest.mark.parametrize("ahead", [3600.0, -3600.0], ids=["fast", "slow"])
    def test_a_wrong_clock_of_ours_hides_no_order(self, bench: ContractBench, ahead: float) -> None:
        """While our clock is an hour fast, or slow, orders are delivered as they are placed."""
        (sku,) = bench.stock_up(100)
        bench.clock.offset = ahead
        connector = bench.open()
        first = bench.shop.place_order({sku: 1})
        pages = bench.pages(connector)
        _check_all(pages, [first])
        second = bench.shop.place_order({sku: 1})
        _check_all(bench.pages(connector, pages[-1].cursor), [second])

    @rule(
        *_ORDERS,
        why=(
            "A cursor that is ahead of the platform's clock skips every order until the clock has "
            "caught up."
        ),
        fix=(
            "Never move the cursor beyond your own clock: one order dated tomorrow would hide all "
            "that come before."
        ),
    )
    def test_a_wrong_clock_of_the_platform_hides_no_order(self, bench: ContractBench) -> None:
        """Orders of an hour in which the platform's clock was fast, and those after it, are
        delivered in time."""
        (sku,) = bench.stock_up(100)
        bench.offered(bench.shop.switch, "clock_skew_seconds", 3600)
        connector = bench.open()
        early = bench.shop.place_order({sku: 1})
        pages = bench.pages(connector)
        bench.shop.switch("clock_skew_seconds", 0)
        right = bench.shop.place_order({sku: 1})
        pages += bench.pages(connector, pages[-1].cursor)
        _check_all(pages, [right])
        # An hour later that moment has come, on both sides.
        bench.shop.switch("clock_skew_seconds", 3700)
        bench.clock.offset = 3700.0
        pages += bench.pages(connector, pages[-1].cursor)
        _check_all(pages, [early])

    @rule(
        *_ORDERS,
        why="A page that cannot be read must not be skipped: the orders on it would be lost.",
        fix=(
            "Raise; the host continues from the last page's cursor. Never end the iteration as if "
            "that were all."
        ),
    )
    def test_a_fault_between_pages_loses_no_order(self, bench: ContractBench) -> None:
        """After a fault in any request of a fetch, what came before it and a fetch from there on
        are all orders."""
        (sku,) = bench.stock_up(1_000)
        bench.try_switch("page_size", _PAGE)
        placed = [bench.shop.place_order({sku: 1}) for _ in range(_MANY)]
        connector = bench.open()
        for kind in (FaultKind.REFUSE, FaultKind.MALFORMED, FaultKind.DROP_AFTER):
            for place in bench.hits(partial(_fault, kind)):
                pages: list[OrderPage] = []
                error = bench.attempt(
                    f"fetch_orders with {kind} in request {place + 1}", _read_into(pages, connector)
                )
                bench.lift()
                if isinstance(error, ConnectorError):
                    pages += bench.pages(connector, pages[-1].cursor if pages else None)
                _check_all(pages, placed)

    @rule(
        *_ORDERS,
        why=(
            "A cancelled order holds stock without end, or is released twice, when its cancelled "
            "units are not distinguished."
        ),
        fix="State CANCELLED, or every unit in `cancelled`; `ordered` stays as it was.",
    )
    def test_a_cancelled_order_releases_its_units(self, bench: ContractBench) -> None:
        """After a cancel, nothing of the order is still to leave, by each way of reading it."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        order, cursor = _placed(bench, connector, {sku: 3})
        bench.shop.cancel_order(order, restock=True)
        for way, reading in bench.readings(connector, cursor, order):
            assert reading is not None, f"{way} does not deliver the cancelled order"
            assert _left(reading) == 0, (
                f"{way}: {_left(reading)} units are still to leave: {reading}"
            )

    @rule(
        *_ORDERS,
        why=(
            "Shipped units have left the warehouse: counted as open they would be subtracted twice."
        ),
        fix=(
            "Count shipped units in `fulfilled`, or set the state SHIPPED when all of them were "
            "shipped."
        ),
    )
    def test_shipped_units_have_left(self, bench: ContractBench) -> None:
        """After an order was shipped, nothing of it is still to leave, and it was not cancelled."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        order, cursor = _placed(bench, connector, {sku: 3})
        bench.offered(bench.shop.fulfil_order, order)
        for way, reading in bench.readings(connector, cursor, order):
            assert reading is not None, f"{way} does not deliver the shipped order"
            assert _left(reading) == 0, (
                f"{way}: {_left(reading)} units are still to leave: {reading}"
            )
            cancelled = sum(line.cancelled for line in reading.lines)
            assert reading.state is not OrderState.CANCELLED, f"{way}: a shipped order is CANCELLED"
            assert cancelled == 0, f"{way}: {cancelled} shipped units count as cancelled"

    @rule(
        *_ORDERS,
        why="An edit that is not seen keeps units off sale, or sells them twice.",
        fix=(
            "Read the units of each line again; units that were removed are `cancelled`, or no "
            "longer `ordered`."
        ),
    )
    def test_an_edited_order_has_its_new_units(self, bench: ContractBench) -> None:
        """After the staff lowered the units of a line, the new number of them is still to leave."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        order, cursor = _placed(bench, connector, {sku: 5})
        bench.offered(bench.shop.edit_order, order, {sku: 2})
        for way, reading in bench.readings(connector, cursor, order):
            assert reading is not None, f"{way} does not deliver the edited order"
            assert _left(reading) == 2, (
                f"{way}: {_left(reading)} units are still to leave, not 2: {reading}"
            )

    @rule(
        *_ORDERS,
        why="Archiving only tidies up; the parcels must still be shipped.",
        fix="Set `archived`, and leave state and units as they are; read archived orders too.",
    )
    def test_an_archived_order_keeps_its_units(self, bench: ContractBench) -> None:
        """After an order was archived, its units are still to leave."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        order, cursor = _placed(bench, connector, {sku: 3})
        bench.offered(bench.shop.archive_order, order)
        for way, reading in bench.readings(connector, cursor, order):
            assert reading is not None, f"{way} does not deliver the archived order"
            assert _left(reading) == 3, (
                f"{way}: {_left(reading)} units are still to leave, not 3: {reading}"
            )

    @rule(
        *_ORDERS,
        Capability.READ_ORDERS,
        why="A person decides on a vanished order; guessing would hold its units without end.",
        fix=(
            "Leave it out of the result of `read_orders`, or deliver it as DELETED; deliver all "
            "others."
        ),
    )
    def test_a_deleted_order_has_vanished(self, bench: ContractBench) -> None:
        """`read_orders` leaves out a deleted order or says DELETED, and reads the others."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        gone, _ = _placed(bench, connector, {sku: 1})
        kept, _ = _placed(bench, connector, {sku: 2})
        bench.offered(bench.shop.delete_order, gone)
        found = {
            order.external_id: order
            for order in bench.run(bench.reading_orders(connector, [gone, kept]))
        }
        assert kept in found, "the order beside the deleted one was not read"
        assert _left(found[kept]) == 2, (
            f"the order beside the deleted one was read wrongly: {found[kept]}"
        )
        ended = (OrderState.DELETED, OrderState.CANCELLED)
        assert gone not in found or found[gone].state in ended, (
            f"a deleted order is {found[gone].state}"
        )

    @rule(
        *_ORDERS,
        Capability.READ_ORDERS,
        why=(
            "zaiko treats an order whose id is missing as vanished: when a reply is cut, it would "
            "give up open orders."
        ),
        fix="Lower Limits.order_batch to what the platform accepts, or page within the call.",
    )
    def test_a_full_batch_of_orders_is_read(self, bench: ContractBench) -> None:
        """`read_orders` of Limits.order_batch orders (at most 120 here) answers for each."""
        (sku,) = bench.stock_up(1_000)
        most = min(bench.kind.limits.order_batch, 120)
        placed = [bench.shop.place_order({sku: 1}) for _ in range(most)]
        read = bench.run(bench.reading_orders(bench.open(), placed))
        missing = {*placed} - {order.external_id for order in read}
        assert not missing, f"{len(missing)} of {most} orders are missing"

    @rule(
        *_ORDERS,
        why=(
            "zaiko distinguishes two readings of an order by their version: one that does not "
            "change hides the order's change."
        ),
        fix=(
            "Order.version is the platform's time of the last change of the order, or None when "
            "it has none."
        ),
    )
    def test_a_later_reading_has_no_older_version(self, bench: ContractBench) -> None:
        """The version of an order that was changed is later than before, or there is none."""
        (sku,) = bench.stock_up(10)
        connector = bench.open()
        order, cursor = _placed(bench, connector, {sku: 3})
        before = _delivered(bench.orders(connector), order).version
        time.sleep(1.05)
        bench.shop.cancel_order(order, restock=True)
        for way, reading in bench.readings(connector, cursor, order):
            assert reading is not None, f"{way} does not deliver the changed order"
            consistent = (before is None) == (reading.version is None)
            assert consistent, f"{way}: the version was {before} and is {reading.version}"
            if before is not None and reading.version is not None:
                assert reading.version > before, (
                    f"{way}: the version was {before}, and after a change it is {reading.version}"
                )


def _placed(
    bench: ContractBench, connector: Connector, lines: Mapping[str, int]
) -> tuple[str, str]:
    """Place an order and fetch it. Return its id and the cursor after it."""
    order = bench.shop.place_order(lines)
    pages = bench.pages(connector)
    _check_all(pages, [order])
    return order, pages[-1].cursor


def _fault(kind: FaultKind, place: int) -> Fault:
    return Fault(kind, skip=place)


async def _read_into(pages: list[OrderPage], connector: Connector) -> None:
    """Read pages one by one, so that those before an error count."""
    async for page in connector.fetch_orders(None):
        pages.append(page)  # noqa: PERF401


def _delivered(orders: Mapping[str, Order], order: str) -> Order:
    assert order in orders, f"the order {order} was not delivered; delivered: {sorted(orders)[:5]}"
    return orders[order]


def _check_all(pages: Sequence[OrderPage], placed: Sequence[str]) -> None:
    found = {order.external_id for page in pages for order in page.orders}
    missing = [order for order in placed if order not in found]
    assert not missing, f"{len(missing)} of {len(placed)} orders were not delivered: {missing[:5]}"


def _check_units(order: Order, listings: Mapping[str, Listing], wanted: Mapping[str, int]) -> None:
    found: dict[str | None, int] = {}
    for line in order.lines:
        found[line.listing] = found.get(line.listing, 0) + line.ordered
    expected = {listings[sku].ref.external_id: units for sku, units in wanted.items()}
    assert found == expected, f"the order's units by listing are {found}, not {expected}"
    assert _left(order) == sum(wanted.values()), (
        f"{_left(order)} units of a new order are still to leave"
    )


def _left(order: Order) -> int:
    """Return the units that the host takes for still to leave. An ended order holds nothing."""
    if order.state is not OrderState.OPEN:
        return 0
    return sum(max(0, line.ordered - line.cancelled - line.fulfilled) for line in order.lines)
