"""Plugins beside a real engine: which facts they receive, what they may change, and that syncing
never waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app.records import LinkState
from zaiko_core.bootstrap import Engine
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage import schema
from zaiko_sdk import (
    CredentialsRejected,
    LinkView,
    PlatformDown,
    RunFinished,
    ShopHeld,
    ShopResumed,
    hookimpl,
)

SHOP = "compare-and-set"


class Recorder:
    """An observer that keeps the facts that it receives."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    @hookimpl
    def zaiko_run_finished(self, event: RunFinished) -> None:
        self.events.append(event)

    @hookimpl
    def zaiko_shop_held(self, event: ShopHeld) -> None:
        self.events.append(event)

    @hookimpl
    def zaiko_shop_resumed(self, event: ShopResumed) -> None:
        self.events.append(event)


class Broken:
    """Raises whatever it is asked."""

    @hookimpl
    def zaiko_run_finished(self, event: RunFinished) -> None:
        raise RuntimeError("broken observer")

    @hookimpl
    def zaiko_adjust_quantity(self, view: LinkView) -> int:
        raise RuntimeError("broken adjuster")


class Adjusting:
    """Shows what `rule` says."""

    def __init__(self, rule: Callable[[LinkView], int | None]) -> None:
        self.rule = rule

    @hookimpl
    def zaiko_adjust_quantity(self, view: LinkView) -> int | None:
        return self.rule(view)


class Hooked(Simulation):
    """A simulation whose engine has plugins."""

    def __init__(self, url: str, seed: int, **plugins: Any) -> None:
        self.plugins = plugins
        super().__init__(url, seed)

    def new_engine(self) -> Engine:
        engine = super().new_engine()
        hooked = load(list(self.plugins.items()), entry_points=[])
        assert [report.failure for report in hooked.plugins] == [None] * len(self.plugins)
        engine.registry._manager = hooked._manager
        return engine

    def observed(self, recorder: Recorder) -> list[Any]:
        """What was observed when everything queued has been."""
        self.engine._observers.close(grace=10)
        self.engine._observers._queues.clear()
        events, recorder.events = recorder.events, []
        return events


def peaceful(url: str, **plugins: Any) -> Hooked:
    simulation = Hooked(url, 0, **plugins)
    simulation.chaos = 0
    simulation.begin(units=10)
    return simulation


def test_a_run_is_told_when_it_is_stored(sqlite_url: str) -> None:
    recorder = Recorder()
    simulation = peaceful(sqlite_url, recorder=recorder)
    try:
        simulation.observed(recorder)
        simulation.world.receive("tea", 5)
        simulation.clock.advance(1)
        simulation.run_due()

        runs = [event for event in simulation.observed(recorder) if event.shop.endswith(SHOP)]
        assert [(run.shop, run.connector, run.state, run.pushed, run.trouble) for run in runs] == [
            (f"merchants/{MERCHANT}/shops/{SHOP}", f"fake-{SHOP}", "SUCCEEDED", 1, None)
        ]
        record = simulation.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP]
        assert runs[0].run == record.last_run
        assert runs[0].started_at <= runs[0].ended_at
    finally:
        simulation.close()


def test_a_shop_that_waits_for_a_person_is_told_once_and_again_when_it_goes_on(
    sqlite_url: str,
) -> None:
    recorder, trouble = Recorder(), [CredentialsRejected("the key has expired")]
    simulation = peaceful(sqlite_url, recorder=recorder)
    try:
        simulation.observed(recorder)
        quiet = simulation.interfere

        def refuse(name: str, moment: str, operation: str) -> None:
            if name == SHOP and trouble:
                raise trouble[0]
            quiet(name, moment, operation)

        simulation.interfere = refuse  # type: ignore[method-assign]
        for _ in range(3):
            simulation.clock.advance(4400)
            simulation.run_due()
        events = [event for event in simulation.observed(recorder) if event.shop.endswith(SHOP)]
        assert [run.state for run in events if isinstance(run, RunFinished)] == ["FAILED"] * 3
        held = [event for event in events if isinstance(event, ShopHeld)]
        assert [(event.trouble.reason, event.trouble.owner) for event in held] == [
            ("CREDENTIALS_REJECTED", "MERCHANT")
        ]
        assert not [event for event in events if isinstance(event, ShopResumed)]

        trouble.clear()
        simulation.clock.advance(4400)
        simulation.run_due()
        events = simulation.observed(recorder)
        assert [event.reason for event in events if isinstance(event, ShopResumed)] == [
            "CREDENTIALS_REJECTED"
        ]
        assert not [event for event in events if isinstance(event, ShopHeld)]
    finally:
        simulation.close()


