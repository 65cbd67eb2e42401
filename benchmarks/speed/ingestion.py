"""Order lines per second, from parsed pages into the journal: what a run does with each page that a
connector delivers.

That is the translation into readings, the check whether they are new, and the transaction that
ingests them with the page's cursor (`app/orders.py`). All orders are new, with three lines of one
unit each, and pages have 100 orders. It is measured twice: for products that one shop lists, and
for products that ten shops list. There each line makes ten links due, which is most of the work.
Goal: ≥ 5,000 lines/s.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

from zaiko_core.app import orders
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.bootstrap import Engine
from zaiko_core.sync import translation
from zaiko_sdk import Order

from benchmarks.speed.buyers import parsed
from benchmarks.speed.catalogue import LINES, MERCHANT, Catalogue, filled, shop_name
from benchmarks.speed.driving import driven
from benchmarks.speed.figure import Figure
from benchmarks.speed.instant import instant
from benchmarks.speed.stores import Store

GOAL, ORDERS = 5_000, 100
CATALOGUE = Catalogue(50_000)
_ALONE = Catalogue(5_000, shops=1, hot=0)
_SHOP = shop_name(0)


async def take(engine: Engine, page: list[Order]) -> None:
    """Ingest one page, as a run does."""
    readings, bad = translation.orders_from(page, read_at=datetime.now(UTC))
    assert not bad

    def ingest(uow: UnitOfWork) -> int:
        done = orders.ingest(uow, _SHOP, readings)
        uow.shops.save_progress(_SHOP, cursor="here", complete_until=None, news=done.changed > 0)
        return done.changed

    assert await engine.db.read(MERCHANT, lambda uow: orders.is_news(uow, _SHOP, readings))
    changed = await engine.db.write(MERCHANT, ingest)
    if changed != ORDERS:
        raise SystemExit(f"{changed} of {ORDERS} orders were ingested")


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure both catalogues."""
    return [
        await lines_a_second(store, catalogue, 3 if quick else 5)
        for catalogue in (_ALONE, CATALOGUE)
    ]


async def lines_a_second(store: Store, catalogue: Catalogue, pages: int) -> Figure:
    """Return the median of several groups of pages."""
    speeds, first = [], 1
    async with driven(filled(store, catalogue), instant()) as engine:
        for _ in range(4):
            fetched = []
            for _ in range(pages):
                fetched.append(list(parsed(catalogue.page(first, ORDERS))))
                first += ORDERS
            began = time.perf_counter()
            for each in fetched:
                await take(engine, each)
            speeds.append(pages * ORDERS * LINES / (time.perf_counter() - began))
    note = f"pages of {ORDERS} orders, {LINES} lines each, listed in {catalogue.shops} shops"
    return Figure(
        "order lines", store.name, "lines/s", statistics.median(speeds[1:]), GOAL, note=note
    )
