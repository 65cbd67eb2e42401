"""The scheduler looks when a commit has said that something is due (ADR 0005). It polls once an
hour here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from support.world import MERCHANT, World, can_sync
from zaiko_core.app import operations, runs, shops
from zaiko_core.app.records import ListingRecord, OperationState, Page, ShopRecord
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.domain.ids import listing_id
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage import channel
from zaiko_core.storage.database import Database
from zaiko_core.storage.listener import NotificationListener
from zaiko_sdk import InventoryMode, Limits, SystemClock
from zaiko_sdk.testing.fakeshop import FakeShop, fake_connector

HOUR = 3600.0
SHOPS = ("one", "two", "three")
COALESCED = 20_000


class Stage:
    """Shops that sell tea, on a store that the engine and somebody else write to."""

    def __init__(self, url: str, *, interval: int, capacity: int) -> None:
        self.db = Database(url)
        self.world = World(self.db).begin(products=["tea"], shops=())
        self.platforms = {
            name: FakeShop(SystemClock(), InventoryMode.COMPARE_AND_SET, {"tea": 0})
            for name in SHOPS
        }
        limits = Limits(read_batch=10, write_batch=10, order_visibility=timedelta(seconds=30))
        kind = fake_connector(
            self.platforms, InventoryMode.COMPARE_AND_SET, lambda moment, operation: None, limits
        )
        registry = Registry()
        registry.types[kind.id] = kind

        def open_shops(uow: Any) -> None:
            for name in SHOPS:
                uow.shops.insert(ShopRecord(name, kind.id, name, {"shop": name}, interval))
                uow.listings.upsert(
                    name, [ListingRecord(name, listing_id("tea"), "tea", {}, sku="tea")]
                )

        self.db.write_sync(MERCHANT, open_shops)
        for name in SHOPS:
            self.world.link(name, "tea")
        config = EngineConfig(url, [Fernet.generate_key().decode()], poll=HOUR, capacity=capacity)
        self.engine = Engine(config, registry=registry)

    @property
    def shown(self) -> list[int]:
        return [platform.stock["tea"] for platform in self.platforms.values()]

    async def receive(self, units: int) -> None:
        """Through the engine's own store."""
        other = World(self.engine.db, causes=self.world.causes)
        await asyncio.to_thread(other.receive, "tea", units)
        self.world.causes = other.causes

    async def runs(self, shop: str) -> int:
        found: list[Any] = await self.engine.db.read(
            MERCHANT, lambda uow: uow.runs.page(Page(1000), shop=shop)
        )
        return sum(run.ended_at is not None for run in found)


@asynccontextmanager
async def stage(
    url: str, *, interval: int = 600_000_000, capacity: int = 64
) -> AsyncIterator[Stage]:
    made = Stage(url, interval=interval, capacity=capacity)
    await made.engine.start()
    try:
        yield made
    finally:
        await made.engine.stop(grace=5.0)
        made.db.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.02)


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("capacity", [64, 1], ids=["a place for each", "one place in turns"])
async def test_each_change_is_handled_when_it_is_due(store_url: str, capacity: int) -> None:
    async with stage(store_url, capacity=capacity) as side:
        await side.receive(5)
        await until(lambda: side.shown == [5, 5, 5])
        await side.receive(2)
        await until(lambda: side.shown == [7, 7, 7])


async def test_a_shop_runs_again_at_the_time_that_its_last_run_has_found(store_url: str) -> None:
    async with stage(store_url, interval=200_000) as side:
        await side.receive(5)
        await until(lambda: side.shown == [5, 5, 5])
        # No notification announces this order; only fetching finds it.
        side.platforms["two"].place({"tea": 1}, visible_after=0)
        await until(lambda: side.shown == [4, 4, 4])


