"""What Shopify says about one inventory item at one location. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_sdk import ContractBroken, ReplyFields

_AVAILABLE = "available"


@dataclass(frozen=True, slots=True)
class Level:
    """An inventory item as read. `available` is None when it is not stocked at the location: it
    never was, or the level is inactive. The shop does not sell from an inactive level, although a
    number can be written to it."""

    item: str
    tracked: bool
    available: int | None


def level_of(row: object, where: str) -> Level | None:
    """Read one row of the document Levels; None when the item no longer exists. Raises
    ContractBroken."""
    if row is None or row == {}:
        return None
    node = ReplyFields(where, row)
    level = node.inner_or_none("inventoryLevel")
    stocked = level is not None and level.flag("isActive")
    return Level(
        node.text("id"),
        node.flag("tracked"),
        available_of(level) if level is not None and stocked else None,
    )


def available_of(level: ReplyFields) -> int:
    """Return the number that the shop sells from. Orders that were not shipped are already
    subtracted, so it may be negative."""
    for row in level.each("quantities"):
        if row.text("name") == _AVAILABLE:
            return row.whole("quantity")
    raise ContractBroken(f"{level.where} has no quantity named {_AVAILABLE}")
