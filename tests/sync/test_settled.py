"""A run is not a clock: how far a shop has come is known while a run goes on, however long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app.records import ListingRecord, Page, RunState, ShopRecord
from zaiko_core.domain.ids import listing_id

SHOP = "set"
CHANGES = 8


class Busy(Simulation):
    """One shop under steady change: each write to it is followed by the next receipt, so its run
    goes on and on. `observe` is called after each write."""

    left = 0

    def observe(self) -> None:
        """Observe the shop in the middle of its run."""

    def interfere(self, name: str, moment: str, operation: str) -> None:
        self.clock.advance(1.1)
        if (moment, operation) == ("after", "set_inventory") and self.left:
            self.observe()
            self.left -= 1
            self.world.receive("tea", 1)

    def shop(self) -> ShopRecord:
        return self.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP]


@pytest.fixture
def busy(sqlite_url: str) -> Iterator[Busy]:
    simulation = Busy(sqlite_url, seed=0)
    simulation.world.begin(shops=())

    def shop(uow: Any) -> None:
        uow.shops.insert(ShopRecord(SHOP, f"fake-{SHOP}", SHOP, {"shop": SHOP}, 600_000_000))
        uow.listings.upsert(SHOP, [ListingRecord(SHOP, listing_id("tea"), "tea", {}, sku="tea")])

    simulation.world.db.write_sync(MERCHANT, shop)
    simulation.world.receive("tea", 5)
    simulation.world.link(SHOP, "tea")
    simulation.settle(turns=3)
    yield simulation
    simulation.close()


def test_when_orders_were_read_is_known_while_a_run_goes_on(busy: Busy) -> None:
    seen: list[tuple[int, int]] = []

    def observe() -> None:
        shop = busy.shop()
        seen.append((shop.orders_read_at or 0, shop.last_success_at or 0))

    busy.observe, busy.left = observe, CHANGES  # type: ignore[method-assign]
    busy.world.receive("tea", 1)
    busy.clock.advance(1)
    busy.run_due()

    read, succeeded = zip(*seen, strict=True)
    assert len(seen) == CHANGES
    assert len(set(succeeded)) == 1, "it was one run"
    assert list(read) == sorted(set(read)), "each round's reading was stored when it had ended"


def test_a_fetch_that_broke_off_read_no_orders(busy: Busy) -> None:
    before = busy.shop().orders_read_at
    busy.chaos, busy.calm = 1.0, False
    busy.clock.advance(601)

    def broken(name: str, moment: str, operation: str) -> None:
        if (moment, operation) == ("after", "fetch_orders"):
            raise TimeoutError

    busy.interfere = broken  # type: ignore[method-assign]
    busy.run_due()

    newest = busy.world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(1), shop=SHOP))[0]
    assert newest.state is RunState.FAILED
    assert busy.shop().orders_read_at == before


def test_orders_were_read_when_the_fetch_began_not_when_it_ended(busy: Busy) -> None:
    busy.clock.advance(601)
    busy.world.db.write_sync(MERCHANT, lambda uow: uow.shops.save_audited(SHOP))
    began = int(busy.clock.now().timestamp() * 1_000_000)
    busy.run_due()

    assert busy.shop().orders_read_at == began
