"""Open orders of a shop whose content is not known, and what they may have taken (ADR 0034). Pure.

What is not known is not nothing: while such an order may have taken units that are missing in its
shop, they are not offered again there, and are not on offer in other shops.
"""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_core.domain.fence import InventoryBelief

AROUND = 300_000_000
"""µs by which the clocks of a shop and of ours may differ, and by which an order may come before or
after its units."""


@dataclass(frozen=True, slots=True)
class UnknownOrders:
    """Those of one shop. `unreadable`: how many cannot be read; they may have taken anything.
    `uncounted`: of each one with a line that counts for no product, when it was placed and when it
    was first read here (µs)."""

    unreadable: int = 0
    uncounted: tuple[tuple[int, int], ...] = ()

    def may_have_taken(self, belief: InventoryBelief) -> bool:
        """Return whether one of them may explain what the shop's number lacks. One that is not
        counted can only if it came after the number was last right, and before units were missed:
        where half of the listings are not linked, there are always some."""
        if not belief.unexplained and not belief.uncertain:
            return False
        first, last = belief.matched_at - AROUND, belief.unexplained_since + AROUND
        return self.unreadable > 0 or any(
            placed <= last and max(placed, seen) >= first for placed, seen in self.uncounted
        )

    def taken(self, belief: InventoryBelief) -> int:
        """Return the missing units that one of them may have taken: they are not on offer in other
        shops either."""
        return belief.unexplained if self.may_have_taken(belief) else 0
