"""Orders as they are listed."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_core.domain.demand import OrderRecord


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as people see it."""

    shop: str
    record: OrderRecord
    holds: int
    uncounted: bool
    created_at: int
    updated_at: int
    revision: int
