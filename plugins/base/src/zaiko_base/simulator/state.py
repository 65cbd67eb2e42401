"""The state of the simulated BASE shop: its records, its own rules of stock, and what buyers and
staff do there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from zaiko_sdk.testing.simulator import NewListing, SimulatedShop, SimulationError

from zaiko_base.mapping import listing_id
from zaiko_base.simulator.grants import Grants
from zaiko_base.simulator.quotas import Quotas
from zaiko_base.simulator.records import SimItem, SimLine, SimOrder, SimVariation


class BaseShop(SimulatedShop):
    """One shop. `extra` of a NewListing: `item` (variations of one item share it), `variation`
    (label), `visible`, `editable` (false: digital goods and the like), `no_code` (the owner gave it
    no product code). Options of an order: `visible_after`, `payment`, `status` (`unpaid`,
    `unshippable` …), `days_ago`, `force` (sell below zero).

    Switches. UNCONFIRMED facts: `old_refresh_works`, `orders_sort` (newest, oldest),
    `no_variation_id` (null, 0, ""), `limit_above_100` (cap, refuse), `line_change_bumps_header`,
    `sale_bumps_modified`. Others: `quotas`, `calls_per_hour`, `calls_per_day`,
    `access_life_seconds`, `scopes` (of the next consent), `maintenance`, `clock_skew_seconds`.
    Acts, whatever their value: `end_access`, `withdraw_consent`, `exhaust_hour`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "orders_sort": "newest",
                "no_variation_id": None,
                "limit_above_100": "cap",
                "line_change_bumps_header": True,
                "sale_bumps_modified": True,
                "maintenance": False,
                "clock_skew_seconds": 0,
            }
        )
        self.items: dict[int, SimItem] = {}
        self.orders: dict[str, SimOrder] = {}
        self.grants, self.quotas = Grants(), Quotas()
        self._numbers = itertools.count(70_001)
        self._by_sku: dict[str, tuple[SimItem, SimVariation]] = {}
        self._groups: dict[str, SimItem] = {}

    # What buyers and staff do.

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        with self.lock:
            return [self._add(listing) for listing in listings]

    def set_stock(self, sku: str, quantity: int) -> None:
        with self.lock:
            item, variation = self._find(sku)
            variation.stock, item.modified_at = quantity, self.now()

    def stock(self) -> dict[str, int]:
        with self.lock:
            return {sku: variation.stock for sku, (_, variation) in self._by_sku.items()}

    def remove_listing(self, sku: str) -> None:
        self.remove_item(sku)

    def exhaust_quota(self) -> None:
        with self.lock:
            self.quotas.enforced = True
            self.quotas.exhaust(self.now())

    def remove_item(self, sku: str) -> None:
        """Delete the item with all its variations, as the staff does."""
        with self.lock:
            item, _ = self._find(sku)
            del self.items[item.id]
            self._by_sku = {
                code: pair for code, pair in self._by_sku.items() if pair[0] is not item
            }

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        with self.lock:
            taken = [(*self._find(sku), units) for sku, units in lines.items()]
            for _, variation, units in taken:
                if units < 1:
                    raise SimulationError(f"{variation.sku}: units must be ≥ 1")
                if variation.stock < units and not options.get("force"):
                    raise SimulationError(f"{variation.sku} is sold out: {variation.stock} left")
            now = self.now()
            placed = now - timedelta(days=float(options.get("days_ago", 0)))
            order = SimOrder(
                f"{next(self._numbers):016X}",
                placed,
                placed,
                now + timedelta(seconds=float(options.get("visible_after", 0))),
                str(options.get("payment", "creditcard")),
                str(options.get("status", "ordered")),
            )
            for item, variation, units in taken:
                order.lines.append(SimLine(next(self._numbers), item, variation, units, placed))
                self._move(item, variation, -units)
            self.orders[order.key] = order
            return order.key

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        """Cancel lines (0 units). BASE lets the staff change nothing else."""
        with self.lock:
            found = self._order(order)
            if any(lines.values()):
                raise SimulationError("BASE cancels lines; it changes no units and adds no lines")
            for sku in lines:
                self._cancel(self._line(found, sku), restock=True)
            self._changed(found)

    def cancel_order(self, order: str, *, restock: bool) -> None:
        with self.lock:
            found = self._order(order)
            for line in found.lines:
                self._cancel(line, restock=restock)
            self._changed(found)

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        with self.lock:
            found = self._order(order)
            chosen = found.lines if lines is None else [self._line(found, sku) for sku in lines]
            for line in chosen:
                if lines is not None and lines[line.variation.sku] != line.amount:
                    raise SimulationError("BASE dispatches a line as a whole")
            for line in chosen:
                if line.status == "ordered":
                    line.status, line.modified_at = "dispatched", self.now()
            self._changed(found)

    def archive_order(self, order: str) -> None:
        raise SimulationError("BASE has no archive")

    def delete_order(self, order: str) -> None:
        raise SimulationError("BASE deletes no orders")

    def switches(self) -> dict[str, Any]:
        return super().switches() | {
            "quotas": self.quotas.enforced,
            "calls_per_hour": self.quotas.per_hour,
            "calls_per_day": self.quotas.per_day,
            "access_life_seconds": self.grants.access_life,
            "old_refresh_works": self.grants.old_refresh_works,
            "scopes": list(self.grants.scopes),
            "end_access": False,
            "withdraw_consent": False,
            "exhaust_hour": False,
        }

    def switch(self, name: str, value: Any) -> None:
        match name:
            case "quotas":
                self.quotas.enforced = bool(value)
            case "calls_per_hour":
                self.quotas.per_hour = int(value)
            case "calls_per_day":
                self.quotas.per_day = int(value)
            case "access_life_seconds":
                self.grants.access_life = float(value)
            case "old_refresh_works":
                self.grants.old_refresh_works = bool(value)
            case "scopes":
                self.grants.scopes = tuple(value)
            case "end_access":
                self.grants.end_access()
            case "withdraw_consent":
                self.grants.withdraw()
            case "exhaust_hour":
                self.quotas.refuse(self.now())
                self.quotas.exhaust(self.now())
            case _:
                super().switch(name, value)

    def counters(self) -> dict[str, int]:
        return super().counters() | {"throttled": self.quotas.throttled}

    # What BASE does.

    def _changed(self, order: SimOrder) -> None:
        """Update the order after a change of its lines."""
        states = {line.status for line in order.lines}
        before, now = order.status, self.now()
        if states == {"cancelled"}:
            order.status, order.cancelled_at = "cancelled", now
        elif "ordered" not in states:
            order.status, order.dispatched_at = "dispatched", now
        if order.status != before or self.behaviour["line_change_bumps_header"]:
            order.modified_at = now

    def _cancel(self, line: SimLine, *, restock: bool) -> None:
        if line.status != "ordered":
            return
        line.status, line.modified_at = "cancelled", self.now()
        if restock:
            self._move(line.item, line.variation, line.amount)

    def _move(self, item: SimItem, variation: SimVariation, units: int) -> None:
        variation.stock += units
        if self.behaviour["sale_bumps_modified"]:
            item.modified_at = self.now()

    def _find(self, sku: str) -> tuple[SimItem, SimVariation]:
        if sku not in self._by_sku:
            raise SimulationError(f"nothing has the code {sku!r}")
        return self._by_sku[sku]

    def _order(self, order: str) -> SimOrder:
        if order not in self.orders:
            raise SimulationError(f"no order {order!r}")
        return self.orders[order]

    def _line(self, order: SimOrder, sku: str) -> SimLine:
        for line in order.lines:
            if line.variation.sku == sku:
                return line
        raise SimulationError(f"{order.key} has no line of {sku!r}")

    def _add(self, listing: NewListing) -> str:
        extra, now = listing.extra, self.now()
        group = str(extra["item"]) if "item" in extra else None
        item = self._groups.get(group) if group is not None else None
        if item is None:
            item = SimItem(
                next(self._numbers),
                listing.title or listing.sku,
                now,
                now,
                visible=bool(extra.get("visible", True)),
                editable=bool(extra.get("editable", True)),
                has_variations=group is not None,
            )
            self.items[item.id] = item
            if group is not None:
                self._groups[group] = item
        number = next(self._numbers) if item.has_variations else 0
        label = str(extra.get("variation", listing.sku))
        code = "" if extra.get("no_code") else listing.sku
        variation = SimVariation(number, label, code, listing.quantity, listing.barcode)
        item.variations.append(variation)
        # By the test's name for the listing, also when the owner gave it no code.
        self._by_sku[listing.sku] = (item, variation)
        return listing_id(item.id, number or None)
