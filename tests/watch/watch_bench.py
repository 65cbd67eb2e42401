"""The bench of the watch tests: a real server on a socket over a real SQLite store, and a client
that keeps what it received."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from support.world import MERCHANT, World, can_sync
from zaiko.v1 import (
    stock_service_pb2,
    stock_service_pb2_grpc,
    sync_service_pb2,
    sync_service_pb2_grpc,
    watch_pb2,
)
from zaiko_core.app import stock
from zaiko_core.domain.errors import ServiceError
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import migrate
from zaiko_core.sync.feed import ChangeFeed
from zaiko_server.status import code_for, status_for, trailers_for
from zaiko_server.watch import WatchServer

PARENT = f"merchants/{MERCHANT}"
SNAPSHOT = watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())


class Services(
    stock_service_pb2_grpc.StockServiceServicer, sync_service_pb2_grpc.SyncServiceServicer
):
    """The watches, with errors mapped as the server does."""

    def __init__(self, watch_server: WatchServer) -> None:
        self._watch_server = watch_server

    async def WatchStocks(self, request, context):
        async for response in self._mapped(
            self._watch_server.watch_stocks(request, context), context
        ):
            yield response

    async def WatchSync(self, request, context):
        async for response in self._mapped(
            self._watch_server.watch_sync(request, context), context
        ):
            yield response

    async def WatchSyncSession(self, requests, context):
        async for response in self._mapped(
            self._watch_server.watch_sync_session(requests, context), context
        ):
            yield response

    async def _mapped(self, responses, context):
        try:
            async for response in responses:
                yield response
        except ServiceError as refusal:
            await context.abort(
                code_for(refusal), status_for(refusal).message, trailers_for(refusal)
            )


@dataclass
class Bench:
    """A served store. `world` changes it through the use cases."""

    db: Database
    world: World
    watch_server: WatchServer
    stocks: stock_service_pb2_grpc.StockServiceStub
    syncs: sync_service_pb2_grpc.SyncServiceStub
    port: int
    identity: SimpleNamespace

    def watch_stocks(
        self, start: watch_pb2.WatchStart = SNAPSHOT, *products: str, parent: str = PARENT
    ) -> Any:
        names = [f"{parent}/products/{product}" for product in products]
        request = stock_service_pb2.WatchStocksRequest(parent=parent, start=start)
        request.filter.products.extend(names)
        return self.stocks.WatchStocks(request)

    def watch_sync(
        self, start: watch_pb2.WatchStart = SNAPSHOT, *shops: str, subjects: Iterable[int] = ()
    ) -> Any:
        request = sync_service_pb2.WatchSyncRequest(parent=PARENT, start=start)
        request.filter.shops.extend(f"{PARENT}/shops/{shop}" for shop in shops)
        request.filter.subjects.extend(subjects)
        return self.syncs.WatchSync(request)

    async def reserve(self, reserves: dict[str, int]) -> int:
        """Set reserves in one commit. Return its revision."""

        def work(uow):
            stock.set_reserves(uow, reserves)
            return uow.answer_revision

        return await self.db.write(MERCHANT, work)


def change_products(
    reserves: dict[str, int], receipt: stock.Receipt, uow: Any
) -> list[tuple[int, str, int, int]]:
    """Set reserves, or receive when there are none. Return (revision, product, physical, reserve)
    of each product that changed."""
    changed = (
        list(stock.set_reserves(uow, reserves)[0].values())
        if reserves
        else [stock.receive(uow, [receipt])[0].stock]
    )
    return [
        (uow.answer_revision, item.product, item.balance.physical, item.balance.reserve)
        for item in changed
    ]


@contextlib.asynccontextmanager
async def serve(
    url: str, world: Callable[[World], World] = lambda world: world, **options: Any
) -> AsyncIterator[Bench]:
    """Serve the store at `url`, which `world` fills. `options` are the watch server's."""
    db = Database(url, wake=lambda due_in: feed.wake())
    stored = migrate(db.engine)
    feed = ChangeFeed(db, poll=0.2)
    await feed.start()
    identity = SimpleNamespace(
        db=db, feed=feed, epoch=stored["epoch"], token_key=stored["token_key"], can_sync=can_sync
    )
    watch_server = WatchServer(identity, **options)
    server = grpc.aio.server()
    services = Services(watch_server)
    stock_service_pb2_grpc.add_StockServiceServicer_to_server(services, server)
    sync_service_pb2_grpc.add_SyncServiceServicer_to_server(services, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # Without probing, HTTP/2 windows stay small, so a reader that stops is noticed after 64
    # KiB instead of after MiBs.
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.http2.bdp_probe", 0)])
    try:
        yield Bench(
            db,
            world(World(db)),
            watch_server,
            stock_service_pb2_grpc.StockServiceStub(channel),
            sync_service_pb2_grpc.SyncServiceStub(channel),
            port,
            identity,
        )
    finally:
        await channel.close()
        await server.stop(None)
        await feed.stop()
        db.close()


@dataclass
class Reader:
    """A client: everything that it received, and what it knows now, by name."""

    call: Any
    deliveries: list[Any] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)
    token: str = ""

    async def next(self) -> Any:
        """Read one more delivery."""
        response = await self.call.read()
        if response is grpc.aio.EOF:
            raise AssertionError(
                f"the watch ended: {await self.call.code()} {await self.call.details()}"
            )
        self.take(response)
        return response

    def take(self, response: Any) -> None:
        self.deliveries.append(response)
        self.token = response.resume_token
        if response.WhichOneof("delivery") == "changes":
            for name, state in states_of(response.changes):
                self.known[name] = state
            for name in response.changes.deleted_names:
                self.known.pop(name, None)

    async def until(self, condition: Callable[[Any], bool]) -> Any:
        """Read on until a delivery fulfils `condition`."""
        while not condition(response := await self.next()):
            pass
        return response

    async def until_bookmark(self, revision: int = 0) -> int:
        """Read on until a bookmark at or above `revision`. Return its revision."""
        response = await self.until(
            lambda r: r.WhichOneof("delivery") == "bookmark" and r.bookmark.revision >= revision
        )
        return int(response.bookmark.revision)

    async def until_revision(self, revision: int) -> None:
        """Read on until everything up to `revision` has come."""

        def reached(response: Any) -> bool:
            if response.WhichOneof("delivery") == "bookmark":
                return bool(response.bookmark.revision >= revision)
            return bool(response.changes.revision >= revision and not response.changes.continued)

        await self.until(reached)

    def resume(self) -> watch_pb2.WatchStart:
        """Return a start after the last delivery."""
        return watch_pb2.WatchStart(resume_token=self.token)


def states_of(changes: Any) -> Iterable[tuple[str, Any]]:
    """Yield the states in one delivery, by name."""
    if isinstance(changes, stock_service_pb2.StockChanges):
        yield from ((item.name, item) for item in changes.stocks)
        return
    keys = {"link_status": "link", "shop_status": "shop", "sync_run": "name"}
    for item in changes.items:
        kind = item.WhichOneof("item")
        state = getattr(item, kind)
        yield getattr(state, keys[kind]), state


async def refusal_of(call: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Return how a call ended: code, reason, metadata."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError:
        pass
    trailers = dict(await call.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return await call.code(), info.reason, dict(info.metadata)
