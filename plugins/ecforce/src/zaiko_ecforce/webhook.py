"""Notifications. ecforce names the event in a header; the body is a text template that the shop
edits, so a schema exists only as far as our README asks for one. UNCONFIRMED: whether ecforce can
sign a call or add a header. The form taken here needs neither: the template sends our shared secret
in the body."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from zaiko_sdk import CredentialsRejected, WebhookHint

from zaiko_ecforce.settings import EcforceSettings

EVENT_HEADER = "x-ecf-event"
SECRET_HEADER = "x-ecf-secret"  # noqa: S105 - the name of a header
SECRET_KEY, ORDER_KEY, DELIVERY_KEY = "secret", "order_id", "delivery_id"


def read_webhook(
    settings: EcforceSettings, headers: Mapping[str, str], body: bytes, new_id: Callable[[], str]
) -> WebhookHint | None:
    """Return a hint to poll for an event of an order, or None for other events. Raises
    CredentialsRejected without the shared secret."""
    named = {name.lower(): value for name, value in headers.items()}
    content = _content(body)
    sent = content.get(SECRET_KEY) or named.get(SECRET_HEADER) or ""
    if settings.webhook_secret is None:
        raise CredentialsRejected(
            "this shop has no webhook_secret; set one and put it into the webhook's template"
        )
    wanted = settings.webhook_secret.get_secret_value()
    if not isinstance(sent, str) or not hmac.compare_digest(
        sent.encode("utf-8", "replace"), wanted.encode()
    ):
        raise CredentialsRejected("the webhook did not carry this shop's webhook_secret")
    event = named.get(EVENT_HEADER, "")
    if not event.startswith("order_"):
        return None
    order = content.get(ORDER_KEY)
    known = isinstance(order, str | int) and not isinstance(order, bool) and str(order).isdigit()
    delivery = content.get(DELIVERY_KEY)
    return WebhookHint(
        # Without an id of the shop's own every call counts: two updates of an order have equal
        # bodies.
        delivery_id=delivery if isinstance(delivery, str) and delivery else new_id(),
        topic=event,
        order_ids=[str(order)] if known else [],
    )


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
