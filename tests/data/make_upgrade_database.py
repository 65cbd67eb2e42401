"""Make the database that `tests/store/test_upgrade.py` upgrades, with the code of an older release.

Run it with that release's own environment, as README.md says. Everything is written by the release
itself, through its RPCs and its engine, with shops in memory and virtual time. What the release
answers at the end is kept beside the database, so that this release is compared with it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pgserver
import structlog
from google.protobuf import json_format, message_factory
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr
from sqlalchemy import create_engine, insert, select
from zaiko_core.app import orders, webhooks
from zaiko_core.app.records import Page, RunRecord, RunState
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.problem import Problem
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage import schema
from zaiko_core.storage.migrate import migrate
from zaiko_core.sync.state import StoredState
from zaiko_core.sync.translation import micros
from zaiko_sdk import (
    CredentialsRejected,
    Finding,
    FindingLevel,
    InventoryMode,
    ItemRefused,
    Limits,
    LinkView,
    OrderState,
    PlatformDown,
    Timeout,
)
from zaiko_sdk.hooks import hookimpl
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.fakeshop import FakeConnector, FakeSettings, FakeShop, fake_connector
from zaiko_server.app import FILES
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server

KEY = base64.urlsafe_b64encode(b"the secret key of a test, public").decode()
"""It seals the shops' credentials, which are made up as well."""
MODES = {
    "main": InventoryMode.COMPARE_AND_SET,
    "adj": InventoryMode.ADJUST,
    "raw": InventoryMode.SET,
    "dark": InventoryMode.COMPARE_AND_SET,
    "keep": InventoryMode.SET,
    "bad": InventoryMode.SET,
    "off": InventoryMode.SET,
    "desk": InventoryMode.ADJUST,
    "gone": InventoryMode.SET,
    "north": InventoryMode.ADJUST,
}
"""The shops, all of merchant acme but `north`. `gone` loses its connector."""
PRODUCTS = ("tea", "coffee", "milk", "rice", "cup", "salt", "kettle", "honey", "plum")
LIMITS = Limits(
    read_batch=10, write_batch=1, max_quantity=90, order_visibility=timedelta(seconds=30)
)


class Killed(BaseException):
    """The process dies here."""


class Settings(FakeSettings):
    """A shop in memory, with a credential."""

    key: SecretStr


class Dozens:
    """A plugin that sells cups by the dozen."""

    @hookimpl
    def zaiko_adjust_quantity(self, view: LinkView) -> int | None:
        return view.quantity // 12 * 12 if view.external_id == "cup" else None


class Maker:
    """One installation over its whole life. `faults` are raised at (shop, moment, operation), each
    once, or called."""

    def __init__(self, url: str) -> None:
        self.url, self.clock, self.ids = url, FakeClock(), count(1)
        self.shops = {name: FakeShop(self.clock, mode) for name, mode in MODES.items()}
        self.faults: dict[tuple[str, str, str], BaseException | Callable[[], None]] = {}
        self.retired: set[str] = set()
        self.step = 1.1
        """Seconds that half a conversation with a platform takes."""
        self.tokens: dict[str, str] = {}

    def interfere(self, name: str, moment: str, operation: str) -> None:
        self.clock.advance(self.step)
        fault = self.faults.pop((name, moment, operation), None)
        if isinstance(fault, BaseException):
            raise fault
        if fault is not None:
            fault()

    @contextlib.asynccontextmanager
    async def running(self, lease: float = 5) -> AsyncIterator[None]:
        """A process of its own, with a server and a client of it."""
        registry = load([("dozens", Dozens())], entry_points=[])
        for name, shop in self.shops.items():
            if name in self.retired:
                continue

            def opened(context: Any, settings: Settings, name: str = name) -> FakeConnector:
                return FakeConnector(self.shops[name], partial(self.interfere, name))

            kind = fake_connector(self.shops, shop.mode, lambda moment, operation: None, LIMITS)
            kind = replace(kind, id=f"fake-{name}", settings=Settings, open=opened)
            registry.types[kind.id] = kind
        self.engine = Engine(
            EngineConfig(self.url, [KEY], lease=lease, run_shops=False),
            registry=registry,
            log=structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50)),
            clock=self.clock,
            now=lambda: micros(self.clock.now()),
            new_id=lambda: f"{next(self.ids):08d}",
            jitter=lambda: 0.5,
            traces=TracerProvider(shutdown_on_exit=False),
        )
        config = Config(listen="127.0.0.1:0", secret_keys=(KEY,), run_shops=False, grace=1.0)
        server = Server(self.engine, config, new_id=lambda: f"{next(self.ids):08d}-upgrade")
        address = await server.start()
        try:
            async with grpc.aio.insecure_channel(address) as self.channel:
                yield
        finally:
            await server.stop()

    async def call(self, rpc: str, **fields: Any) -> dict[str, Any]:
        """The answer of an RPC as JSON, a second later."""
        self.clock.advance(1)
        method, request = prepared(rpc, fields)
        return json_format.MessageToDict(await method(self.channel)(request, timeout=20))

    async def resume_token(self, rpc: str, **fields: Any) -> str:
        """The token with which a watch goes on after the present state."""
        method, request = prepared(rpc, fields)
        async for response in method(self.channel)(request, timeout=20):
            if response.HasField("mark") and response.mark.snapshot_complete:
                return response.resume_token
        raise AssertionError("the watch has ended")

    async def turn(self, seconds: float = 601) -> None:
        """Time passes, and what is due runs."""
        self.clock.advance(seconds)
        await self.engine.run_due()

    async def write(self, work: Callable[[Any], Any], merchant: str = "acme") -> Any:
        self.clock.advance(1)
        return await self.engine.db.write(merchant, work)


