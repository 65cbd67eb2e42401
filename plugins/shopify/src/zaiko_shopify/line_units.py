"""How many units of an order line will never ship, and how many were shipped (FACTS.md §6). Pure
functions.

Shopify gives three counters: `quantity` (as ordered), `currentQuantity` (less all that was
refunded, removed by an edit or returned) and `unfulfilledQuantity`. It gives no counter of units
refunded before shipping, which release stock, apart from units that were shipped and came back,
which must not release any: the warehouse's shipment has done so already. So:

- Still open: min(unfulfilled, current), and 0 when the order is cancelled. This is an upper bound
  whether or not `unfulfilledQuantity` leaves out refunded units (UNCONFIRMED).
- `ordered − open` units are settled: they were shipped, or never will be.
- `ordered − current` units are gone. Of these, those whose refund says RETURN had been shipped.
  Those whose refund does not say (NO_RESTOCK, LEGACY_RESTOCK) count as shipped too if anything of
  the order was shipped: as cancelled units they would be sold again while they may still have to be
  shipped. The others were cancelled, refunded or edited away before shipping.

The split between cancelled and fulfilled never changes `open`; it matters where the warehouse
reports shipments of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refunded:
    """Units of one line in refunds: `returned` after shipping, `unclear` before or after. Units
    refunded before shipping need no count: they are the rest."""

    returned: int = 0
    unclear: int = 0
    unrestocked: int = 0
    """How many of `unclear` the shop did not put back on the shelf (NO_RESTOCK)."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Shopify's counters of one line."""

    quantity: int
    current: int
    unfulfilled: int


@dataclass(frozen=True, slots=True)
class Units:
    """What the host receives: `open` = ordered − cancelled − fulfilled."""

    ordered: int
    cancelled: int
    fulfilled: int
    unrestocked: int = 0


def units(counters: Counters, refunded: Refunded, *, untouched: bool, cancelled: bool) -> Units:
    """Return the units of one line. `untouched`: nothing of the order was shipped. `cancelled`: the
    whole order is."""
    ordered = max(0, counters.quantity)
    left = _within(min(counters.unfulfilled, counters.current), ordered)
    gone = _within(ordered - counters.current, ordered)
    settled = ordered - left
    came_back = 0 if untouched else min(gone, refunded.returned + refunded.unclear)
    never = min(gone - came_back, settled)
    fulfilled = settled - never
    if cancelled:
        fulfilled = 0 if untouched else fulfilled
        never = ordered - fulfilled
    return Units(ordered, never, fulfilled, min(never, refunded.unrestocked) if untouched else 0)


def _within(value: int, most: int) -> int:
    return max(0, min(value, most))
