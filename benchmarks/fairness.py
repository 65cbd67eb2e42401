"""Measure whether one dead shop, or one shop with 100,000 changes, delays the others.

    python -m benchmarks.fairness [--changes N]

The real engine runs on real time and SQLite: 100 small shops with one link each, one shop whose
calls hang, and one whose links all became due at once. A receipt concerns the 100 small shops. The
output is how long it takes until each shows it, alone and beside the two others. Shops are in
memory and answer a write after 20 ms. The last table is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import structlog
from cryptography.fernet import Fernet
from zaiko_core.app import links, runs, stock
from zaiko_core.app.records import (
    ListingRecord,
    MerchantRecord,
    ProductRecord,
    ShopRecord,
    WarehouseRecord,
)
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.links import Part
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage.migrate import migrate
from zaiko_sdk import (
    Connector,
    ConnectorType,
    InventoryMode,
    InventoryWrite,
    Limits,
    OrderPage,
    PlatformDown,
    ShopContext,
    SystemClock,
    WriteResult,
)
from zaiko_sdk.testing.fakeshop import FakeConnector, FakeSettings, FakeShop, fake_connector

MERCHANT, SMALL, BIG, DEAD = "acme", 100, "big", "dead"
ANSWER = 0.02
HANG = 10.0


class TimedConnector(FakeConnector):
    """Takes time for a write, and records when the shop showed it."""

    def __init__(self, name: str, shop: FakeShop, shown: dict[str, float]) -> None:
        super().__init__(shop, lambda moment, operation: None)
        self._name, self._shown = name, shown

    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        if self._name == DEAD:
            await asyncio.sleep(HANG)
            raise PlatformDown("no answer")
        async for page in super().fetch_orders(cursor):
            yield page

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        await asyncio.sleep(ANSWER)
        results = await super().set_inventory(writes, key)
        self._shown[self._name] = time.monotonic()
        return results


async def main(changes: int, rounds: int) -> dict[str, object]:
    """Build the merchant, run the rounds alone and beside the busy shops, and return the figures in
    milliseconds."""
    shown: dict[str, float] = {}
    small = [f"s{n:03d}" for n in range(SMALL)]
    shops = {
        name: FakeShop(SystemClock(), InventoryMode.COMPARE_AND_SET, {"hot": 0})
        for name in (*small, BIG, DEAD)
    }
    goods = [f"item{n:06d}" for n in range(changes)]
    shops[BIG].stock = dict.fromkeys(goods, 0)

    def open_shop(context: ShopContext, settings: FakeSettings) -> Connector:
        return TimedConnector(settings.shop, shops[settings.shop], shown)

    template = fake_connector(
        shops, InventoryMode.COMPARE_AND_SET, lambda moment, operation: None, Limits()
    )
    kind = ConnectorType(
        template.id,
        "Fake",
        "1",
        FakeSettings,
        open_shop,
        template.capabilities,
        template.inventory_mode,
        template.limits,
    )
    registry = Registry()
    registry.types[kind.id] = kind
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(
            EngineConfig(f"sqlite:///{folder}/zaiko.db", [Fernet.generate_key().decode()]),
            registry=registry,
            log=quiet(),
        )
        migrate(engine.db.engine)
        engine.db.directory.write_sync(lambda directory: directory.create(MerchantRecord(MERCHANT)))
        engine.db.write_sync(MERCHANT, lambda uow: build(uow, kind.id, small, goods))
        await engine.start()
        await until(lambda: len(shown) >= SMALL)
        await until(lambda: all(count >= 0 for count in shops[BIG].stock.values()))
        alone = [await one_round(engine, shown, small) for _ in range(rounds)]
        begun = time.monotonic()
        engine.db.write_sync(MERCHANT, lambda uow: enable(uow, BIG, goods))
        engine.db.write_sync(MERCHANT, lambda uow: enable(uow, DEAD, ["hot"]))
        company = []
        while sum(count == 5 for count in shops[BIG].stock.values()) < changes:
            company.append(await one_round(engine, shown, small))
        busy = time.monotonic() - begun
        await engine.stop(grace=0.1)
    flat = [delay for delays in company for delay in delays]
    return {
        "changes": changes,
        "seconds_until_the_big_shop_was_done": round(busy, 1),
        "rounds_beside_it": len(company),
        "alone": figures([delay for delays in alone for delay in delays]),
        "in_company": figures(flat),
    }


def build(uow, kind: str, small: Sequence[str], goods: Sequence[str]) -> None:  # type: ignore[no-untyped-def]
    """Create products, shops, listings and links. Sync is enabled for the small shops only."""
    names = ["hot", *goods]
    uow.warehouses.insert(WarehouseRecord("tokyo"))
    uow.products.insert([ProductRecord(name, name) for name in names])
    stock.receive(uow, [stock.Receipt(name, "tokyo", 5, f"first/{name}") for name in names])
    for shop in (*small, BIG, DEAD):
        uow.shops.insert(ShopRecord(shop, kind, shop, {"shop": shop}, 600_000_000))
        listed = goods if shop == BIG else ["hot"]
        uow.listings.upsert(
            shop, [ListingRecord(shop, listing_id(name), name, {}, sku=name) for name in listed]
        )
        drafts = [
            links.LinkDraft(shop, listing_id(name), (Part(name),), shop in small) for name in listed
        ]
        links.create(uow, drafts, can_sync=lambda connector: None)
    uow.advance()


def enable(uow, shop: str, names: Sequence[str]) -> None:  # type: ignore[no-untyped-def]
    """Enable sync for many links at once, as a bulk link does."""
    stored = uow.links.get(shop, [listing_id(name) for name in names])
    from dataclasses import replace

    uow.links.save(
        [replace(link, sync_enabled=True, due_revision=uow.revision) for link in stored.values()]
    )
    runs.sync_now(uow, shops=[shop])


async def one_round(engine: Engine, shown: dict[str, float], small: Sequence[str]) -> list[float]:
    """Record a receipt that concerns every small shop, and return the seconds until each shows
    it."""
    shown.clear()
    begun = time.monotonic()
    cause = f"round/{begun}"
    await engine.db.write(
        MERCHANT, lambda uow: stock.receive(uow, [stock.Receipt("hot", "tokyo", 1, cause)])
    )
    await until(lambda: all(name in shown for name in small))
    delays = [shown[name] - begun for name in small]
    await asyncio.sleep(0.3)
    return delays


async def until(done) -> None:  # type: ignore[no-untyped-def]
    """Wait until `done()`, at most ten minutes."""
    async with asyncio.timeout(600):
        while not done():  # noqa: ASYNC110 - what is waited for is a dictionary that connectors fill
            await asyncio.sleep(0.005)


def figures(delays: Sequence[float]) -> dict[str, int]:
    """Return the median, p99 and maximum in milliseconds."""
    cuts = statistics.quantiles(delays, n=100)
    return {
        "p50_ms": round(cuts[49] * 1000),
        "p99_ms": round(cuts[98] * 1000),
        "max_ms": round(max(delays) * 1000),
    }


def quiet() -> object:
    """Return a log of errors only."""
    return structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--changes", type=int, default=100_000, help="links of the big shop that become due at once"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds without company")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    result = asyncio.run(main(given.changes, given.rounds))
    print(json.dumps(result, indent=2))
    if given.json:
        given.json.write_text(json.dumps(result, indent=2))
