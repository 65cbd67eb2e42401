"""Shopify's notifications: verified over the raw body, and used as hints only. Their numbers may be
old when they arrive."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from zaiko_sdk import CredentialsRejected, WebhookHint

from zaiko_shopify.settings import ShopifySettings

_ORDER_TOPICS = "orders/"
_REFUND_TOPIC, _UNINSTALLED = "refunds/create", "app/uninstalled"
"""inventory_levels/update is not followed: our own writes cause it too, and the payload does not
say who caused it."""


def hint_of(
    settings: ShopifySettings, headers: Mapping[str, str], body: bytes
) -> WebhookHint | None:
    """See Connector.parse_webhook."""
    given = {name.lower(): value for name, value in headers.items()}
    secrets = [
        secret
        for secret in (settings.client_secret, settings.previous_client_secret)
        if secret is not None
    ]
    if not secrets:
        raise CredentialsRejected(
            "No client secret is set, so no notification can be verified; enter the app's client "
            "secret."
        )
    signature = given.get("x-shopify-hmac-sha256", "").encode("utf-8", "replace")
    if not any(
        hmac.compare_digest(_signature(secret.get_secret_value(), body), signature)
        for secret in secrets
    ):
        raise CredentialsRejected("The signature of a notification is missing or wrong")
    # The headers are not signed: one app's secret signs for all of its shops.
    if given.get("x-shopify-shop-domain", settings.shop).lower() != settings.shop:
        return None
    topic = given.get("x-shopify-topic", "")
    if not (topic.startswith(_ORDER_TOPICS) or topic in (_REFUND_TOPIC, _UNINSTALLED)):
        return None
    delivery = (
        given.get("x-shopify-webhook-id") or hashlib.sha256(topic.encode() + body).hexdigest()
    )
    return WebhookHint(delivery, topic, _orders(topic, body))


def _signature(secret: str, body: bytes) -> bytes:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())


def _orders(topic: str, body: bytes) -> tuple[str, ...]:
    if topic == _UNINSTALLED:
        return ()
    try:
        payload: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(payload, dict):
        return ()
    if topic.startswith(_ORDER_TOPICS) and isinstance(
        identity := payload.get("admin_graphql_api_id"), str
    ):
        return (identity,)
    number = payload.get("id" if topic.startswith(_ORDER_TOPICS) else "order_id")
    return (
        (f"gid://shopify/Order/{number}",)
        if isinstance(number, int) and not isinstance(number, bool)
        else ()
    )
