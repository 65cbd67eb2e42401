"""One run of one shop: trouble of one item, one shop or one connector stays its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app.records import LinkRecord, LinkState, ListingRecord, Page, RunRecord, ShopRecord
from zaiko_core.domain.ids import listing_id
from zaiko_core.storage.jobs import job_door
from zaiko_sdk import (
    Connector,
    CredentialsRejected,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    ListingRef,
    WriteResult,
)
from zaiko_sdk.testing.fakeshop import FakeConnector

SHOP = "compare-and-set"
GOODS = [f"item{n}" for n in range(7)]


@pytest.fixture
def simulation(sqlite_url: str) -> Iterator[Simulation]:
    simulation = Simulation(sqlite_url, seed=0)
    simulation.interfere = lambda name, moment, operation: None  # type: ignore[method-assign]
    simulation.world.begin(products=GOODS, shops=())

    def shop(uow):
        uow.shops.insert(ShopRecord(SHOP, f"fake-{SHOP}", SHOP, {"shop": SHOP}, 600_000_000))
        uow.listings.upsert(
            SHOP, [ListingRecord(SHOP, listing_id(name), name, {}, sku=name) for name in GOODS]
        )

    simulation.world.db.write_sync(MERCHANT, shop)
    for name in GOODS:
        simulation.shops[SHOP].stock[name] = 0
        simulation.world.receive(name, 5)
        simulation.world.link(SHOP, name)
    yield simulation
    simulation.close()


def behave(simulation: Simulation, make: Callable[[FakeConnector], Connector]) -> None:
    """Let the shop's connector behave otherwise from now on."""
    types = simulation.engine.registry.types
    kind = types[f"fake-{SHOP}"]
    opened = kind.open
    types[kind.id] = replace(kind, open=lambda context, settings: make(opened(context, settings)))  # type: ignore[arg-type]
    asyncio.run(simulation.engine.connectors.forget())


def state(simulation: Simulation, name: str) -> LinkRecord:
    return simulation.world.link_of(SHOP, name)


def last_run(simulation: Simulation) -> RunRecord:
    return simulation.world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(1), shop=SHOP))[0]


def sold_out_of(bad: str, refs: Sequence[ListingRef]) -> None:
    if any(ref.external_id == bad for ref in refs):
        raise ItemRefused("something in this batch is refused")


def test_a_refused_batch_is_split_until_the_bad_item_stands_alone(simulation: Simulation) -> None:
    class Refusing(FakeConnector):
        async def set_inventory(
            self, writes: Sequence[InventoryWrite], key: str
        ) -> Sequence[WriteResult]:
            sold_out_of("item3", [write.ref for write in writes])
            return await super().set_inventory(writes, key)

    behave(simulation, lambda real: Refusing(real._shop, real._interfere))
    simulation.run_due()

    shown = simulation.shops[SHOP].stock
    assert {name: shown[name] for name in GOODS} == {
        name: 0 if name == "item3" else 5 for name in GOODS
    }
    assert state(simulation, "item3").state is LinkState.FAILED
    assert state(simulation, "item3").problem.reason == "ITEM_REFUSED"  # type: ignore[union-attr]
    assert {state(simulation, name).state for name in GOODS if name != "item3"} == {
        LinkState.SYNCED
    }
    assert last_run(simulation).state == "PARTIALLY_SUCCEEDED"


def test_a_reading_that_is_refused_is_split_as_well(simulation: Simulation) -> None:
    class Refusing(FakeConnector):
        async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
            sold_out_of("item0", refs)
            return await super().read_inventory(refs)

    behave(simulation, lambda real: Refusing(real._shop, real._interfere))
    simulation.run_due()

    assert state(simulation, "item0").state is LinkState.FAILED
    assert {state(simulation, name).state for name in GOODS[1:]} == {LinkState.SYNCED}


def test_a_failed_item_is_tried_again_after_its_own_back_off(simulation: Simulation) -> None:
    broken = [True]

    class Refusing(FakeConnector):
        async def set_inventory(
            self, writes: Sequence[InventoryWrite], key: str
        ) -> Sequence[WriteResult]:
            if broken[0]:
                sold_out_of("item3", [write.ref for write in writes])
            return await super().set_inventory(writes, key)

    behave(simulation, lambda real: Refusing(real._shop, real._interfere))
    simulation.run_due()
    broken[0] = False
    simulation.run_due()
    assert state(simulation, "item3").state is LinkState.FAILED
    simulation.clock.advance(31)
    simulation.run_due()
    assert (state(simulation, "item3").state, simulation.shops[SHOP].stock["item3"]) == (
        LinkState.SYNCED,
        5,
    )


