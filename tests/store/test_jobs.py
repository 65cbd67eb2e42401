"""The shop's row is its job (ADR 0005): one run per shop, nothing that triggers is lost, a lost
lease writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from support.world import MERCHANT, World, can_sync
from zaiko_core.app import operations, runs
from zaiko_core.app.records import JobClaim, Renewal
from zaiko_core.domain.errors import LeaseLost
from zaiko_core.storage.database import Database
from zaiko_core.storage.jobs import Jobs
from zaiko_core.sync.leased_run import LeasedRun

LEASE = 5_000_000


@pytest.fixture
def world(store_url: str) -> World:
    clock = [10**15]
    world = World(Database(store_url, now=lambda: clock[0]))
    world.clock = clock  # type: ignore[attr-defined]
    yield world.begin()  # type: ignore[misc]
    world.db.close()


def jobs(world: World, work: Callable[[Jobs], object], owner: str = "one") -> object:
    with world.db.transactions.begin(writing=True) as connection:
        return work(
            Jobs(connection, world.db.transactions.now(connection), owner=owner, lease=LEASE)
        )


def claim(world: World, owner: str = "one", limit: int = 10) -> list[JobClaim]:
    return jobs(world, lambda queue: queue.claim(limit), owner)  # type: ignore[return-value]


def finish(world: World, held: JobClaim, owner: str = "one", **how: object) -> None:
    jobs(world, lambda queue: queue.finish(held, **({"next_in": None, "attempt": 0} | how)), owner)  # type: ignore[arg-type]


def trigger(world: World, *shops: str, delay: int = 0) -> None:
    world.db.write_sync(MERCHANT, lambda uow: uow.trigger(shops, delay=delay))


def advance(world: World, micros: int) -> None:
    world.clock[0] += micros  # type: ignore[attr-defined]


def mark_due(world: World) -> None:
    """Make every shop due, whatever its time."""
    with world.db.transactions.begin(writing=True) as connection:
        connection.execute(text("UPDATE shops SET due_at = 1"))


def test_a_due_shop_is_claimed_once_until_it_is_finished(world: World) -> None:
    held = claim(world)
    assert sorted(item.shop for item in held) == ["a", "b", "c"]
    assert claim(world, "two") == []
    finish(world, held[0])
    assert claim(world, "two") == []
    advance(world, 600_000_000)
    assert held[0].shop in {item.shop for item in claim(world, "two")}


def test_two_replicas_never_claim_the_same_shop(store_url: str) -> None:
    world = World(Database(store_url)).begin(shops=[f"s{n}" for n in range(40)])
    try:
        with ThreadPoolExecutor(4) as pool:
            taken = list(pool.map(lambda n: claim(world, f"replica-{n}", 15), range(4)))
        shops = [item.shop for claims in taken for item in claims]
        assert len(shops) == len(set(shops)) == 40
    finally:
        world.db.close()


def test_a_trigger_during_a_run_leads_to_exactly_one_more_run(world: World) -> None:
    first = claim(world)
    for _ in range(1000 // 100):
        trigger(world, "a", "b", "c")
    for held in first:
        finish(world, held)
    again = claim(world)
    assert len(again) == 3
    for held in again:
        finish(world, held)
    assert claim(world) == []


def test_a_trigger_brings_the_next_run_forward_and_never_puts_it_off(world: World) -> None:
    for held in claim(world):
        finish(world, held)
    trigger(world, "a", delay=20_000)
    trigger(world, "a", delay=90_000_000)
    assert claim(world) == []
    advance(world, 20_000)
    assert [item.shop for item in claim(world)] == ["a"]


def test_a_dead_owner_loses_its_lease_and_the_next_token_is_larger(world: World) -> None:
    dead = next(item for item in claim(world) if item.shop == "a")
    advance(world, LEASE + 1)
    taken_over = next(item for item in claim(world, "two") if item.shop == "a")
    assert taken_over.token > dead.token

    with pytest.raises(LeaseLost):
        world.db.write_sync(
            MERCHANT,
            lambda uow: runs.begin_run(uow, LeasedRun(world.db, dead, "run").record, unended=False),
        )
    finish(world, dead)
    world.db.write_sync(MERCHANT, lambda uow: uow.hold_lease("a", taken_over.token))


HOUR = 3_600_000_000


@pytest.mark.parametrize("back", [2 * LEASE, HOUR, 24 * HOUR])
def test_a_lease_that_ends_later_than_a_lease_can_last_is_void(world: World, back: int) -> None:
    """A process died, and the clock was set back before the next one began."""
    dead = claim(world)[0]
    advance(world, -back)
    mark_due(world)

    (again,) = [held for held in claim(world, "two") if held.shop == dead.shop]
    assert again.token == dead.token + 1
    with pytest.raises(LeaseLost):
        world.db.write_sync(MERCHANT, lambda uow: uow.hold_lease(dead.shop, dead.token))


def test_a_lease_that_can_be_that_long_is_believed(world: World) -> None:
    claim(world)
    advance(world, -LEASE)
    mark_due(world)

    assert claim(world, "two") == []


def test_who_lives_through_a_step_of_the_clock_renews_its_leases_and_claims_none_of_them(
    world: World,
) -> None:
    held = claim(world)
    advance(world, -HOUR)
    mark_due(world)

    assert claim(world) == []
    assert jobs(world, lambda queue: queue.renew(held)) == Renewal()
    mark_due(world)
    assert claim(world, "two") == []


def test_an_operation_whose_process_died_before_the_clock_was_set_back_is_run_again(
    world: World,
) -> None:
    world.db.write_sync(
        MERCHANT,
        lambda uow: operations.refresh_listings(uow, "a", drawn="x" * 12, can_sync=can_sync),
    )
    (first,) = jobs(world, lambda queue: queue.claim_operations(1))  # type: ignore[misc]
    advance(world, -HOUR)

    due = jobs(world, lambda queue: queue.next_due(), "two").operations  # type: ignore[attr-defined]
    assert due is not None
    assert due <= 0
    assert jobs(world, lambda queue: queue.claim_operations(1), "two") == [first]


def test_renewing_keeps_a_lease_and_tells_which_were_lost(world: World) -> None:
    held = claim(world)
    advance(world, LEASE - 1)
    assert jobs(world, lambda queue: queue.renew(held)) == Renewal()
    advance(world, LEASE - 1)
    assert claim(world, "two") == []
    advance(world, LEASE)
    assert len(claim(world, "two")) == 3
    assert jobs(world, lambda queue: queue.renew(held)) == Renewal(lost=tuple(held))


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_renewing_waits_for_no_transaction_and_says_which_lease_it_could_not_look_at(
    world: World,
) -> None:
    held = claim(world)
    advance(world, LEASE - 1)
    of = {item.shop: item for item in held}
    with world.db.engine.begin() as other:
        other.execute(text("SELECT 1 FROM shops WHERE shop = 'b' FOR UPDATE"))
        assert jobs(world, lambda queue: queue.renew(held)) == Renewal(busy=(of["b"],))
    assert jobs(world, lambda queue: queue.renew([of["b"]])) == Renewal()
    advance(world, LEASE - 1)
    assert claim(world, "two") == []


def test_a_failed_run_backs_off_even_when_it_was_triggered_meanwhile(world: World) -> None:
    held = next(item for item in claim(world) if item.shop == "a")
    trigger(world, "a")
    finish(world, held, next_in=4_000_000, attempt=1)
    assert "a" not in {item.shop for item in claim(world)}
    advance(world, 4_000_000)
    assert next(item for item in claim(world) if item.shop == "a").attempt == 1


def test_a_claim_says_what_made_the_run_begin(world: World) -> None:
    def why() -> dict[str, str]:
        return {item.shop: item.trigger for item in claim(world)}

    first = claim(world)
    assert {item.trigger for item in first} == {"INTERVAL"}
    advance(world, LEASE + 1)
    for held in claim(world):
        assert held.trigger == "RECOVERY"
        finish(world, held, **({"next_in": 1, "attempt": 1} if held.shop == "a" else {}))
    advance(world, 1)
    trigger(world, "b")
    assert why() == {"a": "RETRY", "b": "CHANGE"}


def test_a_stopping_process_gives_its_shops_back_at_once(world: World) -> None:
    assert len(claim(world)) == 3
    jobs(world, lambda queue: queue.release())
    assert len(claim(world, "two")) == 3


def test_a_shop_that_backs_off_keeps_its_time_however_much_changes(world: World) -> None:
    held = claim(world)
    for item in held:
        finish(world, item, next_in=60_000_000, attempt=3 if item.shop == "a" else 0)
    world.link("a", "tea")
    world.link("b", "tea")
    for _ in range(5):
        world.receive("tea", 1)
        world.clock[0] += 1_000_000  # type: ignore[attr-defined]
    assert [item.shop for item in claim(world)] == ["b"]
    world.clock[0] += 60_000_000  # type: ignore[attr-defined]
    assert "a" in {item.shop for item in claim(world)}


def test_a_person_may_ask_for_a_run_of_a_shop_that_backs_off(world: World) -> None:
    for item in claim(world):
        finish(world, item, next_in=60_000_000, attempt=3)
    world.db.write_sync(MERCHANT, lambda uow: runs.sync_now(uow, shops=["a"]))
    assert [item.shop for item in claim(world)] == ["a"]


def test_dead_shops_do_not_take_every_place(world: World) -> None:
    for item in claim(world):
        finish(world, item, next_in=0, attempt=0 if item.shop == "c" else 2)
    world.clock[0] += 1  # type: ignore[attr-defined]
    taken = jobs(world, lambda queue: queue.claim(3, retries=1))
    assert sorted(item.attempt for item in taken) == [0, 2]  # type: ignore[attr-defined]
    assert jobs(world, lambda queue: queue.claim(3, retries=0)) == []
