"""The time from a change to the other shops: from an order in shop A until B, C and D show it, and
from a call until the new number is sent.

The server is a separate process with shops in memory that answer at once. It records when a shop
applies a write, by the clock that all processes of a machine share. Buyers place 50 orders a second
in shop A, each of one unit of a different product. A notification over HTTP announces each order,
and the time from its sending until B, C and D show the number is measured (goals: p50 100 ms, p99
500 ms). An order that is not shown within 20 s counts as 20 s. Then RecordReceipt is called, each
time once everything is idle: the time is from the sending of the call until the first shop receives
the new number (goal: p50 50 ms).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
from zaiko.v1 import stock_service_pb2_grpc

from benchmarks.speed.buyers import written
from benchmarks.speed.catalogue import MERCHANT, Catalogue, fill, product_name, shop_name
from benchmarks.speed.figure import Figure, quantile
from benchmarks.speed.instant import SHOWN
from benchmarks.speed.processes import Running, host
from benchmarks.speed.stores import Store
from benchmarks.speed.writes import record_receipt

RATE, LATE = 50, 20.0
_CATALOGUE = Catalogue(4_000, shops=4, hot=0)
_CALLS = range(900, 1_000)
"""The products that calls change. Buyers buy those before them."""


def noted(notes: Path) -> dict[tuple[str, str, int], float]:
    """Return when each shop first showed each number of each listing."""
    found: dict[tuple[str, str, int], float] = {}
    for line in notes.read_text().splitlines():
        if len(words := line.split()) == 4:
            found.setdefault((words[1], words[2], int(words[3])), float(words[0]))
    return found


async def buy(address: str, orders: int) -> dict[str, float]:
    """Place the orders at their times, whether earlier ones were answered or not. Return when each
    was placed, by product."""
    placed: dict[str, float] = {}
    url = f"http://{address}/webhooks/merchants/{MERCHANT}/shops/{shop_name(0)}"
    async with (
        httpx.AsyncClient(timeout=LATE, limits=httpx.Limits(max_connections=50)) as client,
        asyncio.TaskGroup() as group,
    ):
        began = time.monotonic()
        for number in range(orders):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            product = product_name(number)
            placed[product] = time.monotonic()
            group.create_task(_post(client, url, written([(f"order-{number}", [product])])))
    return placed


async def shown(
    notes: Path, wanted: Callable[[dict[tuple[str, str, int], float]], bool]
) -> dict[tuple[str, str, int], float]:
    """Return the recorded writes once they contain what is wanted, or when it is too late."""
    until = time.monotonic() + LATE
    while not wanted(found := noted(notes)) and time.monotonic() < until:  # noqa: ASYNC110 - a file, of another process
        await asyncio.sleep(0.1)
    return found


async def calls(server: Running, notes: Path, number: int) -> list[float]:
    """Return the seconds from each call to the first shop's write."""
    delays = []
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = stock_service_pb2_grpc.StockServiceStub(channel)
        for place in _CALLS[:number]:
            product = product_name(place)
            began = time.monotonic()
            await stub.RecordReceipt(record_receipt(place))
            keys = [(shop_name(shop), product, SHOWN + 1) for shop in range(_CATALOGUE.shops)]
            found = await shown(notes, lambda found, keys=keys: all(key in found for key in keys))  # type: ignore[misc]
            delays.append(min(found.get(key, began + LATE) for key in keys) - began)
    return delays


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure the calls first, while nothing else happens."""
    orders, url, folder = RATE * (4 if quick else 8), store.fresh(), store.folder
    fill(url, _CATALOGUE)
    notes, webhooks = folder / f"written-{store.name}", folder / f"webhooks-{store.name}"
    with host(url, "--webhooks-file", str(webhooks), "--written", str(notes)) as server:
        delays = await calls(server, notes, 15 if quick else 30)
        placed = await buy(webhooks.read_text(), orders)
        keys = [
            (shop_name(shop), product, SHOWN - 1)
            for product in placed
            for shop in range(1, _CATALOGUE.shops)
        ]
        found = await shown(notes, lambda found: all(key in found for key in keys))
    lags = [
        min(found.get(key, placed[key[1]] + LATE) - placed[key[1]], LATE) * 1000 for key in keys
    ]
    missing = sum(key not in found for key in keys)
    note = f"{orders} orders, {RATE}/s; {missing} of {len(keys)} not shown within {LATE:.0f} s"
    return [
        Figure(
            "order to other shops, p50",
            store.name,
            "ms",
            quantile(lags, 0.5),
            100,
            at_most=True,
            note=note,
        ),
        Figure(
            "order to other shops, p99",
            store.name,
            "ms",
            quantile(lags, 0.99),
            500,
            at_most=True,
            note=note,
        ),
        Figure(
            "call to push, p50",
            store.name,
            "ms",
            statistics.median(delays) * 1000,
            50,
            at_most=True,
            note=f"{len(delays)} calls, one by one",
        ),
    ]


async def _post(client: httpx.AsyncClient, url: str, body: str) -> None:
    reply = await client.post(url, content=body)
    reply.raise_for_status()
