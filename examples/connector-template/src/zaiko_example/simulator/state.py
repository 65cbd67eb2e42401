"""The state of the simulated shop: its records, its own rules of stock, and what buyers and staff
do there. It knows nothing of the API, which reads and changes it through these names."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from zaiko_sdk.testing.simulator import NewListing, SimulatedShop, SimulationError, TokenBucket

from zaiko_example.webhooks import sign

TOKEN, WEBHOOK_SECRET = "sim-token-4f1c", "sim-webhook-secret-88d0"
_RATE, _BURST = 100.0, 10.0


@dataclass(slots=True)
class SimListing:
    """A variant on sale. `stock` is None until somebody sets it, and may fall below 0 when
    oversold."""

    id: str
    sku: str
    title: str
    barcode: str
    product: str
    stock: int | None
    on_sale: bool


@dataclass(slots=True)
class SimLine:
    id: str
    listing: SimListing
    quantity: int
    cancelled: int = 0
    shipped: int = 0

    @property
    def open(self) -> int:
        """Units that must still be shipped."""
        return self.quantity - self.cancelled - self.shipped


@dataclass(slots=True)
class SimOrder:
    id: str
    placed_at: datetime
    updated_at: datetime
    visible_at: datetime
    lines: list[SimLine] = field(default_factory=list)
    status: str = "open"
    paid: bool = True


class ExampleShop(SimulatedShop):
    """One shop. `extra` of a NewListing: `product`, `on_sale`, `stocked` (false: no number yet).
    Options of an order: `visible_after`, `days_ago`, `paid`, `status` (a word that the connector
    does not know, say).

    Switches: `quotas` and `requests_per_second`; `token` and `scopes` of the API; `retry_after`
    (whether a 429 announces its wait: UNCONFIRMED); `edit_moves_stock` (UNCONFIRMED); `page_size`;
    `clock_skew_seconds`; `maintenance`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "token": TOKEN,
                "scopes": ["orders:read", "listings:read", "stock:write"],
                "retry_after": True,
                "edit_moves_stock": True,
                "page_size": 100,
                "clock_skew_seconds": 0,
                "maintenance": False,
            }
        )
        self.listings: dict[str, SimListing] = {}
        self.orders: dict[str, SimOrder] = {}
        self.quota = TokenBucket(rate=_RATE, burst=_BURST)
        self._ids = itertools.count(1001)

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        with self.lock:
            return [self._add(listing) for listing in listings]

    def set_stock(self, sku: str, quantity: int) -> None:
        with self.lock:
            self._listing(sku).stock = quantity

    def stock(self) -> dict[str, int]:
        with self.lock:
            return {listing.sku: listing.stock or 0 for listing in self.listings.values()}

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        with self.lock:
            now = self.now()
            placed = now - timedelta(days=float(options.get("days_ago", 0)))
            order = SimOrder(
                str(next(self._ids)),
                placed,
                placed,
                now + timedelta(seconds=float(options.get("visible_after", 0))),
            )
            order.paid, order.status = (
                bool(options.get("paid", True)),
                str(options.get("status", "open")),
            )
            wanted = [(self._listing(sku), units) for sku, units in lines.items()]
            for number, (listing, units) in enumerate(wanted, 1):
                order.lines.append(SimLine(f"{order.id}-{number}", listing, units))
                _move(listing, -units)
            self.orders[order.id] = order
            return order.id

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        with self.lock:
            found = self._order(order)
            for sku, units in lines.items():
                line = next((line for line in found.lines if line.listing.sku == sku), None)
                if line is None:
                    line = SimLine(f"{found.id}-{len(found.lines) + 1}", self._listing(sku), 0)
                    found.lines.append(line)
                change = units - (line.quantity - line.cancelled)
                line.quantity, line.cancelled = (
                    line.quantity + max(0, change),
                    line.cancelled + max(0, -change),
                )
                if self.behaviour["edit_moves_stock"]:
                    _move(line.listing, -change)
            found.updated_at = self.now()

    def cancel_order(self, order: str, *, restock: bool) -> None:
        with self.lock:
            found = self._order(order)
            for line in found.lines:
                if restock:
                    _move(line.listing, line.open)
                line.cancelled += line.open
            found.status, found.updated_at = "cancelled", self.now()

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        with self.lock:
            found = self._order(order)
            for line in found.lines:
                line.shipped += (
                    line.open if lines is None else min(line.open, lines.get(line.listing.sku, 0))
                )
            if not any(line.open for line in found.lines):
                found.status = "shipped"
            found.updated_at = self.now()

    def archive_order(self, order: str) -> None:
        raise SimulationError("Example Shop has no archive")

    def delete_order(self, order: str) -> None:
        """Make the order vanish: no list and no call by id shows it again. Its units do not
        return."""
        with self.lock:
            del self.orders[self._order(order).id]

    def remove_listing(self, sku: str) -> None:
        with self.lock:
            del self.listings[self._listing(sku).id]

    def exhaust_quota(self) -> None:
        self.quota.exhaust()

    def notification(self, order: str) -> tuple[dict[str, str], bytes]:
        body = json.dumps(
            {
                "delivery_id": f"d-{next(self._ids)}",
                "topic": "order.updated",
                "order_id": self._order(order).id,
            }
        )
        return {"X-Example-Signature": sign(WEBHOOK_SECRET, body.encode())}, body.encode()

    def switches(self) -> dict[str, Any]:
        quota = {"quotas": self.quota.enforced, "requests_per_second": self.quota.rate}
        return super().switches() | quota

    def switch(self, name: str, value: Any) -> None:
        match name:
            case "quotas":
                self.quota.enforce(bool(value))
            case "requests_per_second":
                self.quota.rate = float(value)
            case _:
                super().switch(name, value)

    def counters(self) -> dict[str, int]:
        return super().counters() | {"throttled": self.quota.throttled}

    def _add(self, listing: NewListing) -> str:
        extra, identifier = listing.extra, str(next(self._ids))
        self.listings[identifier] = SimListing(
            identifier,
            listing.sku,
            listing.title or listing.sku,
            listing.barcode,
            str(extra.get("product", identifier)),
            listing.quantity if extra.get("stocked", True) else None,
            bool(extra.get("on_sale", True)),
        )
        return identifier

    def _listing(self, sku: str) -> SimListing:
        for listing in self.listings.values():
            if listing.sku == sku:
                return listing
        raise SimulationError(f"no listing with the sku {sku!r}")

    def _order(self, order: str) -> SimOrder:
        if order not in self.orders:
            raise SimulationError(f"no order {order!r}")
        return self.orders[order]


def _move(listing: SimListing, units: int) -> None:
    """Change the platform's own number. A number that nobody ever set stays unset."""
    if listing.stock is not None:
        listing.stock += units
