"""Unknown is not nothing: what is missing in a shop stays withheld, there and elsewhere, while an
open order of unknown content may have taken it (ADR 0034)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.simulation import VISIBILITY, Simulation
from support.world import MERCHANT
from zaiko_core.app import suspects
from zaiko_core.app.records import LinkState, ListingRecord, ProductRecord
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.push import Term
from zaiko_sdk import InventoryMode

SHOPS = [mode.value.replace("_", "-") for mode in InventoryMode]
ONE = SHOPS[0]


@pytest.fixture
def calm(sqlite_url: str) -> Iterator[Simulation]:
    simulation = Simulation(sqlite_url, seed=0, chaos=0)
    simulation.begin(units=10)
    yield simulation
    simulation.close()
    assert simulation.violations == []


def shown(simulation: Simulation) -> dict[str, int]:
    return {name: shop.stock["tea"] for name, shop in simulation.shops.items()}


def unreadable(simulation: Simulation, shop: str) -> int:
    found = simulation.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([shop]))[shop]
    return found.unreadable_orders


def settle(simulation: Simulation, turns: int) -> None:
    simulation.settle(turns, understood=False)


def hours(simulation: Simulation) -> None:
    """Let far more time pass than an order may take to appear."""
    settle(simulation, turns=4)
    simulation.clock.advance(VISIBILITY + 1)
    simulation.run_due()


@pytest.mark.parametrize("shop", SHOPS)
def test_units_that_an_order_may_have_taken_that_cannot_be_read_are_offered_nowhere(
    calm: Simulation, shop: str
) -> None:
    order = calm.shops[shop].place({"tea": 2}, is_understood=False)
    hours(calm)
    assert shown(calm) == dict.fromkeys(SHOPS, 8)
    assert unreadable(calm, shop) == 1
    other = calm.world.link_of(next(name for name in SHOPS if name != shop), "tea")
    assert (other.target, other.withheld) == (10, (Term("UNKNOWN_ORDER", 2),))
    assert other.state is LinkState.SYNCED

    calm.world.receive("tea", 5)
    settle(calm, 2)
    assert shown(calm) == dict.fromkeys(SHOPS, 13)

    calm.shops[shop].understand(order)
    settle(calm, 2)
    assert shown(calm) == dict.fromkeys(SHOPS, 13)
    assert (calm.world.free("tea"), unreadable(calm, shop)) == (13, 0)
    assert calm.world.link_of(shop, "tea").belief.unexplained == 0


def test_an_order_that_was_released_withholds_nothing(calm: Simulation) -> None:
    order = calm.shops[ONE].place({"tea": 2}, is_understood=False)
    hours(calm)
    calm.world.db.write_sync(MERCHANT, lambda uow: suspects.release(uow, ONE, order))
    settle(calm, 2)
    assert shown(calm) == dict.fromkeys(SHOPS, 10)
    assert unreadable(calm, ONE) == 0
    calm.violations.clear()  # a person said that it has taken nothing


def test_a_number_that_is_read_first_while_an_order_cannot_be_read_is_not_raised(
    calm: Simulation,
) -> None:
    calm.shops[ONE].place({"tea": 2}, is_understood=False)
    calm.world.unlink(ONE, "tea")
    settle(calm, 1)
    calm.world.link(ONE, "tea")
    hours(calm)
    assert calm.shops[ONE].stock["tea"] == 8


def sell_hamper(simulation: Simulation) -> str:
    """Sell a hamper, which is not linked and takes two units of tea."""
    shop = simulation.shops[ONE]
    shop.stock["hamper"] = 5
    order = shop.place({"hamper": 1})
    shop.stock["tea"] -= 2
    return order


def test_units_that_a_line_may_have_taken_that_is_not_linked_are_offered_nowhere(
    calm: Simulation,
) -> None:
    order = sell_hamper(calm)
    hours(calm)
    assert shown(calm) == dict.fromkeys(SHOPS, 8)

    calm.shops[ONE].ship(order)
    settle(calm, 2)
    assert shown(calm) == dict.fromkeys(SHOPS, 10)


def test_a_line_withholds_nothing_any_longer_when_it_is_linked(calm: Simulation) -> None:
    sell_hamper(calm)
    hours(calm)

    def listed(uow) -> None:
        uow.products.insert([ProductRecord("hamper", "hamper")])
        hamper = ListingRecord(ONE, listing_id("hamper"), "hamper", {}, sku="hamper")
        uow.listings.upsert(ONE, [hamper])

    calm.world.db.write_sync(MERCHANT, listed)
    calm.world.link(ONE, "hamper", parts={"tea": 2}, enabled=False)
    settle(calm, 2)
    assert shown(calm) == dict.fromkeys(SHOPS, 8)
    assert calm.world.free("tea") == 8
    assert calm.world.link_of(ONE, "tea").belief.unexplained == 0


def test_an_order_of_before_the_number_was_right_withholds_nothing(calm: Simulation) -> None:
    """Where some listings are not linked by design, an edit by hand is still corrected."""
    shop = calm.shops[ONE]
    shop.stock["hamper"] = 5
    shop.place({"hamper": 1})
    settle(calm, 3)
    calm.clock.advance(3600)
    settle(calm, 1)
    shop.stock["tea"] -= 2
    hours(calm)
    assert shown(calm) == dict.fromkeys(SHOPS, 10)
