"""A real server on a real socket, with a toy platform, and merchants that have one of each
resource. README.md explains how to use it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pydantic import Field, SecretStr
from zaiko.v1 import (
    connector_service_pb2_grpc,
    link_service_pb2_grpc,
    merchant_service_pb2_grpc,
    operation_service_pb2_grpc,
    order_service_pb2_grpc,
    product_service_pb2_grpc,
    receiving_service_pb2_grpc,
    shop_service_pb2_grpc,
    stock_service_pb2_grpc,
    sync_service_pb2_grpc,
    token_service_pb2_grpc,
    warehouse_service_pb2_grpc,
)
from zaiko_core.app import orders, tokens
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import (
    DriftRecord,
    ListingRecord,
    MerchantRecord,
    ProductRecord,
    RunRecord,
    RunState,
    ShopRecord,
    TokenRecord,
    WarehouseRecord,
)
from zaiko_core.app.stock import Receipt, receive
from zaiko_core.bootstrap import Engine
from zaiko_core.domain.access import LOCAL
from zaiko_core.domain.demand import DemandLine, DemandState, OrderRecord
from zaiko_core.domain.drift import Difference, DriftCause
from zaiko_core.plugin_host.loader import Registry, load
from zaiko_core.storage.secrets import SecretBox
from zaiko_sdk import (
    Capability,
    Connector,
    ConnectorSettings,
    ConnectorType,
    Finding,
    InventoryLevel,
    InventoryMode,
    Listing,
    ListingPage,
    ListingRef,
    OrderPage,
    ShopContext,
)
from zaiko_sdk.hooks import hookimpl
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server

KEY = SecretBox.new_key()
SECRET = "hunter2-do-not-show"
STUBS = {
    "ConnectorService": connector_service_pb2_grpc.ConnectorServiceStub,
    "LinkService": link_service_pb2_grpc.LinkServiceStub,
    "MerchantService": merchant_service_pb2_grpc.MerchantServiceStub,
    "OperationService": operation_service_pb2_grpc.OperationServiceStub,
    "OrderService": order_service_pb2_grpc.OrderServiceStub,
    "ReceivingService": receiving_service_pb2_grpc.ReceivingServiceStub,
    "ProductService": product_service_pb2_grpc.ProductServiceStub,
    "ShopService": shop_service_pb2_grpc.ShopServiceStub,
    "StockService": stock_service_pb2_grpc.StockServiceStub,
    "SyncService": sync_service_pb2_grpc.SyncServiceStub,
    "TokenService": token_service_pb2_grpc.TokenServiceStub,
    "WarehouseService": warehouse_service_pb2_grpc.WarehouseServiceStub,
}
_numbers = itertools.count(1)


class ToySettings(ConnectorSettings):
    """The settings of the toy platform."""

    domain: str = Field(pattern=r"^[a-z.]+$")
    token: SecretStr
    page: int = Field(default=10, ge=1, le=50)


@dataclass
class Answers:
    """What the toy platform answers to a check (findings, or an error to raise), and its
    listings."""

    check: Sequence[Finding] | Exception = ()
    catalogue: Sequence[Listing] = ()


class ToyConnector(Connector):
    """A platform without orders."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def check(self) -> Sequence[Finding]:
        if isinstance(self._answers.check, Exception):
            raise self._answers.check
        return self._answers.check

    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        raise NotImplementedError
        yield

    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        if self._answers.catalogue:
            yield ListingPage(self._answers.catalogue, "")

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return [InventoryLevel(ref.external_id, 0) for ref in refs]


