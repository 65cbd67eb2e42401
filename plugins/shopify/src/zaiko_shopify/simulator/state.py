"""The simulated shop's state, and what moves its numbers (FACTS.md §5.1 and §6)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from zaiko_sdk.testing.simulator import SimulationError

from zaiko_shopify.simulator.records import (
    SimLevel,
    SimLine,
    SimLocation,
    SimOrder,
    SimProduct,
    SimRefund,
    SimRefundedLine,
    SimVariant,
)

LOWEST, HIGHEST = -1_000_000_000, 1_000_000_000


class Shop:
    """One shop, played by buyers and staff. Callers hold the simulator's lock."""

    def __init__(self) -> None:
        self.domain, self.title, self.zone = (
            "simulated.myshopify.com",
            "Simulated shop",
            "Asia/Tokyo",
        )
        self.account = "1"
        self.time_offset = 0.0
        self.index_lag = 0.0
        self.restock_on_delete = False
        self.refuse_sold_out = False
        self._numbers = itertools.count(1001)
        self.main = SimLocation(4, "Osaka")
        self.locations: dict[int, SimLocation] = {self.main.number: self.main}
        self.variants: dict[int, SimVariant] = {}
        self._by_sku: dict[str, list[SimVariant]] = {}
        self.items: dict[int, SimVariant] = {}
        self.orders: dict[int, SimOrder] = {}

    def number(self) -> int:
        """Return a number that nothing has yet."""
        return next(self._numbers)

    def now(self) -> datetime:
        """Return the shop's clock in whole seconds, as Shopify keeps it."""
        return self.precise_now().replace(microsecond=0)

    def precise_now(self) -> datetime:
        """Return the shop's clock."""
        return datetime.now(UTC) + timedelta(seconds=self.time_offset)

    def monotonic(self) -> float:
        """Return seconds for quotas and lives of tokens."""
        return time.monotonic() + self.time_offset

    # The catalogue

    def add_location(
        self, name: str, *, active: bool = True, sells_online: bool = True
    ) -> SimLocation:
        place = SimLocation(self.number(), name, active, sells_online)
        self.locations[place.number] = place
        return place

    def add_variant(
        self,
        sku: str | None,
        quantity: int,
        *,
        title: str,
        barcode: str | None,
        stocked: bool = True,
        status: str = "ACTIVE",
    ) -> SimVariant:
        """Add a product with this one variant, stocked at the main location."""
        product = SimProduct(self.number(), title, status)
        variant = SimVariant(
            self.number(),
            self.number() + 500_000,
            product,
            "Default Title",
            sku,
            barcode,
            self.now(),
        )
        if stocked:
            variant.levels[self.main.number] = SimLevel(self.main, quantity)
        self.variants[variant.number] = variant
        self.items[variant.item_number] = variant
        if sku:
            self._by_sku.setdefault(sku, []).append(variant)
        return variant

    def delete_variant(self, variant: SimVariant) -> None:
        del self.variants[variant.number], self.items[variant.item_number]
        if variant.sku:
            self._by_sku[variant.sku].remove(variant)
        for order in self.orders.values():
            for line in order.lines:
                if line.variant is variant:
                    line.variant = None

    def by_sku(self, sku: str) -> SimVariant:
        """Return the variant with this SKU. Raises SimulationError."""
        for variant in self._by_sku.get(sku, ()):
            return variant
        raise SimulationError(f"no variant has the sku {sku!r}")

    # Orders

    def place(
        self,
        lines: Mapping[str, int],
        *,
        visible_after: float,
        test: bool,
        financial: str | None,
        custom: Mapping[str, int],
        moves_stock: bool,
        days_ago: float = 0,
    ) -> SimOrder:
        """Place an order. Available falls and committed rises at once, even before the order can be
        seen."""
        taken = [(self.by_sku(sku), units) for sku, units in lines.items()]
        for variant, units in taken:
            level = self._source(variant)
            sold_out = (
                variant.tracked
                and variant.policy == "DENY"
                and (level is None or level.available < units)
            )
            if sold_out and self.refuse_sold_out:
                raise SimulationError(f"{variant.sku} is sold out")
        now, number = self.now() - timedelta(days=days_ago), self.number()
        rows = [self._line(variant, units, moves_stock=moves_stock) for variant, units in taken]
        rows += [
            SimLine(self.number(), None, None, title, units, True, None)
            for title, units in custom.items()
        ]
        order = SimOrder(number, f"#{number}", now, now, rows, test=test, financial=financial)
        visible = self.precise_now() + timedelta(seconds=max(visible_after, self.index_lag))
        order.indexed.append((visible, now))
        self.orders[number] = order
        return order

    def edit(self, order: SimOrder, lines: Mapping[str, int]) -> None:
        """Edit an order, as the staff does: a reduced line keeps its quantity, a removed one stays
        with current 0, an added one is new."""
        for sku, units in lines.items():
            line = next((line for line in order.lines if line.sku == sku), None)
            if line is None:
                order.lines.append(self._line(self.by_sku(sku), units, moves_stock=True))
                continue
            change = units - (line.quantity - line.removed - line.returned)
            if change > 0:
                line.quantity += change
                self._move(line, available=-change, committed=change)
            elif change < 0:
                fewer = min(-change, line.to_ship)
                line.removed += fewer
                self._move(line, available=fewer, committed=-fewer)
        order.edited = True
        self.order_changed(order)

    def refund(self, order: SimOrder, lines: Mapping[str, int], restock_type: str) -> None:
        """Refund units: CANCEL before shipping with restock, RETURN after, NO_RESTOCK whichever
        fits (before, if there is anything left to ship)."""
        rows = []
        for sku, units in lines.items():
            line = self._line_of(order, sku)
            before = restock_type == "CANCEL" or (
                restock_type != "RETURN" and line.to_ship >= units
            )
            if units > (line.to_ship if before else line.fulfilled - line.returned):
                raise SimulationError(f"{units} × {sku} cannot be refunded as {restock_type}")
            if before:
                line.removed += units
                self._move(
                    line, available=units if restock_type == "CANCEL" else 0, committed=-units
                )
            else:
                line.returned += units
                self._move(line, available=units if restock_type == "RETURN" else 0)
            rows.append(SimRefundedLine(self.number(), line, units, restock_type))
        order.refunds.append(SimRefund(self.number(), self.now(), rows))
        order.financial = "PARTIALLY_REFUNDED"
        self.order_changed(order)

    def cancel(self, order: SimOrder, *, restock: bool) -> None:
        if order.cancelled_at is not None:
            return
        for line in order.lines:
            self._move(line, available=line.to_ship if restock else 0, committed=-line.to_ship)
        order.cancelled_at = order.closed_at = self.now()
        order.cancel_reason = "CUSTOMER"
        self.order_changed(order)

    def fulfil(self, order: SimOrder, lines: Mapping[str, int] | None) -> None:
        if order.cancelled_at is not None:
            raise SimulationError(f"{order.name} is cancelled")
        for line in order.lines:
            units = (
                line.to_ship if lines is None else min(line.to_ship, lines.get(line.sku or "", 0))
            )
            line.fulfilled += units
            self._move(line, committed=-units)
        self.order_changed(order)

    def archive(self, order: SimOrder) -> None:
        order.closed_at = self.now()
        self.order_changed(order)

    def delete(self, order: SimOrder) -> None:
        if self.restock_on_delete and order.cancelled_at is None:
            for line in order.lines:
                self._move(line, available=line.to_ship, committed=-line.to_ship)
        del self.orders[order.number]

    def order_changed(self, order: SimOrder) -> None:
        """Note that the order changed."""
        order.updated_at = self.now()
        visible = self.precise_now() + timedelta(seconds=self.index_lag)
        order.indexed.append((max(visible, order.indexed[0][0]), order.updated_at))

    def set_available(self, level: SimLevel, quantity: int) -> int:
        """Set `available`, and with it on_hand; return the change."""
        delta = quantity - level.available
        level.available = quantity
        level.changed_at = self.now()
        return delta

    def sellable(self, variant: SimVariant) -> int:
        """Return inventoryQuantity: the sum of available over active levels."""
        return sum(level.available for level in variant.levels.values() if level.active)

    def duplicates(self, variant: SimVariant) -> int:
        """Return the other items with the same sku."""
        return max(0, len(self._by_sku.get(variant.sku or "", ())) - 1)

    def levels(self) -> Sequence[tuple[SimVariant, SimLevel]]:
        """Return all levels."""
        return [
            (variant, level)
            for variant in self.variants.values()
            for level in variant.levels.values()
        ]

    def _line(self, variant: SimVariant, units: int, *, moves_stock: bool) -> SimLine:
        level = self._source(variant) if moves_stock and variant.tracked else None
        name = variant.product.title
        place = level.location if level else None
        line = SimLine(
            self.number(), variant, variant.sku, name, units, variant.requires_shipping, place
        )
        self._move(line, available=-units, committed=units)
        return line

    def _source(self, variant: SimVariant) -> SimLevel | None:
        """Return the level that an order takes from: the main location's, else the first active
        one."""
        active = [level for level in variant.levels.values() if level.active]
        return next(
            (level for level in active if level.location is self.main),
            active[0] if active else None,
        )

    def _line_of(self, order: SimOrder, sku: str) -> SimLine:
        for line in order.lines:
            if line.sku == sku:
                return line
        raise SimulationError(f"{order.name} has no line with the sku {sku!r}")

    def _move(self, line: SimLine, *, available: int = 0, committed: int = 0) -> None:
        level = line.level
        if level is None or not (available or committed):
            return
        level.available += available
        level.committed += committed
        level.changed_at = self.now()