def prepared(rpc: str, fields: dict[str, Any]) -> tuple[Callable[[Any], Any], Any]:
    """How to call `Service.Method` on a channel, and its request."""
    service, name = rpc.split(".")
    method = next(
        file.DESCRIPTOR.services_by_name[service].methods_by_name[name]
        for file in FILES
        if service in file.DESCRIPTOR.services_by_name
    )
    asked = message_factory.GetMessageClass(method.input_type)
    answer = message_factory.GetMessageClass(method.output_type)
    request = json_format.ParseDict(fields, asked())

    def on(channel: Any) -> Any:
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        return make(
            f"/{method.containing_service.full_name}/{name}",
            request_serializer=asked.SerializeToString,
            response_deserializer=answer.FromString,
        )

    return on, request


def a(path: str) -> str:
    return f"merchants/acme/{path}"


async def live(maker: Maker) -> None:
    """Fill every table, in four processes; the last of them dies while three writes are on their
    way."""
    async with maker.running():
        await begin(maker)
        await link(maker)
        maker.tokens["sync"] = await maker.resume_token(
            "SyncService.WatchSync", parent="merchants/acme"
        )
        maker.tokens["stocks"] = await maker.resume_token(
            "StockService.WatchStocks", parent="merchants/acme"
        )
        await sell(maker)
    async with maker.running():
        await fail(maker)
        await differ(maker)
        await oversell(maker)
    async with maker.running():
        await odd_orders(maker)
        await rest(maker)
    maker.retired.add("gone")
    async with maker.running(lease=300):
        await last(maker)
        for name, moment in (("main", "after"), ("adj", "after"), ("raw", "before")):
            maker.faults[name, moment, "set_inventory"] = Killed()
        for _ in range(3):
            with contextlib.suppress(Killed):
                await maker.turn(1)
        assert not maker.faults
        await queue(maker)


