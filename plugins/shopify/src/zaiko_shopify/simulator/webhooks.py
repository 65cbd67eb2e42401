"""The notifications that the shop sends: signed, kept for tests, and posted where a switch or a
subscription says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any

import httpx

from zaiko_shopify.simulator.ids import gid, text_of
from zaiko_shopify.simulator.records import SimLevel, SimOrder, SimVariant
from zaiko_shopify.simulator.state import Shop

ATTEMPTS, ANSWER_WITHIN = 9, 5.0
"""Attempts of one delivery, and seconds that each may take (FACTS.md §9: one and 8 retries)."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One signed notification. Its retries and duplicates carry the same `X-Shopify-Webhook-Id`."""

    uri: str
    headers: dict[str, str]
    body: bytes


class Webhooks:
    """Subscriptions by topic (as in the API's enum), and what was sent.

    `url` receives every topic, whatever is subscribed to, and may be plain http, for a server on
    this machine. `copies` says how often each delivery is made: 2 for duplicates, 0 for loss.
    `reordered` delivers what is waiting newest first. `retry_after` is how long the first retry
    waits after a delivery was not answered with 2xx in time; each further one waits twice as long.
    """

    def __init__(self, shop: Shop, secret: str, version: str) -> None:
        self._shop, self._secret, self._version = shop, secret, version
        self.subscriptions: dict[str, str] = {}
        self.sent: list[Delivery] = []
        self.url = ""
        self.copies = 1
        self.reordered = False
        self.retry_after = 1.0
        self.delivered = 0
        self.failed = 0
        self._waiting: deque[Delivery] = deque()
        self._turn = threading.Lock()
        self._busy = False

    def order_changed(self, order: SimOrder, *topics: str) -> None:
        """Send the notifications of an order event."""
        payload = _payload(order)
        for topic in topics:
            body = {"id": order.number} if topic == "ORDERS_DELETE" else payload
            self._send(topic, {"order_id": order.number} if topic == "REFUNDS_CREATE" else body)

    def level_changed(self, variant: SimVariant, level: SimLevel) -> None:
        """Send the notification that a number changed, no matter who changed it."""
        identity = f"gid://shopify/InventoryLevel/{level.location.number}?inventory_item_id={variant.item_number}"
        payload = {
            "inventory_item_id": variant.item_number,
            "location_id": level.location.number,
            "available": level.available,
            "updated_at": text_of(level.changed_at),
            "admin_graphql_api_id": identity,
        }
        self._send("INVENTORY_LEVELS_UPDATE", payload)

    def _send(self, topic: str, payload: dict[str, Any]) -> None:
        uri = self.url or self.subscriptions.get(topic)
        if not uri:
            return
        delivery = self._signed(topic, payload, uri)
        self.sent.append(delivery)
        # Subscriptions through the API name https addresses outside this machine: those are only
        # kept.
        if self.url:
            self._post([delivery] * self.copies)

    def delivery_of(self, order: SimOrder) -> Delivery:
        """Return the notification of an order that changed, as it would be posted."""
        return self._signed("ORDERS_UPDATED", _payload(order), self.url)

    def _signed(self, topic: str, payload: dict[str, Any], uri: str) -> Delivery:
        body = json.dumps(payload, separators=(",", ":")).encode()
        head, _, tail = topic.lower().rpartition("_")
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": f"{head}/{tail}",
            "X-Shopify-Hmac-Sha256": base64.b64encode(
                hmac.new(self._secret.encode(), body, hashlib.sha256).digest()
            ).decode(),
            "X-Shopify-Shop-Domain": self._shop.domain,
            "X-Shopify-API-Version": self._version,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": text_of(self._shop.now()) or "",
        }
        return Delivery(uri, headers, body)

    def _post(self, deliveries: list[Delivery]) -> None:
        with self._turn:
            self._waiting.extend(deliveries)
            if self._busy or not self._waiting:
                return
            self._busy = True
        threading.Thread(
            target=self._deliver, name="simulated Shopify webhooks", daemon=True
        ).start()

    def _deliver(self) -> None:
        """Post what is waiting, on a thread of its own: the shop does not wait for the receiver."""
        with httpx.Client(timeout=ANSWER_WITHIN) as http:
            while True:
                with self._turn:
                    if not self._waiting:
                        self._busy = False
                        return
                    delivery = self._waiting.pop() if self.reordered else self._waiting.popleft()
                done = self._try(http, delivery)
                with self._turn:
                    self.delivered += done
                    self.failed += not done

    def _try(self, http: httpx.Client, delivery: Delivery) -> bool:
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(self.retry_after * 2 ** (attempt - 1))
            try:
                if http.post(
                    delivery.uri, content=delivery.body, headers=delivery.headers
                ).is_success:
                    return True
            except httpx.HTTPError:
                continue
        return False


def _payload(order: SimOrder) -> dict[str, Any]:
    return {
        "id": order.number,
        "admin_graphql_api_id": gid("Order", order.number),
        "updated_at": text_of(order.updated_at),
        "line_items": [
            {"id": line.number, "sku": line.sku, "quantity": line.quantity} for line in order.lines
        ],
    }
