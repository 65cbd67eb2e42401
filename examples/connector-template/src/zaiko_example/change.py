"""How a number is changed: on condition of the old one. This module decides which fence zaiko uses
(docs/connectors.md)."""

from __future__ import annotations

from typing import Any

from zaiko_sdk import InventoryMode, InventoryWrite

MODE = InventoryMode.COMPARE_AND_SET


def change_from(write: InventoryWrite) -> dict[str, Any]:
    """Return the change as the platform takes it: it refuses the change as `stale` unless the
    listing still shows `if_quantity` (null: no number yet)."""
    return {"id": write.ref.external_id, "quantity": write.quantity, "if_quantity": write.expected}
