"""What a person asks for with «sync now» puts right what the shop shows (ADR 0036)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import runs, shops
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkRecord
from zaiko_core.domain.ids import listing_id

TEA = listing_id("tea")
SHOPS = ("compare-and-set", "adjust", "set")


class Stage:
    """Shops that show 48 of `tea`, and were audited just now."""

    def __init__(self, url: str) -> None:
        self.simulation = Simulation(url, 7, chaos=0)
        self.simulation.begin(units=48)
        self.simulation.calm = True
        self.world = self.simulation.world
        # A catalogue that the audit does not read whole in each interval.
        self.world.db.write_sync(MERCHANT, self._audited)

    def _audited(self, uow: UnitOfWork) -> None:
        for name in SHOPS:
            uow.shops.save_audited(name)

    def edit(self, quantity: int) -> None:
        for name in SHOPS:
            self.simulation.shops[name].stock["tea"] = quantity

    def shown(self) -> dict[str, int]:
        return {name: self.simulation.shops[name].stock["tea"] for name in SHOPS}

    def link(self, shop: str) -> LinkRecord:
        return self.world.link_of(shop, "tea")

    def run(self) -> None:
        self.simulation.clock.advance(1)
        self.simulation.run_due()


@pytest.fixture
def stage(store_url: str) -> Iterator[Stage]:
    stage = Stage(store_url)
    yield stage
    stage.simulation.close()


def of_link(uow: UnitOfWork) -> None:
    for name in SHOPS:
        runs.sync_now(uow, link=(name, TEA))


def of_product(uow: UnitOfWork) -> None:
    shops.sync_product(uow, "tea", can_sync=lambda connector: None)


def of_shop(uow: UnitOfWork) -> None:
    runs.sync_now(uow, shops=SHOPS)


@pytest.mark.parametrize("ask", [of_link, of_product, of_shop])
def test_sync_now_reads_the_shop_and_corrects_what_staff_edited(
    stage: Stage, ask: Callable[[UnitOfWork], None]
) -> None:
    compared = {name: stage.link(name).read_at for name in SHOPS}
    stage.edit(777)
    stage.world.db.write_sync(MERCHANT, ask)
    stage.run()
    assert stage.shown() == dict.fromkeys(SHOPS, 48)
    assert all(stage.link(name).read_at > compared[name] for name in SHOPS)


def test_a_number_that_a_refresh_reads_and_that_differs_is_corrected(stage: Stage) -> None:
    stage.edit(777)

    def refresh(uow: UnitOfWork) -> None:
        for name in SHOPS:
            (listing,) = uow.listings.get(name, [TEA]).values()
            shops.take_listings(uow, name, [replace(listing, quantity=777)])

    stage.world.db.write_sync(MERCHANT, refresh)
    stage.run()
    assert stage.shown() == dict.fromkeys(SHOPS, 48)


def test_a_number_that_a_refresh_reads_and_that_is_right_causes_no_run(stage: Stage) -> None:
    def refresh(uow: UnitOfWork) -> None:
        (listing,) = uow.listings.get("set", [TEA]).values()
        shops.take_listings(uow, "set", [replace(listing, quantity=48)])

    stage.world.db.write_sync(MERCHANT, refresh)
    assert stage.link("set").due_at is None
