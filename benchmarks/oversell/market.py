"""The facts that no strategy sees: what is on the shelf, and what was promised to whom. Every
strategy is scored by them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from zaiko_sdk import Clock

from benchmarks.oversell.demand import Attempt, Day, Receipt
from benchmarks.oversell.platform import Platform


class Strategy(Protocol):
    """A way to keep shops in sync. It learns of receipts at once, and of orders only by fetching
    them, or from a notification that says only that something changed."""

    def received(self, product: str, units: int) -> None:
        """Handle goods that arrived in the warehouse."""
        ...

    def notified(self, shop: str) -> None:
        """Handle a webhook of this shop."""
        ...

    def knows(self, shop: str, order: str) -> int:
        """Return the units that the strategy believes this order to want now; 0 for an order it has
        not seen."""
        ...

    def target(self, shop: str, product: str) -> int:
        """Return what the shop should show by everything that the strategy knows."""
        ...


@dataclass(slots=True)
class Score:
    """The result of a day. README.md defines each number."""

    orders: int = 0
    refused: int = 0
    refused_in_vain: int = 0
    """Units that a shop refused although they were free."""
    oversold: int = 0
    off_sale: float = 0.0
    """Unit × minutes."""
    overwritten: int = 0
    overwritten_by_set: int = 0
    sent: int = 0
    calls: int = 0
    agreed_after: list[float] = field(default_factory=list)
    astray: int = 0
    """Products on which the shops still disagreed after half an hour without events."""


@dataclass(slots=True)
class _Bought:
    order: str
    shop: str
    product: str
    units: int


class Market:
    """Plays a day while a strategy works, and keeps the score."""

    def __init__(
        self, clock: Clock, day: Day, platforms: Mapping[str, Platform], *, midnight: float
    ) -> None:
        self.clock, self.day, self.platforms, self.midnight = clock, day, platforms, midnight
        self.physical = Counter(day.stock)
        self.promised: Counter[str] = Counter()
        self.strategy: Strategy | None = None
        self.score = Score()
        self._orders: dict[tuple[str, str], dict[str, _Bought]] = defaultdict(dict)
        self._overwritten: set[tuple[str, str]] = set()
        self._lacking = dict.fromkeys(day.stock, 0)
        self._since = dict.fromkeys(day.stock, midnight)
        self._pending: dict[str, list[float]] = defaultdict(list)
        self._later: set[asyncio.Task[None]] = set()

    def free(self, product: str) -> int:
        """Return the units that are on the shelf and promised to nobody; negative when oversold."""
        return self.physical[product] - self.promised[product]

    async def play(self) -> None:
        """Play the whole day."""
        happenings: list[Attempt | Receipt] = sorted(
            [*self.day.attempts, *self.day.receipts], key=lambda event: event.at
        )
        for event in happenings:
            await self.clock.sleep(self.midnight + event.at - self.clock.monotonic())
            if isinstance(event, Attempt):
                self._attempt(event)
            else:
                self.physical[event.product] += event.units
                self._happened(event.product)
                self._strategy.received(event.product, event.units)
        await self.clock.sleep(self.midnight + self.day.seconds - self.clock.monotonic())

    def close(self) -> Score:
        """Return the score. A product on which shops still disagree counts as if they agreed
        now."""
        for product in self.day.stock:
            self.account(product)
            waiting = self._pending.pop(product, [])
            self.score.astray += bool(waiting)
            self.score.agreed_after += [self.clock.monotonic() - at for at in waiting]
        for task in self._later:
            task.cancel()
        self.score.sent = sum(platform.sent for platform in self.platforms.values())
        self.score.calls = sum(sum(platform.calls.values()) for platform in self.platforms.values())
        return self.score

    def account(self, product: str) -> None:
        """Account for the time since the last change of a product, and check whether the shops
        agree now."""
        now, sellable = self.clock.monotonic(), max(0, self.free(product))
        if now > self.midnight:
            self.score.off_sale += (
                self._lacking[product] * (now - max(self.midnight, self._since[product])) / 60
            )
        shown = [platform.shop.stock[product] for platform in self.platforms.values()]
        self._since[product] = now
        self._lacking[product] = sum(max(0, sellable - number) for number in shown)
        if all(number == sellable for number in shown):
            self.score.agreed_after += [now - at for at in self._pending.pop(product, [])]

    def wrote(self, shop: str, product: str, before: int, after: int) -> None:
        """Check a write of the strategy: did it offer again what an order, unseen by the strategy,
        had just taken?"""
        self.account(product)
        if after <= before:
            return
        unseen = [
            (bought, bought.units - self._strategy.knows(shop, bought.order))
            for bought in self._orders[shop, product].values()
        ]
        hidden = sum(units for _, units in unseen)
        if hidden <= 0:
            return
        again = min(
            after - before, hidden, after - max(0, self._strategy.target(shop, product) - hidden)
        )
        for bought, units in reversed(unseen):
            if again <= 0:
                return
            again -= max(0, units)
            if units > 0 and (shop, bought.order) not in self._overwritten:
                self._overwritten.add((shop, bought.order))
                if self.platforms[shop].plan.mode == "set":
                    self.score.overwritten_by_set += 1
                else:
                    self.score.overwritten += 1

    @property
    def _strategy(self) -> Strategy:
        assert self.strategy is not None
        return self.strategy

    def _attempt(self, attempt: Attempt) -> None:
        shop, product, units = self.platforms[attempt.shop].shop, attempt.product, attempt.units
        free = self.free(product)
        if shop.stock[product] < units:
            self.score.refused += units
            self.score.refused_in_vain += units if free >= units else 0
            return
        order = shop.place({product: units}, visible_after=attempt.lag)
        self._orders[attempt.shop, product][order] = _Bought(order, attempt.shop, product, units)
        self.promised[product] += units
        self.score.orders += 1
        self.score.oversold += min(units, max(0, -self.free(product)))
        self._happened(product)
        self._notify(attempt.shop, attempt.notice)
        if attempt.change is not None:
            self._spawn(self._change(attempt, order, attempt.change))

    async def _change(self, attempt: Attempt, order: str, after: float) -> None:
        await self.clock.sleep(after)
        shop, product = self.platforms[attempt.shop].shop, attempt.product
        bought = self._orders[attempt.shop, product][order]
        if attempt.left:
            shop.edit(order, product, attempt.left, restock=attempt.restock)
        else:
            shop.cancel(order, restock=attempt.restock)
        self.promised[product] -= bought.units - attempt.left
        bought.units = attempt.left
        self._happened(product)
        self._notify(attempt.shop, attempt.change_notice)

    def _happened(self, product: str) -> None:
        self._pending[product].append(self.clock.monotonic())
        self.account(product)

    def _notify(self, shop: str, after: float | None) -> None:
        if after is not None:
            self._spawn(self._notice(shop, after))

    async def _notice(self, shop: str, after: float) -> None:
        await self.clock.sleep(after)
        self._strategy.notified(shop)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed; 0 for none."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0
