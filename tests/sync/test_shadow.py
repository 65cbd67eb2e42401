"""Shadow mode: everything but the write (ADR 0018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import shops, stock, sync
from zaiko_core.app.records import LinkRecord, LinkState, Page
from zaiko_sdk import Timeout

SHOPS = ("compare-and-set", "adjust", "set")


class Stage:
    """Three shops, one of each way to change a number, that show 10 of `tea`; nothing goes wrong
    unless it is asked to."""

    def __init__(self, url: str) -> None:
        self.simulation = Simulation(url, 7, chaos=0)
        self.simulation.begin(units=10)
        self.simulation.calm = True
        self.world = self.simulation.world
        self.written()

    def shadow(self, shop: str, on: bool = True) -> None:
        self.world.db.write_sync(MERCHANT, lambda uow: shops.set_shadow(uow, shop, on))

    def runs(self, times: int = 5) -> None:
        for _ in range(times):
            self.simulation.run_due()
            self.simulation.clock.advance(20)

    def shown(self, shop: str) -> int:
        return self.simulation.shops[shop].stock["tea"]

    def link(self, shop: str) -> LinkRecord:
        return self.world.link_of(shop, "tea")

    def written(self) -> dict[str, int]:
        """How many writes each shop has had since the last look."""
        counts = {}
        for name, shop in self.simulation.shops.items():
            counts[name] = len(shop.applied)
            shop.applied.clear()
        return counts


@pytest.fixture
def stage(store_url: str) -> Iterator[Stage]:
    stage = Stage(store_url)
    yield stage
    stage.simulation.close()


@pytest.mark.parametrize("shop", SHOPS)
def test_a_shop_in_shadow_is_never_written_to_and_its_orders_count(stage: Stage, shop: str) -> None:
    stage.shadow(shop)
    stage.simulation.shops[shop].place({"tea": 3}, visible_after=0)
    stage.world.receive("tea", 20)
    stage.runs()

    assert stage.written() == {
        name: 0 if name == shop else pytest.approx(1, abs=3) for name in SHOPS
    }
    assert stage.world.free("tea") == 27
    assert stage.shown(shop) == 7
    assert {stage.shown(name) for name in SHOPS if name != shop} == {27}


@pytest.mark.parametrize("shop", SHOPS)
def test_what_would_be_sent_stands_beside_what_the_shop_shows(stage: Stage, shop: str) -> None:
    stage.shadow(shop)
    stage.world.receive("tea", 5)
    stage.runs()

    link = stage.link(shop)
    assert (link.state, link.target, link.confirmed) == (LinkState.SHADOW, 15, 10)
    since = link.differ_since
    assert since is not None

    stage.world.receive("tea", 5)
    stage.runs()
    assert (stage.link(shop).target, stage.link(shop).differ_since) == (20, since)
    counts = stage.world.db.read_sync(MERCHANT, lambda uow: uow.shops.difference_counts(SHOPS))
    assert counts == {shop: 1}
    listed = stage.world.db.read_sync(
        MERCHANT,
        lambda uow: uow.links.page(
            Page(10), shop="", products=(), states=(), sync_enabled=None, differing=True
        ),
    )
    assert [found.shop for found in listed] == [shop]

    stage.simulation.shops[shop].stock["tea"] = 20
    stage.world.reserve("tea", 0)
    stage.world.adjust("tea", delta=1)
    stage.world.adjust("tea", delta=-1)
    stage.runs()
    assert (stage.link(shop).confirmed, stage.link(shop).differ_since) == (20, None)


@pytest.mark.parametrize("shop", SHOPS)
def test_leaving_shadow_begins_with_a_reading(stage: Stage, shop: str) -> None:
    stage.shadow(shop)
    stage.world.receive("tea", 5)
    stage.runs()
    stage.simulation.shops[shop].stock["tea"] = 3  # by other software
    stage.simulation.shops[shop].place({"tea": 1}, visible_after=0)

    stage.shadow(shop, on=False)
    stage.runs()

    assert stage.world.free("tea") == 14
    assert stage.shown(shop) == 14
    assert stage.link(shop).state is LinkState.SYNCED


@pytest.mark.parametrize("shop", SHOPS)
def test_a_write_that_was_prepared_before_is_not_sent_after(
    stage: Stage, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = sync.plan

    def planned_then_shadowed(uow, name, *arguments, **options):  # type: ignore[no-untyped-def]
        result = plan(uow, name, *arguments, **options)
        if name == shop and result.writes:
            record = uow.shops.get([shop])[shop]
            uow.shops.update(replace(record, shadow=True))
            monkeypatch.setattr(sync, "plan", plan)
        return result

    monkeypatch.setattr(sync, "plan", planned_then_shadowed)
    stage.world.receive("tea", 5)
    stage.runs()

    assert stage.shown(shop) == 10
    assert stage.link(shop).state is LinkState.SHADOW
    assert stage.link(shop).belief.pending is None


@pytest.mark.parametrize("shop", SHOPS)
def test_a_write_that_was_on_its_way_is_settled_by_reading(stage: Stage, shop: str) -> None:
    stage.world.receive("tea", 5)
    lost = [True]
    original = stage.simulation.interfere

    def lose(name: str, moment: str, operation: str) -> None:
        if name == shop and operation == "set_inventory" and moment == "after" and lost:
            lost.clear()
            raise Timeout("lost", sent=None)
        original(name, moment, operation)

    stage.simulation.interfere = lose  # type: ignore[method-assign]
    stage.simulation.clock.advance(1)
    stage.simulation.run_due()
    stage.shadow(shop)
    assert not lost
    stage.written()
    stage.runs()

    assert stage.shown(shop) == 15
    assert (
        stage.link(shop).state,
        stage.link(shop).confirmed,
        stage.link(shop).belief.pending,
    ) == (
        LinkState.SHADOW,
        15,
        None,
    )
    assert stage.written()[shop] == 0


def test_a_scarce_product_is_shared_without_what_a_shadow_shop_shows(stage: Stage) -> None:
    stage.world.db.write_sync(MERCHANT, lambda uow: stock.set_escrow(uow, "tea", 100))
    stage.runs(8)
    before = {name: stage.shown(name) for name in SHOPS}
    assert sum(before.values()) == 10
    stage.shadow("set")
    stage.simulation.shops["set"].stock["tea"] = 6  # by other software
    stage.world.receive("tea", 2)
    stage.runs(10)

    shown = {name: stage.shown(name) for name in SHOPS}
    assert shown["set"] == 6
    assert sum(shown.values()) <= 12
    assert shown["adjust"] + shown["compare-and-set"] == 6


def test_the_audit_compares_and_records_no_drift(stage: Stage) -> None:
    stage.shadow("compare-and-set")
    stage.runs()
    stage.simulation.shops["compare-and-set"].stock["tea"] = 4
    for _ in range(10):
        stage.simulation.clock.advance(6 * 3600)
        stage.simulation.run_due()

    assert stage.link("compare-and-set").confirmed == 4
    found = stage.world.db.read_sync(
        MERCHANT,
        lambda uow: uow.drifts.page(Page(10), shop="compare-and-set", listing="", causes=()),
    )
    assert found == []
    assert stage.written()["compare-and-set"] == 0


def test_pausing_wins_over_shadow_and_what_is_already_so_changes_nothing(stage: Stage) -> None:
    stage.shadow("set")
    stage.runs()
    revision = stage.world.db.read_sync(MERCHANT, lambda uow: uow.revision)
    stage.shadow("set")
    assert stage.world.db.read_sync(MERCHANT, lambda uow: uow.revision) == revision

    stage.world.db.write_sync(MERCHANT, lambda uow: shops.pause(uow, "set"))
    assert stage.link("set").state is LinkState.HELD
    stage.world.db.write_sync(MERCHANT, lambda uow: shops.resume(uow, "set"))
    stage.runs()
    assert stage.link("set").state is LinkState.SHADOW