class ToyPlugin:
    """Provides `toy`, and `toy-readonly` whose stock cannot be set."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def _open(self, context: ShopContext, settings: Any) -> Connector:
        return ToyConnector(self._answers)

    @hookimpl
    def zaiko_connectors(self) -> list[ConnectorType]:
        everything = frozenset(Capability) - {Capability.WEBHOOKS}
        readonly = everything - {Capability.SET_INVENTORY}
        return [
            ConnectorType(
                "toy",
                "Toy",
                "1.0",
                ToySettings,
                self._open,
                everything,
                InventoryMode.COMPARE_AND_SET,
            ),
            ConnectorType(
                "toy-readonly", "Toy (read-only)", "1.0", ToySettings, self._open, readonly
            ),
        ]


class BrokenPoint:
    """An installed plugin that cannot be imported."""

    name, dist = "broken", None

    def load(self) -> Any:
        raise ModuleNotFoundError("No module named 'nothing'", name="nothing")


def toy_registry(answers: Answers) -> Registry:
    """Return a registry of two connectors that work and one that cannot be loaded."""
    return load([("toy", ToyPlugin(answers))], entry_points=[BrokenPoint()])


@dataclass
class Api:
    """A client of a running server, and the engine behind it."""

    engine: Engine
    channel: grpc.aio.Channel
    answers: Answers
    address: str = ""
    stop: Callable[[], Awaitable[None]] | None = None
    stubs: dict[str, Any] = field(default_factory=dict)
    writing: set[asyncio.Task[None]] = field(default_factory=set)

    def method(self, rpc: str) -> Callable[..., Any]:
        """Return the callable of `Service.Method`."""
        service, name = rpc.split(".")
        if service not in self.stubs:
            self.stubs[service] = STUBS[service](self.channel)
        found: Callable[..., Any] = getattr(self.stubs[service], name)
        if isinstance(found, grpc.aio.StreamStreamMultiCallable):
            return lambda request, **options: self._with_request(found(**options), request)
        return found

    def _with_request(self, call: Any, request: Any) -> Any:
        """Write one request to a stream, and leave the stream open for answers."""

        async def write() -> None:
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await call.write(request)

        self.writing.add(task := asyncio.create_task(write()))
        task.add_done_callback(self.writing.discard)
        return call

    async def call(self, rpc: str, request: Any, **options: Any) -> Any:
        """Call a unary method. Return its response, or raise AioRpcError."""
        return await self.method(rpc)(request, timeout=options.pop("timeout", 60), **options)

    async def refusal(self, rpc: str, request: Any, **options: Any) -> Refused:
        """Call a method that must be refused, and return why it was."""
        try:
            if rpc.endswith(
                (
                    "WatchSync",
                    "WatchStocks",
                    "WatchOperation",
                    "WatchSyncSession",
                    "StreamMovements",
                )
            ):
                async for _ in self.method(rpc)(request, timeout=60):
                    break
            else:
                answer = await self.call(rpc, request, **options)
                raise AssertionError(f"{rpc} was not refused: {answer}")
        except grpc.aio.AioRpcError as error:
            return refused(error)
        raise AssertionError(f"{rpc} was not refused")

    async def merchant(self) -> World:
        """Create a new merchant with one of each resource."""
        world = World(self, f"m{next(_numbers)}")
        record = MerchantRecord(world.id, display_name="Acme")
        await self.engine.db.directory.write(lambda directory: directory.create(record))
        await self.engine.db.write(world.id, world.seed)
        token = TokenRecord(world.id, "READER", (world.id,), "Seed")
        await self.engine.db.tokens.write(
            lambda rows: tokens.create(rows, token, "x" * 43, by=LOCAL)
        )
        return world


@dataclass(frozen=True)
class Refused:
    """The decoded details of an error."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    violations: dict[str, str]
    details: dict[str, Any]


def refused(error: grpc.aio.AioRpcError) -> Refused:
    """Decode an error as a client in any language does. Asserts that it has ErrorInfo, and each
    detail at most once."""
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error.code()} {error.details()}"
    details: dict[str, Any] = {}
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.type_url.rpartition(".")[2])
        assert kind.DESCRIPTOR.name not in details
        details[kind.DESCRIPTOR.name] = message = kind()
        assert packed.Unpack(message)
    info = details["ErrorInfo"]
    assert info.domain == "zaiko.v1"
    assert info.metadata["owner"] in ("MERCHANT", "PLATFORM", "SYSTEM")
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    bad = details.get("BadRequest")
    violations = {item.field: item.reason for item in bad.field_violations} if bad else {}
    return Refused(
        error.code(), status.message, info.reason, dict(info.metadata), violations, details
    )