async def begin(maker: Maker) -> None:
    call = maker.call
    for merchant in ("acme", "borealis", "clover"):
        await call(
            "MerchantService.CreateMerchant",
            merchantId=merchant,
            merchant={"displayName": merchant.title()},
        )
    for merchant, warehouse in (("acme", "tokyo"), ("acme", "osaka"), ("borealis", "oslo")):
        await call(
            "WarehouseService.CreateWarehouse",
            parent=f"merchants/{merchant}",
            warehouseId=warehouse,
            warehouse={"displayName": warehouse.title()},
        )
    for number, product in enumerate(PRODUCTS):
        barcode = f"49000000000{number:02d}"
        await call(
            "ProductService.CreateProduct",
            parent="merchants/acme",
            productId=product,
            product={"code": product, "displayName": f"{product} 茶", "barcode": barcode},
        )
    drum = {"code": "drum", "displayName": "Drum"}
    await call(
        "ProductService.CreateProduct", parent="merchants/acme", productId="drum", product=drum
    )
    await call(
        "ProductService.CreateProduct",
        parent="merchants/borealis",
        productId="fish",
        product={"code": "fish"},
    )
    for role, merchants in (("READER", ["acme"]), ("INTEGRATOR", ["borealis"])):
        await call(
            "TokenService.CreateToken",
            token={
                "displayName": f"the {role.lower()}",
                "role": f"ROLE_{role}",
                "merchants": [f"merchants/{merchant}" for merchant in merchants],
                "expireTime": "2036-01-01T00:00:00Z",
            },
        )
    certified = {
        "displayName": "c",
        "role": "ROLE_ADMIN",
        "allMerchants": True,
        "certificate": "x.test",
    }
    made = await call("TokenService.CreateToken", token=certified)
    await call("TokenService.RevokeToken", name=made["token"]["name"])
    for name in MODES:
        merchant = "borealis" if name == "north" else "acme"
        shop = {
            "connector": f"connectors/fake-{name}",
            "displayName": name.title(),
            "settings": {"shop": name},
            "secrets": {"key": f"secret of {name}"},
            "syncInterval": "600s",
            "driftPolicy": "DRIFT_POLICY_HOLD" if name == "keep" else "DRIFT_POLICY_HEAL",
        }
        await call("ShopService.CreateShop", parent=f"merchants/{merchant}", shopId=name, shop=shop)
        if name == "dark":
            dark = {"name": a("shops/dark"), "shadow": True}
            await call("ShopService.UpdateShop", shop=dark, updateMask="shadow")
        listed = ("fish",) if name == "north" else (*PRODUCTS, "hamper")
        maker.shops[name].stock = dict.fromkeys(listed, 0)
        parent = f"merchants/{merchant}/shops/{name}"
        await call("ShopService.RefreshListings", parent=parent)
    await maker.turn(1)
    units = {
        "tea": 20,
        "coffee": 40,
        "milk": 6,
        "rice": 30,
        "cup": 200,
        "salt": 15,
        "kettle": 3,
        "plum": 8,
    }
    for number, (product, quantity) in enumerate(units.items()):
        await call(
            "StockService.RecordReceipt",
            product=a(f"products/{product}"),
            warehouse=a("warehouses/osaka" if number % 3 == 2 else "warehouses/tokyo"),
            quantity=quantity,
            causeKey=f"delivery-{product}",
            note="the first pallet",
            occurTime="2026-11-20T10:00:00Z",
            requestId=f"0000000{number}-0000-4000-8000-000000000000",
        )
    fish = {
        "product": "merchants/borealis/products/fish",
        "warehouse": "merchants/borealis/warehouses/oslo",
    }
    await call("StockService.RecordReceipt", **fish, quantity=9, causeKey="boat")


async def recount(maker: Maker, product: str, units: int) -> None:
    """Somebody counts what is in Tokyo."""
    stock = await maker.call("StockService.GetStock", name=a(f"products/{product}/stock"))
    await maker.call(
        "StockService.AdjustStock",
        product=a(f"products/{product}"),
        warehouse=a("warehouses/tokyo"),
        counted=units,
        etag=stock["stock"]["etag"],
        causeKey=f"count-{product}",
    )


def listing(shop: str, product: str) -> str:
    return a(f"shops/{shop}/listings/{listing_id(product)}")


