"""A line of an order is what it names: what a newer reading of it means for products, and for the
shop's own numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
import support.properties  # noqa: F401 - before any property
from hypothesis import assume, given
from hypothesis import strategies as st
from zaiko_core.domain.demand import (
    Demand,
    DemandLine,
    DemandState,
    OrderRecord,
    Sold,
    reconcile,
)
from zaiko_core.domain.links import Part
from zaiko_core.domain.suspicion import SuspectPolicy, Suspicion, suspicions

PARTS = {name: (Part(name),) for name in ("D", "E", "F")}
CLOSED = (DemandState.CANCELLED, DemandState.DELETED)


def line(name: str, listing: str, ordered: int, **more: object) -> DemandLine:
    counts = {"cancelled": 0, "fulfilled": 0} | more
    return DemandLine(name, listing, ordered, **({"sku": listing} | counts))  # type: ignore[arg-type]


def reading(*lines: DemandLine, version: int = 1, **more: object) -> OrderRecord:
    facts = {"state": DemandState.OPEN} | more
    return OrderRecord("1", "#1", version, version, placed_at=1, lines=lines, **facts)  # type: ignore[arg-type]


@dataclass
class Order:
    """One order as it is stored, reading after reading."""

    stored: OrderRecord | None = None
    demands: dict[str, Demand] = field(default_factory=dict)
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=lambda: PARTS)

    def read(self, record: OrderRecord) -> list[Sold]:
        done = reconcile(
            record.settled(self.stored), self.stored, self.demands, self.parts, shop="a"
        )
        self.stored = done.record
        self.demands |= done.demands
        return list(done.sold)

    def wanted(self) -> dict[str, int]:
        return {product: demand.open for product, demand in self.demands.items() if demand.open}


# A line that names another listing


def test_a_line_that_names_another_listing_counts_the_new_product_and_releases_the_old() -> None:
    order = Order()
    order.read(reading(line("10", "D", 2)))
    sold = order.read(reading(line("10", "E", 3), version=5))

    assert order.wanted() == {"E": 3}
    assert order.demands["D"] == Demand()
    assert sold == [Sold("D", 0, 5, released=2, unshipped=2), Sold("E", 3, 5)]


def test_a_line_goes_on_counting_as_what_its_listing_was_linked_to_first() -> None:
    order = Order()
    order.read(reading(line("10", "D", 2)))
    order.parts = {"D": (Part("E"),)}
    order.read(reading(line("10", "D", 4), version=2))
    assert order.wanted() == {"D": 4}


def test_a_line_whose_listing_was_deleted_in_the_shop_is_still_what_it_sold() -> None:
    order = Order()
    order.read(reading(line("10", "D", 4)))
    sold = order.read(reading(line("10", "", 4, sku="D", cancelled=1), version=2))
    assert order.wanted() == {"D": 3}
    assert sold == [Sold("D", 0, 2, released=1, unshipped=1)]


def test_a_line_that_becomes_something_without_a_listing_releases_what_it_was() -> None:
    order = Order()
    order.read(reading(line("10", "D", 4)))
    sold = order.read(reading(line("10", "", 4, sku="gift"), version=2))
    assert order.wanted() == {}
    assert sold == [Sold("D", 0, 2, released=4, unshipped=4)]


def test_a_line_whose_listing_becomes_known_took_its_units_when_it_was_placed() -> None:
    order = Order()
    assert order.read(reading(line("10", "", 4, sku="D"))) == []
    assert order.read(reading(line("10", "D", 4), version=9)) == [Sold("D", 4, 1)]
    assert order.wanted() == {"D": 4}


def test_two_lines_of_one_listing_are_one_sale() -> None:
    assert Order().read(reading(line("1", "D", 2), line("2", "D", 3))) == [Sold("D", 5, 1)]


# A line that is missing


def after(*readings: OrderRecord) -> Order:
    order = Order()
    for each in readings:
        order.read(each)
    return order


def doubts(order: Order) -> dict[Suspicion, int]:
    assert order.stored is not None
    return suspicions(order.stored, SuspectPolicy(), 9)


BOTH = reading(line("1", "D", 2), line("2", "E", 3))


@pytest.mark.parametrize(
    "second",
    [
        reading(line("1", "D", 2)),
        reading(line("1", "D", 2), version=5, edited=False),
        reading(version=5),
    ],
    ids=["the same version", "the platform says: not edited", "an open order without lines"],
)
def test_a_line_that_nobody_removed_is_kept_and_suspect(second: OrderRecord) -> None:
    order = after(BOTH, replace(second, read_at=7))
    assert order.wanted() == {"D": 2, "E": 3}
    assert doubts(order) == {Suspicion.LINE_MISSING: 7}

    # It stays so, since then, and ends when the line is there again.
    order.read(replace(second, read_at=8))
    assert doubts(order) == {Suspicion.LINE_MISSING: 7}
    assert replace(second, read_at=8).settled(order.stored).says_the_same(order.stored)  # type: ignore[arg-type]
    order.read(replace(BOTH, version=5, read_at=9))
    assert doubts(order) == {}


@pytest.mark.parametrize(
    "second",
    [
        reading(line("1", "D", 2), version=5),
        reading(line("1", "D", 2), edited=True),
        reading(line("1", "D", 2), version=5, state=DemandState.SHIPPED, edited=False),
    ],
    ids=["a newer version", "the platform says: edited", "a closed order"],
)
def test_a_line_that_was_removed_is_released(second: OrderRecord) -> None:
    order = after(BOTH, second)
    assert order.demands["E"] == Demand()
    assert doubts(order) == {}


# The rest that is cancelled


def test_a_cancel_after_a_partial_shipment_releases_what_had_not_left() -> None:
    order = Order()
    order.read(reading(line("1", "D", 9)))
    order.read(reading(line("1", "D", 9, fulfilled=8), version=2))
    closed = reading(
        line("1", "D", 9, fulfilled=8, cancelled=1), version=3, state=DemandState.CANCELLED
    )
    assert order.read(closed) == [Sold("D", 0, 3, released=9, unshipped=1)]


def test_nothing_of_a_shipped_order_had_not_left() -> None:
    order = Order()
    order.read(reading(line("1", "D", 2), state=DemandState.SHIPPED))
    sold = order.read(reading(line("1", "D", 2), version=2, state=DemandState.CANCELLED))
    assert sold == [Sold("D", 0, 2, released=2)]


def test_units_that_are_wanted_again_make_the_number_be_read() -> None:
    order = Order()
    order.read(reading(line("1", "D", 4, cancelled=3)))
    sold = order.read(reading(line("1", "D", 4, cancelled=1), version=2))
    assert sold == [Sold("D", 0, 2, uncertain=True)]


# Any history


@dataclass
class Shop:
    """The platform's side of one order: its lines, and what its numbers lost."""

    restocks: bool
    lines: dict[str, DemandLine] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    state: DemandState = DemandState.OPEN
    removed: set[str] = field(default_factory=set)

    def do(self, event: str, name: str, listing: str, units: int) -> None:
        """Let a buyer or the staff do something with a line, where it is possible."""
        found = self.lines.get(name)
        if self.state is not DemandState.OPEN:
            return
        if found is None:
            if event == "place" and name not in self.removed:
                self.lines[name] = line(name, listing, units)
                self.taken[listing] += units
        elif event == "grow":
            self.lines[name] = replace(found, ordered=found.ordered + units)
            self.taken[found.listing] += units
        elif event == "ship":
            self.lines[name] = replace(found, fulfilled=found.wanted)
        elif event == "cancel":
            units = min(units, found.wanted - found.fulfilled)
            self.restock(found.listing, units)
            self.lines[name] = replace(found, cancelled=found.cancelled + units)
        elif event == "exchange" and not found.fulfilled and listing != found.listing:
            self.restock(found.listing, found.wanted)
            self.lines[name] = line(name, listing, units)
            self.taken[listing] += units
        elif event == "remove" and not found.fulfilled and len(self.lines) > 1:
            self.restock(found.listing, found.wanted)
            del self.lines[name]
            self.removed.add(name)
        elif event == "close":
            for each in self.lines.values():
                self.restock(each.listing, each.wanted - each.fulfilled)
            self.state = DemandState.CANCELLED

    def restock(self, listing: str, units: int) -> None:
        self.taken[listing] -= units if self.restocks else 0

    def read(self, version: int) -> OrderRecord:
        return reading(*self.lines.values(), version=version, state=self.state)


