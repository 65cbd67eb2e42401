"""SetReserve and RecordReceipt, in calls per second, compared with commits of one row by the driver
alone on the same store.

Both are durable: an answer means that the change is on disk. Many calls are in flight, each for a
different product of one merchant. The limit is one connection that inserts a row and commits,
repeatedly. Goal: ≥ 50 %.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
from zaiko.v1 import stock_service_pb2 as pb
from zaiko.v1 import stock_service_pb2_grpc

from benchmarks.speed.bare_store import single_row_commits
from benchmarks.speed.catalogue import MERCHANT, WAREHOUSE, Catalogue, fill, product_name
from benchmarks.speed.figure import Figure, beside
from benchmarks.speed.processes import zaiko
from benchmarks.speed.reads import IN_FLIGHT, calls_a_second
from benchmarks.speed.stores import Store

GOAL = 0.5
_LINKS = 10_000


def set_reserve(number: int) -> pb.SetReserveRequest:
    """Return a request that sets a new reserve of a product."""
    product = f"merchants/{MERCHANT}/products/{product_name(number % 1_000)}"
    return pb.SetReserveRequest(product=product, reserve=number % 999_983)


def record_receipt(number: int) -> pb.RecordReceiptRequest:
    """Return a request that records one received unit."""
    return pb.RecordReceiptRequest(
        product=f"merchants/{MERCHANT}/products/{product_name(number % 1_000)}",
        warehouse=f"merchants/{MERCHANT}/warehouses/{WAREHOUSE}",
        quantity=1,
        cause_key=str(uuid.uuid4()),
    )


def set_reserve_method(channel: grpc.aio.Channel) -> Any:
    return stock_service_pb2_grpc.StockServiceStub(channel).SetReserve


def record_receipt_method(channel: grpc.aio.Channel) -> Any:
    return stock_service_pb2_grpc.StockServiceStub(channel).RecordReceipt


METHODS = (
    ("SetReserve", set_reserve_method, set_reserve),
    ("RecordReceipt", record_receipt_method, record_receipt),
)


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure both writes."""
    url, empty, seconds, rounds = store.fresh(), store.fresh(), 1.0, 3 if quick else 4
    fill(url, Catalogue(_LINKS))
    figures = []
    with zaiko(url) as server:
        for name, method, request in METHODS:
            mine, limits = [], []
            for _ in range(rounds):
                mine.append(await calls_a_second(server.address, method, request, seconds))
                limits.append(await asyncio.to_thread(single_row_commits, empty, seconds / 2))
            note = f"{IN_FLIGHT} in flight, one merchant"
            figures.append(beside(name, store.name, "calls/s", GOAL, mine, limits, note=note))
    return figures
