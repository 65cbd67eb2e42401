"""Which notifications of platforms have come."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, insert, select

from zaiko_core.storage import schema
from zaiko_core.storage.scope import Scope

_LONGEST = 200


class WebhookRows(Scope):
    """See ports.Webhooks."""

    def insert(self, shop: str, delivery: str) -> bool:
        table = schema.webhook_deliveries
        if len(delivery) > _LONGEST:
            delivery = hashlib.sha256(delivery.encode("utf-8", "replace")).hexdigest()
        # The merchant's lock is held, so nobody else writes between the two.
        known = select(table.c.at).where(self.mine(table), table.c.shop == shop, table.c.delivery == delivery)
        if self.connection.scalar(known) is not None:
            return False
        values = {"merchant": self.merchant, "shop": shop, "delivery": delivery, "at": self.now}
        self.connection.execute(insert(table).values(values))
        return True

    def forget(self, *, older_than: int) -> None:
        table = schema.webhook_deliveries
        self.connection.execute(delete(table).where(self.mine(table), table.c.at < older_than))
