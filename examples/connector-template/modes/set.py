"""How a number is changed: absolutely. This module decides which fence zaiko uses
(docs/connectors.md)."""

from __future__ import annotations

from typing import Any

from zaiko_sdk import InventoryMode, InventoryWrite

MODE = InventoryMode.SET


def change_from(write: InventoryWrite) -> dict[str, Any]:
    """Return the change as the platform takes it: it overwrites what the listing shows. zaiko reads
    before and after."""
    return {"id": write.ref.external_id, "quantity": write.quantity}
