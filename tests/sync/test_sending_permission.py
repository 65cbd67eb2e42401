"""Whether numbers may be sent is asked where they are computed and sent (ADR 0036): a label on rows
would be lost with the next change."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import audit, catalogue, escrow, runs, shops, sync
from zaiko_core.app.records import LinkState
from zaiko_core.domain.ids import listing_id

SHOPS = ("compare-and-set", "adjust", "set")
TEA = listing_id("tea")


class Stage:
    """Three shops, one of each way to change a number, that show 10 of `tea`."""

    def __init__(self, url: str) -> None:
        self.simulation = Simulation(url, 7, chaos=0)
        self.simulation.begin(units=10)
        self.simulation.calm = True
        self.world = self.simulation.world
        for shop in self.simulation.shops.values():
            shop.keys.clear()

    def write(self, work):
        return self.world.db.write_sync(MERCHANT, work)

    def offer(self, is_offered: bool) -> None:
        self.write(
            lambda uow: catalogue.update_merchant(
                uow, replace(uow.merchants, sync_available=is_offered)
            )
        )

    def run(self, seconds: float = 20) -> None:
        self.simulation.clock.advance(seconds)
        self.simulation.run_due()

    def written(self) -> dict[str, int]:
        """How often each shop was asked to change a number."""
        return {name: len(shop.keys) for name, shop in self.simulation.shops.items()}

    def states(self) -> set[LinkState]:
        return {self.world.link_of(name, "tea").state for name in SHOPS}

    def calls(self) -> list[Callable[[], object]]:
        """What can be called that touches a link, and what happens in shops."""
        some = self.simulation.random

        def of_shops(work):
            return lambda: self.write(lambda uow: [work(uow, name) for name in SHOPS])

        return [
            lambda: self.world.receive("tea", 1),
            lambda: self.world.adjust("tea", delta=-1),
            lambda: self.world.reserve("tea", some.randint(0, 4)),
            lambda: self.simulation.shop_event(some.choice(SHOPS)),
            of_shops(lambda uow, name: runs.sync_now(uow, shops=[name])),
            of_shops(lambda uow, name: runs.sync_now(uow, link=(name, TEA))),
            of_shops(lambda uow, name: uow.shops.ask_reread(name)),
            of_shops(lambda uow, name: uow.links.mark_for_reading(name)),
            lambda: self.write(
                lambda uow: shops.sync_product(uow, "tea", can_sync=lambda connector: None)
            ),
            lambda: self.write(lambda uow: escrow.wake(uow, {"tea"})),
            lambda: self.simulation.clock.advance(1_800),
        ]


@pytest.fixture
def stage(store_url: str) -> Iterator[Stage]:
    stage = Stage(store_url)
    yield stage
    stage.simulation.close()


def forbid(stage: Stage, how: str) -> None:
    if how == "not offered":
        stage.offer(False)
        return
    for name in SHOPS:
        if how == "paused":
            stage.write(lambda uow, name=name: shops.pause(uow, name))
        else:
            stage.write(lambda uow, name=name: shops.set_shadow(uow, name, True))


def allow(stage: Stage, how: str) -> None:
    if how == "not offered":
        stage.offer(True)
        return
    for name in SHOPS:
        if how == "paused":
            stage.write(lambda uow, name=name: shops.resume(uow, name))
        else:
            stage.write(lambda uow, name=name: shops.set_shadow(uow, name, False))


@pytest.mark.parametrize("how", ["not offered", "paused", "shadow"])
def test_nothing_is_written_while_sending_is_forbidden_whatever_is_called(
    stage: Stage, how: str
) -> None:
    forbid(stage, how)
    stage.simulation.random = random.Random(1)
    calls = stage.calls()
    stage.simulation.random.shuffle(calls)
    for call in calls:
        call()
        stage.run()
        assert stage.written() == dict.fromkeys(SHOPS, 0)
        assert stage.states() <= {LinkState.HELD, LinkState.SHADOW, LinkState.PENDING}

    allow(stage, how)
    # A shop to which nothing may be sent is not synced, whatever it was before.
    stage.simulation.synced.clear()
    stage.simulation.violations.clear()
    stage.simulation.settle(turns=4)
    assert stage.simulation.wrong() == []


@pytest.mark.parametrize("how", ["not offered", "paused", "shadow"])
def test_a_write_that_was_planned_before_is_not_sent_after(
    stage: Stage, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = sync.plan

    def planned_then_forbidden(uow, name, *arguments, **options):  # type: ignore[no-untyped-def]
        result = plan(uow, name, *arguments, **options)
        if result.writes:
            if how == "not offered":
                catalogue.update_merchant(uow, replace(uow.merchants, sync_available=False))
            else:
                key = {how: True}
                uow.shops.update(replace(uow.shops.get([name])[name], **key))
        return result

    monkeypatch.setattr(sync, "plan", planned_then_forbidden)
    stage.world.receive("tea", 5)
    stage.run()

    assert stage.written() == dict.fromkeys(SHOPS, 0)


def test_a_held_link_that_is_touched_stays_held(stage: Stage) -> None:
    stage.offer(False)
    stage.world.receive("tea", 1)
    stage.run()
    links = [stage.world.link_of(name, "tea") for name in SHOPS]
    assert {(link.state, link.due_at) for link in links} == {(LinkState.HELD, None)}


def test_orders_count_while_sync_is_not_offered(stage: Stage) -> None:
    stage.offer(False)
    stage.simulation.shops["set"].place({"tea": 3})
    stage.run(700)
    stage.run()
    assert stage.world.free("tea") == 7


def test_the_audit_does_not_read_for_nothing(stage: Stage) -> None:
    stage.offer(False)
    stage.run()
    audited = stage.write(
        lambda uow: uow.links.audit("set", period=audit.PERIOD, interval=1, least=9)
    )
    assert audited == 0
