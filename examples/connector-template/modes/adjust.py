"""How a number is changed: relatively. This module decides which fence zaiko uses
(docs/connectors.md)."""

from __future__ import annotations

from typing import Any

from zaiko_sdk import InventoryMode, InventoryWrite

MODE = InventoryMode.ADJUST


def change_from(write: InventoryWrite) -> dict[str, Any]:
    """Return the change as the platform takes it: it adds `change` to what the listing shows, and
    refuses it as `stale` when the result would fall below 0."""
    return {"id": write.ref.external_id, "change": write.delta}
