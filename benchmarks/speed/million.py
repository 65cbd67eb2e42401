"""A server process with 1,000,000 links: the seconds from its start to the end of the first sync,
and its memory then.

One shop is due when the process starts. The first sync is over when the store says that its run has
ended, which this process polls. The steady state is after some hundred writes and reads of
different products and the runs that follow. The resident set is that of the process, so it does not
include PostgreSQL's. Goals: < 5 s, < 300 MiB.
"""

from __future__ import annotations

import asyncio
import time

import grpc
from sqlalchemy import select, update
from zaiko.v1 import stock_service_pb2_grpc
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database

from benchmarks.speed.catalogue import MERCHANT, filled, shop_name
from benchmarks.speed.figure import Figure
from benchmarks.speed.many_links import big
from benchmarks.speed.processes import Running, host
from benchmarks.speed.reads import IN_FLIGHT, get_stock
from benchmarks.speed.stores import Store
from benchmarks.speed.writes import record_receipt

START, MEMORY = 5.0, 300.0
_PATIENCE = 120.0


def last_run(db: Database) -> int:
    """Return when the newest run of the first shop ended, in µs since 1970, whether it was recorded
    or not; 0 for none."""
    table = schema.shops
    query = select(table.c.last_run_at).where(
        table.c.merchant == MERCHANT, table.c.shop == shop_name(0)
    )
    with db.engine.connect() as connection:
        return connection.scalar(query) or 0


async def work(server: Running, calls: int) -> None:
    """Make `calls` concurrent reads and a tenth as many receipts, then wait for the runs that
    follow."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = stock_service_pb2_grpc.StockServiceStub(channel)
        numbers = iter(range(calls))

        async def caller() -> None:
            for number in numbers:
                await stub.GetStock(get_stock(number))
                if number % 10 == 0:
                    await stub.RecordReceipt(record_receipt(number))

        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    await asyncio.sleep(3)


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Start a server, use it, and measure it."""
    catalogue = big(quick)
    url = filled(store, catalogue)
    db, shops = Database(url), schema.shops
    with db.engine.connect() as connection, connection.begin():
        connection.execute(update(shops).where(shops.c.shop == shop_name(0)).values(due_at=0))
    before = last_run(db)
    began = time.monotonic()
    with host(url) as server:
        while last_run(db) == before:
            if time.monotonic() - began > _PATIENCE:
                raise TimeoutError(f"no sync within {_PATIENCE:.0f} s")
            await asyncio.sleep(0.01)
        synced = time.monotonic() - began
        fresh = server.resident() / 1024
        await work(server, 200 if quick else 600)
        resident = server.resident() / 1024
    db.close()
    links = f"{catalogue.links:,} links"
    return [
        Figure(
            "start to first sync",
            store.name,
            "s",
            synced,
            START,
            at_most=True,
            note=f"{links}; answered calls after {server.seconds:.1f} s",
        ),
        Figure(
            "resident set",
            store.name,
            "MiB",
            resident,
            MEMORY,
            at_most=True,
            note=f"{links}; {fresh:.0f} MiB after the start",
        ),
    ]
