"""A shop behind a network. Calls take time, keep to a quota, get lost, take twice as long, or meet
a platform that is down."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from zaiko_sdk import (
    Clock,
    InventoryLevel,
    InventoryWrite,
    ListingRef,
    Order,
    OrderPage,
    PlatformDown,
    RateLimiter,
    Throttled,
    Timeout,
    WriteResult,
)
from zaiko_sdk.testing.fakeshop import FakeConnector, FakeShop

from benchmarks.oversell.demand import Outage, ShopPlan

VISIBILITY = timedelta(seconds=60)
"""How late an order may become readable, as the connector declares."""
_TIMEOUT = 10.0
_PAGE = 50

Wrote = Callable[[str, str, int, int], None]
"""Called with (shop, product, number before, number after) when a write was applied."""


@dataclass(slots=True)
class Platform:
    """One shop as its API shows it. `fragile` enables faults. Counts calls and the numbers sent."""

    plan: ShopPlan
    clock: Clock
    shop: FakeShop
    random: Random
    outages: Sequence[Outage]
    midnight: float
    wrote: Wrote
    fragile: bool = True
    calls: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    _limiters: dict[str, RateLimiter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        quota = self.plan.quota
        for operations, rate in zip(quota.groups, quota.rates, strict=True):
            limiter = RateLimiter(self.clock, rate=rate, burst=quota.burst)
            self._limiters |= dict.fromkeys(operations, limiter)

    @property
    def name(self) -> str:
        """The shop's name."""
        return self.plan.name

    def down(self) -> bool:
        """Whether the API is in an outage."""
        now = self.clock.monotonic() - self.midnight
        return any(
            outage.shop == self.name and outage.begin <= now < outage.end for outage in self.outages
        )

    @asynccontextmanager
    async def call(self, operation: str) -> AsyncIterator[None]:
        """Make one request: it waits for the quota, travels, is served (the body), and its reply
        travels back. Of 1,000 calls, 4 are lost on the way, the replies of 4 are lost, and 4 are
        refused for load."""
        async with self._limiters[operation]:
            pass
        self.calls[operation] += 1
        way = self.plan.latency * self.random.lognormvariate(0, 0.35) / 2
        fate = self.random.random() if self.fragile else 1.0
        await self.clock.sleep(way)
        if self.down():
            raise PlatformDown("down for the moment")
        if fate < 0.004:
            await self.clock.sleep(_TIMEOUT)
            raise Timeout("no answer", sent=None)
        if fate < 0.008:
            raise Throttled("slow down", retry_after=2.0)
        yield
        if fate > 0.996 and self.fragile:
            await self.clock.sleep(_TIMEOUT)
            raise Timeout("no answer", sent=None)
        await self.clock.sleep(way)


class NetworkConnector(FakeConnector):
    """Calls a platform over the simulated network."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform.shop, lambda moment, operation: None)
        self._platform = platform

    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """Yield the orders that became readable since the cursor, overlapping by twice the search
        lag."""
        since = datetime.fromisoformat(cursor) - 2 * VISIBILITY if cursor else None
        fresh: list[Order] = []
        first, position = True, ""
        while first or fresh:
            read_at = self._platform.clock.now()
            async with self._platform.call("fetch"):
                if first:
                    fresh, position, first = (
                        self._readable(since),
                        self._platform.clock.now().isoformat(),
                        False,
                    )
            page, fresh = fresh[:_PAGE], fresh[_PAGE:]
            yield OrderPage(page, position if not fresh else cursor or "", read_at)

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        async with self._platform.call("fetch"):
            return await super().read_orders(external_ids)

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        async with self._platform.call("read"):
            return await super().read_inventory(refs)

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        self._platform.sent += len(writes)
        async with self._platform.call("write"):
            results = await super().set_inventory(writes, key)
            applied = list(self._platform.shop.applied)
            self._platform.shop.applied.clear()
            for product, before, after in applied:
                self._platform.wrote(self._platform.name, product, before, after)
            return results

    def _readable(self, since: datetime | None) -> list[Order]:
        now = self._platform.clock.now()
        orders = self._platform.shop.orders.values()
        fresh = [
            placed
            for placed in orders
            if placed.visible_at <= now and (since is None or placed.visible_at >= since)
        ]
        return [placed.order for placed in sorted(fresh, key=lambda placed: placed.visible_at)]
