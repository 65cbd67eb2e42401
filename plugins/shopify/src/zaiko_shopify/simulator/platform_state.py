"""What the platform remembers beside the shop itself: quota, scopes, idempotency keys, bulk
operations and webhooks, and the switches for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode

from zaiko_shopify.documents import API_VERSION
from zaiko_shopify.simulator.bulk import BulkOperations
from zaiko_shopify.simulator.cost import Bucket
from zaiko_shopify.simulator.state import Shop
from zaiko_shopify.simulator.webhooks import Webhooks

PLANS = {
    "standard": (2_000, 100),
    "advanced": (4_000, 200),
    "plus": (20_000, 1_000),
    "enterprise": (40_000, 2_000),
}
"""Bucket and points a second."""
SCOPES = frozenset({"read_products", "write_inventory", "read_locations", "read_orders"})


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What is remembered under an idempotency key. Without payload: the attempt failed."""

    fingerprint: str
    payload: dict[str, Any] | None
    at: float


class PlatformState:
    """The state that requests are judged by. `run_bulk` executes the document of a bulk operation
    and returns its data."""

    def __init__(self, shop: Shop, secret: str, run_bulk: Callable[[DocumentNode], Any]) -> None:
        self.shop = shop
        self.webhooks = Webhooks(shop, secret, API_VERSION)
        self.bulk = BulkOperations(shop, run_bulk)
        self.counts: Counter[str] = Counter()
        self.keys: dict[str, KeptKey] = {}
        self.scopes: frozenset[str] = SCOPES
        self.quotas = True
        self.exhausted = False
        """Whether other apps with the same credentials empty the bucket all the time."""
        self.max_cost = 1_000
        self.idempotency = True
        self.failed_keys_remembered = False
        self.busy_keys = 0
        self.pages = "right"
        self.unfulfilled_includes_refunded = False
        self.protected_data_approved = True
        self.plan = "standard"
        self.use_plan(self.plan)

    def use_plan(self, name: str) -> None:
        """Switch to another plan, with its bucket full."""
        maximum, restore = PLANS[name]
        self.plan, self.bucket = name, Bucket(maximum, restore, self.shop.monotonic)

    def remember(
        self, key: str, fingerprint: str, payload: dict[str, Any] | None, at: float
    ) -> None:
        """Keep the outcome under an idempotency key."""
        self.keys[key] = KeptKey(fingerprint, payload, at)
