"""How fast numbers are sent: the share of a platform's quota that is used while there is work, and
quantities per second without a quota.

The share is that of benchmarks/quota (write phase, same functions, a part of a catalogue;
benchmarks/README.md has whole ones). Goal: ≥ 95 %.

Without a quota, Shopify's connector sets 250 numbers per call through an in-process httpx transport
that answers at once (no socket; the request is built and the answer parsed), on one core and with
nothing else in the process. Goal: ≥ 20,000/s. Reported beside it is the same through the whole
engine: due links are computed, recorded, sent through the same connector and settled.

Neither uses a store. They are measured once, in the rows of SQLite.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import httpx
from zaiko_core.plugin_host.loader import load
from zaiko_sdk import InventoryWrite, ListingRef, ShopContext, SystemClock, WriteOutcome

from benchmarks.quota.course import SilentLog, play
from benchmarks.speed.figure import Figure
from benchmarks.speed.stores import SQLITE, Store

STORES = (SQLITE,)
SHARE, SPEED, BATCH = 0.95, 20_000, 250
_COURSES = (
    ("ecforce", 15_000, 30.0, 10.0),
    ("rakuten", 40_000, 30.0, 4.0),
    ("shopify", 120_000, 90.0, 1.0),
)
"""Platform, listings, seconds for each phase at most (at Shopify, listing needs most of them as CPU
time), and the factor of time. The phases are long enough that the platform's burst at the start, of
which connectors leave a part unused, hardly matters."""


class InstantShopify(httpx.AsyncBaseTransport):
    """Applies every mutation at no cost."""

    def __init__(self) -> None:
        throttle = {"maximumAvailable": 1e9, "currentlyAvailable": 1e9, "restoreRate": 1e9}
        self._answer = json.dumps(
            {
                "data": {
                    "inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": []}
                },
                "extensions": {
                    "cost": {
                        "requestedQueryCost": 13,
                        "actualQueryCost": 13,
                        "throttleStatus": throttle,
                    }
                },
            }
        ).encode()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(await request.aread())
        body = self._answer
        if "ids" in asked.get("variables", {}):
            rows = [_level(item) for item in asked["variables"]["ids"]]
            body = json.dumps(json.loads(self._answer) | {"data": {"nodes": rows}}).encode()
        return httpx.Response(200, headers={"content-type": "application/json"}, content=body)


def _level(item: str) -> dict[str, object]:
    level = {"quantities": [{"name": "available", "quantity": 5}], "isActive": True}
    return {"id": item, "tracked": True, "inventoryLevel": level}


async def quantities_a_second(rounds: int, batches: int) -> list[float]:
    """Return the quantities per second on one core. Only the connector and the transport use the
    process."""
    kind = load().types["shopify"]
    settings = kind.settings.model_validate(
        {
            "shop": "speed.myshopify.com",
            "access_token": "shpat_speed",
            "location": "1",
            "unstocked": "report",
        }
    )
    context = ShopContext(
        "merchants/m/shops/speed",
        SystemClock(),
        SilentLog(),
        lambda: httpx.AsyncClient(transport=InstantShopify()),
        lambda: str(uuid.uuid4()),
    )
    connector = kind.open(context, settings)
    refs = [
        ListingRef(str(number), {"inventory_item": f"gid://shopify/InventoryItem/{number}"})
        for number in range(BATCH)
    ]
    await connector.read_inventory(refs)
    speeds = []
    for _ in range(rounds):
        began = time.perf_counter()
        for turn in range(batches):
            writes = [InventoryWrite(ref, 5 + turn % 2, 6 - turn % 2) for ref in refs]
            results = await connector.set_inventory(writes, str(uuid.uuid4()))
            if any(result.outcome is not WriteOutcome.APPLIED for result in results):
                raise SystemExit(f"a write was not applied: {results[0]}")
        speeds.append(batches * BATCH / (time.perf_counter() - began))
    await connector.aclose()
    return speeds


def shares(courses: Sequence[tuple[str, int, float, float]]) -> list[Figure]:
    """Run each platform in a separate process."""
    found = []
    for platform, listings, seconds, factor in courses:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            phases = process.submit(play, platform, listings, seconds, factor).result()
        phase = next(phase for phase in phases if phase.phase == "write")
        note = (
            f"{platform}, {factor:g}×, {phase.used:,.0f} {phase.unit} in {phase.seconds:.0f} s, "
            f"{phase.throttled} throttled"
        )
        found.append(
            Figure("share of the quota", "–", "of all", phase.share or 0.0, SHARE, note=note)
        )
    return found


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure the speed in this process, then the shares."""
    speeds = await quantities_a_second(3 if quick else 7, 40)
    note = f"Shopify, {BATCH} a call, httpx in process"
    fast = Figure(
        "quantities without a quota",
        "–",
        "quantities/s",
        statistics.median(speeds),
        SPEED,
        note=note,
    )
    return [fast, *await asyncio.to_thread(shares, _COURSES[:1] if quick else _COURSES)]
