"""A run of one shop after 1,000 changes, of a merchant with 1,000,000 links, beside the same with 10,000 links: at most 1.3 times.

The engine is in this process and the shop in memory answers at once. Measured is from the claim of the shop to the end of its run:
1,000 due links are computed, recorded, sent and recorded again. What is sent is checked.
"""

from __future__ import annotations

import time

from zaiko_core.bootstrap import Engine

from benchmarks.speed.catalogue import Catalogue, filled, product_name, shop_name
from benchmarks.speed.driving import driven, receive
from benchmarks.speed.figure import Figure, beside
from benchmarks.speed.instant import InstantShop, instant
from benchmarks.speed.stores import Store

CHANGES, GOAL = 1_000, 1.3
_HOT = [product_name(number) for number in range(CHANGES)]


def big(quick: bool) -> Catalogue:
    """Many links."""
    return Catalogue(100_000 if quick else 1_000_000)


async def seconds(engine: Engine, shop: InstantShop) -> float:
    """One run after the changes."""
    before = dict(shop.shown)
    await receive(engine, _HOT)
    began = time.perf_counter()
    await engine.run_due()
    taken = time.perf_counter() - began
    moved = sum(shop.shown.get(name) != before.get(name) for name in _HOT)
    if moved != CHANGES:
        raise SystemExit(f"the shop shows {moved} of {CHANGES} changes")
    return taken


async def measure(store: Store, quick: bool) -> list[Figure]:
    """The two take turns."""
    large, small = big(quick), Catalogue(10_000)
    shops: tuple[dict[str, InstantShop], dict[str, InstantShop]] = ({}, {})
    for each in shops:
        each[shop_name(0)] = InstantShop()
    async with (
        driven(filled(store, large), instant(shops[0])) as many,
        driven(filled(store, small), instant(shops[1])) as few,
    ):
        mine, limits = [], []
        for turn in range(4 if quick else 6):
            pair = await seconds(many, shops[0][shop_name(0)]), await seconds(few, shops[1][shop_name(0)])
            if turn:  # the first fills caches
                mine.append(pair[0])
                limits.append(pair[1])
    note = f"{large.links:,} links ÷ {small.links:,}"
    return [beside("run of 1,000 changes", store.name, "s", GOAL, mine, limits, at_most=True, note=note)]
