"""Count what each platform's quota let through, and what it would have let through, where the
simulator itself decides.

The simulators are used unchanged, except for their clock and the counting.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Protocol

from zaiko_base.simulator.quotas import Quotas as BaseQuotas
from zaiko_rakuten.simulator.quotas import Served
from zaiko_sdk.testing.simulator import CallWindow, Simulator, TokenBucket
from zaiko_shopify.simulator.cost import Bucket

from benchmarks.quota.fast_clock import FastClock


class Meter(Protocol):
    """`begin()` starts a phase. `used()` returns what was let through since. `allowed()` returns
    what the quota would have let through in the same time, or None where the phase ended before the
    quota could bind. Both are in `unit`."""

    unit: str

    def begin(self) -> None: ...
    def used(self) -> float: ...
    def allowed(self) -> float | None: ...


class _MeteredBucket(Bucket):
    """Shopify's bucket. A call must find its highest price in it, and is refunded what it did not
    cost."""

    spent = 0.0

    def take(self, cost: float) -> bool:
        taken = super().take(cost)
        self.spent += cost if taken else 0.0
        return taken

    def refund_points(self, cost: float) -> None:
        super().refund_points(cost)
        self.spent -= cost


class ShopifyMeter:
    """Points: those in the bucket at the start, and those added since."""

    unit = "points"

    def __init__(self, shop: Any, clock: FastClock) -> None:
        old = shop.platform.bucket
        self._bucket = shop.platform.bucket = _MeteredBucket(
            old.maximum, old.restore, clock.monotonic
        )
        shop.shop.monotonic, self._clock = clock.monotonic, clock

    def begin(self) -> None:
        self._bucket.refill()
        self._spent, self._there, self._at = (
            self._bucket.spent,
            self._bucket.available,
            self._clock.monotonic(),
        )

    def used(self) -> float:
        return self._bucket.spent - self._spent

    def allowed(self) -> float | None:
        return self._there + self._bucket.restore * (self._clock.monotonic() - self._at)


class _CountedCalls(TokenBucket):
    """Counts the calls that were let through."""

    through = 0

    def take(self) -> bool:
        taken = super().take()
        self.through += taken
        return taken


class EcforceMeter:
    """Calls: the burst that was available at the start, and one for each second since."""

    unit = "calls"

    def __init__(self, shop: Any, clock: FastClock) -> None:
        self._clock = clock
        old = shop.quotas.requests
        self._bucket = shop.quotas.requests = _CountedCalls(
            rate=old.rate, burst=old.burst, monotonic=clock.monotonic
        )

    def begin(self) -> None:
        self._at, self._before = self._clock.monotonic(), self._bucket.through
        self._there = self._bucket.available()

    def used(self) -> float:
        return self._bucket.through - self._before

    def allowed(self) -> float | None:
        return self._there + self._bucket.rate * (self._clock.monotonic() - self._at)


class RakutenMeter:
    """Calls to the function that was called for longest, measured by its own rate: each function
    has its own quota."""

    unit = "calls"

    def __init__(self, shop: Any, clock: FastClock) -> None:
        self._clock, self._through, self._rates = clock, Counter[str](), dict[str, int]()
        shop.quotas.monotonic = clock.monotonic
        decide = shop.quotas.too_fast

        def too_fast(function: Served) -> bool:
            refused: bool = decide(function)
            self._through[function.name] += not refused
            self._rates[function.name] = function.rate
            return refused

        shop.quotas.too_fast = too_fast

    def begin(self) -> None:
        self._at, self._before = self._clock.monotonic(), Counter(self._through)

    def _binding(self) -> tuple[int, int]:
        called = self._through - self._before
        name = max(called, key=lambda each: called[each] / self._rates[each])
        return called[name], self._rates[name]

    def used(self) -> float:
        return self._binding()[0]

    def allowed(self) -> float | None:
        # A window of a second is full from its first moment on.
        rate = self._binding()[1]
        return rate + rate * (self._clock.monotonic() - self._at)


class _MeteredHours(BaseQuotas):
    """Counts what each clock hour let through."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.hours: Counter[datetime] = Counter()

    def refuse(self, now: datetime) -> str | None:
        error = BaseQuotas.refuse(self, now)
        self.hours[now.replace(minute=0, second=0, microsecond=0)] += error is None
        return error


class BaseMeter:
    """Calls in the clock hours that ended before the work did. The hour in which the work ends is
    not counted."""

    unit = "calls"

    def __init__(self, shop: Any, clock: FastClock) -> None:
        self._quotas = shop.quotas = _MeteredHours()
        shop.now, self._clock = clock.now, clock

    def _hour(self) -> datetime:
        return self._clock.now().replace(minute=0, second=0, microsecond=0)

    def begin(self) -> None:
        self._first, self._before = self._hour(), Counter(self._quotas.hours)
        self._left = self._quotas.per_hour - self._before[self._first]

    def used(self) -> float:
        counted = self._quotas.hours - self._before
        last = self._hour()
        return (
            sum(counted.values())
            if last == self._first
            else sum(n for hour, n in counted.items() if hour != last)
        )

    def allowed(self) -> float | None:
        hours = round((self._hour() - self._first).total_seconds() / 3600)
        return self._left + (hours - 1) * self._quotas.per_hour if hours else None


class _MeteredSeconds(CallWindow):
    through = 0

    def take(self) -> bool:
        taken = super().take()
        self.through += taken
        return taken


class NextEngineMeter:
    """Calls, with a limit for any second. The figure is the simulator's: Next Engine publishes
    none."""

    unit = "calls"

    def __init__(self, shop: Any, clock: FastClock) -> None:
        self._quotas = shop.quotas = _MeteredSeconds(
            most=shop.quotas.most, monotonic=clock.monotonic
        )
        shop.now, self._clock = clock.now, clock

    def begin(self) -> None:
        self._at, self._before = self._clock.monotonic(), self._quotas.through

    def used(self) -> float:
        return self._quotas.through - self._before

    def allowed(self) -> float | None:
        return self._quotas.most * (1 + self._clock.monotonic() - self._at)


_METERS: dict[str, Any] = {
    "shopify": ShopifyMeter,
    "ecforce": EcforceMeter,
    "rakuten": RakutenMeter,
    "base": BaseMeter,
    "nextengine": NextEngineMeter,
}
PLATFORMS = tuple(_METERS)


def meter(platform: str, shop: Simulator, clock: FastClock) -> Meter:
    """Put the simulated shop on this clock and count what its quota lets through. Call it before
    the shop's first request."""
    made: Meter = _METERS[platform](shop, clock)
    return made