def test_rejected_credentials_hold_the_shop_and_its_links_until_they_work_again(
    simulation: Simulation,
) -> None:
    wrong = [True]

    class Locked(FakeConnector):
        def fetch_orders(self, cursor: str | None):  # type: ignore[no-untyped-def]
            if wrong[0]:
                raise CredentialsRejected("the key is expired")
            return super().fetch_orders(cursor)

    behave(simulation, lambda real: Locked(real._shop, real._interfere))
    simulation.run_due()
    assert {state(simulation, name).state for name in GOODS} == {LinkState.HELD}
    shop = simulation.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP]
    assert shop.problem is not None
    assert (shop.problem.reason, shop.problem.owner) == ("CREDENTIALS_REJECTED", "MERCHANT")

    wrong[0] = False
    simulation.clock.advance(2 * 3600)
    simulation.run_due()
    assert {state(simulation, name).state for name in GOODS} == {LinkState.SYNCED}


def test_a_bug_of_a_connector_fails_its_run_and_says_so(simulation: Simulation) -> None:
    class Buggy(FakeConnector):
        async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
            raise KeyError("quantity")

    behave(simulation, lambda real: Buggy(real._shop, real._interfere))
    simulation.run_due()

    run = last_run(simulation)
    assert run.state == "FAILED"
    assert run.problem is not None
    assert run.problem.reason == "CONTRACT_BROKEN"
    assert "KeyError" in run.problem.message


def test_a_burst_of_changes_makes_few_runs(simulation: Simulation) -> None:
    simulation.run_due()
    before = len(
        simulation.world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(1000), shop=SHOP))
    )
    for _ in range(100):
        for name in GOODS[:2]:
            simulation.world.receive(name, 1)
    simulation.clock.advance(1)
    simulation.run_due()

    after = len(
        simulation.world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(1000), shop=SHOP))
    )
    assert after - before == 1
    assert simulation.shops[SHOP].stock["item0"] == 105


def test_only_what_changed_is_computed(simulation: Simulation) -> None:
    simulation.run_due()
    simulation.world.receive("item4", 1)
    simulation.clock.advance(1)
    simulation.run_due()
    assert last_run(simulation).counts.computed == 1


def test_a_shop_that_backs_off_is_tried_at_once_by_a_new_process(simulation: Simulation) -> None:
    kinds = dict(simulation.engine.registry.types)
    simulation.engine.registry.types.clear()
    simulation.run_due()
    assert {state(simulation, name).state for name in GOODS} == {LinkState.HELD}

    simulation.engine.registry.types.update(kinds)
    simulation.run_due()
    assert {state(simulation, name).state for name in GOODS} == {LinkState.HELD}
    door = job_door(simulation.engine.db.transactions, owner="new", lease=1)
    door.write_sync(lambda jobs: jobs.retry(kinds))
    simulation.run_due()
    assert {state(simulation, name).state for name in GOODS} == {LinkState.SYNCED}


def test_a_link_that_changes_during_a_run_is_sent_after_every_change(
    simulation: Simulation,
) -> None:
    """A flash sale: orders in other shops come as fast as pushes. Tired of one change, a link must
    not miss the next ones."""
    shop, world = simulation.shops["adjust"], simulation.world
    shop.stock["item0"] = 0

    def open_shop(uow):
        uow.shops.insert(
            ShopRecord("adjust", "fake-adjust", "adjust", {"shop": "adjust"}, 600_000_000)
        )
        uow.listings.upsert(
            "adjust", [ListingRecord("adjust", listing_id("item0"), "item0", {}, sku="item0")]
        )

    world.db.write_sync(MERCHANT, open_shop)
    world.link("adjust", "item0")
    remaining = iter(range(12))

    def another_change(name: str, moment: str, operation: str) -> None:
        if (name, moment, operation) == ("adjust", "after", "set_inventory") and next(
            remaining, None
        ) is not None:
            world.receive("item0", 1)

    simulation.interfere = another_change  # type: ignore[method-assign]
    simulation.run_due()
    assert shop.stock["item0"] == world.free("item0") == 17
    runs = world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(9), shop="adjust"))
    assert max(run.counts.pushed for run in runs) == 13


def test_a_connector_that_cannot_be_opened_is_the_shops_problem_and_says_so(
    simulation: Simulation,
) -> None:
    def broken(real: FakeConnector) -> Connector:
        raise KeyError("nowhere")

    behave(simulation, broken)
    simulation.run_due()

    assert last_run(simulation).state == "FAILED"
    assert last_run(simulation).problem.reason == "CONTRACT_BROKEN"  # type: ignore[union-attr]
    assert {state(simulation, name).state for name in GOODS} == {LinkState.HELD}
