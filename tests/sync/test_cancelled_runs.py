"""CancelSyncRun: asked of one replica, it ends a run on another, and only where nothing that was
sent is without its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
from api.bench import refused, served
from cryptography.fernet import Fernet
from sqlalchemy import select
from support.world import MERCHANT, World
from zaiko.v1 import sync_run_pb2, sync_service_pb2
from zaiko_core.app import runs
from zaiko_core.app.records import LinkState, ListingRecord, Page, RunRecord, RunState, ShopRecord
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.domain.ids import listing_id
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_sdk import Connector, InventoryMode, InventoryWrite, Limits, SystemClock, WriteResult
from zaiko_sdk.testing.fakeshop import FakeConnector, FakeShop, fake_connector

pytestmark = pytest.mark.anyio
SHOP = "compare-and-set"
GOODS = [f"item{number}" for number in range(6)]
POLL = 0.02
INTERVAL = 600_000_000


@dataclass
class Platform:
    """A shop whose answer to the first write can be held back."""

    shop: FakeShop
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    writes: list[list[str]] = field(default_factory=list)

    def registry(self) -> Registry:
        platform = self

        class Slow(FakeConnector):
            async def set_inventory(
                self, writes: Sequence[InventoryWrite], key: str
            ) -> Sequence[WriteResult]:
                platform.writes.append([write.ref.external_id for write in writes])
                done = await super().set_inventory(writes, key)
                platform.arrived.set()
                await platform.answer.wait()
                return done

        limits = Limits(read_batch=10, write_batch=2, order_visibility=timedelta(seconds=30))
        kind = fake_connector(
            {SHOP: self.shop}, self.shop.mode, lambda moment, operation: None, limits
        )

        def open_shop(context: Any, settings: Any) -> Connector:
            return Slow(self.shop, lambda moment, operation: None)

        registry = Registry()
        registry.types[kind.id] = replace(kind, open=open_shop)
        return registry


@dataclass
class Replicas:
    """One that runs shops and one that only answers, on one store."""

    platform: Platform
    runner: Engine
    world: World
    api: Any

    async def cancel(self, run: str) -> sync_run_pb2.SyncRun:
        """Ask the replica that does not run the shop."""
        request = sync_service_pb2.CancelSyncRunRequest(
            name=f"merchants/{MERCHANT}/shops/{SHOP}/runs/{run}"
        )
        answer = await self.api.call("SyncService.CancelSyncRun", request)
        return answer.sync_run

    async def newest(self) -> RunRecord:
        return (await self.runner.db.read(MERCHANT, lambda uow: uow.runs.page(Page(1), shop=SHOP)))[
            0
        ]

    async def until(self, condition: Callable[[RunRecord], bool]) -> RunRecord:
        """The newest run, once it fulfils the condition."""
        async with asyncio.timeout(60):
            while not condition(run := await self.newest()):  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(POLL)
            return run

    async def given_back(self) -> tuple[ShopRecord, int]:
        """The shop once no run holds it, and the store's time then."""
        async with asyncio.timeout(60):
            while True:
                found = await self.runner.db.read(
                    MERCHANT, lambda uow: (uow.shops.get([SHOP])[SHOP], uow.now)
                )
                if not found[0].running:
                    return found
                await asyncio.sleep(POLL)

    async def links(self) -> dict[str, Any]:
        found = await self.runner.db.read(
            MERCHANT, lambda uow: uow.links.get(SHOP, [listing_id(name) for name in GOODS])
        )
        return {name: found[listing_id(name)] for name in GOODS}


@asynccontextmanager
async def replicas(url: str) -> AsyncIterator[Replicas]:
    platform = Platform(
        FakeShop(SystemClock(), InventoryMode.COMPARE_AND_SET, dict.fromkeys(GOODS, 0))
    )
    async with served(url) as api:
        db = Database(url)
        world = World(db).begin(products=GOODS, shops=())

        def shop(uow: Any) -> None:
            uow.shops.insert(ShopRecord(SHOP, f"fake-{SHOP}", SHOP, {"shop": SHOP}, INTERVAL))
            uow.listings.upsert(
                SHOP, [ListingRecord(SHOP, listing_id(name), name, {}, sku=name) for name in GOODS]
            )

        db.write_sync(MERCHANT, shop)
        for name in GOODS:
            world.receive(name, 5)
            world.link(SHOP, name)
        key = Fernet.generate_key().decode()
        runner = Engine(
            EngineConfig(url, [key], poll=POLL, lease=2.0), registry=platform.registry()
        )
        await runner.start()
        try:
            yield Replicas(platform, runner, world, api)
        finally:
            platform.answer.set()
            await runner.stop(grace=5.0)
            db.close()


