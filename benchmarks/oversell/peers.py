"""What other programs do, at their best: (a) overwrite every shop every ten minutes, (b) send each
change to the other shops."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import count

from zaiko_sdk import (
    Clock,
    ConnectorError,
    InventoryMode,
    InventoryWrite,
    ListingRef,
    Order,
    OrderState,
    PlatformDown,
    Throttled,
    WriteOutcome,
)

from benchmarks.oversell.platform import NetworkConnector, Platform

INTERVAL = 600.0


class _Peer:
    """What a strategy knows: receipts at once, orders as fetched."""

    def __init__(
        self, clock: Clock, platforms: Mapping[str, Platform], stock: Mapping[str, int]
    ) -> None:
        self.clock, self.platforms = clock, platforms
        self.connectors = {name: NetworkConnector(platform) for name, platform in platforms.items()}
        self.physical = Counter(stock)
        self.known: dict[tuple[str, str], tuple[str, int]] = {}
        self.cursors: dict[str, str | None] = dict.fromkeys(platforms)
        self.promised: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []

    def received(self, product: str, units: int) -> None:
        self.physical[product] += units

    def notified(self, shop: str) -> None:
        """Ignore notifications."""

    def knows(self, shop: str, order: str) -> int:
        return self.known.get((shop, order), ("", 0))[1]

    def target(self, shop: str, product: str) -> int:
        return max(0, self.physical[product] - self.promised[product])

    async def fetch(self, shop: str) -> Counter[str]:
        """Fetch the changed orders, and return by how many units the demand for each product
        rose."""
        change: Counter[str] = Counter()
        async for page in self.connectors[shop].fetch_orders(self.cursors[shop]):
            for order in page.orders:
                for product, units in _wanted(order).items():
                    _, before = self.known.get((shop, order.external_id), (product, 0))
                    self.known[shop, order.external_id] = (product, units)
                    change[product] += units - before
            self.cursors[shop] = page.cursor
        self.promised.update(change)
        return change

    async def stop(self) -> None:
        """End the tasks."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Overwrite(_Peer):
    """(a) Every ten minutes: fetch the orders of all shops, compute, and overwrite every number in
    every shop, one after the other."""

    async def start(self) -> None:
        """Begin. The first round starts at the next full ten minutes."""
        for platform in self.platforms.values():
            platform.shop.mode = InventoryMode.SET
        self.tasks.append(asyncio.ensure_future(self._rounds()))

    async def _rounds(self) -> None:
        for number in count(1):
            await self.clock.sleep(INTERVAL - self.clock.monotonic() % INTERVAL)
            for shop in self.platforms:
                try:
                    await self.fetch(shop)
                except ConnectorError:
                    continue  # it goes by the orders that it knows
            numbers = {product: self.target("", product) for product in self.physical}
            for shop, connector in self.connectors.items():
                writes = [
                    InventoryWrite(ListingRef(product), units, None)
                    for product, units in numbers.items()
                ]
                try:
                    await connector.set_inventory(writes, f"{number}-{shop}")
                except ConnectorError:
                    continue  # the next round writes again


class Relative(_Peer):
    """(b) Fetch each shop's orders every ten minutes, or at once on a webhook, and add every change
    to all other shops' numbers. Failed calls are repeated."""

    def __init__(
        self,
        clock: Clock,
        platforms: Mapping[str, Platform],
        stock: Mapping[str, int],
        phases: Sequence[float],
        *,
        webhooks: bool,
    ) -> None:
        super().__init__(clock, platforms, stock)
        self._phases, self._webhooks = phases, webhooks
        self._owed: dict[str, Counter[str]] = defaultdict(Counter)
        self._owing = {name: asyncio.Event() for name in platforms}
        self._called = {name: asyncio.Event() for name in platforms}

    async def start(self) -> None:
        """Begin."""
        for (name, platform), phase in zip(self.platforms.items(), self._phases, strict=True):
            if platform.plan.mode is not InventoryMode.SET:
                platform.shop.mode = InventoryMode.ADJUST
            self.tasks += [
                asyncio.ensure_future(self._polling(name, phase)),
                asyncio.ensure_future(self._pushing(name)),
            ]

    def received(self, product: str, units: int) -> None:
        super().received(product, units)
        for shop in self.platforms:
            self._owe(shop, product, units)

    def notified(self, shop: str) -> None:
        if self._webhooks:
            self._called[shop].set()

    def _owe(self, shop: str, product: str, units: int) -> None:
        if units:
            self._owed[shop][product] += units
            self._owing[shop].set()

    async def _polling(self, shop: str, phase: float) -> None:
        await self.clock.sleep(phase)
        while True:
            self._called[shop].clear()
            try:
                change = await self.fetch(shop)
            except ConnectorError:
                change = Counter()
            for product, units in change.items():
                for other in self.platforms:
                    if other != shop:
                        self._owe(other, product, -units)
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._called[shop].wait()
            except TimeoutError:
                continue

    async def _pushing(self, shop: str) -> None:
        for number in count(1):
            await self._owing[shop].wait()
            self._owing[shop].clear()
            owed = {
                product: units
                for product, units in self._owed.pop(shop, Counter()).items()
                if units
            }
            try:
                await self._push(shop, owed, f"{number}-{shop}")
            except ConnectorError as error:
                for product, units in owed.items():
                    self._owe(shop, product, units)
                wait = error.retry_after if isinstance(error, (Throttled, PlatformDown)) else None
                await self.clock.sleep(wait or 10.0)

    async def _push(self, shop: str, owed: Mapping[str, int], key: str) -> None:
        connector = self.connectors[shop]
        refs = [ListingRef(product) for product in owed]
        if self.platforms[shop].shop.mode is InventoryMode.SET:
            shown = {
                level.external_id: level.quantity or 0
                for level in await connector.read_inventory(refs)
            }
            writes = [
                InventoryWrite(ref, max(0, shown[ref.external_id] + owed[ref.external_id]), None)
                for ref in refs
            ]
            await connector.set_inventory(writes, key)
            return
        results = await connector.set_inventory(
            [InventoryWrite(ref, owed[ref.external_id], 0) for ref in refs], key
        )
        below = [
            ListingRef(result.external_id)
            for result in results
            if result.outcome is WriteOutcome.STALE
        ]
        if below:  # less than nothing cannot be shown: it is set to none
            levels = await connector.read_inventory(below)
            await connector.set_inventory(
                [InventoryWrite(ListingRef(lv.external_id), 0, lv.quantity) for lv in levels],
                key + "z",
            )


def _wanted(order: Order) -> Counter[str]:
    alive = order.state not in (OrderState.CANCELLED, OrderState.DELETED)
    return Counter(
        {
            line.listing or "": (line.ordered - line.cancelled) if alive else 0
            for line in order.lines
        }
    )
