"""GetStock and GetLink, in calls per second, compared with an empty grpc.aio handler that answers
with the same message.

Both servers are separate processes. The client is this process, with the same number of calls in
flight for each. Goal: ≥ 60 %. The client is Python too and shares the machine's cores with the
server, so the limit is what Python's gRPC does at both ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import grpc
from zaiko.v1 import link_service_pb2 as links
from zaiko.v1 import link_service_pb2_grpc, stock_service_pb2_grpc
from zaiko.v1 import stock_service_pb2 as stocks
from zaiko_core.domain.ids import listing_id

from benchmarks.speed.catalogue import MERCHANT, Catalogue, fill, product_name, shop_name
from benchmarks.speed.figure import Figure, beside
from benchmarks.speed.processes import bare, zaiko
from benchmarks.speed.stores import Store

IN_FLIGHT, GOAL = 32, 0.6
_LINKS = 10_000


async def calls_a_second(
    address: str,
    method: Callable[[grpc.aio.Channel], Any],
    request: Callable[[int], Any],
    seconds: float,
    *,
    in_flight: int = IN_FLIGHT,
) -> float:
    """Return the rate of `in_flight` callers on one connection, each one call after the other."""
    done = 0
    async with grpc.aio.insecure_channel(address) as channel:
        call = method(channel)
        await call(request(0))
        until = time.perf_counter() + seconds

        async def caller(number: int) -> None:
            nonlocal done
            while time.perf_counter() < until:
                await call(request(number + done))
                done += 1

        began = time.perf_counter()
        await asyncio.gather(*(caller(number) for number in range(in_flight)))
        return done / (time.perf_counter() - began)


def get_stock(number: int) -> stocks.GetStockRequest:
    """Return a request for the stock of a product."""
    product = product_name(number % 1_000)
    return stocks.GetStockRequest(name=f"merchants/{MERCHANT}/products/{product}/stock")


def get_link(number: int) -> links.GetLinkRequest:
    """Return a request for a link of the first shop."""
    listing = listing_id(product_name(number % 1_000))
    return links.GetLinkRequest(name=f"merchants/{MERCHANT}/shops/{shop_name(0)}/links/{listing}")


def stock_method(channel: grpc.aio.Channel) -> Any:
    return stock_service_pb2_grpc.StockServiceStub(channel).GetStock


def link_method(channel: grpc.aio.Channel) -> Any:
    return link_service_pb2_grpc.LinkServiceStub(channel).GetLink


METHODS = (
    ("GetStock", "/zaiko.v1.StockService/GetStock", "stock_service_pb2", stock_method, get_stock),
    ("GetLink", "/zaiko.v1.LinkService/GetLink", "link_service_pb2", link_method, get_link),
)


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure both reads."""
    url, seconds, rounds = store.fresh(), 1.0, 3 if quick else 4
    fill(url, Catalogue(_LINKS))
    figures = []
    with zaiko(url) as server:
        for name, path, module, method, request in METHODS:
            async with grpc.aio.insecure_channel(server.address) as channel:
                answer = await method(channel)(request(0))
            prepared = {
                "module": module,
                "type": type(answer).__name__,
                "streams": False,
                "answers": [answer.SerializeToString().hex()],
            }
            answers = store.folder / f"{name}.json"
            answers.write_text(json.dumps({path: prepared}))
            with bare("--answers", str(answers)) as limit:
                mine, theirs = [], []
                for _ in range(rounds):
                    mine.append(await calls_a_second(server.address, method, request, seconds))
                    theirs.append(await calls_a_second(limit.address, method, request, seconds))
            note = f"{IN_FLIGHT} in flight, {answer.ByteSize()} bytes"
            figures.append(beside(name, store.name, "calls/s", GOAL, mine, theirs, note=note))
    return figures
