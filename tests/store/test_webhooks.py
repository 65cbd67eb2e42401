"""Deliveries of platforms' notifications, on both stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.world import MERCHANT, World
from zaiko_core.app import webhooks
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.database import Database
from zaiko_core.storage.jobs import Jobs
from zaiko_core.sync.maintenance import WEBHOOKS_KEPT, Maintenance
from zaiko_sdk import SystemClock

SHOP = "a"


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    clock = [1_000_000_000]
    world = World(Database(store_url, now=lambda: clock[0]))
    world.clock = clock  # type: ignore[attr-defined]
    yield world.begin()
    world.db.close()


def receive(world: World, delivery: str, *, shop: str = SHOP, reread: bool = False) -> bool:
    return world.db.write_sync(
        MERCHANT, lambda uow: webhooks.receive(uow, shop, delivery, reread=reread)
    )


def rest(world: World) -> None:
    """Every shop has had its first run and waits for its interval."""

    def finish(queue: Jobs) -> None:
        for claim in queue.claim(10):
            queue.finish(claim, next_in=None, attempt=0)

    with world.db.transactions.begin(writing=True) as connection:
        finish(
            Jobs(connection, world.db.transactions.now(connection), owner="one", lease=5_000_000)
        )


def due(world: World) -> list[str]:
    with world.db.transactions.begin(writing=True) as connection:
        return [
            claim.shop
            for claim in Jobs(
                connection, world.db.transactions.now(connection), owner="one", lease=5_000_000
            ).claim(10)
        ]


def test_a_new_delivery_makes_its_shop_due_and_no_other(world: World) -> None:
    rest(world)

    assert receive(world, "d1")
    assert due(world) == [SHOP]


def test_a_known_delivery_makes_nothing_due(world: World) -> None:
    assert receive(world, "d1")
    rest(world)

    assert not receive(world, "d1")
    assert due(world) == []


def test_each_shop_has_deliveries_of_its_own(world: World) -> None:
    assert receive(world, "d1")
    assert receive(world, "d1", shop="b")


def test_a_delivery_is_known_however_long_its_id(world: World) -> None:
    assert receive(world, "x" * 100_000)
    assert not receive(world, "x" * 100_000)
    assert receive(world, "x" * 99_999 + "y")


def test_a_delivery_whose_trigger_was_not_stored_may_come_again(world: World) -> None:
    def broken(uow: object) -> None:
        webhooks.receive(uow, SHOP, "d1", reread=False)  # type: ignore[arg-type]
        raise StorageUnavailable("the disk is full")

    with pytest.raises(StorageUnavailable):
        world.db.write_sync(MERCHANT, broken)

    assert receive(world, "d1")


def test_open_orders_are_read_again_where_fetching_tells_of_no_changes(world: World) -> None:
    world.db.write_sync(MERCHANT, lambda uow: uow.shops.save_reread(SHOP))

    receive(world, "d1")
    kept = world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP].reread_at
    receive(world, "d2", reread=True)
    asked = world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP].reread_at

    assert (kept, asked) == (1_000_000_000, 1)


@pytest.mark.anyio
async def test_deliveries_are_forgotten_after_their_time(world: World) -> None:
    receive(world, "d1")
    world.clock[0] += WEBHOOKS_KEPT + 1  # type: ignore[attr-defined]

    await Maintenance(world.db, clock=SystemClock(), log=None).round()  # type: ignore[arg-type]

    assert receive(world, "d1")