async def test_an_operation_begins_at_once(store_url: str) -> None:
    async with stage(store_url) as side:
        asked = await side.engine.db.write(
            MERCHANT,
            lambda uow: operations.refresh_listings(uow, "one", drawn="x" * 12, can_sync=can_sync),
        )

        async def state() -> OperationState:
            return (
                await side.engine.db.read(
                    MERCHANT, lambda uow: operations.get(uow, asked.operation)
                )
            ).state

        async with asyncio.timeout(60):
            while await state() is not OperationState.SUCCEEDED:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_what_another_replica_commits_is_handled_when_it_is_due(store_url: str) -> None:
    async with stage(store_url) as side:
        await until(lambda: side.engine.db.backends._ids)
        side.world.receive("tea", 5)
        await until(lambda: side.shown == [5, 5, 5])


# What a commit says


@pytest.fixture
def commits(store_url: str) -> Any:
    """A world, and what each of its commits has said."""
    said: list[int | None] = []
    world = World(Database(store_url, wake=said.append)).begin(shops=("a",))
    yield world, said
    world.db.close()


def test_a_commit_says_when_something_is_due(commits: tuple[World, list[int | None]]) -> None:
    world, said = commits

    def of(work: Callable[[Any], Any]) -> list[int | None]:
        said.clear()
        world.db.write_sync(MERCHANT, work)
        return [*said]

    world.receive("tea", 1)
    assert said[-1] is None, "no shop shows tea"
    world.link("a", "tea")
    said.clear()
    world.receive("tea", 1)
    assert said == [COALESCED]
    assert of(lambda uow: None) == []
    assert of(lambda uow: uow.trigger(["a"], delay=7)) == [7]
    assert of(
        lambda uow: (
            uow.trigger(["a"], delay=7),
            uow.trigger(["a"], delay=3),
            uow.trigger(["a"], delay=5),
        )
    ) == [3]
    assert of(
        lambda uow: operations.refresh_listings(uow, "a", drawn="x" * 12, can_sync=can_sync)
    ) == [0]
    assert of(lambda uow: runs.sync_now(uow, shops=["a"])) == [0]
    assert of(lambda uow: shops.pause(uow, "a")) == [None]
    assert of(lambda uow: shops.resume(uow, "a")) == [0]


@pytest.mark.parametrize("due_in", [None, 0, 20_000])
def test_what_is_told_is_heard(due_in: int | None) -> None:
    assert channel.due_in(channel.notify_payload("postgresql", due_in)["notify_payload"]) == due_in


@pytest.mark.parametrize("payload", ["", "due", "due -1", "due soon", "something else"])
def test_what_another_release_tells_is_looked_at_at_once(payload: str) -> None:
    assert channel.due_in(payload) == 0


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_process_hears_others_and_not_itself(store_url: str) -> None:
    woken: list[int | None] = []
    listens = threading.Event()

    def wake(due_in: int | None) -> None:
        woken.append(due_in)
        listens.set()

    ours, other = Database(store_url), Database(store_url)
    mine, theirs = World(ours).begin(shops=("a",)), World(other)
    listener = NotificationListener(ours.engine, wake, ours=ours.backends)
    listener.start()
    try:
        assert listens.wait(30)
        woken.clear()
        mine.receive("tea", 1)
        mine.link("a", "tea")
        mine.receive("tea", 1)
        theirs.receive("tea", 1, cause="theirs")
        listens.clear()
        while COALESCED not in woken:
            assert listens.wait(30)
            listens.clear()
        ours.write_sync(MERCHANT, lambda uow: uow.trigger(["a"], delay=1))
        other.write_sync(MERCHANT, lambda uow: uow.trigger(["a"], delay=2))
        while 2 not in woken:
            assert listens.wait(30)
            listens.clear()
    finally:
        listener.stop()
        ours.close()
        other.close()
    assert woken == [COALESCED, 2]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_connection_that_was_let_go_of_is_not_ours_any_more(store_url: str) -> None:
    db = Database(store_url)
    taken = db.engine.raw_connection()
    connection: Any = taken.driver_connection
    server = connection.info.backend_pid
    assert server in db.backends
    taken.detach()
    connection.close()
    assert server not in db.backends
    with db.engine.connect() as lost:
        again: Any = lost.connection.driver_connection
        server = again.info.backend_pid
        assert server in db.backends
        lost.invalidate()
    assert server not in db.backends
    db.close()