async def link(maker: Maker) -> None:
    call = maker.call
    wanted = [
        *[("main", product) for product in ("tea", "coffee", "milk", "rice")],
        *[("adj", product) for product in ("tea", "coffee", "milk", "cup")],
        *[("raw", product) for product in ("tea", "cup", "salt")],
        *[("dark", product) for product in ("tea", "salt")],
        *[("keep", "salt"), ("bad", "rice"), ("off", "coffee"), ("gone", "salt")],
    ]
    for shop, product in wanted:
        await call(
            "LinkService.CreateLink",
            parent=a(f"shops/{shop}"),
            link={
                "listing": listing(shop, product),
                "product": a(f"products/{product}"),
                "syncEnabled": True,
            },
        )
    parts = [{"product": a("products/tea"), "count": 2}, {"product": a("products/cup"), "count": 1}]
    await call(
        "LinkService.CreateLink",
        parent=a("shops/main"),
        link={
            "listing": listing("main", "hamper"),
            "bundle": {"parts": parts},
            "syncEnabled": True,
        },
    )
    honey = {
        "listing": listing("desk", "honey"),
        "product": a("products/honey"),
        "syncEnabled": False,
    }
    await call("LinkService.CreateLink", parent=a("shops/desk"), link=honey)
    await call("ReceivingService.SetReceivingOnly", product=a("products/honey"), enabled=True)
    fish = f"merchants/borealis/shops/north/listings/{listing_id('fish')}"
    await call(
        "LinkService.CreateLink",
        parent="merchants/borealis/shops/north",
        link={"listing": fish, "product": "merchants/borealis/products/fish", "syncEnabled": True},
    )
    await call("LinkService.BulkLink", parent=a("shops/off"), matchBarcode=True, dryRun=True)
    await call("LinkService.BulkLink", parent=a("shops/desk"), enableSync=False)
    await maker.turn(1)
    await maker.turn()


async def sell(maker: Maker) -> None:
    """Orders come, stock moves; numbers follow."""
    call, shops = maker.call, maker.shops
    first = shops["main"].place({"tea": 2, "coffee": 1})
    shops["main"].place({"rice": 1})
    shops["adj"].place({"coffee": 3})
    shipped = shops["adj"].place({"milk": 1})
    cancelled = shops["raw"].place({"salt": 2})
    edited = shops["raw"].place({"cup": 4, "plum": 1})
    shops["main"].place({"hamper": 1})
    await maker.turn()
    shops["adj"].ship(shipped)
    shops["raw"].cancel(cancelled, restock=True)
    shops["raw"].edit(edited, "cup", 2, restock=False)
    placed = shops["main"].orders[first]
    lines = [replace(line, fulfilled=1) for line in placed.order.lines]
    placed.order = replace(placed.order, lines=lines, version=maker.clock.now(), paid=True)
    placed.visible_at = maker.clock.now()
    await maker.turn()
    order = {"order": {"shop": a("shops/main"), "externalOrderId": first}}
    held = {"product": a("products/tea"), "warehouse": a("warehouses/tokyo")}
    await call("StockService.AllocateStock", demand=order, **held, quantity=2, causeKey="pick-1")
    await call("StockService.DeallocateStock", demand=order, **held, quantity=1, causeKey="pick-2")
    await call("StockService.ShipStock", demand=order, **held, quantity=1, causeKey="pick-3")
    coffee = {"product": a("products/coffee"), "warehouse": a("warehouses/tokyo")}
    wholesale = {"shipment": "wholesale-9"}
    await call("StockService.AllocateStock", demand=wholesale, **coffee, quantity=5)
    await call("StockService.ShipStock", demand=wholesale, **coffee, quantity=3)
    await call("StockService.AdjustStock", **coffee, delta=-1, note="broken")
    await recount(maker, "coffee", 35)
    await call(
        "StockService.SetReserve",
        product=a("products/coffee"),
        reserve=4,
        requestId="11111111-0000-4000-8000-000000000000",
    )
    await call("StockService.SetEscrow", product=a("products/milk"), escrowBelow=10)
    await maker.turn(60)
    await maker.turn()
    await call(
        "StockService.RecordReceipt",
        product=a("products/honey"),
        warehouse=a("warehouses/tokyo"),
        quantity=7,
        causeKey="bees-1",
    )
    for _ in range(4):
        await maker.turn(60)


