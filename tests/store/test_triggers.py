"""What made a run begin: the strongest of what asked for it since the run before began."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

import pytest
from store.test_jobs import advance, claim, finish
from store.test_jobs import world as world
from support.world import MERCHANT, World
from zaiko_core.app import runs, shops, webhooks
from zaiko_core.app.records import Trigger

LEASE = 5_000_000
SOON = 1_000_000


def ask(world: World, *triggers: Trigger) -> None:
    """Each in a transaction of its own, by what asks for runs in earnest."""
    asking = {
        Trigger.CHANGE: lambda uow: uow.trigger(["a"]),
        Trigger.WEBHOOK: lambda uow: webhooks.receive(uow, "a", world.cause(), reread=False),
        Trigger.REQUEST: lambda uow: runs.sync_now(uow, shops=["a"]),
    }
    for trigger in triggers:
        world.db.write_sync(MERCHANT, asking[trigger])


def why(world: World, owner: str = "one") -> Trigger | None:
    """Claim what is due; why `a` is among it."""
    return {item.shop: item.trigger for item in claim(world, owner)}.get("a")


def rested(world: World, **how: object) -> World:
    """Every shop has run once and `a` is due again at its interval, or as `how` says."""
    for held in claim(world):
        finish(world, held, **(how if held.shop == "a" else {}))
    return world


def test_a_run_at_the_interval_says_so(world: World) -> None:
    rested(world)
    advance(world, 600_000_000)
    assert why(world) is Trigger.INTERVAL


@pytest.mark.parametrize(
    "asked", [*permutations([Trigger.CHANGE, Trigger.WEBHOOK, Trigger.REQUEST])]
)
def test_a_request_is_stronger_than_a_notification_and_that_than_a_change_in_any_order(
    world: World, asked: Iterable[Trigger]
) -> None:
    rested(world)
    seen: list[Trigger] = []
    for trigger in asked:
        seen.append(trigger)
        ask(world, trigger)
    advance(world, SOON)
    strength = [Trigger.REQUEST, Trigger.WEBHOOK, Trigger.CHANGE]
    assert why(world) is min(seen, key=strength.index)


@pytest.mark.parametrize("trigger", [Trigger.CHANGE, Trigger.WEBHOOK, Trigger.REQUEST])
def test_each_that_comes_alone_is_told_apart(world: World, trigger: Trigger) -> None:
    rested(world)
    ask(world, trigger)
    advance(world, SOON)
    assert why(world) is trigger


def test_a_stronger_trigger_of_an_earlier_run_does_not_count_again(world: World) -> None:
    rested(world)
    ask(world, Trigger.REQUEST)
    advance(world, SOON)
    for held in claim(world):
        finish(world, held)
    ask(world, Trigger.CHANGE)
    advance(world, SOON)
    assert why(world) is Trigger.CHANGE


def test_what_comes_during_a_run_is_the_next_runs_trigger(world: World) -> None:
    held = next(item for item in claim(world) if item.shop == "a")
    ask(world, Trigger.WEBHOOK)
    finish(world, held)
    assert why(world) is Trigger.WEBHOOK


def test_a_try_after_a_failure_is_a_retry_whatever_changed_meanwhile(world: World) -> None:
    rested(world, next_in=10_000_000, attempt=1)
    ask(world, Trigger.CHANGE, Trigger.WEBHOOK)
    advance(world, 9_000_000)
    assert why(world) is None
    advance(world, 1_000_000)
    assert why(world) is Trigger.RETRY


def test_a_request_begins_a_try_after_a_failure_at_once(world: World) -> None:
    rested(world, next_in=10_000_000, attempt=1)
    ask(world, Trigger.REQUEST)
    assert why(world) is Trigger.REQUEST


def test_what_takes_over_from_a_dead_process_is_a_recovery_unless_somebody_asked(
    world: World,
) -> None:
    assert why(world) is not None
    ask(world, Trigger.CHANGE)
    advance(world, LEASE)
    assert why(world, "two") is Trigger.RECOVERY
    ask(world, Trigger.REQUEST)
    advance(world, LEASE)
    assert why(world, "three") is Trigger.REQUEST


def test_resuming_a_shop_is_a_request(world: World) -> None:
    rested(world)
    world.db.write_sync(MERCHANT, lambda uow: shops.pause(uow, "a"))
    world.db.write_sync(MERCHANT, lambda uow: shops.resume(uow, "a"))
    assert why(world) is Trigger.REQUEST
