"""The catalogue is read when an order names a listing that it lacks (ADR 0035)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import assigning, shops
from zaiko_core.app.operations import BULK_LINK, REFRESH_LISTINGS
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import OperationRecord, Page, ProductRecord, ShopRecord
from zaiko_core.domain.errors import OrderLineNotAssignable
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.matching import AutoLink
from zaiko_sdk import OrderLine

SHOP = "set"


@pytest.fixture
def simulation(sqlite_url: str) -> Iterator[Simulation]:
    """One shop without a catalogue here, which sells `tea` and, later, `pot`."""
    simulation = Simulation(sqlite_url, seed=0)
    simulation.interfere = lambda name, moment, operation: None  # type: ignore[method-assign]
    simulation.world.begin(products=("tea",), shops=())

    def begin(uow: UnitOfWork) -> None:
        uow.products.insert([ProductRecord("pot", "pot")])
        uow.shops.insert(ShopRecord(SHOP, f"fake-{SHOP}", SHOP, {"shop": SHOP}, 600_000_000))

    simulation.world.db.write_sync(MERCHANT, begin)
    simulation.world.receive("tea", 10)
    simulation.world.receive("pot", 10)
    simulation.shops[SHOP].stock["tea"] = 10
    yield simulation
    simulation.close()


def asked(simulation: Simulation, kind: str = REFRESH_LISTINGS) -> list[OperationRecord]:
    return simulation.world.db.read_sync(
        MERCHANT, lambda uow: uow.operations.page(Page(100), kinds=[kind])
    )


def listed(simulation: Simulation) -> set[str]:
    found = simulation.world.db.read_sync(
        MERCHANT,
        lambda uow: uow.listings.page(Page(100), shop=SHOP, linked=None, sku="", vanished=False),
    )
    return {record.external_id for record in found}


def sell(simulation: Simulation, listing: str) -> None:
    simulation.shops[SHOP].stock.setdefault(listing, 10)
    simulation.shops[SHOP].place({listing: 1})


def pass_by(simulation: Simulation, seconds: float) -> None:
    simulation.clock.advance(seconds)
    for _ in range(3):
        simulation.run_due()
        simulation.clock.advance(0.1)


def test_an_order_that_names_an_unknown_listing_has_the_catalogue_read(
    simulation: Simulation,
) -> None:
    pass_by(simulation, 0)
    assert asked(simulation) == []
    sell(simulation, "tea")
    pass_by(simulation, 601)
    assert len(asked(simulation)) == 1
    assert listed(simulation) == {"tea"}
    sell(simulation, "tea")
    pass_by(simulation, 601)
    assert len(asked(simulation)) == 1


def test_what_the_catalogue_never_has_is_asked_for_less_and_less_often(
    simulation: Simulation,
) -> None:
    for _ in range(30):
        sell(simulation, "gone")
        del simulation.shops[SHOP].stock["gone"]
        pass_by(simulation, 601)
    assert 3 <= len(asked(simulation)) <= 8


def test_a_listing_that_comes_while_it_is_too_early_is_read_later(simulation: Simulation) -> None:
    sell(simulation, "tea")
    pass_by(simulation, 601)
    sell(simulation, "pot")
    simulation.world.db.write_sync(MERCHANT, lambda uow: uow.trigger([SHOP]))
    pass_by(simulation, 1)
    assert (len(asked(simulation)), listed(simulation)) == (1, {"tea"})
    pass_by(simulation, 601)
    assert (len(asked(simulation)), listed(simulation)) == (2, {"tea", "pot"})


@pytest.mark.parametrize("auto", AutoLink)
def test_new_listings_are_linked_by_exact_code_where_the_shop_says_so(
    simulation: Simulation, auto: AutoLink
) -> None:
    sell(simulation, "tea")
    pass_by(simulation, 601)
    simulation.world.db.write_sync(
        MERCHANT, lambda uow: shops.update(uow, replace(shops.get(uow, SHOP), auto_link=auto))
    )
    sell(simulation, "pot")
    pass_by(simulation, 601)
    pass_by(simulation, 601)
    links = simulation.world.db.read_sync(
        MERCHANT, lambda uow: uow.links.get(SHOP, [listing_id("tea"), listing_id("pot")])
    )
    # The one that was there before is a person's to link.
    assert {name: link.sync_enabled for name, link in links.items()} == (
        {} if auto is AutoLink.OFF else {listing_id("pot"): auto is AutoLink.SYNC}
    )
    assert len(asked(simulation, BULK_LINK)) == (auto is not AutoLink.OFF)
    assert simulation.world.stock("pot").balance.ordered == (auto is not AutoLink.OFF)


def test_a_line_that_no_link_can_count_is_assigned_by_a_person(simulation: Simulation) -> None:
    shop = simulation.shops[SHOP]
    name = shop.place({"tea": 4})
    order = shop.orders[name].order
    shop.orders[name].order = replace(
        order, lines=[OrderLine("1", None, 3, sku="tea"), OrderLine("2", "tea", 1, sku="tea")]
    )
    pass_by(simulation, 601)
    simulation.world.db.write_sync(MERCHANT, lambda uow: assigning.assign(uow, SHOP, name))
    assert simulation.world.stock("tea").balance.ordered == 3
    with pytest.raises(OrderLineNotAssignable):
        simulation.world.db.write_sync(MERCHANT, lambda uow: assigning.assign(uow, SHOP, name))
    shop.ship(name)
    pass_by(simulation, 601)
    assert simulation.world.stock("tea").balance.ordered == 0
    simulation.world.assert_consistent()
