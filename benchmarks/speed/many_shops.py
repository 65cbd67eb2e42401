"""20,000 shops that are due every ten minutes, on one server process, while nothing changes: the
share of a core that it takes.

2,000 merchants have ten shops each, spread evenly over the ten minutes. Fetching orders returns an
empty page. The process's own CPU time is measured for some time after a warm-up. The shops that ran
in that time are counted in the store: 33 a second are due, and a process that falls behind would
look cheap. Goal: ≤ 30 % of a core. The drift audit (ADR 0013) reads some numbers of each shop once
per interval, which is work although nothing changes. It is measured separately, with the same goal.
"""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import func, select
from zaiko_core.domain.ids import listing_id
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database

from benchmarks.speed.bare_store import connected
from benchmarks.speed.catalogue import INTERVAL, WAREHOUSE, insert, shop_name
from benchmarks.speed.figure import Figure
from benchmarks.speed.instant import CONNECTOR, SHOWN
from benchmarks.speed.processes import host
from benchmarks.speed.stores import Store

MERCHANTS, SHOPS, GOAL = 2_000, 10, 0.3
_PRODUCT = "tea"


def fill(url: str, merchants: int, *, audited: bool) -> None:
    """Fill a store in which each shop has one link. With `audited`, all links were compared with
    their shops just now."""
    now = time.time_ns() // 1000
    compared = now if audited else now - INTERVAL
    names = [f"m{number:05d}" for number in range(merchants)]
    keys = [(merchant, shop_name(number)) for merchant in names for number in range(SHOPS)]
    step, listing = INTERVAL // len(keys), listing_id(_PRODUCT)
    sqlite = url.startswith("sqlite")
    with connected(url) as connection:
        insert(
            connection, "merchants", "merchant head", [(name, 1) for name in names], sqlite=sqlite
        )
        insert(
            connection,
            "warehouses",
            "merchant warehouse revision",
            [(name, WAREHOUSE, 1) for name in names],
            sqlite=sqlite,
        )
        goods = [(name, _PRODUCT, _PRODUCT, 1) for name in names]
        insert(connection, "products", "merchant product code revision", goods, sqlite=sqlite)
        insert(
            connection,
            "stock",
            "merchant product physical revision",
            [(name, _PRODUCT, SHOWN, 1) for name in names],
            sqlite=sqlite,
        )
        columns = (
            "merchant shop connector settings interval order_cursor last_run reread_at "
            "audited_at checked_at due_at created_at"
        )
        # The turns of one merchant's shops are not next to each other.
        shops = [
            (
                *key,
                CONNECTOR,
                f'{{"shop": "{"/".join(key)}"}}',
                INTERVAL,
                "here",
                "0",
                now,
                compared,
                now,
                now + place * step,
                now,
            )
            for place, key in enumerate(sorted(keys, key=lambda key: listing_id("/".join(key))))
        ]
        insert(connection, "shops", columns, shops, sqlite=sqlite)
        columns = "merchant shop listing external_id data sku warnings seen_at revision"
        rows = [(*key, listing, _PRODUCT, "{}", _PRODUCT, "[]", now, 1) for key in keys]
        insert(connection, "listings", columns, rows, sqlite=sqlite)
        columns = (
            "merchant shop listing sync_enabled expected must_read read_at due_revision state "
            "target "
            "confirmed created_at revision"
        )
        links = [
            (*key, listing, True, SHOWN, False, compared, 1, "SYNCED", SHOWN, SHOWN, now, 1)
            for key in keys
        ]
        insert(connection, "links", columns, links, sqlite=sqlite)
        insert(
            connection,
            "link_parts",
            "merchant shop listing product",
            [(*key, listing, _PRODUCT) for key in keys],
            sqlite=sqlite,
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)" if sqlite else "ANALYZE")


def seen(db: Database) -> int:
    """Return the number of shops that have run."""
    with db.engine.connect() as connection:
        return (
            connection.scalar(select(func.count()).where(schema.shops.c.last_run_at.is_not(None)))
            or 0
        )


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure without the audit, and with it."""
    return [await idling(store, quick, audited=True), await idling(store, quick, audited=False)]


async def idling(store: Store, quick: bool, *, audited: bool) -> Figure:
    """Measure one server process from outside."""
    url, seconds, merchants = (
        store.fresh(),
        10 if quick else 20,
        MERCHANTS // 10 if quick else MERCHANTS,
    )
    fill(url, merchants, audited=audited)
    db = Database(url)
    with host(url) as server:
        await asyncio.sleep(5)
        cpu, done, began = server.cpu(), seen(db), time.monotonic()
        await asyncio.sleep(seconds)
        cpu, done, taken = server.cpu() - cpu, seen(db) - done, time.monotonic() - began
    db.close()
    due = merchants * SHOPS / (INTERVAL / 1_000_000)
    note = (
        f"{merchants * SHOPS:,} shops; {done / taken:.1f} of {due:.1f} runs/s; "
        f"{cpu / max(done, 1) * 1000:.1f} ms a run"
    )
    name = "share of a core, idle" if audited else "share of a core, idle, with the audit"
    return Figure(name, store.name, "of a core", cpu / taken, GOAL, at_most=True, note=note)