async def fail(maker: Maker) -> None:
    """Each way in which a write or a run may end."""
    call, shops, faults = maker.call, maker.shops, maker.faults
    receipt = partial(call, "StockService.RecordReceipt", warehouse=a("warehouses/tokyo"))
    # Stale: a buyer was quicker.
    faults["main", "before", "set_inventory"] = lambda: shops["main"].place({"coffee": 1}) and None
    await receipt(product=a("products/coffee"), quantity=5)
    await maker.turn(1)
    await maker.turn(60)
    for fault, shop in (
        (Timeout("lost", sent=None), "raw"),
        (Timeout("no connection", sent=False), "raw"),
        (PlatformDown("503"), "raw"),
    ):
        faults[shop, "before", "set_inventory"] = fault
        await receipt(product=a("products/salt"), quantity=1)
        await maker.turn(5)
        await maker.turn(90)
    faults["bad", "before", "read_inventory"] = CredentialsRejected("the key has expired")
    await receipt(product=a("products/rice"), quantity=2)
    await maker.turn(5)
    # A run that dies and is asked to end, and the one that finds it.
    faults["raw", "before", "set_inventory"] = Killed()
    await receipt(product=a("products/salt"), quantity=1)
    with contextlib.suppress(Killed):
        await maker.turn()
    running = {"parent": a("shops/raw"), "filter": {"states": ["STATE_RUNNING"]}}
    (dead,) = (await call("SyncService.ListSyncRuns", **running))["syncRuns"]
    await call("SyncService.CancelSyncRun", name=dead["name"])
    await maker.turn(30)
    await maker.turn(60)

    def cancelled(uow: Any) -> None:
        counts = uow.runs.page(Page(1), shop="adj")[0].counts
        record = RunRecord(
            "adj", f"{uow.now:016d}-cancel", RunState.CANCELLED, "REQUEST", 1, uow.now - 9
        )
        uow.runs.put(
            replace(record, ended_at=uow.now, counts=counts, problem=Problem("TIMEOUT", "slow"))
        )
        uow.advance()

    await maker.write(cancelled)


async def differ(maker: Maker) -> None:
    """Numbers that are not what was sent."""
    shops, faults = maker.shops, maker.faults
    await maker.turn()
    shops["keep"].stock["salt"] = 40
    shops["main"].stock["rice"] = 77
    shops["adj"].stock["cup"] = 1
    await maker.turn()
    await maker.turn(60)
    await maker.turn()
    faults["raw", "before", "set_inventory"] = Timeout("lost", sent=None)
    await recount(maker, "salt", 20)
    await maker.turn(1)
    await maker.turn(60)
    await maker.turn()


async def oversell(maker: Maker) -> None:
    """Two shops sell the same tea; one oversell is cleared, one stays."""
    shops = maker.shops
    count = {"product": a("products/tea"), "warehouse": a("warehouses/tokyo")}
    await recount(maker, "tea", 9)
    await maker.turn()
    await maker.turn(60)
    for _ in range(2):
        free = shops["adj"].stock["tea"]
        shops["adj"].place({"tea": free})
        shops["raw"].place({"tea": free})
        await maker.turn(5)
        await maker.turn(60)
        await maker.turn()
        if shops["adj"].stock["tea"] <= 0:
            await maker.call("StockService.RecordReceipt", **count, quantity=2 * free - 1)
            await maker.turn(60)


async def odd_orders(maker: Maker) -> None:
    """Orders that nobody is sure of, and what is decided about them."""
    call, shops = maker.call, maker.shops
    names = [shops["main"].place({"rice": 1}) for _ in range(6)]
    facts: list[dict[str, Any]] = [
        {"archived": True},
        {"paid": False},
        {"state_known": False, "platform_state": "LIMBO"},
        {"archived": True},
        {"archived": True},
        {},
    ]
    for name, changed in zip(names, facts, strict=True):
        placed = shops["main"].orders[name]
        placed.order = replace(placed.order, **changed)
    shops["main"].place({"salt": 2, "rice": 1})
    await maker.turn()
    # The platform knows it no more; what it is kept under here only counts.
    lost = shops["main"].orders.pop(names[5])
    shops["main"].orders["lost"] = replace(lost, visible_at=lost.visible_at + timedelta(days=9_999))
    await maker.write(lambda uow: orders.vanish(uow, "main", [names[5]]))
    await call("OrderService.ReleaseOrder", name=a(f"shops/main/orders/{names[3]}"))
    await call("OrderService.ReleaseOrder", name=a(f"shops/main/orders/{names[4]}"))
    await call("OrderService.HoldOrder", name=a(f"shops/main/orders/{names[4]}"))
    policy = {"archivedReleaseDays": 3, "unpaidReleaseDays": 30, "unpaidSuspectDays": 2}
    await call(
        "ShopService.UpdateShop",
        shop={"name": a("shops/main"), "suspectPolicy": policy},
        updateMask="suspectPolicy",
    )
    for _ in range(4):
        await maker.turn(86_400)


