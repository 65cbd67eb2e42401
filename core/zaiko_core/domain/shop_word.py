"""How far a shop's own word moves the stock: whether its «shipped» frees units, and whether units
that it refunded without restocking may be sold again (ADR 0035). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

UNSHIPPED_AFTER = 24 * 3_600_000_000
"""µs after which units that the shop says are shipped, and that the warehouse did not ship, are
shown to a person."""


class ShippedFrees(enum.StrEnum):
    """When units that the shop says are shipped stop being promised without a shipment of the
    warehouse."""

    AUTO = "AUTO"
    """Until the warehouse reports what it does for orders of shops."""
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True)
class ShopWord:
    """What a shop's word counts for while one reading is applied. `has_feed`: the merchant's
    warehouses have allocated or shipped units for an order of a shop. `known_since` and `now` are
    in µs since 1970."""

    shipped_frees: ShippedFrees = ShippedFrees.ALWAYS
    has_feed: bool = False
    keeps_unrestocked: bool = False
    known_since: int = 0
    now: int = 0

    @property
    def frees(self) -> bool:
        """Whether «shipped» of the shop alone frees units."""
        if self.shipped_frees is ShippedFrees.AUTO:
            return not self.has_feed
        return self.shipped_frees is ShippedFrees.ALWAYS

    @property
    def awaits(self) -> bool:
        """Whether the warehouse is expected to report the shipment too."""
        return self.has_feed or not self.frees


FREES = ShopWord()
"""A word that counts as it is: «shipped» frees units, and nothing is expected of a warehouse."""
