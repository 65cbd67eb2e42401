"""Why a shop showed another number than expected (domain.md §3, ADR 0013). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from zaiko_core.domain.fence import Drift, InventoryBelief

EDITS, WITHIN = 3, 24 * 3_600_000_000
"""So many unexplained edits within so many µs of a listing with another code than its product's
speak for a wrong link."""


class Cause(enum.StrEnum):
    """Why a number differed."""

    EDITED_IN_SHOP = "EDITED_IN_SHOP"
    """Nothing that we know of explains it: somebody, or another tool, changed it in the shop."""
    PUSH_LOST = "PUSH_LOST"
    """A write whose answer was lost was not applied."""
    NOT_APPLIED = "NOT_APPLIED"
    """The platform acknowledged a write and did not apply it."""
    ORDER_NOT_INGESTED = "ORDER_NOT_INGESTED"
    """Lower, while the shop's orders are known to be incomplete up to then."""
    BUNDLE_PART = "BUNDLE_PART"
    """Lower, while the shop sold listings that are not linked: probably as a part of one of
    them."""
    WRONG_LINK = "WRONG_LINK"
    """Changed again and again, and the listing's code is not its product's: probably linked to the
    wrong product."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`shown` by the shop where `expected` was; both in units of the listing."""

    cause: Cause
    expected: int
    shown: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the number when an unexplained difference is settled."""

    orders_complete: bool = True
    """Whether the shop's orders are known up to when the number was first missed."""
    sold_unlinked: bool = False
    """Whether the shop has orders with lines of listings that are not linked."""
    edits: int = 0
    """Unexplained edits of this link within the last day, this one not counted."""
    codes_differ: bool = False
    """Whether the listing carries a code, and another one than its product."""


def on_reading(
    before: InventoryBelief, after: InventoryBelief, drift: Drift, quantity: int | None
) -> Difference | None:
    """The difference that a reading shows at once: `before` and `after` are the fence around
    `fence.observe`, `drift` its verdict. A number that is too low is not decided here: an order may
    still come (see `on_outlived`)."""
    if quantity is None or before.expected is None:
        return None
    pending = before.pending
    if pending is not None and pending.quantity != before.expected and quantity == before.expected:
        return Difference(Cause.PUSH_LOST, pending.quantity, quantity)
    if (
        before.replaced is not None
        and before.replaced != before.expected
        and quantity == before.replaced
    ):
        return Difference(Cause.NOT_APPLIED, before.expected, quantity)
    if drift is Drift.EXTRA and quantity != before.expected + before.unexplained:
        return Difference(Cause.EDITED_IN_SHOP, before.expected, quantity)
    return None


def on_outlived(
    before: InventoryBelief, after: InventoryBelief, around: Circumstances
) -> Difference | None:
    """The difference that is settled when a suspicion is dropped because no order came to explain
    it."""
    missing = before.unexplained - after.unexplained
    if missing <= 0 or after.expected is None:
        return None
    if not around.orders_complete:
        cause = Cause.ORDER_NOT_INGESTED
    elif around.sold_unlinked:
        cause = Cause.BUNDLE_PART
    else:
        cause = Cause.EDITED_IN_SHOP
    return Difference(cause, after.expected + missing, after.expected)


def weighed(difference: Difference, around: Circumstances) -> Difference:
    """The difference, said to come from a wrong link where it is one of many and the codes
    differ."""
    if (
        difference.cause is Cause.EDITED_IN_SHOP
        and around.codes_differ
        and around.edits + 1 >= EDITS
    ):
        return Difference(Cause.WRONG_LINK, difference.expected, difference.shown)
    return difference
