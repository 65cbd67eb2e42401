"""Connectors that trust a notification."""

from __future__ import annotations

import json
from collections.abc import Mapping

from contract.broken.delegating import Delegating, behaves
from zaiko_sdk import (
    CredentialsRejected,
    WebhookHint,
)


@behaves("a_signed_notification_is_a_hint")
class IgnoresNotifications(Delegating):
    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        self.inner.parse_webhook(headers, body)
        return None


@behaves("the_orders_that_a_hint_names_can_be_read_by_id")
class NamesWhatCannotBeRead(Delegating):
    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        hint = self.inner.parse_webhook(headers, body)
        if hint is None:
            return None
        return WebhookHint(
            hint.delivery_id, hint.topic, [*hint.order_ids, *(f"#{id_}" for id_ in hint.order_ids)]
        )


@behaves("header_names_may_be_in_any_case")
class ComparesHeaderNames(Delegating):
    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        if "X-Example-Signature" not in headers:
            raise CredentialsRejected("not signed")
        return self.inner.parse_webhook(headers, body)


@behaves("a_forged_notification_is_refused")
class DoesNotVerify(Delegating):
    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        note = json.loads(body)
        return WebhookHint(note["delivery_id"], note["topic"], [note["order_id"]])


@behaves("garbage_is_never_believed")
class ReadsBeforeItVerifies(Delegating):
    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        json.loads(body)["order_id"]
        return self.inner.parse_webhook(headers, body)
