"""The story: events in order, and the number that each must lead to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from zaiko_sdk.testing.simulator import NewListing

from zaiko_server.demo.shops import DemoShops

TEA, CUP, BOX = "TEA-100", "CUP-200", "BOX-300"
STOCK: Mapping[str, int] = {TEA: 10, CUP: 0, BOX: 2}
OLD_NUMBERS = ({TEA: 3, CUP: 4, BOX: 0}, {TEA: 12, CUP: 0, BOX: 9}, {TEA: 0, CUP: 1, BOX: 5})
"""The numbers in the shops before zaiko syncs them; any numbers will do."""


PACES = {
    "ecforce": (
        "ecforce publishes no quota; zaiko asks it once a second by default, which is what its "
        "times below are made of"
    ),
    "rakuten": "楽天市場 allows one call a second for each kind of call, and zaiko keeps to it",
}
"""Why some platforms are slower than zaiko. No quota is switched off, neither in zaiko nor in the
simulators."""


def play(bench: DemoShops) -> None:
    """Play the story. Raises CheckFailed at the first wrong number."""
    for chapter in (_begin, _sell, _receive, _reserve, _oversell, _end):
        chapter(bench)


def _begin(bench: DemoShops) -> None:
    screen, shops = bench.screen, bench.shops
    screen.title("One stock, three shops")
    for shop, numbers in zip(shops, OLD_NUMBERS, strict=True):
        shop.simulator.add_listings(
            [NewListing(sku=sku, quantity=units, title=sku) for sku, units in numbers.items()]
        )
        screen.line(
            f"{shop.name} shows "
            f"{', '.join(f'{units} × {sku}' for sku, units in numbers.items())}, "
            "whatever it was told last"
        )
    bench.create(STOCK)
    screen.line(
        "in the warehouse there are "
        f"{', '.join(f'{units} × {sku}' for sku, units in STOCK.items())}"
    )
    begun = time.monotonic()
    for shop in shops:
        bench.open_shop(shop)
        linked = bench.link_all(shop)
        bench.checks += 1
        screen.checked(
            f"{shop.name}: {linked} listings linked in bulk by their code, with sync enabled"
        )
    for sku, units in STOCK.items():
        bench.expect_shown(sku, units, begun)
    bench.expect_stock(TEA, physical=10, ordered=0, free=10, sent=10)
    screen.checked(
        f"every shop shows {STOCK[TEA]} × {TEA}, {STOCK[CUP]} × {CUP}, {STOCK[BOX]} × {BOX}"
    )
    for pace in (PACES[shop.connector] for shop in shops if shop.connector in PACES):
        screen.line(pace)


def _sell(bench: DemoShops) -> None:
    screen, shops = bench.screen, bench.shops
    first, *others = shops
    screen.title(f"A customer buys 2 × {TEA} in {first.name}")
    begun = time.monotonic()
    order = first.simulator.place_order({TEA: 2})
    visible = time.monotonic()
    bench.notify(first)
    screen.line(
        f"order {order}; {first.name} lowers its own number, and SyncNow tells zaiko, as "
        "the shop's webhook would"
    )
    took = bench.expect_shown(TEA, 8, begun)
    before = (visible - begun) * 1000
    for shop in others:
        screen.checked(
            f"{shop.name} shows 8 after {took[shop.name]:.0f} ms from the sale, "
            f"{took[shop.name] - before:.0f} ms from when the "
            "order could be seen"
        )
    bench.expect_stock(TEA, physical=10, ordered=2, free=8, oversold=0, sent=8)
    screen.checked(
        "zaiko: 10 on the shelf, 2 ordered, 8 free. Nothing was shipped yet, and the order "
        "counts once"
    )


def _receive(bench: DemoShops) -> None:
    screen = bench.screen
    screen.title(f"100 × {CUP} arrive, where there was none")
    bench.expect_stock(CUP, physical=0, free=0, sent=0)
    begun = time.monotonic()
    bench.receive(CUP, 100)
    took = bench.expect_shown(CUP, 100, begun)
    bench.expect_stock(CUP, physical=100, free=100, sent=100)
    screen.checked(f"every shop shows 100: {_times(took)}")


def _reserve(bench: DemoShops) -> None:
    screen = bench.screen
    screen.title(f"Keep 10 × {CUP} back from every shop (予備在庫)")
    begun = time.monotonic()
    bench.reserve(CUP, 10)
    took = bench.expect_shown(CUP, 90, begun)
    bench.expect_stock(CUP, physical=100, free=100, reserve=10, synced=90, sent=90)
    screen.checked(f"every shop shows 90: {_times(took)}; 100 are still free")


def _oversell(bench: DemoShops) -> None:
    screen, shops = bench.screen, bench.shops
    first, second, *others = shops
    screen.title(
        f"The last 2 × {BOX} are bought in {first.name} and in {second.name} at the same moment"
    )
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as buyers:
        list(buyers.map(lambda shop: shop.simulator.place_order({BOX: 2}), (first, second)))
    for shop in (first, second):
        bench.notify(shop)
    took = bench.expect_shown(BOX, 0, begun)
    bench.until(f"zaiko has counted both orders of {BOX}", lambda: bench.stock(BOX).ordered == 4)
    bench.expect_stock(BOX, physical=2, ordered=4, free=-2, oversold=2, synced=-2, sent=0)
    screen.checked(
        "zaiko does not hide it: free is −2, oversold 2; every shop shows 0, the two by "
        "their own sales, "
        f"{_times({shop.name: took[shop.name] for shop in others})}"
    )
    bench.receive(BOX, 2)
    bench.expect_stock(BOX, physical=4, ordered=4, free=0, oversold=0, sent=0)
    bench.expect_shown(BOX, 0)
    screen.checked("2 arrive: free is 0, nothing is oversold, and every shop still shows 0")


def _end(bench: DemoShops) -> None:
    screen = bench.screen
    screen.title("Everything once more, when nothing is waiting")
    bench.until("every link is SYNCED", lambda: not bench.problems())
    for sku, units in ((TEA, 8), (CUP, 90), (BOX, 0)):
        bench.expect_stock(sku, sent=units)
        bench.expect_shown(sku, units)
        screen.checked(
            f"{sku}: zaiko says {units}, and so do {', '.join(shop.name for shop in bench.shops)}"
        )


def _times(took: Mapping[str, float]) -> str:
    """Return how long each shop took."""
    return ", ".join(f"{shop} after {milliseconds:.0f} ms" for shop, milliseconds in took.items())