async def _noticed(side: Replicas) -> None:
    """Wait until the replica that runs the shop has heard of the request."""
    async with asyncio.timeout(60):
        while not side.runner._scheduler._cancelled:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(POLL)


async def test_a_run_cancelled_while_a_push_is_on_its_way_records_its_outcome_and_sends_nothing_more(  # noqa: E501
    store_url: str,
) -> None:
    async with replicas(store_url) as side:
        await asyncio.wait_for(side.platform.arrived.wait(), 60)
        going_on = await side.newest()
        answer = await side.cancel(going_on.run)
        again = await side.cancel(going_on.run)
        await _noticed(side)
        meanwhile = await side.newest()
        side.platform.answer.set()
        ended = await side.until(lambda run: run.ended_at is not None)
        links = await side.links()
        pushes = {link: _pushes(side, link) for link in links}
        shop, now = await side.given_back()

    assert answer.state == again.state == sync_run_pb2.SyncRun.STATE_RUNNING
    assert meanwhile.state is RunState.RUNNING
    assert (ended.run, ended.state, ended.problem) == (going_on.run, RunState.CANCELLED, None)
    [sent] = side.platform.writes
    assert {name for name, link in links.items() if link.state is LinkState.SYNCED} == set(sent)
    assert {name: side.platform.shop.stock[name] for name in GOODS} == {
        name: 5 if name in sent else 0 for name in GOODS
    }
    # The fence has nothing in the air, and knows of everything that arrived.
    assert all(link.belief.pending is None for link in links.values())
    assert {links[name].belief.expected for name in sent} == {5}
    assert shop.due_at is not None
    assert ended.ended_at is not None
    assert ended.ended_at + INTERVAL <= shop.due_at <= now + INTERVAL
    assert {name: found for name, found in pushes.items() if name in sent} == {
        name: ["ACKNOWLEDGED"] for name in sent
    }
    assert {outcome for name, found in pushes.items() if name not in sent for outcome in found} == {
        "UNSENT"
    }


def _pushes(side: Replicas, name: str) -> list[str]:
    """The outcomes of what was about to be sent for a link."""
    table = schema.pushes
    query = select(table.c.outcome).where(table.c.listing == listing_id(name))
    with side.world.db.engine.connect() as connection:
        return [row.outcome for row in connection.execute(query)]


async def test_what_a_cancelled_run_left_is_done_by_the_next_one(store_url: str) -> None:
    async with replicas(store_url) as side:
        await asyncio.wait_for(side.platform.arrived.wait(), 60)
        cancelled = await side.newest()
        await side.cancel(cancelled.run)
        await _noticed(side)
        side.platform.answer.set()
        await side.until(lambda run: run.ended_at is not None)
        await side.runner.db.write(MERCHANT, lambda uow: runs.sync_now(uow, shops=[SHOP]))
        after = await side.until(lambda run: run.run != cancelled.run and run.ended_at is not None)

    assert (after.state, after.trigger) == (RunState.SUCCEEDED, "REQUEST")
    assert side.platform.shop.stock == dict.fromkeys(GOODS, 5)


async def test_what_is_asked_for_after_the_cancel_makes_the_shop_due_at_once(
    store_url: str,
) -> None:
    async with replicas(store_url) as side:
        await asyncio.wait_for(side.platform.arrived.wait(), 60)
        cancelled = await side.newest()
        await side.cancel(cancelled.run)
        await _noticed(side)
        side.world.receive(GOODS[0], 1)
        side.platform.answer.set()
        after = await side.until(lambda run: run.run != cancelled.run and run.ended_at is not None)

    assert (after.state, after.trigger) == (RunState.SUCCEEDED, "CHANGE")


async def test_a_run_that_has_ended_otherwise_cannot_be_cancelled_and_a_cancelled_one_can_again(
    store_url: str,
) -> None:
    async with replicas(store_url) as side:
        await asyncio.wait_for(side.platform.arrived.wait(), 60)
        first = await side.newest()
        await side.cancel(first.run)
        await _noticed(side)
        side.platform.answer.set()
        await side.until(lambda run: run.ended_at is not None)
        again = await side.cancel(first.run)
        await side.runner.db.write(MERCHANT, lambda uow: runs.sync_now(uow, shops=[SHOP]))
        second = await side.until(lambda run: run.run != first.run and run.ended_at is not None)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await side.cancel(second.run)

    assert again.state == sync_run_pb2.SyncRun.STATE_CANCELLED
    assert (refused(refusal.value).code, refused(refusal.value).reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "OPERATION_DONE",
    )
