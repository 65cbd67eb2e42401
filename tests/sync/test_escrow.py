"""Escrow with the real engine: whatever breaks, shops together never offer more of a scarce product
than there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import links, stock
from zaiko_core.app.records import LinkState
from zaiko_core.domain.ids import listing_id
from zaiko_sdk import PlatformDown

ALWAYS = 1_000_000_000
HONEST = ("compare-and-set", "adjust")
"""Shops that never overwrite an order of their own: an unconditional write cannot promise that."""


class Scarce(Simulation):
    """All `tea` is in escrow. Checked at every step of every conversation: what shops show together
    is there."""

    excess = 0
    watching = False
    received = 40
    down = ""

    def begin(self, units: int) -> None:
        super().begin(units)
        self.world.db.write_sync(MERCHANT, lambda uow: stock.set_escrow(uow, "tea", ALWAYS))
        self.settle(turns=3)
        self.calm, self.watching = False, True
        self.measure()

    def interfere(self, name: str, moment: str, operation: str) -> None:
        self.measure()
        if name == self.down:
            raise PlatformDown("closed for inventory")
        try:
            super().interfere(name, moment, operation)
        finally:
            self.measure()

    def shop_event(self, name: str) -> None:
        super().shop_event(name)
        self.measure()

    def really_free(self) -> int:
        """By what shops and warehouse know, seen by the engine or not."""
        return self.received - self.ordered_units()

    def measure(self) -> None:
        if self.watching:
            shown = sum(shop.stock["tea"] for shop in self.shops.values())
            self.excess = max(self.excess, shown - self.really_free())


@pytest.fixture
def scarce(sqlite_url: str, request: pytest.FixtureRequest) -> Iterator[Scarce]:
    simulation = Scarce(sqlite_url, request.param)
    for name in set(simulation.shops) - set(HONEST):
        del simulation.shops[name]
    simulation.begin(units=40)
    yield simulation
    simulation.close()


@pytest.mark.parametrize("scarce", [0, pytest.param(1, marks=pytest.mark.thorough)], indirect=True)
def test_shops_together_never_offer_more_than_there_is(scarce: Scarce) -> None:
    for _ in range(40):
        for name in scarce.shops:
            if scarce.random.random() < 0.5:
                scarce.shop_event(name)
        if scarce.random.random() < 0.15:
            units = scarce.random.randint(1, 5)
            scarce.received += units
            scarce.world.receive("tea", units)
        scarce.run_due()
        scarce.clock.advance(scarce.random.choice([0.1, 1, 5, 20]))
    scarce.settle()
    assert scarce.excess <= 0
    assert scarce.violations == []
    assert scarce.faults > 0
    shown = {name: shop.stock["tea"] for name, shop in scarce.shops.items()}
    reserved = sum(shop.reserved.get("tea", 0) for shop in scarce.shops.values())
    assert sum(shown.values()) + reserved == max(0, scarce.really_free()), (
        f"all that is free is on sale, or reserved in a shop: {shown}, {reserved}"
    )
    assert {scarce.world.link_of(name, "tea").state for name in shown} == {LinkState.SYNCED}


@pytest.mark.parametrize("scarce", [1], indirect=True)
def test_units_go_where_they_sell_and_are_never_offered_twice_on_their_way(scarce: Scarce) -> None:
    scarce.calm = True
    first, second = scarce.shops
    while scarce.really_free() > 2:
        if scarce.shops[first].stock["tea"]:
            scarce.shops[first].place({"tea": 1})
        scarce.clock.advance(601)
        scarce.run_due()
    scarce.settle(turns=3)
    assert scarce.excess <= 0
    assert scarce.shops[first].stock["tea"] >= scarce.shops[second].stock["tea"]
    assert sum(shop.stock["tea"] for shop in scarce.shops.values()) == 2


@pytest.mark.parametrize("scarce", [2], indirect=True)
def test_a_shop_that_is_down_keeps_its_units_and_the_rest_goes_on(scarce: Scarce) -> None:
    scarce.calm = True
    first, second = scarce.shops
    scarce.down = first
    before = scarce.shops[first].stock["tea"]
    scarce.shops[second].place({"tea": scarce.shops[second].stock["tea"]})
    scarce.received += 8
    scarce.world.receive("tea", 8)
    scarce.settle(turns=4)
    assert scarce.excess <= 0
    assert scarce.shops[second].stock["tea"] == scarce.really_free() - before


@pytest.mark.parametrize("scarce", [3], indirect=True)
def test_units_of_a_link_that_is_switched_off_go_to_the_others(scarce: Scarce) -> None:
    scarce.calm = True
    first, second = scarce.shops
    name = listing_id("tea")
    scarce.world.db.write_sync(
        MERCHANT, lambda uow: links.set_sync(uow, first, name, False, can_sync=lambda kind: None)
    )
    scarce.watching = False  # what a shop shows that is not synced is its merchant's own affair
    scarce.settle(turns=2)
    assert scarce.shops[second].stock["tea"] == scarce.really_free()


@pytest.mark.parametrize("scarce", [4], indirect=True)
def test_leaving_escrow_every_shop_shows_all_again(scarce: Scarce) -> None:
    scarce.calm, scarce.watching = True, False
    scarce.world.db.write_sync(MERCHANT, lambda uow: stock.set_escrow(uow, "tea", 39))
    scarce.settle(turns=2)
    assert [shop.stock["tea"] for shop in scarce.shops.values()] == [40, 40]
    next(iter(scarce.shops.values())).place({"tea": 2})
    scarce.settle(turns=3)
    assert sum(shop.stock["tea"] for shop in scarce.shops.values()) == 38
