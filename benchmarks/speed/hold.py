"""How long the event loop is blocked while a run parses and ingests pages of orders. No other call
is answered meanwhile.

A task sleeps 1 ms repeatedly and records how late it wakes, while the real engine runs a shop in
the same loop. The connector parses JSON when a page is fetched, and transactions run on the store's
threads, as in a server. The same task while nothing runs is reported beside it: that is what the
machine itself adds. Goal: p99 ≤ 10 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from benchmarks.speed.buyers import unparsed
from benchmarks.speed.catalogue import filled, shop_name
from benchmarks.speed.driving import driven, make_due
from benchmarks.speed.figure import Figure, quantile
from benchmarks.speed.ingestion import CATALOGUE, ORDERS
from benchmarks.speed.instant import InstantShop, instant
from benchmarks.speed.stores import Store

GOAL = 10.0
_TICK = 0.001
_FIRST = 1_000_000
"""The first order number of this figure; the store is shared with others."""


@contextlib.asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """Collect how late each tick came, in ms, while the context lasts."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_TICK)
            late.append((time.perf_counter() - began - _TICK) * 1000)

    task = asyncio.create_task(tick())
    try:
        yield late
    finally:
        task.cancel()


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure one run over many pages."""
    shop, pages = InstantShop(), 10 if quick else 15
    async with driven(filled(store, CATALOGUE), instant({shop_name(0): shop})) as engine:
        texts = [CATALOGUE.page(_FIRST + number * ORDERS, ORDERS) for number in range(pages)]
        async with ticking() as quiet:
            await asyncio.sleep(1)
        shop.pages = [unparsed(text) for text in texts]
        make_due(engine, shop_name(0))
        async with ticking() as busy:
            await engine.run_due()
    note = (
        f"{pages} pages of {ORDERS} orders; alone {quantile(quiet, 0.99):.1f} ms; longest "
        f"{max(busy):.0f} ms"
    )
    return [
        Figure(
            "event loop held, p99",
            store.name,
            "ms",
            quantile(busy, 0.99),
            GOAL,
            at_most=True,
            note=note,
        )
    ]
