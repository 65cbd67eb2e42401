"""Why a shop showed another number than expected (ADR 0013). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from zaiko_core.domain.fence import InventoryBelief, ReadingVerdict

DROPS = 3
"""As many unexplained drops in one shop within WITHIN are evidence against its connector."""
EDITS, WITHIN = 3, 24 * 3_600_000_000
"""As many unexplained edits within as many µs indicate a wrong link, where the listing's code
differs from its product's."""


class DriftCause(enum.StrEnum):
    """Why a number differed."""

    EDITED_IN_SHOP = "EDITED_IN_SHOP"
    """A person, or another tool, changed it in the shop: nothing else can explain it."""
    PUSH_LOST = "PUSH_LOST"
    """A write whose answer was lost was not applied."""
    NOT_APPLIED = "NOT_APPLIED"
    """The platform acknowledged a write and did not apply it."""
    ORDER_NOT_INGESTED = "ORDER_NOT_INGESTED"
    """Lower, while the shop's orders are known to be incomplete up to then, or the platform counts
    open units that no order explains."""
    BUNDLE_PART = "BUNDLE_PART"
    """Lower, while the shop sold listings that are not linked: probably as a part of one of
    them."""
    WRONG_LINK = "WRONG_LINK"
    """Changed again and again, and the listing's code is not its product's: probably linked to the
    wrong product."""
    DROPS_UNEXPLAINED = "DROPS_UNEXPLAINED"
    """Lower, as UNKNOWN, and not for the first time in this shop: its connector probably misses
    orders, or does not report what the shop reserves."""
    UNKNOWN = "UNKNOWN"
    """What is known does not say why. Lower: an order that is not listed, a reservation or an edit.
    Higher: an edit, or the shop's own orders that came meanwhile."""
    COMMITTED_DIFFERS = "COMMITTED_DIFFERS"
    """The platform counts other units of open orders (`shown`) than the orders that were read have
    (`expected`). Its number is as it should be."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`shown` by the shop where `expected` was; both in units of the listing."""

    cause: DriftCause
    expected: int
    shown: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else is known when an unexplained difference is settled."""

    committed_more: int = 0
    """Units that the platform counts in open orders more than we do."""
    drops: int = 0
    """Findings of units that fell unexplained in this shop within the last day, this one not
    counted."""
    orders_complete: bool = True
    """Whether the shop's orders are known up to when the number was first missed."""
    sold_unlinked: bool = False
    """Whether orders of the time when the number fell have lines of listings that are not
    linked."""
    edits: int = 0
    """Unexplained edits of this link within the last day, this one not counted."""
    codes_differ: bool = False
    """Whether the listing carries a code, and another one than its product."""
    hold: bool = False
    """Whether the shop's owner wants to see an edit before it is overwritten."""


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """A difference to write down, and whether it is left to a person instead of being set right."""

    difference: Difference
    held: bool = False


_LEFT_TO_PEOPLE = {
    DriftCause.EDITED_IN_SHOP,
    DriftCause.WRONG_LINK,
    DriftCause.BUNDLE_PART,
    DriftCause.DROPS_UNEXPLAINED,
    DriftCause.UNKNOWN,
}


def on_reading(
    before: InventoryBelief, after: InventoryBelief, drift: ReadingVerdict, quantity: int | None
) -> Difference | None:
    """Return the difference that a reading shows at once: `before` and `after` are the belief
    around `fence.observe`, `drift` its verdict. A number that is too low is not decided here: an
    order may still come (see `on_expiry`)."""
    if quantity is None or before.expected is None:
        return None
    pending = before.pending
    is_written = pending is not None or before.replaced is not None
    if (
        pending is not None
        and not before.is_busy
        and pending.quantity != before.expected
        and quantity == before.expected
    ):
        return Difference(DriftCause.PUSH_LOST, pending.quantity, quantity)
    if (
        before.replaced is not None
        and not before.is_busy
        # A number that is too low may be an order that cannot be read yet.
        and (before.replaced > before.expected or before.tells_states)
        and before.replaced != before.expected
        and quantity == before.replaced
    ):
        return Difference(DriftCause.NOT_APPLIED, before.expected, quantity)
    if drift is ReadingVerdict.EXTRA and quantity != before.expected + before.unexplained:
        cause = DriftCause.UNKNOWN if before.is_busy or is_written else DriftCause.EDITED_IN_SHOP
        return Difference(cause, before.expected, quantity)
    return None


def on_expiry(
    before: InventoryBelief, after: InventoryBelief, around: Circumstances
) -> Difference | None:
    """Return the difference that is settled when a suspicion is dropped because no order came to
    explain it."""
    missing = before.unexplained - after.unexplained
    if missing <= 0 or after.expected is None:
        return None
    if not around.orders_complete:
        cause = DriftCause.ORDER_NOT_INGESTED
    elif before.is_busy:
        cause = DriftCause.UNKNOWN
    elif around.committed_more >= missing:
        cause = DriftCause.ORDER_NOT_INGESTED
    elif around.sold_unlinked:
        cause = DriftCause.BUNDLE_PART
    elif before.tells_states:
        cause = DriftCause.EDITED_IN_SHOP
    elif around.drops + 1 >= DROPS:
        cause = DriftCause.DROPS_UNEXPLAINED
    else:
        cause = DriftCause.UNKNOWN
    return Difference(cause, after.expected + missing, after.expected)


def weighed(difference: Difference, around: Circumstances) -> Difference:
    """Return the difference, attributed to a wrong link where it is one of many and the codes
    differ."""
    if (
        difference.cause in (DriftCause.EDITED_IN_SHOP, DriftCause.UNKNOWN)
        and around.codes_differ
        and around.edits + 1 >= EDITS
    ):
        return Difference(DriftCause.WRONG_LINK, difference.expected, difference.shown)
    return difference


def is_order_in_flight(difference: Difference, around: Circumstances) -> bool:
    """Return whether what looks like a write that was not applied is an order that the platform
    counts and that cannot be read yet."""
    is_write = difference.cause in (DriftCause.NOT_APPLIED, DriftCause.PUSH_LOST)
    return is_write and difference.shown < difference.expected and around.committed_more > 0


def judged(difference: Difference, around: Circumstances) -> DriftFinding:
    """Weigh a difference, and say whether a person is to look at it first."""
    found = weighed(difference, around)
    return DriftFinding(found, around.hold and found.cause in _LEFT_TO_PEOPLE)
