"""Writes that have no effect are noticed, told, and not repeated without limit (ADR 0036)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import runs
from zaiko_core.app.records import LinkRecord, LinkState
from zaiko_core.domain.ids import listing_id
from zaiko_sdk import WriteOutcome

TEA = listing_id("tea")
CASES = [
    ("adjust", WriteOutcome.APPLIED),
    ("set", WriteOutcome.APPLIED),
    ("compare-and-set", WriteOutcome.STALE),
    ("adjust", WriteOutcome.STALE),
]


class Stage:
    """Shops that show 10 of `tea`, each of which can ignore what is sent to it."""

    def __init__(self, url: str) -> None:
        self.simulation = Simulation(url, 7, chaos=0)
        self.simulation.begin(units=10)
        self.simulation.calm = True
        self.world = self.simulation.world

    def ignore(self, shop: str, outcome: WriteOutcome) -> None:
        self.simulation.shops[shop].ignored["tea"] = outcome
        self.simulation.shops[shop].keys.clear()

    def link(self, shop: str) -> LinkRecord:
        return self.world.link_of(shop, "tea")

    def pass_by(self, seconds: float, *, step: float = 20) -> None:
        for _ in range(int(seconds / step)):
            self.simulation.clock.advance(step)
            self.simulation.run_due()

    def sync_now(self, shop: str) -> None:
        self.world.db.write_sync(MERCHANT, lambda uow: runs.sync_now(uow, link=(shop, TEA)))


@pytest.fixture
def stage(store_url: str) -> Iterator[Stage]:
    stage = Stage(store_url)
    yield stage
    stage.simulation.close()


@pytest.mark.parametrize(("shop", "outcome"), CASES)
def test_three_writes_without_effect_hold_the_link_and_say_why(
    stage: Stage, shop: str, outcome: WriteOutcome
) -> None:
    stage.ignore(shop, outcome)
    stage.world.adjust("tea", delta=-8)
    stage.pass_by(120)

    link, written = stage.link(shop), len(stage.simulation.shops[shop].keys)
    assert (link.state, written) == (LinkState.HELD, 3)
    assert link.problem is not None
    assert link.problem.reason == "WRITE_WITHOUT_EFFECT"
    assert (link.problem.metadata["shown"], link.problem.metadata["wanted"]) == ("10", "2")
    assert link.problem.platform_message == "noted"
    assert stage.world.free("tea") == 2

    # However often it is touched, it is tried once in an interval.
    for reserve in (1, 0, 1, 0):
        stage.world.reserve("tea", reserve)
        stage.pass_by(20)
    assert len(stage.simulation.shops[shop].keys) == 3
    stage.pass_by(3600, step=120)
    assert len(stage.simulation.shops[shop].keys) - 3 in (4, 5, 6)
    assert stage.link(shop).state is LinkState.HELD


@pytest.mark.parametrize(("shop", "outcome"), CASES)
def test_a_number_that_moves_again_ends_the_hold(
    stage: Stage, shop: str, outcome: WriteOutcome
) -> None:
    stage.ignore(shop, outcome)
    stage.world.adjust("tea", delta=-8)
    stage.pass_by(120)
    stage.simulation.shops[shop].ignored.clear()
    stage.pass_by(720)
    assert stage.simulation.wrong() == []


def test_a_person_ends_the_hold_at_once(stage: Stage) -> None:
    stage.ignore("adjust", WriteOutcome.APPLIED)
    stage.world.adjust("tea", delta=-8)
    stage.pass_by(120)
    stage.simulation.shops["adjust"].ignored.clear()
    stage.sync_now("adjust")
    stage.pass_by(20)
    assert (stage.link("adjust").state, stage.simulation.shops["adjust"].stock["tea"]) == (
        LinkState.SYNCED,
        2,
    )
