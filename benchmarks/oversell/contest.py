"""One day under one strategy: the same seed, events and network. Only the program that keeps the
shops in sync differs."""

from __future__ import annotations

import asyncio
import enum
from random import Random
from typing import Any

from zaiko_sdk.testing.fakeshop import FakeShop

from benchmarks.oversell.demand import SCENARIOS, SHOPS, draw
from benchmarks.oversell.market import Market, Score
from benchmarks.oversell.peers import INTERVAL, Overwrite, Relative
from benchmarks.oversell.platform import Platform
from benchmarks.oversell.virtual_time import VirtualClock, VirtualLoop
from benchmarks.oversell.zaiko import Zaiko

_WARM_UP = 1200.0
"""Seconds before midnight in which shops are linked. No order and no fault occurs."""
_REST = 1800.0
"""Seconds after the day in which no order and no fault occurs: three intervals."""


_SCARCE = 40
"""With escrow: the number of units below which each shop gets its own units."""


class Way(enum.StrEnum):
    """The strategies."""

    OVERWRITE = "overwrite"
    RELATIVE = "relative"
    RELATIVE_WEBHOOKS = "relative-webhooks"
    POLLING = "zaiko-polling"
    WEBHOOKS = "zaiko-webhooks"
    ESCROW = "zaiko-escrow"
    """Like WEBHOOKS, with every product in escrow while few units are left."""


def play(scenario: str, seed: int, way: Way) -> Score:
    """Play the day. The same arguments give the same score."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_play(loop, scenario, seed, way))
    finally:
        loop.close()


async def _play(loop: VirtualLoop, scenario: str, seed: int, way: Way) -> Score:
    clock, day = VirtualClock(loop), draw(SCENARIOS[scenario], seed)
    platforms: dict[str, Platform] = {}
    market = Market(clock, day, platforms, midnight=_WARM_UP)
    for plan in SHOPS:
        shop = FakeShop(clock, plan.mode, dict(day.stock))
        random = Random(f"{scenario}-{seed}-{plan.name}")
        platforms[plan.name] = Platform(
            plan, clock, shop, random, day.outages, _WARM_UP, market.wrote, fragile=False
        )
    # What a shop does first it does at its own time, as shops that were added over the years.
    phases = [Random(f"{seed}-{plan.name}-phase").uniform(0, INTERVAL) for plan in SHOPS]
    strategy: Any
    if way is Way.OVERWRITE:
        strategy = Overwrite(clock, platforms, day.stock)
    elif way in (Way.RELATIVE, Way.RELATIVE_WEBHOOKS):
        strategy = Relative(
            clock, platforms, day.stock, phases, webhooks=way is Way.RELATIVE_WEBHOOKS
        )
    else:
        strategy = Zaiko(
            clock,
            platforms,
            day.stock,
            phases,
            seed=seed,
            webhooks=way is not Way.POLLING,
            escrow=_SCARCE if way is Way.ESCROW else 0,
        )
    market.strategy = strategy
    await strategy.start()
    await asyncio.sleep(_WARM_UP - clock.monotonic())
    _fragile(platforms, True)
    await market.play()
    _fragile(platforms, False)
    await asyncio.sleep(_REST)
    score = market.close()
    await strategy.stop()
    return score


def _fragile(platforms: dict[str, Platform], fragile: bool) -> None:
    for platform in platforms.values():
        platform.fragile = fragile
        if fragile:
            platform.sent = 0
            platform.calls.clear()
