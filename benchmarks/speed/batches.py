"""Facts in batches of 1,000, in rows per second, compared with the driver's bulk upsert of the rows
that these facts left in the store.

Receipts go through StreamMovements (1,000 are sent, and all answers awaited) and through
BatchRecordReceipts of 1,000; reserves go through BatchSetReserves of 1,000. The limit writes the
same rows into the same tables, with their indexes, of an empty store of the same kind: one
transaction, executemany, nothing read and nothing checked. For receipts these are the movements,
the sums per product and warehouse, the change feed, and the links that became due. For reserves it
is the history of settings instead of movements. Goal: ≥ 40 %.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from sqlalchemy import Table, select
from zaiko.v1 import stock_service_pb2 as pb
from zaiko.v1 import stock_service_pb2_grpc
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database

from benchmarks.speed.bare_store import bulk_upsert, connected
from benchmarks.speed.catalogue import MERCHANT, WAREHOUSE, Catalogue, fill, product_name
from benchmarks.speed.figure import Figure, beside
from benchmarks.speed.processes import zaiko
from benchmarks.speed.stores import Store

BATCH, GOAL = 1_000, 0.4
_LINKS = 10_000
_RECEIPTS = (schema.movements, schema.stock, schema.warehouse_stock, schema.changes, schema.links)
_RESERVES = (schema.stock_settings, schema.stock, schema.changes, schema.links)


def receipt(number: int) -> pb.RecordReceiptRequest:
    """Return a request that records one received unit of a product."""
    return pb.RecordReceiptRequest(
        product=f"merchants/{MERCHANT}/products/{product_name(number)}",
        warehouse=f"merchants/{MERCHANT}/warehouses/{WAREHOUSE}",
        quantity=1,
        cause_key=str(uuid.uuid4()),
    )


async def stream(stub: Any) -> None:
    """Record one received unit of each of 1,000 products, one by one."""

    async def requests() -> AsyncIterator[pb.StreamMovementsRequest]:
        for number in range(BATCH):
            yield pb.StreamMovementsRequest(
                sequence=number + 1, parent=f"merchants/{MERCHANT}", receipt=receipt(number)
            )

    answered = 0
    async for answer in stub.StreamMovements(requests()):
        answered += answer.HasField("stock")
    if answered != BATCH:
        raise SystemExit(f"{answered} of {BATCH} receipts were recorded")


async def delivery(stub: Any) -> None:
    """Record one received unit of each of 1,000 products in one batch."""
    requests = [receipt(number) for number in range(BATCH)]
    await stub.BatchRecordReceipts(
        pb.BatchRecordReceiptsRequest(parent=f"merchants/{MERCHANT}", requests=requests)
    )


async def reserves(stub: Any) -> None:
    """Set a new reserve for each of 1,000 products."""
    reserve = time.time_ns() % 999_983
    requests = [
        pb.SetReserveRequest(
            product=f"merchants/{MERCHANT}/products/{product_name(number)}", reserve=reserve
        )
        for number in range(BATCH)
    ]
    await stub.BatchSetReserves(
        pb.BatchSetReservesRequest(parent=f"merchants/{MERCHANT}", requests=requests)
    )


def left(
    url: str, tables: Sequence[Table], since: int
) -> list[tuple[Table, list[tuple[Any, ...]]]]:
    """Return the rows of these tables above a revision, in the form that the driver takes."""
    found = []
    with connected(url) as connection:
        for table in tables:
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            where = "" if "revision" not in table.c else f" WHERE revision > {since}"
            rows = connection.execute(f"SELECT {columns} FROM {table.name}{where}").fetchall()
            found.append((table, [tuple(row) for row in rows[: len(rows) if where else BATCH]]))
    return found


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure receipts and reserves."""
    url, rounds = store.fresh(), 3 if quick else 5
    fill(url, Catalogue(_LINKS))
    db = Database(url)
    figures = []
    with zaiko(url) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = stock_service_pb2_grpc.StockServiceStub(channel)
            for name, send, tables in (
                ("StreamMovements", stream, _RECEIPTS),
                ("BatchRecordReceipts", delivery, _RECEIPTS),
                ("BatchSetReserves", reserves, _RESERVES),
            ):
                empty = store.fresh()
                await send(stub)
                mine, limits, rows = [], [], 0
                for _ in range(rounds):
                    with db.engine.connect() as connection:
                        head = connection.scalar(select(schema.merchants.c.head)) or 0
                    began = time.perf_counter()
                    await send(stub)
                    mine.append(BATCH / (time.perf_counter() - began))
                    written = left(url, tables, head)
                    rows = sum(len(each) for _, each in written)
                    limits.append(BATCH / bulk_upsert(empty, written))
                note = f"batches of {BATCH:,}, which leave {rows:,} rows"
                figures.append(beside(name, store.name, "facts/s", GOAL, mine, limits, note=note))
    db.close()
    return figures
