"""(c), (d), (e): zaiko itself. Its engine, scheduler, fence and store run unchanged on virtual
time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import structlog
from cryptography.fernet import Fernet
from sqlalchemy import event
from zaiko_core.app import links, stock
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import (
    ListingRecord,
    MerchantRecord,
    ProductRecord,
    ShopRecord,
    WarehouseRecord,
)
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.domain.demand import DemandState
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.links import Part
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import migrate
from zaiko_core.sync.translation import micros
from zaiko_sdk import Clock, Connector, ConnectorType, InventoryMode, Limits, ShopContext
from zaiko_sdk.testing.fakeshop import FakeSettings, fake_connector

from benchmarks.oversell.platform import VISIBILITY, NetworkConnector, Platform

MERCHANT, WAREHOUSE = "acme", "tokyo"
INTERVAL = 600_000_000
"""The default interval, in µs."""


class Zaiko:
    """The engine with its defaults. With `webhooks`, a notification asks for a run of its shop.
    `escrow` is the number of units below which a product is in escrow (0: never)."""

    def __init__(
        self,
        clock: Clock,
        platforms: Mapping[str, Platform],
        initial: Mapping[str, int],
        phases: Sequence[float],
        *,
        seed: int,
        webhooks: bool,
        escrow: int,
    ) -> None:
        self.clock, self.platforms, self.initial, self.phases = clock, platforms, initial, phases
        self.webhooks, self.escrow = webhooks, escrow
        self.folder = Path(tempfile.mkdtemp(prefix="zaiko-oversell-"))
        shutil.copy(_template(), self.folder / "zaiko.db")
        random, ids, self.receipts = Random(seed), count(1), count(1)
        registry = Registry()
        for mode in InventoryMode:
            kind = self._kind(mode)
            registry.types[kind.id] = kind
        self.engine = Engine(
            EngineConfig(
                f"sqlite:///{self.folder / 'zaiko.db'}", [Fernet.generate_key().decode()], poll=60.0
            ),
            log=structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(40)),
            registry=registry,
            clock=clock,
            now=lambda: micros(clock.now()),
            new_id=lambda: f"{next(ids):08d}",
            jitter=random.random,
        )
        event.listen(self.engine.db.engine, "connect", _carelessly)

    async def start(self) -> None:
        """Create a merchant with its stock, and add shops one by one at their phases, every listing
        linked and synced."""
        await self.engine.start()
        db = self.engine.db
        await db.directory.write(lambda directory: directory.create(MerchantRecord(MERCHANT)))

        def goods(uow: UnitOfWork) -> None:
            uow.warehouses.insert(WarehouseRecord(WAREHOUSE))
            uow.products.insert([ProductRecord(product, product) for product in self.initial])
            uow.advance()

        await db.write(MERCHANT, goods)
        for product, units in self.initial.items():
            self.received(product, units)
            if self.escrow:
                await db.write(
                    MERCHANT,
                    lambda uow, product=product: stock.set_escrow(uow, product, self.escrow),
                )  # type: ignore[misc]
        for (name, platform), phase in sorted(
            zip(self.platforms.items(), self.phases, strict=True), key=lambda item: item[1]
        ):
            await self.clock.sleep(phase - self.clock.monotonic())
            await db.write(MERCHANT, lambda uow, platform=platform: self._open(uow, platform))  # type: ignore[misc]
            drafts = [
                links.LinkDraft(name, listing_id(product), (Part(product, 1),), True)
                for product in self.initial
            ]
            await db.write(
                MERCHANT,
                lambda uow, drafts=drafts: links.create(uow, drafts, can_sync=lambda kind: None),
            )  # type: ignore[misc]

    async def stop(self) -> None:
        """Stop the engine and delete its store."""
        await self.engine.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def received(self, product: str, units: int) -> None:
        receipt = stock.Receipt(product, WAREHOUSE, units, f"receipt-{next(self.receipts)}")
        self.engine.db.write_sync(MERCHANT, lambda uow: stock.receive(uow, [receipt]))

    def notified(self, shop: str) -> None:
        if self.webhooks:
            self.engine.db.write_sync(MERCHANT, lambda uow: uow.trigger([shop]))

    def knows(self, shop: str, order: str) -> int:
        stored = self.engine.db.read_sync(MERCHANT, lambda uow: uow.orders.get(shop, [order])).get(
            order
        )
        if stored is None or stored.state is DemandState.CANCELLED:
            return 0
        return sum(line.wanted for line in stored.lines)

    def target(self, shop: str, product: str) -> int:
        listing = listing_id(product)
        return (
            self.engine.db.read_sync(MERCHANT, lambda uow: uow.links.get(shop, [listing]))[
                listing
            ].target
            or 0
        )

    def _open(self, uow: UnitOfWork, platform: Platform) -> None:
        kind = f"fake-{platform.plan.mode.value.replace('_', '-')}"
        uow.shops.insert(
            ShopRecord(platform.name, kind, platform.name, {"shop": platform.name}, INTERVAL)
        )
        listings = [
            ListingRecord(platform.name, listing_id(product), product, {}, sku=product)
            for product in self.initial
        ]
        uow.listings.upsert(platform.name, listings)
        uow.advance()

    def _kind(self, mode: InventoryMode) -> ConnectorType:
        def open_shop(context: ShopContext, settings: FakeSettings) -> Connector:
            return NetworkConnector(self.platforms[settings.shop])

        shops = {name: platform.shop for name, platform in self.platforms.items()}
        kind = fake_connector(
            shops, mode, lambda moment, operation: None, Limits(order_visibility=VISIBILITY)
        )
        return replace(kind, open=open_shop)


_made: list[Path] = []


def _template() -> Path:
    """Return a migrated, empty store to copy. Made once per process."""
    if not _made:
        path = Path(tempfile.mkdtemp(prefix="zaiko-oversell-template-")) / "zaiko.db"
        db = Database(f"sqlite:///{path}")
        migrate(db.engine)
        db.close()
        _made.append(path)
    return _made[0]


def _carelessly(connection: Any, record: object) -> None:
    """Turn off flushing: no power cut is simulated, so commits need not reach the disk."""
    connection.execute("PRAGMA synchronous = OFF")
