"""The quota is used up, and never exceeded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from zaiko_sdk import InventoryWrite

if TYPE_CHECKING:
    from conftest import Open

pytestmark = pytest.mark.anyio

_RESTORE = 100


async def test_a_long_run_uses_95_percent_of_the_quota_without_being_throttled(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 0}) as bench:
        listing = (await bench.listings())["A"]
        await bench.connector.read_inventory([listing.ref])
        bench.sim.platform.bucket.available = 100.0
        # The connector learns of the bucket by a reply.
        await bench.connector.read_inventory([listing.ref])
        begun, calls = bench.clock.monotonic(), 60

        for number in range(calls):
            await bench.connector.set_inventory(
                [InventoryWrite(listing.ref, number + 1, number)], f"k{number}"
            )

        took = bench.clock.monotonic() - begun
        points = calls * 13 - 100
        assert bench.sim.counters()["throttled"] == 0
        assert points / (took * _RESTORE) >= 0.95


async def test_many_tasks_share_the_quota(open_bench: Open) -> None:
    async with open_bench({"A": 0}) as bench:
        listing = (await bench.listings())["A"]
        bench.sim.platform.bucket.available = 40.0
        await bench.connector.read_inventory([listing.ref])

        await asyncio.gather(*(bench.connector.read_inventory([listing.ref]) for _ in range(30)))

        assert bench.sim.counters()["nodes"] == 31
        assert bench.sim.counters()["throttled"] <= 1


async def test_orders_are_fetched_at_the_price_that_was_learned(open_bench: Open) -> None:
    async with open_bench({"A": 0}) as bench:
        await bench.orders()
        bench.sim.platform.bucket.available = 331.0
        await bench.orders()
        begun = bench.clock.monotonic()

        await bench.orders()

        # An empty page costs 2 of the 331 that must be there before it.
        assert bench.clock.monotonic() - begun <= 0.2
        assert bench.sim.counters()["throttled"] == 0
