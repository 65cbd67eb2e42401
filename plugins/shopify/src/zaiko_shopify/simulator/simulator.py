"""What buyers and staff do for tests, and the switches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any

from starlette.routing import BaseRoute
from zaiko_sdk.testing.simulator import NewListing, SimulationError, Simulator

from zaiko_shopify.simulator.front import CLIENT_ID, CLIENT_SECRET, STATES, STATIC_TOKEN, Front
from zaiko_shopify.simulator.ids import gid, number_of
from zaiko_shopify.simulator.platform import Platform
from zaiko_shopify.simulator.platform_state import PLANS
from zaiko_shopify.simulator.records import SimOrder, SimVariant
from zaiko_shopify.simulator.state import Shop

_SWITCHES = {
    "quotas": "platform.quotas",
    "max_cost": "platform.max_cost",
    "idempotency": "platform.idempotency",
    "failed_keys_remembered": "platform.failed_keys_remembered",
    "busy_keys": "platform.busy_keys",
    "unfulfilled_includes_refunded": "platform.unfulfilled_includes_refunded",
    "protected_data_approved": "platform.protected_data_approved",
    "pages": "platform.pages",
    "plan": "platform.plan",
    "bulk_seconds": "platform.bulk.seconds",
    "bulk_outcome": "platform.bulk.outcome",
    "time_offset": "shop.time_offset",
    "index_lag": "shop.index_lag",
    "restock_on_delete": "shop.restock_on_delete",
    "refuse_sold_out": "shop.refuse_sold_out",
    "token_life": "front.token_life",
    "grant_refusal": "front.grant_refusal",
    "state": "front.state",
    "served_version": "front.served_version",
    "internal_errors": "front.internal_errors",
    "webhook_url": "platform.webhooks.url",
    "webhook_copies": "platform.webhooks.copies",
    "webhooks_reordered": "platform.webhooks.reordered",
    "webhook_retry_after": "platform.webhooks.retry_after",
}
"""Each switch beside `scopes`, and the attribute that it is."""
_CHOICES: dict[str, Collection[Any]] = {
    "plan": PLANS,
    "state": STATES,
    "pages": ("right", "duplicate", "missing"),
}


class ShopifySimulator(Simulator):
    """One simulated shop. `extra` of a new listing: `stocked`, `tracked`, `policy`, `status`,
    `bundle`, `requires_shipping`, `variant_title`. Options of place_order beside `visible_after`:
    `test`, `financial`, `custom` (title → units of lines without a variant), `moves_stock` (False:
    created by API with default options)."""

    def __init__(self) -> None:
        self.shop = Shop()
        super().__init__()
        self.platform = Platform(self.shop, CLIENT_SECRET)
        self.front = Front(self.shop, self.platform, self.lock)

    @property
    def account(self) -> str:
        """Which account of the platform the shop is."""
        return self.shop.account

    @account.setter
    def account(self, account: str) -> None:
        self.shop.account = account

    def routes(self) -> Sequence[BaseRoute]:
        return self.front.routes()

    def shop_settings(self, base_url: str) -> dict[str, Any]:
        self.platform.bulk.base_url = base_url
        return {
            "shop": self.shop.domain,
            "origin": base_url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }

    def static_settings(self, base_url: str) -> dict[str, Any]:
        """Return settings with a token that never ends."""
        self.platform.bulk.base_url = base_url
        return {"shop": self.shop.domain, "origin": base_url, "access_token": STATIC_TOKEN}

    # Staff and buyers

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        with self.lock:
            return [gid("ProductVariant", self._add(listing).number) for listing in listings]

    def set_stock(self, sku: str, quantity: int) -> None:
        with self.lock:
            variant = self.shop.by_sku(sku)
            level = variant.levels.get(self.shop.main.number)
            if level is None:
                raise SimulationError(f"{sku} is not stocked")
            self.shop.set_available(level, quantity)
            self.platform.webhooks.level_changed(variant, level)

    def stock(self) -> dict[str, int]:
        with self.lock:
            return {
                variant.sku: self.shop.sellable(variant)
                for variant in self.shop.variants.values()
                if variant.sku
            }

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        with self.lock:
            order = self.shop.place(
                lines,
                visible_after=float(options.get("visible_after", 0)),
                test=bool(options.get("test", False)),
                financial=options.get("financial", "PAID"),
                custom=options.get("custom", {}),
                moves_stock=bool(options.get("moves_stock", True)),
                days_ago=float(options.get("days_ago", 0)),
            )
            self.platform.webhooks.order_changed(order, "ORDERS_CREATE")
            return gid("Order", order.number)

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.edit(found, lines)
            self.platform.webhooks.order_changed(found, "ORDERS_EDITED", "ORDERS_UPDATED")

    def refund_order(self, order: str, lines: Mapping[str, int], restock_type: str) -> None:
        """Refund units: CANCEL, RETURN or NO_RESTOCK."""
        with self.lock:
            found = self.order(order)
            self.shop.refund(found, lines, restock_type)
            self.platform.webhooks.order_changed(found, "REFUNDS_CREATE", "ORDERS_UPDATED")

    def cancel_order(self, order: str, *, restock: bool) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.cancel(found, restock=restock)
            self.platform.webhooks.order_changed(found, "ORDERS_CANCELLED", "ORDERS_UPDATED")

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.fulfil(found, lines)
            self.platform.webhooks.order_changed(found, "ORDERS_UPDATED")

    def archive_order(self, order: str) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.archive(found)
            self.platform.webhooks.order_changed(found, "ORDERS_UPDATED")

    def delete_order(self, order: str) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.delete(found)
            self.platform.webhooks.order_changed(found, "ORDERS_DELETE")

    def order(self, identity: str) -> SimOrder:
        """Return an order by the id that the connector reports."""
        found = self.shop.orders.get(number_of(identity, "Order") or 0)
        if found is None:
            raise SimulationError(f"there is no order {identity!r}")
        return found

    def remove_listing(self, sku: str) -> None:
        with self.lock:
            self.shop.delete_variant(self.shop.by_sku(sku))

    def close_for_maintenance(self, closed: bool) -> None:
        self.switch("state", "maintenance" if closed else "active")

    def exhaust_quota(self) -> None:
        with self.lock:
            self.platform.quotas = self.platform.exhausted = True

    def notification(self, order: str) -> tuple[dict[str, str], bytes]:
        with self.lock:
            delivery = self.platform.webhooks.delivery_of(self.order(order))
        return delivery.headers, delivery.body

    def switches(self) -> dict[str, Any]:
        values = {name: attrgetter(path)(self) for name, path in _SWITCHES.items()}
        return values | {"scopes": sorted(self.platform.scopes)}

    def switch(self, name: str, value: Any) -> None:
        with self.lock:
            known = self.switches()
            if name not in known:
                super().switch(name, value)
            if value not in _CHOICES.get(name, (value,)):
                raise SimulationError(f"{name} cannot be {value!r}")
            if name == "quotas":
                self.platform.exhausted = False
            if name == "plan":
                self.platform.use_plan(value)
            elif name == "scopes":
                self.platform.scopes = frozenset(
                    value.split(",") if isinstance(value, str) else value
                )
            else:
                owner, _, attribute = _SWITCHES[name].rpartition(".")
                setattr(attrgetter(owner)(self), attribute, type(known[name])(value))

    def counters(self) -> dict[str, int]:
        with self.lock:
            webhooks = {
                "webhooks_delivered": self.platform.webhooks.delivered,
                "webhooks_failed": self.platform.webhooks.failed,
            }
            return {"throttled": 0, **webhooks, **self.platform.counts}

    def _add(self, listing: NewListing) -> SimVariant:
        extra = listing.extra
        variant = self.shop.add_variant(
            listing.sku or None,
            listing.quantity,
            title=listing.title or listing.sku,
            barcode=listing.barcode or None,
            stocked=bool(extra.get("stocked", True)),
            status=str(extra.get("status", "ACTIVE")),
        )
        variant.tracked = bool(extra.get("tracked", True))
        variant.policy = str(extra.get("policy", "DENY"))
        variant.bundle = bool(extra.get("bundle", False))
        variant.requires_shipping = bool(extra.get("requires_shipping", True))
        variant.title = str(extra.get("variant_title", "Default Title"))
        return variant
