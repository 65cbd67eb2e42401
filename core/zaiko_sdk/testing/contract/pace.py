"""Rules about the platform's quota, with the real clock on both sides."""

from __future__ import annotations

import asyncio
import time

import pytest

from zaiko_sdk import Capability, SystemClock, Throttled
from zaiko_sdk.testing.contract.bench import ContractBench
from zaiko_sdk.testing.contract.rule import rule

_SECONDS = 1.5
_TASKS = 3


class PaceRules:
    """The connector keeps to the quota without help from the host."""

    @rule(
        Capability.LIST_LISTINGS,
        Capability.READ_INVENTORY,
        why="Refused calls count too, and a platform that is overrun blocks all apps of the shop.",
        fix=(
            "Send every request through RateLimiter or CostBucket (docs/connectors.md §8), also "
            "those of `check` and of sign-in."
        ),
    )
    def test_the_quota_is_kept(self, bench: ContractBench) -> None:
        """Three tasks that read as fast as they can for 1.5 seconds are never refused for load."""
        skus = bench.stock_up(*[5] * 3)
        if not bench.try_switch("quotas", True):
            pytest.skip("cannot be played: the simulator has no switch «quotas»")
        bench.settings = bench.server.settings()
        connector = bench.open(clock=SystemClock())
        listings = bench.listings(connector)
        refused: list[str] = []

        async def read_on(until: float) -> int:
            calls = 0
            while time.monotonic() < until and not refused:
                try:
                    await bench.reading(connector, listings[skus[calls % 3]])
                except Throttled as error:
                    refused.append(str(error))
                calls += 1
            return calls

        async def hurry() -> int:
            until = time.monotonic() + _SECONDS
            return sum(await asyncio.gather(*(read_on(until) for _ in range(_TASKS))))

        calls = bench.run(hurry())
        throttled = bench.shop.counters().get("throttled", 0)
        assert not refused, f"refused for load: {refused[0]}"
        assert throttled == 0, f"{throttled} of {calls} calls were refused for load"
        assert calls > 0, "no call was made"