@dataclass(frozen=True)
class World:
    """A merchant: a token of its own id that reads; warehouses tokyo and osaka; products apple (10
    in tokyo), pear (0) and old (archived); shops one and two of `toy`, look of `toy-readonly` and
    lost of a connector that is not there; listings l1 … l5 in shop one, of which l4 has vanished,
    and one in each other shop; an order of 2 × l1 and 1 × l2; a run."""

    api: Api
    id: str

    @property
    def name(self) -> str:
        return f"merchants/{self.id}"

    def __call__(self, path: str) -> str:
        """Return the full name of a resource below this merchant."""
        return f"{self.name}/{path}"

    async def write(self, work: Callable[[UnitOfWork], Any]) -> Any:
        """Change the store directly, without a call."""
        return await self.api.engine.db.write(self.id, work)

    def seed(self, uow: UnitOfWork) -> None:
        """Create everything that the class describes."""
        for warehouse in ("tokyo", "osaka"):
            uow.warehouses.insert(WarehouseRecord(warehouse, warehouse.title()))
        products = [
            ProductRecord("apple", "A-1", "4900000000011", "Apple"),
            ProductRecord("pear", "P-1", "4900000000028", "Pear"),
            ProductRecord("old", "O-1", "", "Old", archived=True),
        ]
        uow.products.insert(products)
        receive(uow, [Receipt("apple", "tokyo", 10, "seed")])
        sealed = SecretBox([KEY]).seal({"token": SECRET})
        for shop, connector in (
            ("one", "toy"),
            ("two", "toy"),
            ("look", "toy-readonly"),
            ("lost", "gone"),
        ):
            settings = {"domain": "shop.example"}
            uow.shops.insert(
                ShopRecord(shop, connector, shop.title(), settings, 600_000_000, secrets=sealed)
            )
        for shop, numbers in (
            ("one", range(1, 6)),
            ("two", range(6, 7)),
            ("look", range(7, 8)),
            ("lost", range(8, 9)),
        ):
            uow.listings.upsert(shop, [self.listing(shop, number) for number in numbers])
        lines = (
            DemandLine("1", "l1", 2, 0, 0, "A-1", "Apple"),
            DemandLine("2", "l2", 1, 0, 0, "P-1", "Pear"),
        )
        orders.ingest(
            uow,
            "one",
            [OrderRecord("gid://toy/1", "#1", uow.now, uow.now, DemandState.OPEN, uow.now, lines)],
        )
        uow.runs.put(
            RunRecord(
                "one", "0001-aaaa", RunState.SUCCEEDED, "INTERVAL", 1, uow.now - 5, ended_at=uow.now
            )
        )
        for at, listing, cause in (
            (1, "l1", DriftCause.EDITED_IN_SHOP),
            (2, "l2", DriftCause.PUSH_LOST),
        ):
            uow.drifts.insert(
                [DriftRecord(uow.now - 1000 + at, "one", listing, Difference(cause, 5, 9))]
            )
        uow.runs.put(RunRecord("one", "0002-bbbb", RunState.FAILED, "CHANGE", 2, uow.now))
        uow.advance()

    @staticmethod
    def listing(shop: str, number: int) -> ListingRecord:
        """Return a listing as read from the toy platform."""
        sku = {1: "A-1", 2: "P-1"}.get(number, f"X-{number}")
        return ListingRecord(
            shop,
            f"l{number}",
            f"ext/{number}",
            {},
            sku,
            "",
            f"Title {number}",
            vanished=number == 4,
        )


@asynccontextmanager
async def served(
    url: str,
    *,
    run_shops: bool = False,
    auth: Literal["none", "tokens"] = "none",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    client_ca: Path | None = None,
    **options: Any,
) -> AsyncIterator[Api]:
    """Run a server on a free local port, and yield a client without certificates."""
    answers = Answers()
    config = Config(
        listen="127.0.0.1:0",
        database=url,
        secret_keys=(KEY,),
        run_shops=run_shops,
        no_witness=True,
        grace=1.0,
        auth=auth,
        tls_cert=tls_cert,
        tls_key=tls_key,
        client_ca=client_ca,
    )
    engine = Engine(config.engine(), registry=toy_registry(answers))
    server = Server(engine, config, **options)
    address = await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Api(engine, channel, answers, address, server.stop)
    finally:
        await server.stop()
