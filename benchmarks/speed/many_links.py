"""1,000,000 links compared with 10,000: a run of one shop after 1,000 changes, and the transaction
that records one change.

The engine is in this process, and the shop in memory answers at once. The run is measured from the
claim of the shop to its end: 1,000 due links are computed, recorded, sent and settled, and what is
sent is checked. Plain updates made the links due, so only the run is measured. The change is a
receipt of one product that one shop lists, which must find its link among all. Goal for both: at
most 1.3 times as long.
"""

from __future__ import annotations

import time

from zaiko_core.bootstrap import Engine
from zaiko_core.domain.ids import listing_id

from benchmarks.speed.bare_store import connected
from benchmarks.speed.catalogue import MERCHANT, Catalogue, filled, product_name, shop_name
from benchmarks.speed.driving import driven, make_due, receive
from benchmarks.speed.figure import Figure, beside
from benchmarks.speed.instant import InstantShop, instant
from benchmarks.speed.stores import Store

CHANGES, GOAL = 1_000, 1.3
_HOT = [product_name(number) for number in range(CHANGES)]


def big(quick: bool) -> Catalogue:
    """Return the large catalogue."""
    return Catalogue(100_000 if quick else 1_000_000)


def change(url: str) -> None:
    """Add one unit of each hot product and make its link due, without the engine."""
    mark = "?" if url.startswith("sqlite") else "%s"
    with connected(url) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        for statement, rows in (
            (
                (
                    f"UPDATE stock SET physical = physical + 1 WHERE merchant = {mark} AND "
                    f"product = {mark}"
                ),
                [(name,) for name in _HOT],
            ),
            (
                (
                    f"UPDATE links SET due_at = 0, state = 'PENDING' WHERE merchant = {mark} "
                    f"AND shop = {mark} AND listing = {mark}"
                ),
                [(shop_name(0), listing_id(name)) for name in _HOT],
            ),
        ):
            cursor.executemany(statement, [(MERCHANT, *row) for row in rows])
        cursor.execute("COMMIT")


async def run_seconds(engine: Engine, url: str, shop: InstantShop) -> float:
    """Return the seconds of one run after the changes."""
    before = dict(shop.shown)
    change(url)
    make_due(engine, shop_name(0))
    began = time.perf_counter()
    await engine.run_due()
    taken = time.perf_counter() - began
    moved = sum(shop.shown.get(name) != before.get(name) for name in _HOT)
    if moved != CHANGES:
        raise SystemExit(f"the shop shows {moved} of {CHANGES} changes")
    return taken


async def change_ms(engine: Engine, number: int) -> float:
    """Return the ms of one receipt through the use case. The links that become due are handled
    before the next one."""
    began = time.perf_counter()
    await receive(engine, [_HOT[number]])
    taken = (time.perf_counter() - began) * 1000
    make_due(engine, shop_name(0))
    await engine.run_due()
    return taken


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure both in turns. The first turn of each fills caches and does not count."""
    large, small = big(quick), Catalogue(10_000)
    urls = filled(store, large), filled(store, small)
    shops = InstantShop(), InstantShop()
    async with (
        driven(urls[0], instant({shop_name(0): shops[0]})) as many,
        driven(urls[1], instant({shop_name(0): shops[1]})) as few,
    ):
        runs = [
            (await run_seconds(many, urls[0], shops[0]), await run_seconds(few, urls[1], shops[1]))
            for _ in range(4)
        ][1:]
        changes = [
            (await change_ms(many, number), await change_ms(few, number)) for number in range(8)
        ][1:]
    note = f"{large.links:,} links ÷ {small.links:,}"
    return [
        beside(
            name,
            store.name,
            unit,
            GOAL,
            [pair[0] for pair in pairs],
            [pair[1] for pair in pairs],
            at_most=True,
            note=note,
        )
        for name, unit, pairs in (
            ("run of 1,000 changes", "s", runs),
            ("recording one change", "ms", changes),
        )
    ]