async def rest(maker: Maker) -> None:
    """What belongs to no run."""
    call, shops = maker.call, maker.shops
    # Unlinked with its orders, and linked again.
    shops["off"].place({"plum": 2})
    await maker.turn()
    plum = {"listing": listing("off", "plum"), "product": a("products/plum"), "syncEnabled": False}
    existing = await call("LinkService.ListLinks", parent=a("shops/desk"))
    for found in existing["links"]:
        if found["name"].endswith(f"/{listing_id('plum')}"):
            await call("LinkService.DeleteLink", name=found["name"], releaseOrders=True)
    made = await call("LinkService.CreateLink", parent=a("shops/off"), link=plum)
    await call("LinkService.DeleteLink", name=made["link"]["name"], releaseOrders=True)
    await call("LinkService.CreateLink", parent=a("shops/off"), link=plum)
    deleted = shops["raw"].place({"salt": 1})
    await maker.turn()
    placed = shops["raw"].orders[deleted]
    now = maker.clock.now()
    placed.order = replace(placed.order, state=OrderState.DELETED, version=now)
    placed.visible_at = now
    await maker.turn()
    await call("ShopService.PauseShop", name=a("shops/off"))
    await call("ProductService.ArchiveProduct", name=a("products/drum"))
    spare = {
        "connector": "connectors/fake-off",
        "displayName": "Spare",
        "settings": {"shop": "off"},
        "secrets": {"key": "spare"},
    }
    await call("ShopService.CreateShop", parent="merchants/acme", shopId="spare", shop=spare)
    await call("ShopService.DeleteShop", name=a("shops/spare"))
    await maker.write(lambda uow: webhooks.receive(uow, "main", "delivery-1", reread=True))
    await maker.write(lambda uow: webhooks.receive(uow, "adj", "delivery-2", reread=False))
    state = StoredState(maker.engine.db, maker.engine.secrets, "acme", "adj")
    await state.save({"cursor": "page 7", "token": "rotated"})
    end = maker.clock.now() + timedelta(days=5)
    shops["adj"].findings = [Finding(FindingLevel.WARNING, "EXPIRES", "soon", expires_at=end)]
    await call("ShopService.CheckShop", name=a("shops/adj"))
    await call("LinkService.BulkLink", parent=a("shops/keep"), dryRun=True)
    away = {"name": "merchants/borealis", "inventorySyncAvailable": False}
    await call("MerchantService.UpdateMerchant", merchant=away, updateMask="inventorySyncAvailable")
    maker.faults["main", "before", "set_inventory"] = ItemRefused("not now")
    rice = {"product": a("products/rice"), "warehouse": a("warehouses/tokyo")}
    await call("StockService.RecordReceipt", **rice, quantity=1)
    await maker.turn(5)


async def last(maker: Maker) -> None:
    """Just before the process dies: units that are missing, units that are uncertain, an addition
    without an answer, an oversell, links that failed and that are held, changes to be sent."""
    call, shops, faults = maker.call, maker.shops, maker.faults
    receipt = partial(call, "StockService.RecordReceipt", warehouse=a("warehouses/tokyo"))
    shops["keep"].stock["salt"] = 55
    shops["main"].place({"tea": 3})
    shops["raw"].place({"tea": 3})
    returned = shops["raw"].place({"cup": 1})
    tall = shops["main"].place({"coffee": 3})
    kept = shops["main"].place({"rice": 1})
    await maker.turn(601)
    await maker.turn(60)
    # A cancelled order whose unit the shop does not offer again.
    shops["main"].cancel(kept, restock=False)
    await call("SyncService.SyncNow", shop=a("shops/main"))
    await maker.turn(5)
    maker.step = 0.1
    await receipt(product=a("products/honey"), quantity=4)
    faults["desk", "after", "set_inventory"] = Timeout("lost", sent=None)
    await maker.turn(1)
    shops["raw"].cancel(returned, restock=True)
    shops["main"].cancel(tall, restock=False)
    # Two coffees are gone and no order tells why.
    shops["adj"].place({"coffee": 2}, visible_after=500)
    faults["bad", "before", "set_inventory"] = ItemRefused("not now")
    await receipt(product=a("products/rice"), quantity=2)
    await receipt(
        product=a("products/salt"), quantity=2, requestId="22222222-0000-4000-8000-000000000000"
    )
    await receipt(product=a("products/coffee"), quantity=3)