EVENTS = st.tuples(
    st.sampled_from(["place", "place", "grow", "ship", "cancel", "exchange", "remove", "close"]),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["D", "E", "F"]),
    st.integers(1, 4),
)


@given(st.lists(EVENTS, max_size=12), st.booleans())
def test_what_an_order_sold_of_each_listing_is_what_the_shops_number_lost(
    events: list[tuple[str, str, str, int]], restocks: bool
) -> None:
    shop, order = Shop(restocks), Order()
    for version, event in enumerate(events, start=1):
        before = shop.taken.copy()
        shop.do(*event)
        moved = Counter({name: shop.taken[name] - before[name] for name in PARTS})
        explained = dict.fromkeys(PARTS, 0)
        for sold in order.read(shop.read(version)):
            explained[sold.listing] += sold.units - (sold.unshipped if restocks else 0)
        assert explained == {name: moved[name] for name in PARTS}
        wanted = Counter[str]()
        for each in shop.lines.values() if shop.state is DemandState.OPEN else ():
            wanted[each.listing] += each.wanted - each.fulfilled
        assert order.wanted() == +wanted


@given(st.lists(EVENTS, max_size=12), st.sets(st.integers(0, 11)))
def test_units_that_are_given_back_at_once_add_up_however_often_the_order_is_read(
    events: list[tuple[str, str, str, int]], unread: set[int]
) -> None:
    shop, order = Shop(restocks=True), Order()
    explained: Counter[str] = Counter()
    for number, event in enumerate(events):
        shop.do(*event)
        if number in unread and event is not events[-1]:
            continue
        for sold in order.read(shop.read(number + 1)):
            # Placed and closed before it was read: a reading of the number tells.
            assume(not sold.uncertain)
            explained[sold.listing] += sold.units - sold.unshipped
    assert {name: explained[name] for name in PARTS} == {name: shop.taken[name] for name in PARTS}
