"""The platform's own notifications. Their signature is the HMAC-SHA256 of the raw body, in hex,
with the shop's webhook secret as the key."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from pydantic import SecretStr
from zaiko_sdk import ContractBroken, CredentialsRejected, Row, WebhookHint, read_row

from zaiko_example.rows import Id

SIGNATURE = "x-example-signature"


class Notification(Row):
    """The body of a notification. Only the thing that it points to is used; numbers are read
    through the API."""

    delivery_id: Id
    topic: str
    order_id: Id | None = None


def read_webhook(
    secret: SecretStr | None, headers: Mapping[str, str], body: bytes
) -> WebhookHint | None:
    """See Connector.parse_webhook. The signature is compared before anything is read."""
    if secret is None:
        raise CredentialsRejected("this shop has no webhook_secret; enter the one of the webhook")
    sent = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
    if not hmac.compare_digest(
        sent.encode("utf-8", "replace"), sign(secret.get_secret_value(), body).encode()
    ):
        raise CredentialsRejected("the notification is not signed with this shop's webhook_secret")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise ContractBroken("a signed notification is not JSON") from None
    note = read_row(Notification, content, what="a notification")
    if not note.topic.startswith("order."):
        return None
    return WebhookHint(note.delivery_id, note.topic, [note.order_id] if note.order_id else [])


def sign(secret: str, body: bytes) -> str:
    """Return the signature of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
