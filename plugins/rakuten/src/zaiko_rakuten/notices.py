"""システムイベント通知: the XML that Rakuten posts to shops with a contract for it (FACTS.md §5.4).
A notification is a hint to fetch orders, never data."""

from __future__ import annotations

import hashlib
import hmac
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

from pydantic import SecretStr
from zaiko_sdk import CredentialsRejected, WebhookHint

_ORDER = re.compile(r"\d{1,10}-\d{8}-\d{8,10}")
_EVENTS = {("4000", "1100"): "order_edited", ("5000", "1100"): "order_authorised"}
"""(serviceId, functionId) of a notifyModel: the buyer's edit or cancel, and the result of an
authorisation."""
_LARGEST = 1_000_000


def hint_of(auth_key: SecretStr | None, body: bytes) -> WebhookHint | None:
    """See Connector.parse_webhook. Rakuten signs nothing: the body contains the agreed key
    (`authKey`)."""
    if auth_key is None:
        raise CredentialsRejected(
            "No authKey is set, so no notification of Rakuten can be verified; enter it as "
            "`notice_auth_key`."
        )
    root = _root(body)
    sent = _text(root, "authKey").encode("utf-8", "replace")
    if not hmac.compare_digest(sent, auth_key.get_secret_value().encode()):
        raise CredentialsRejected("The authKey of a notification is missing or wrong")
    orders = list(dict.fromkeys(_orders(root)))
    topic = _EVENTS.get((_text(root, "serviceId"), _text(root, "functionId")), "")
    if _name(root) == "orderNotifyModel":
        topic = "order_placed"
    if not topic:
        return None
    # There is no id of the delivery; the same body is the same event, because each order has its
    # seqId in it.
    return WebhookHint(hashlib.sha256(body).hexdigest(), topic, orders)


def _root(body: bytes) -> ElementTree.Element:
    if len(body) > _LARGEST or b"<!" in body:
        # Declarations could define entities that grow without end. Rakuten sends none.
        raise CredentialsRejected("A notification is no document of Rakuten")
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - without declarations there is nothing to expand
    except (ElementTree.ParseError, ValueError, LookupError):
        raise CredentialsRejected("A notification is not XML") from None


def _orders(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        name = _name(element)
        if (name == "orderNumber" or name.startswith("value")) and _ORDER.fullmatch(
            (element.text or "").strip()
        ):
            yield (element.text or "").strip()


def _text(root: ElementTree.Element, name: str) -> str:
    return next(
        ((element.text or "").strip() for element in root.iter() if _name(element) == name), ""
    )


def _name(element: ElementTree.Element) -> str:
    """Return the name of an element without its namespace: it is not known whether there is one."""
    return element.tag.rpartition("}")[2]