def test_trouble_that_passes_by_itself_holds_no_shop(sqlite_url: str) -> None:
    recorder = Recorder()
    simulation = peaceful(sqlite_url, recorder=recorder)
    try:
        simulation.observed(recorder)

        def down(name: str, moment: str, operation: str) -> None:
            raise PlatformDown("maintenance")

        simulation.interfere = down  # type: ignore[method-assign]
        simulation.clock.advance(4400)
        simulation.run_due()
        assert {type(event) for event in simulation.observed(recorder)} == {RunFinished}
    finally:
        simulation.close()


def test_what_is_shown_is_adjusted_and_the_push_says_by_whom(sqlite_url: str) -> None:
    simulation = peaceful(
        sqlite_url, percent=Adjusting(lambda view: view.quantity * 80 // 100), broken=Broken()
    )
    try:
        simulation.settle(turns=2)
        assert {
            name: shop.stock["tea"] for name, shop in simulation.shops.items()
        } == dict.fromkeys(simulation.shops, 8)
        assert {simulation.world.link_of(name, "tea").state for name in simulation.shops} == {
            LinkState.SYNCED
        }
        with simulation.engine.db.engine.connect() as connection:
            terms = connection.execute(select(schema.pushes.c.target, schema.pushes.c.terms)).all()
        assert {(row.target, tuple(map(tuple, row.terms))) for row in terms} == {
            (10, (("ADJUSTMENT/percent", 2),))
        }
    finally:
        simulation.close()


def test_a_rule_that_changed_holds_after_sync_now(sqlite_url: str) -> None:
    limit = [10]
    simulation = peaceful(sqlite_url, cut=Adjusting(lambda view: limit[0]))
    try:
        limit[0] = 0
        from zaiko_core.app import runs

        simulation.world.db.write_sync(MERCHANT, lambda uow: runs.sync_now(uow, shops=[SHOP]))
        simulation.clock.advance(1)
        simulation.run_due()
        assert simulation.shops[SHOP].stock["tea"] == 0
    finally:
        simulation.close()


@pytest.mark.parametrize("seed", range(1))
def test_no_storm_overwrites_an_unseen_order_whatever_a_plugin_shows(
    seed: int, sqlite_url: str
) -> None:
    simulation = Hooked(sqlite_url, seed, broken=Broken())

    def rule(view: LinkView) -> int | None:
        if simulation.calm:
            return min(view.quantity, 7)
        return [None, -5, 0, view.quantity // 2, view.quantity + 1_000, 3][
            int(view.now.timestamp()) // 7 % 6
        ]

    simulation.plugins["rule"] = Adjusting(rule)
    simulation.engine.db.close()
    simulation.engine = simulation.new_engine()
    simulation.world = replace(simulation.world, db=simulation.engine.db)
    simulation.begin(units=40)
    try:
        for _ in range(25):
            for name in simulation.shops:
                if simulation.random.random() < 0.4:
                    simulation.shop_event(name)
            if simulation.random.random() < 0.15:
                simulation.world.receive("tea", simulation.random.randint(1, 10))
            simulation.run_due()
            simulation.clock.advance(simulation.random.choice([0.1, 1, 5, 20]))
        simulation.calm = True
        simulation.world.receive("tea", 1)
        simulation.settle()

        assert simulation.violations == []
        assert simulation.faults > 0
        sellable = simulation.world.stock("tea").balance.sent
        shown = {name: shop.stock["tea"] for name, shop in simulation.shops.items()}
        assert shown == dict.fromkeys(shown, min(sellable, 7))
    finally:
        simulation.close()


def test_a_stopping_engine_leaves_a_hanging_observer_behind(sqlite_url: str) -> None:
    import threading

    release = threading.Event()

    class Hanging:
        @hookimpl
        def zaiko_run_finished(self, event: RunFinished) -> None:
            release.wait()

    simulation = peaceful(sqlite_url, hangs=Hanging())
    try:
        simulation.world.receive("tea", 1)
        simulation.settle(turns=1)
        assert simulation.shops[SHOP].stock["tea"] == 11
        simulation.loop.run_until_complete(asyncio.wait_for(simulation.engine.stop(grace=0), 60))
    finally:
        release.set()
        simulation.close()
