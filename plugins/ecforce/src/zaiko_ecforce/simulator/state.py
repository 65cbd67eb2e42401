"""The state of the simulated shop: its records, its own rules of stock, and what buyers and staff
do there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from zaiko_sdk.testing.simulator import NewListing, SimulatedShop, SimulationError

from zaiko_ecforce.simulator.quotas import Quotas
from zaiko_ecforce.simulator.records import SimLine, SimOrder, SimProduct, SimStockItem, SimVariant

EMAIL, PASSWORD = "staff@shop.example.test", "sim-password-7f3a"
TOKEN, SESSION = "sim-static-token-91c2", "sim-session-token-"
LOCATION = "default"
WEBHOOK_SECRET = "sim-webhook-secret-5d20"  # noqa: S105 - of nobody


class EcforceShop(SimulatedShop):
    """One ecforce shop. `extra` of a NewListing: `product` (number; variants of one product share
    it), `product_name`, `is_recurring`, `state`, `for_sale`, `stock_unlimited`, `locations` (code →
    quantity beside the default one), `stocked` (false: no stock record). Options of an order:
    `visible_after`, `old_id` (the id was given out long before), `state`, `payment_state`, `kind`,
    `bundled` (SKUs of enclosed lines), `force` (sell below zero), `location`."""

    def __init__(self) -> None:
        super().__init__(
            {
                "auth": "token",
                "total_pages": "sometimes",
                "lighter_default": True,
                "orders_updated_at_filter": True,
                "unknown_filters": "ignored",
                "master_in_variants": True,
                "linkage_type": "order_item",
                "included_type": "order_item",
                "put_is": "absolute",
                "empty_keys": "missing",
                "all_failed_status": 200,
                "most_write_rows": 0,
                "restock_on_payment_cancel": True,
                "edit_moves_stock": True,
                "deleted_at_on_orders": False,
                "delete_bumps_updated_at": False,
                "clock_skew_seconds": 0,
                "maintenance": False,
                "pages": "right",
            }
        )
        self.products: list[SimProduct] = []
        self.items: list[SimStockItem] = []
        self.items_by_sku: dict[str, list[SimStockItem]] = {}
        self.orders: dict[int, SimOrder] = {}
        self.quotas = Quotas()
        self.static_token = TOKEN
        self.session_token: str | None = None
        self._ids = {
            "product": 500,
            "variant": 900,
            "item": 70_000,
            "order": 31_000,
            "line": 0,
            "session": 0,
        }
        self._locations = {LOCATION: 1}
        self._products_by_number: dict[str, SimProduct] = {}

    def new_id(self, kind: str) -> int:
        """Return the next id of a kind of record."""
        self._ids[kind] += 1
        return self._ids[kind]

    # What buyers and staff do.

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        with self.lock:
            for listing in listings:
                self._add(listing)
        return [listing.sku for listing in listings]

    def set_stock(self, sku: str, quantity: int) -> None:
        with self.lock:
            item = self.item(sku)
            item.stock, item.updated_at = quantity, self.now()

    def stock(self) -> dict[str, int]:
        with self.lock:
            return {
                item.variant_sku: item.stock
                for item in reversed(self.items)
                if item.stock_location_code == LOCATION
            }

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        with self.lock:
            location = options.get("location", LOCATION)
            taken = [(self.item(sku, location), units) for sku, units in lines.items()]
            for item, units in taken:
                if units < 1:
                    raise SimulationError(f"{item.variant_sku}: units must be ≥ 1")
                if not item.stock_unlimited and item.stock < units and not options.get("force"):
                    raise SimulationError(f"{item.variant_sku} is sold out: {item.stock} left")
            now = self.now() - timedelta(days=float(options.get("days_ago", 0)))
            for item, units in taken:
                self.move(item, -units)
            number = self.new_id("order") * 2
            created = now
            if options.get("old_id"):
                # The id was issued when the buyer began to check out; later buyers finished first.
                number, created = number - 61, now - timedelta(hours=1)
            order = SimOrder(
                number,
                created,
                now,
                number=f"{number:010x}",
                lines=[self._line(item, units, now, options) for item, units in taken],
                visible_at=now + timedelta(seconds=float(options.get("visible_after", 0))),
                completed_at=now,
                state=options.get("state", "complete"),
                payment_state=options.get("payment_state", "authed"),
                kind=options.get("kind", ""),
            )
            self.orders[number] = order
            return str(number)

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        with self.lock:
            found = self.order(order)
            for sku, units in lines.items():
                line = next((line for line in found.lines if line.item.variant_sku == sku), None)
                if line is None:
                    line = self._line(self.item(sku), 0, self.now(), {})
                    found.lines.append(line)
                if self.behaviour["edit_moves_stock"]:
                    self.move(line.item, line.quantity - units)
                line.quantity, line.updated_at = units, self.now()
            found.lines = [line for line in found.lines if line.quantity]
            found.updated_at = self.now()

    def cancel_order(self, order: str, *, restock: bool) -> None:
        """Cancel the payment with `restock`, which moves the state and, by the switch, the stock.
        Without it the staff only sets the state, which moves nothing else."""
        with self.lock:
            found = self.order(order)
            if restock:
                self.void(found)
            else:
                found.state, found.updated_at = "canceled", self.now()

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        with self.lock:
            found = self.order(order)
            whole = {line.item.variant_sku: line.quantity for line in found.lines}
            if lines is not None and dict(lines) != whole:
                raise SimulationError("ecforce ships an order as a whole")
            self.ship(found, self.now())

    def archive_order(self, order: str) -> None:
        raise SimulationError("ecforce has no archive")

    def delete_order(self, order: str) -> None:
        """Cancel the payment, then delete the order: only cancelled orders can be deleted."""
        with self.lock:
            found = self.order(order)
            self.void(found)
            self.delete(found)

    def remove_listing(self, sku: str) -> None:
        with self.lock:
            gone = self.items_by_sku.pop(self.item(sku).variant_sku)
            self.items = [item for item in self.items if item not in gone]
            for product in self.products:
                product.variants = [variant for variant in product.variants if variant.sku != sku]
            self.products = [product for product in self.products if product.variants]

    def exhaust_quota(self) -> None:
        with self.lock:
            self.quotas.exhaust()

    def notification(self, order: str) -> tuple[dict[str, str], bytes]:
        """Return a notification by the template that the connector's README asks for."""
        with self.lock:
            body = {"secret": WEBHOOK_SECRET, "order_id": self.order(order).id}
        return {"Content-Type": "application/json", "X-ECF-Event": "order_updated"}, json.dumps(
            body
        ).encode()

    def set_state(self, order: str, state: str, payment_state: str | None = None) -> None:
        """Move the order to a state, which may be one of the shop's own."""
        with self.lock:
            found = self.order(order)
            found.state, found.updated_at = state, self.now()
            found.payment_state = payment_state or found.payment_state

    # What the platform does.

    def void(self, order: SimOrder) -> None:
        """Cancel the payment: the state follows, and the stock as the shop is set up."""
        if order.payment_state == "voided":
            return
        order.state, order.payment_state = "canceled", "voided"
        order.payment_voided_at = order.updated_at = self.now()
        if self.behaviour["restock_on_payment_cancel"] and order.shipped_at is None:
            for line in order.lines:
                self.move(line.item, line.quantity)

    def ship(self, order: SimOrder, at: datetime) -> None:
        """Ship the order."""
        order.state, order.shipped_at, order.updated_at = "shipped", at, self.now()

    def delete(self, order: SimOrder) -> None:
        """Hide a cancelled order. Raises SimulationError for any other."""
        if order.payment_state != "voided":
            raise SimulationError("only an order whose payment was cancelled can be deleted")
        order.deleted_at = self.now()
        if self.behaviour["delete_bumps_updated_at"]:
            order.updated_at = order.deleted_at

    def move(self, item: SimStockItem, units: int) -> None:
        """Change a number as the platform itself does."""
        if not item.stock_unlimited:
            item.stock += units
            item.updated_at = self.now()

    def item(self, sku: str, location: str = LOCATION) -> SimStockItem:
        """Return the stock record of an SKU at a location. Raises SimulationError."""
        for item in self.items_by_sku.get(sku, ()):
            if item.stock_location_code == location:
                return item
        raise SimulationError(f"no stock record of {sku!r} at {location!r}")

    def order(self, order: str) -> SimOrder:
        """Return an order by its id. Raises SimulationError."""
        found = self.orders.get(int(order)) if order.isdigit() else None
        if found is None:
            raise SimulationError(f"no order {order!r}")
        return found

    def switches(self) -> dict[str, Any]:
        return super().switches() | {
            "quotas": self.quotas.enforced,
            "requests_per_second": self.quotas.requests.rate,
            "retry_after": self.quotas.retry_after,
            "static_token": self.static_token,
            "session": "open" if self.session_token else "expired",
        }

    def switch(self, name: str, value: Any) -> None:
        """`static_token` replaces the token as 更新 does; `session: expired` revokes what a sign-in
        gave."""
        if name == "quotas":
            self.quotas.enforce(bool(value))
        elif name == "requests_per_second":
            self.quotas.requests.rate = float(value)
        elif name == "retry_after":
            self.quotas.retry_after = str(value)
        elif name == "static_token":
            self.static_token = str(value)
        elif name == "session":
            self.session_token = None
        else:
            super().switch(name, value)

    def counters(self) -> dict[str, int]:
        return super().counters() | {"throttled": self.quotas.throttled}

    def new_session(self) -> str:
        """Return the token of a sign-in: the same one as long as it is valid."""
        if self.session_token is None:
            self.session_token = f"{SESSION}{self.new_id('session')}"
        return self.session_token

    def _add(self, listing: NewListing) -> None:
        extra, now = dict(listing.extra), self.now()
        number = str(extra.get("product", listing.sku))
        title = listing.title or listing.sku
        product = self._products_by_number.get(number)
        if product is None:
            product = SimProduct(
                self.new_id("product"),
                now,
                now,
                number=number,
                name=str(extra.get("product_name", title)),
                state=str(extra.get("state", "active")),
                for_sale=bool(extra.get("for_sale", True)),
                is_recurring=bool(extra.get("is_recurring", False)),
            )
            self.products.append(product)
            self._products_by_number[number] = product
        variant = SimVariant(
            self.new_id("variant"),
            now,
            now,
            product_id=product.id,
            sku=listing.sku,
            name=title,
            position=len(product.variants) + 1,
            is_master=not product.variants,
            options=[{"option_type": "種類", "option_value": str(extra["option"])}]
            if "option" in extra
            else [],
        )
        product.variants.append(variant)
        if extra.get("stocked", True):
            self._stock(
                variant,
                number,
                LOCATION,
                listing.quantity,
                bool(extra.get("stock_unlimited", False)),
            )
        for code, quantity in dict(extra.get("locations", {})).items():
            self._stock(variant, number, code, quantity, False)

    def _stock(
        self, variant: SimVariant, number: str, code: str, quantity: int, unlimited: bool
    ) -> None:
        now = self.now()
        item = SimStockItem(
            self.new_id("item"),
            now,
            now,
            variant=variant,
            product_number=number,
            location_id=self._locations.setdefault(code, len(self._locations) + 1),
            stock_location_code=code,
            stock=quantity,
            stock_unlimited=unlimited,
        )
        self.items.append(item)
        self.items_by_sku.setdefault(variant.sku, []).append(item)

    def _line(
        self, item: SimStockItem, units: int, now: datetime, options: Mapping[str, Any]
    ) -> SimLine:
        bundled = item.variant_sku in options.get("bundled", ())
        return SimLine(self.new_id("line"), now, now, item=item, quantity=units, bundled=bundled)