async def queue(maker: Maker) -> None:
    """What nobody has begun."""
    call = maker.call
    await call("ShopService.RefreshListings", parent=a("shops/keep"))
    honey = {"product": a("products/honey"), "warehouse": a("warehouses/tokyo")}
    await call("StockService.RecordReceipt", **honey, quantity=1)


READS: list[tuple[str, dict[str, Any]]] = [
    ("MerchantService.ListMerchants", {}),
    ("TokenService.ListTokens", {}),
    *[
        (rpc, {"parent": f"merchants/{merchant}{below}"} | more)
        for merchant in ("acme", "borealis", "clover")
        for rpc, below, more in [
            ("WarehouseService.ListWarehouses", "", {}),
            ("ProductService.ListProducts", "", {}),
            ("ShopService.ListShops", "", {}),
            ("ShopService.ListListings", "/shops/-", {}),
            ("ShopService.ListShadowDifferences", "/shops/-", {"filter": {"includeEqual": True}}),
            ("LinkService.ListLinks", "/shops/-", {}),
            ("StockService.ListStocks", "", {}),
            ("StockService.ListMovements", "", {}),
            ("StockService.ListOversells", "", {}),
            ("OrderService.ListOrders", "/shops/-", {}),
            ("OrderService.ListOrders", "/shops/-", {"filter": {"suspect": True}}),
            ("OrderService.ListOrders", "/shops/-", {"filter": {"unlinked": True}}),
            ("OperationService.ListOperations", "", {}),
            ("ReceivingService.ListAdditions", "", {}),
            ("SyncService.ListSyncRuns", "/shops/-", {}),
            ("SyncService.GetSyncStatus", "", {}),
            ("SyncService.ListLinkStatuses", "/shops/-", {}),
            ("SyncService.GetAuditSummary", "/shops/-", {}),
            ("SyncService.ListDrifts", "/shops/-", {}),
        ]
    ],
    *[("StockService.ExplainStock", {"product": a(f"products/{product}")}) for product in PRODUCTS],
    (
        "OrderService.PreviewSuspectPolicy",
        {"shop": a("shops/main"), "policy": {"archivedReleaseDays": 1, "vanishedReleaseDays": 1}},
    ),
]
"""What is asked of the database; whatever these lists name is asked for by its name too."""
ONE_BY_ONE = {
    "oversells": "StockService.GetOversell",
    "syncRuns": "SyncService.GetSyncRun",
    "orders": "OrderService.GetOrder",
    "links": "LinkService.GetLink",
    "shops": "ShopService.GetShop",
    "stocks": "StockService.GetStock",
    "operations": "OperationService.GetOperation",
    "additions": "ReceivingService.GetAddition",
}


def recorded(rpc: str, request: Any, answer: Any) -> dict[str, str]:
    encoded = [base64.b64encode(item.SerializeToString()).decode() for item in (request, answer)]
    return {"rpc": rpc, "request": encoded[0], "answer": encoded[1]}


async def ask(maker: Maker) -> list[dict[str, str]]:
    """Ask for everything; requests and answers as bytes, which renaming a field does not change."""
    asked: list[dict[str, str]] = []

    async def one(rpc: str, fields: dict[str, Any]) -> dict[str, Any]:
        on, request = prepared(rpc, fields)
        answer = await on(maker.channel)(request, timeout=20)
        asked.append(recorded(rpc, request, answer))
        return json_format.MessageToDict(answer)

    for rpc, fields in READS:
        paged = {"pageSize": 1000} if rpc.split(".")[1].startswith("List") else {}
        answer = await one(rpc, fields | paged)
        for field, get in ONE_BY_ONE.items():
            if "filter" in fields:
                continue
            for item in answer.get(field, ())[:6] if rpc.split(".")[1].startswith("List") else ():
                await one(get, {"name": item["name"]})
    links = await one(
        "LinkService.ListLinks", {"parent": "merchants/acme/shops/-", "pageSize": 1000}
    )
    for item in links["links"]:
        await one("StockService.ExplainStock", {"link": item["name"]})
    return asked


