"""Which notifications of platforms have arrived."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from sqlalchemy import Executable, delete
from sqlalchemy.dialects import postgresql, sqlite

from zaiko_core.storage import schema
from zaiko_core.storage.scope import Scope

_LONGEST = 200


@lru_cache
def _insert(dialect: str) -> Executable:
    """Return the statement that inserts a row and returns it, unless it exists."""
    words: Any = postgresql if dialect == "postgresql" else sqlite
    table = schema.webhook_deliveries
    return words.insert(table).on_conflict_do_nothing().returning(table.c.at)  # type: ignore[no-any-return]


class WebhookRows(Scope):
    """Notifications of platforms that have arrived."""

    def insert(self, shop: str, delivery: str) -> bool:
        """Record that this notification has arrived. Return False if it had arrived before."""
        if len(delivery) > _LONGEST:
            delivery = hashlib.sha256(delivery.encode("utf-8", "replace")).hexdigest()
        values = {"merchant": self.merchant, "shop": shop, "delivery": delivery, "at": self.now}
        return self.execute(_insert(self.dialect), values).one_or_none() is not None

    def forget(self, *, older_than: int) -> None:
        table = schema.webhook_deliveries
        self.execute(delete(table).where(self.mine(table), table.c.at < older_than))
