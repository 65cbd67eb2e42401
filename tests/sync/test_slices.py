"""A run takes many links in slices: nobody waits long for the merchant's row, and each is read no
more than the fence needs."""

from __future__ import annotations

import pytest
from support.simulation import Simulation
from support.world import MERCHANT, WAREHOUSE, can_sync
from zaiko_core.app import links, stock
from zaiko_core.app.records import ListingRecord, Page, ShopRecord
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.links import Part

MANY = 600
GOODS = [f"item{n:03d}" for n in range(MANY)]


@pytest.mark.parametrize(("shop", "readings"), [("compare-and-set", 1), ("adjust", 2), ("set", 2)])
def test_many_links_are_pushed_in_one_run_and_read_no_more_than_the_fence_needs(
    sqlite_url: str, shop: str, readings: int
) -> None:
    simulation = Simulation(sqlite_url, seed=0)
    simulation.interfere = lambda name, moment, operation: simulation.clock.advance(0.001)  # type: ignore[method-assign]
    world = simulation.world.begin(products=GOODS, shops=())
    simulation.shops[shop].stock = dict.fromkeys(GOODS, 0)

    def build(uow) -> None:
        uow.shops.insert(
            ShopRecord(shop, f"fake-{shop}", shop, {"shop": shop}, 600_000_000, audited_at=1)
        )
        uow.listings.upsert(
            shop, [ListingRecord(shop, listing_id(name), name, {}, sku=name) for name in GOODS]
        )
        stock.receive(uow, [stock.Receipt(name, WAREHOUSE, 5, f"first/{name}") for name in GOODS])
        drafts = [links.LinkDraft(shop, listing_id(name), (Part(name),), True) for name in GOODS]
        links.create(uow, drafts, can_sync=can_sync)

    world.db.write_sync(MERCHANT, build)
    simulation.run_due()
    assert set(simulation.shops[shop].stock.values()) == {5}
    counts = world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(1), shop=shop))[0].counts
    # The audit, which comes last, reads some of them once more.
    assert (counts.pushed, counts.read) == (MANY, readings * MANY + 10)
    simulation.close()
