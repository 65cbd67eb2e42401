"""The notifications that the shop sends. They are kept for a test to fetch, duplicate, reorder or lose; nothing is posted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from typing import Any

from zaiko_shopify.simulator.records import Level, Order, Variant
from zaiko_shopify.simulator.run import gid, text_of
from zaiko_shopify.simulator.shop import Shop


@dataclass(frozen=True, slots=True)
class Delivery:
    """One signed notification."""

    uri: str
    headers: dict[str, str]
    body: bytes


class Webhooks:
    """Subscriptions by topic (as in the API's enum), and what was sent."""

    def __init__(self, shop: Shop, secret: str, version: str) -> None:
        self._shop, self._secret, self._version = shop, secret, version
        self.subscriptions: dict[str, str] = {}
        self.sent: list[Delivery] = []

    def order_changed(self, order: Order, *topics: str) -> None:
        """An order event."""
        payload = {
            "id": order.number,
            "admin_graphql_api_id": gid("Order", order.number),
            "updated_at": text_of(order.updated_at),
            "line_items": [{"id": line.number, "sku": line.sku, "quantity": line.quantity} for line in order.lines],
        }
        for topic in topics:
            body = {"id": order.number} if topic == "ORDERS_DELETE" else payload
            self._send(topic, {"order_id": order.number} if topic == "REFUNDS_CREATE" else body)

    def level_changed(self, variant: Variant, level: Level) -> None:
        """A number changed, by whomever."""
        identity = f"gid://shopify/InventoryLevel/{level.location.number}?inventory_item_id={variant.item_number}"
        payload = {
            "inventory_item_id": variant.item_number,
            "location_id": level.location.number,
            "available": level.available,
            "updated_at": text_of(level.touched_at),
            "admin_graphql_api_id": identity,
        }
        self._send("INVENTORY_LEVELS_UPDATE", payload)

    def _send(self, topic: str, payload: dict[str, Any]) -> None:
        uri = self.subscriptions.get(topic)
        if uri is None:
            return
        body = json.dumps(payload, separators=(",", ":")).encode()
        head, _, tail = topic.lower().rpartition("_")
        headers = {
            "X-Shopify-Topic": f"{head}/{tail}",
            "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.new(self._secret.encode(), body, hashlib.sha256).digest()).decode(),
            "X-Shopify-Shop-Domain": self._shop.domain,
            "X-Shopify-API-Version": self._version,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": text_of(self._shop.now()) or "",
        }
        self.sent.append(Delivery(uri, headers, body))