async def watch(maker: Maker) -> list[dict[str, str]]:
    """What the watches that go on with the tokens of long ago are told, up to the end."""
    found: list[dict[str, str]] = []
    for name, rpc in (("sync", "SyncService.WatchSync"), ("stocks", "StockService.WatchStocks")):
        fields = {"parent": "merchants/acme", "start": {"resumeToken": maker.tokens[name]}}
        on, request = prepared(rpc, fields)
        stream = on(maker.channel)(request, timeout=20)
        async for response in stream:
            if response.HasField("mark"):
                break
            found.append(recorded(rpc, request, response))
        stream.cancel()
    return found


def shown(maker: Maker) -> dict[str, Any]:
    """The shops as they stand, for shops in memory of another release."""
    found: dict[str, Any] = {}
    for name, shop in maker.shops.items():
        orders = {
            key: {"visible_at": placed.visible_at, "order": asdict(placed.order)}
            for key, placed in shop.orders.items()
        }
        keys = {
            key: [[r.external_id, r.outcome.value] for r in results]
            for key, results in shop.keys.items()
        }
        found[name] = {
            "mode": shop.mode.value,
            "stock": dict(shop.stock),
            "orders": orders,
            "keys": keys,
        }
    return found


async def make(folder: Path, work: Path) -> None:
    file = work / "zaiko.db"
    maker = Maker(f"sqlite:///{file}")
    await live(maker)
    kept = work / "kept.db"
    with sqlite3.connect(file) as connection:
        connection.execute("VACUUM INTO ?", (str(kept),))
    connection.close()
    world: dict[str, Any] = {"key": KEY, "time": maker.clock.now(), "shops": shown(maker)}
    async with maker.running():
        answers = await ask(maker) + await watch(maker)
        world["state"] = dict(
            await StoredState(maker.engine.db, maker.engine.secrets, "acme", "adj").load()
        )
        # Where the older release itself would have come to.
        for seconds in SETTLE:
            await maker.turn(seconds)
        world["end"] = {name: shop.stock for name, shop in maker.shops.items()}
    world["settle"] = SETTLE
    (folder / "zaiko.db.gz").write_bytes(gzip.compress(kept.read_bytes(), 9, mtime=0))
    (folder / "zaiko.sql.gz").write_bytes(gzip.compress(dumped(kept, work).encode(), 9, mtime=0))
    lines = "".join(json.dumps(item) + "\n" for item in answers)
    (folder / "answers.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    (folder / "world.json").write_text(
        json.dumps(world, indent=1, default=str, ensure_ascii=False) + "\n"
    )


SETTLE = [300, 60, 601, 601, 60, 601, 3_700, 601, 601]
"""Seconds between the turns in which everything comes to rest."""


def dumped(file: Path, work: Path) -> str:
    """The same rows in PostgreSQL, as SQL. `pg_dump` is that of the wheel."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(work))
    server = pgserver.get_server(work / "pg", cleanup_mode="stop")
    url = server.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://", 1)
    source, copy = create_engine(f"sqlite:///{file}"), create_engine(url)
    migrate(copy)
    with source.connect() as rows, copy.begin() as connection:
        for table in schema.metadata.sorted_tables:
            connection.execute(table.delete())
            if found := [dict(row._mapping) for row in rows.execute(select(table))]:
                connection.execute(insert(table), found)
    copy.dispose()
    program = Path(pgserver.__file__).parent / "pginstall/bin/pg_dump"
    options = ("--no-owner", "--no-privileges", "--rows-per-insert=50", "--inserts")
    done = subprocess.run(
        [str(program), *options, server.get_uri("postgres")],
        check=True,
        capture_output=True,
        text=True,
    )
    server.cleanup()
    return done.stdout


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(make(place, Path(temporary)))
