"""Stored times that something waits for. After the clock was set back, some of them are in the
future, where the clock would come to them only after as long as it was set back by (ADR 0039)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, or_, update

from zaiko_core.domain.addition import ARRIVAL
from zaiko_core.storage import schema
from zaiko_core.storage.scope import Scope

WAITED_FOR: dict[str, tuple[str, ...]] = {
    "shops": (
        "due_at",
        "additions_due_at",
        "named_due_at",
        "sending_retry_at",
        "account_at",
        "catalogue_due_at",
        "catalogue_asked_at",
        "reread_at",
        "audited_at",
        "checked_at",
        "ordered_at",
    ),
    "links": ("due_at", "unexplained_since", "open_counts_since", "read_at"),
    "addition_places": ("due_at",),
    "named_orders": ("due_at",),
    "orders": ("vanished_at", "archived_at"),
}
"""Columns by table: when something is due, and since when something lasts. Leases are not among
them: one that cannot be is void for every claim (storage/jobs.py)."""
_LASTS = {"addition_places": ARRIVAL}
"""µs for which what is due still waits: a request that was sent just before the clock was set back
may arrive for so long."""


class StampRows(Scope):
    """The times of one merchant that something waits for."""

    def bring_back(self) -> int:
        """Set those in the future to now: what is due is due at once, what lasts begins now. Return
        how many rows had one. Uses no revision and notifies no watcher."""
        changed = 0
        for table_name, columns in WAITED_FOR.items():
            table = schema.metadata.tables[table_name]
            due_at = self.now + _LASTS.get(table_name, 0)
            later = {name: table.c[name] > due_at for name in columns}
            values: dict[str, Any] = {
                name: case((is_later, due_at), else_=table.c[name])
                for name, is_later in later.items()
            }
            done = self.execute(
                update(table).where(self.mine(table), or_(*later.values())).values(values)
            )
            changed += done.rowcount
        return changed
