"""The events of a day, drawn from a seed before anything reacts to them: purchase attempts,
receipts, changes of orders, outages.

Every strategy meets the same events. The shop decides whether an attempt becomes an order: it sells
what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from zaiko_sdk import InventoryMode

HOUR = 3600.0

_BY_HOUR = (3, 2, 1, 1, 1, 1, 2, 4, 5, 5, 6, 6, 8, 6, 5, 5, 5, 6, 7, 9, 12, 13, 11, 7)
"""The relative demand by hour of the day, with peaks at lunch and in the evening."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Calls per second after a burst. The functions of a group share one quota."""

    groups: tuple[tuple[str, ...], ...]
    rates: tuple[float, ...]
    burst: int


SHARED = (("fetch", "read", "write"),)
APART = (("fetch",), ("read",), ("write",))


@dataclass(frozen=True, slots=True)
class ShopPlan:
    """A shop: how its platform lets numbers be changed, its share of the demand, its quota, and the
    usual seconds of a call."""

    name: str
    mode: InventoryMode
    share: float
    quota: Quota
    latency: float


# As the connectors find them: Shopify's cost bucket holds about 20 calls and regains 2 a second,
# Rakuten limits each function separately, ecforce tolerates one call a second.
_BUCKET, _FUNCTIONS, _SLOW = (
    Quota(SHARED, (2.0,), 20),
    Quota(APART, (1.0, 5.0, 1.0), 1),
    Quota(SHARED, (1.0,), 1),
)

SHOPS = (
    ShopPlan("compare-a", InventoryMode.COMPARE_AND_SET, 0.30, _BUCKET, 0.30),
    ShopPlan("compare-b", InventoryMode.COMPARE_AND_SET, 0.15, _BUCKET, 0.30),
    ShopPlan("adjust-a", InventoryMode.ADJUST, 0.30, _FUNCTIONS, 0.40),
    ShopPlan("adjust-b", InventoryMode.ADJUST, 0.10, _FUNCTIONS, 0.40),
    ShopPlan("set-a", InventoryMode.SET, 0.15, _SLOW, 0.50),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A buyer's attempt to buy. If it becomes an order, it is readable after `lag` seconds and its
    notification arrives after `notice` seconds (None: it is lost). After `change` seconds (None:
    never) it is reduced to `left` units, with `restock` or without. 0 left means a cancellation."""

    at: float
    shop: str
    product: str
    units: int
    lag: float
    notice: float | None
    change: float | None = None
    left: int = 0
    restock: bool = False
    change_notice: float | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods that arrive in the warehouse."""

    at: float
    product: str
    units: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A shop's API answers nothing from `begin` to `end`, while its storefront still sells."""

    shop: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """The demand of a day of `hours`. `sales` are the hours at which a flash sale of one product
    each begins, with `units` (from, to) of it."""

    name: str
    attempts: int
    products: int
    sales: Sequence[int] = ()
    units: tuple[int, int] = (60, 240)
    hours: int = 24
    outage: float = 0.3
    """The probability that a shop is down for 5 to 20 minutes once in the day."""


SCENARIOS = {
    "quiet": Scenario("quiet", attempts=40, products=6),
    "normal": Scenario("normal", attempts=300, products=8),
    "flash": Scenario("flash", attempts=80, products=6, sales=(12, 20)),
    # Not a day, but enough to see that nothing is broken.
    "rush": Scenario(
        "rush", attempts=6, products=2, sales=(0,), units=(20, 40), hours=1, outage=0.0
    ),
}


@dataclass(frozen=True, slots=True)
class Day:
    """All events of a day. Times are seconds since midnight."""

    seconds: float
    stock: dict[str, int]
    attempts: Sequence[Attempt]
    receipts: Sequence[Receipt]
    outages: Sequence[Outage]


def draw(scenario: Scenario, seed: int) -> Day:
    """Draw the day of this seed."""
    random = Random(f"{scenario.name}-{seed}")
    products = [f"p{number}" for number in range(scenario.products)]
    weights = [1 / (number + 1) for number in range(scenario.products)]
    attempts: list[Attempt] = []
    for _ in range(scenario.attempts):
        at = (
            random.choices(range(scenario.hours), _BY_HOUR[: scenario.hours])[0] * HOUR
            + random.random() * HOUR
        )
        attempts.append(_attempt(random, at, random.choices(products, weights)[0]))
    stock: dict[str, int] = {}
    receipts: list[Receipt] = []
    for product, weight in zip(products, weights, strict=True):
        usual = scenario.attempts * weight / sum(weights) * 1.3
        stock[product] = max(2, round(usual * random.uniform(0.3, 1.2)))
        if random.random() < 0.5:
            receipts.append(
                Receipt(
                    random.uniform(0.4, 0.7) * scenario.hours * HOUR,
                    product,
                    max(1, round(usual * random.uniform(0.2, 0.7))),
                )
            )
    for product, hour in zip(products, scenario.sales, strict=False):
        attempts += _sale(random, product, hour * HOUR, stock, scenario.units)
    outages = [
        Outage(shop.name, begin, begin + random.uniform(300, 1200))
        for shop in SHOPS
        for begin in [random.uniform(0, scenario.hours - 1) * HOUR]
        if random.random() < scenario.outage
    ]
    end = scenario.hours * HOUR
    attempts = sorted(
        (attempt for attempt in attempts if attempt.at < end), key=lambda attempt: attempt.at
    )
    return Day(end, stock, attempts, receipts, outages)


def _sale(
    random: Random, product: str, at: float, stock: dict[str, int], units: tuple[int, int]
) -> list[Attempt]:
    """Draw the attempts of a flash sale: two to four times as many units as there are, most of them
    in the first minutes."""
    stock[product] += random.randint(*units)
    wanted = stock[product] * random.uniform(2, 4)
    begin, decay = at + random.uniform(0, 600), random.uniform(180, 720)
    result: list[Attempt] = []
    while wanted > 0:
        result.append(_attempt(random, begin + random.expovariate(1 / decay), product))
        wanted -= result[-1].units
    return result


def _attempt(random: Random, at: float, product: str) -> Attempt:
    shop = random.choices([shop.name for shop in SHOPS], [shop.share for shop in SHOPS])[0]
    units = random.choices((1, 2, 3), (80, 15, 5))[0]
    lag = random.choices(
        (random.uniform(0, 1), random.uniform(1, 5), random.uniform(5, 30)), (85, 12, 3)
    )[0]
    change = random.expovariate(1 / (2 * HOUR)) + 60 if random.random() < 0.06 else None
    left = random.randint(0, units - 1)
    return Attempt(
        at,
        shop,
        product,
        units,
        lag,
        _notice(random),
        change,
        left,
        restock=random.random() < 0.6,
        change_notice=_notice(random),
    )


def _notice(random: Random) -> float | None:
    return None if random.random() < 0.02 else min(60.0, random.lognormvariate(0.7, 0.6))
