"""Facts per second: StreamMovements compared with unary RecordReceipt.

    python -m benchmarks.movement_stream [--items N] [--database URL]

A real server and a real client run in one process, over a socket. The same receipts are recorded in
three ways, in one run: one call after the other, 32 concurrent callers, and one stream. Each way
has its own product, and the stock afterwards is checked against what was sent. Client and server
share a core, so the figures are those of both together.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import structlog
from cryptography.fernet import Fernet
from zaiko.v1 import stock_service_pb2, stock_service_pb2_grpc
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import MerchantRecord, ProductRecord, WarehouseRecord
from zaiko_core.bootstrap import Engine
from zaiko_server.config import Config
from zaiko_server.lifecycle import running

MERCHANT, CALLERS = "acme", 32
WAYS = ("unary", "concurrent", "stream")


def receipt(way: str, number: int) -> stock_service_pb2.RecordReceiptRequest:
    """Return a request that records one received unit."""
    return stock_service_pb2.RecordReceiptRequest(
        product=f"merchants/{MERCHANT}/products/{way}",
        warehouse=f"merchants/{MERCHANT}/warehouses/tokyo",
        quantity=1,
        cause_key=f"{way}-{number}",
    )


async def unary(stub: stock_service_pb2_grpc.StockServiceAsyncStub, items: int) -> None:
    """Record the facts one call after the other."""
    for number in range(items):
        await stub.RecordReceipt(receipt("unary", number))


async def concurrent(stub: stock_service_pb2_grpc.StockServiceAsyncStub, items: int) -> None:
    """Record the facts by concurrent callers."""
    numbers = iter(range(items))

    async def caller() -> None:
        for number in numbers:
            await stub.RecordReceipt(receipt("concurrent", number))

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def stream(stub: stock_service_pb2_grpc.StockServiceAsyncStub, items: int) -> None:
    """Record the facts on one stream. Every answer must be of a recorded fact."""

    async def requests() -> AsyncIterator[stock_service_pb2.StreamMovementsRequest]:
        for number in range(items):
            yield stock_service_pb2.StreamMovementsRequest(
                sequence=number + 1,
                parent=f"merchants/{MERCHANT}",
                receipt=receipt("stream", number),
            )

    answered = 0
    async for answer in stub.StreamMovements(requests()):
        answered += 1
        if answer.sequence != answered or not answer.HasField("stock"):
            raise SystemExit(f"unexpected answer: {answer}")
    if answered != items:
        raise SystemExit(f"{answered} answers to {items} facts")


def furnish(uow: UnitOfWork) -> None:
    """Create a warehouse, and a product for each way."""
    uow.warehouses.insert(WarehouseRecord("tokyo", "Tokyo"))
    uow.products.insert([ProductRecord(way, way, "", way) for way in WAYS])
    uow.advance()


async def measure(url: str, items: int) -> None:
    """Measure each way and print one line for it."""
    config = Config(
        listen="127.0.0.1:0",
        database=url,
        secret_keys=(Fernet.generate_key().decode(),),
        run_shops=False,
        rate=0,
    )
    engine = Engine(config.engine())
    async with running(engine, config) as address, grpc.aio.insecure_channel(address) as channel:
        await engine.db.directory.write(
            lambda directory: directory.create(MerchantRecord(MERCHANT))
        )
        await engine.db.write(MERCHANT, furnish)
        stub: stock_service_pb2_grpc.StockServiceAsyncStub = (
            stock_service_pb2_grpc.StockServiceStub(channel)
        )
        speeds = {}
        for way, play in zip(WAYS, (unary, concurrent, stream), strict=True):
            began = time.perf_counter()
            await play(stub, items)
            speeds[way] = items / (time.perf_counter() - began)
            found = await stub.GetStock(
                stock_service_pb2.GetStockRequest(name=f"merchants/{MERCHANT}/products/{way}/stock")
            )
            if found.stock.physical != items:
                raise SystemExit(
                    f"{way}: {found.stock.physical} units after {items} receipts of one"
                )
            print(
                f"{way:10} {speeds[way]:8.0f} facts/s   "
                f"{speeds[way] / speeds['unary']:5.1f} x unary"
            )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=3000)
    parser.add_argument(
        "--database", default="", help="an empty database; default: SQLite in a temporary folder"
    )
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'zaiko.db'}"
        asyncio.run(measure(url, options.items))


if __name__ == "__main__":
    main()
