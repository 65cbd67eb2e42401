"""A run is written down when it does something (ADR 0005)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app.records import (
    JobClaim,
    Page,
    RunRecord,
    RunResult,
    RunState,
    ShopRecord,
    Trigger,
)
from zaiko_core.app.runs import begin_run
from zaiko_core.domain.errors import LeaseLost
from zaiko_core.domain.ids import listing_id
from zaiko_core.storage.jobs import job_door
from zaiko_core.storage.sql import observed
from zaiko_core.sync.leased_run import LeasedRun
from zaiko_sdk import PlatformDown

SHOP = "compare-and-set"
LEASE = 5_000_000


@pytest.fixture
def simulation(store_url: str) -> Iterator[Simulation]:
    simulation = Simulation(store_url, seed=0)
    simulation.calm = True
    simulation.begin_alone(SHOP, units=5)
    yield simulation
    simulation.close()


@pytest.fixture
def resting(simulation: Simulation) -> Simulation:
    """Everything was pushed and compared with the shop a moment ago; the next run is due and finds
    nothing to do."""
    simulation.settle(turns=3)
    assert simulation.shops[SHOP].stock["tea"] == 5
    simulation.clock.advance(601)
    simulation.world.db.write_sync(MERCHANT, lambda uow: uow.shops.save_audited(SHOP))
    return simulation


def runs(simulation: Simulation) -> list[RunRecord]:
    return simulation.world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(100), shop=SHOP))


def shop(simulation: Simulation) -> ShopRecord:
    return simulation.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP]


def claim(simulation: Simulation) -> JobClaim:
    db = simulation.engine.db
    return simulation.loop.run_until_complete(
        job_door(db.transactions, owner="other", lease=LEASE).write(lambda jobs: jobs.claim(1))
    )[0]


def test_an_idle_run_takes_five_statements_and_two_transactions(resting: Simulation) -> None:
    heard: list[str] = []
    with observed(resting.engine.db.engine, lambda execution: heard.append(execution.text)):
        resting.loop.run_until_complete(resting.engine.run_due())

    # On PostgreSQL the change feed is written by the statement that notifies other replicas.
    heard = [
        " ".join(statement.removeprefix("WITH recorded AS \n(").split()[:2]) for statement in heard
    ]
    # The rest is the look whether something else is due.
    assert heard[:5] == [
        "SELECT shops.merchant,",
        "UPDATE shops",
        "UPDATE merchants",
        "UPDATE shops",
        "INSERT INTO",
    ]
    assert not any(
        word.startswith(("INSERT", "UPDATE shops", "UPDATE merchants")) for word in heard[5:]
    )


def test_a_run_that_does_nothing_is_not_written_down_but_the_shop_and_its_watchers_are_told(
    resting: Simulation,
) -> None:
    before, known = shop(resting), runs(resting)
    resting.run_due()
    after = shop(resting)

    assert runs(resting) == known
    assert after.last_run == before.last_run
    assert (after.last_success_at or 0) > (before.last_success_at or 0)
    assert (after.due_at or 0) > (before.due_at or 0)
    assert after.status_revision > before.status_revision
    assert not after.running


def test_the_first_run_of_a_shop_is_written_down(simulation: Simulation) -> None:
    simulation.world.db.write_sync(
        MERCHANT, lambda uow: uow.links.delete(SHOP, [listing_id("tea")])
    )
    simulation.run_due()
    assert [run.state for run in runs(simulation)] == [RunState.SUCCEEDED]
    assert shop(simulation).last_run == runs(simulation)[0].run


def test_a_run_that_somebody_asked_for_is_written_down(resting: Simulation) -> None:
    known = len(runs(resting))
    resting.world.db.write_sync(MERCHANT, lambda uow: uow.trigger([SHOP], by=Trigger.REQUEST))
    resting.run_due()
    assert len(runs(resting)) == known + 1
    assert runs(resting)[0].trigger == Trigger.REQUEST
    assert shop(resting).last_run == runs(resting)[0].run


def test_a_run_that_fails_is_written_down_and_so_is_the_one_that_ends_the_trouble(
    resting: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = len(runs(resting))

    def down(name: str, moment: str, operation: str) -> None:
        raise PlatformDown("down")

    monkeypatch.setattr(resting, "interfere", down)
    resting.run_due()
    assert [run.state for run in runs(resting)[: len(runs(resting)) - known]] == [RunState.FAILED]
    monkeypatch.undo()
    resting.clock.advance(601)
    resting.run_due()
    assert [run.state for run in runs(resting)[: len(runs(resting)) - known]] == [
        RunState.SUCCEEDED,
        RunState.FAILED,
    ]
    assert shop(resting).problem is None


def test_what_changes_during_an_idle_run_leads_to_another(resting: Simulation) -> None:
    run = LeasedRun(resting.engine.db, claim(resting), "idle")
    resting.world.receive("tea", 2)
    assert resting.loop.run_until_complete(run.end(RunResult(RunState.SUCCEEDED))) is False
    resting.run_due()
    assert resting.shops[SHOP].stock["tea"] == 7


def test_a_run_takes_account_of_the_change_that_it_begins_with(resting: Simulation) -> None:
    resting.world.receive("tea", 2)
    revision = resting.world.db.read_sync(MERCHANT, lambda uow: uow.revision)
    resting.clock.advance(1)
    resting.run_due()
    assert runs(resting)[0].started_revision > revision


def test_a_shop_that_was_lost_meanwhile_is_not_given_back(resting: Simulation) -> None:
    lost = LeasedRun(resting.engine.db, claim(resting), "lost")
    resting.clock.advance(6)
    held, before, known = claim(resting), shop(resting), runs(resting)
    assert held.trigger is Trigger.RECOVERY
    for end in (
        RunResult(RunState.SUCCEEDED),
        RunResult(RunState.FAILED, retry_in=1, attempt=1),
    ):
        with pytest.raises(LeaseLost):
            resting.loop.run_until_complete(lost.end(end))
    with pytest.raises(LeaseLost):
        resting.loop.run_until_complete(lost.begin())
    assert (shop(resting), runs(resting)) == (before, known)
    resting.loop.run_until_complete(
        LeasedRun(resting.engine.db, held, "held").end(RunResult(RunState.SUCCEEDED))
    )


def test_a_run_whose_process_died_is_abandoned_by_the_next_one(resting: Simulation) -> None:
    dead = LeasedRun(resting.engine.db, claim(resting), "0-dead")
    resting.loop.run_until_complete(dead.begin())
    resting.clock.advance(6)
    resting.run_due()
    states = {run.run: run.state for run in runs(resting)}
    assert states["0-dead"] is RunState.ABANDONED
    assert RunState.RUNNING not in states.values()


def test_a_killed_run_that_had_written_nothing_leaves_nothing_behind(resting: Simulation) -> None:
    claim(resting)
    known = runs(resting)
    resting.clock.advance(6)
    resting.run_due()
    assert runs(resting) == known
    assert not shop(resting).running


def test_beginning_twice_changes_nothing(resting: Simulation) -> None:
    run = LeasedRun(resting.engine.db, claim(resting), "twice")
    resting.loop.run_until_complete(run.begin())
    known = runs(resting)
    resting.world.db.write_sync(MERCHANT, lambda uow: begin_run(uow, run.record, unended=True))
    assert [replace(item, revision=0) for item in runs(resting)] == [
        replace(item, revision=0) for item in known
    ]
