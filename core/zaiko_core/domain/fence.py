"""The fence of a push (docs/domain.md §3, ADR 0004): what zaiko believes a shop shows, and what it
may send. Pure.

A number lower than explained is taken for an order that cannot be seen yet, as long as the
connector says that orders may take to become visible; only after that it is a change by hand. A
number higher than explained cannot be an order.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from zaiko_core.domain.demand import Sold

_WHOLE_SECOND = 1_000_000
"""Platforms cut the times of orders to whole seconds; an order of the same second as a reading
counts as placed after it."""


class WriteMode(enum.StrEnum):
    """How the platform lets its number be changed."""

    COMPARE_AND_SET = "compare_and_set"
    ADJUST = "adjust"
    SET = "set"


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """A write that was recorded before it was sent and has no recorded outcome. `quantity` is what
    the shop shows if it was applied; the belief's `expected` is what it shows if not. Own orders
    counted meanwhile lower both. `absolute` is the number that an unconditional write carries: it
    may have come after those orders, and have overwritten what they took."""

    key: str
    quantity: int
    at: int
    absolute: int | None = None


@dataclass(frozen=True, slots=True)
class InventoryBelief:
    """What is known of the number that a shop shows for one link. Times in µs since 1970.

    `expected` None: the shop has no number yet (when `must_read` is off) or none is known (when it
    is on).
    """

    expected: int | None = None
    unexplained: int = 0
    """Units missing from the shop's number that no order explains yet."""
    unexplained_since: int = 0
    uncertain: int = 0
    """Units that would be missing as well if the less likely explanation of an ambiguous number
    were true: they are not offered again, but nothing is taken off sale for them."""
    released: int = 0
    """Units of cancelled or edited orders that the shop may have given back since the number was
    last settled."""
    unshipped: int = 0
    """Those of the released units that had not left: most shops give back these alone."""
    adopted_at: int = 0
    """When a number that nothing explained was last adopted as it was: orders placed before that
    were in it."""
    matched_at: int = 0
    """When the number was last known to be what was expected: what is missing went after that."""
    must_read: bool = True
    pending: PendingWrite | None = None
    replaced: int | None = None
    """What the shop showed before a write that was acknowledged, or refused as stale, and is still
    to be read back."""
    reserved: int = 0
    """Units that the shop keeps off sale without an order, as it last said: they are not in its
    number, and are not offered again."""
    tells_states: bool = False
    """Whether the last reading said what the shop reserves and what its open orders hold."""
    is_busy: bool = False
    """Whether own orders were counted since the number was last settled, or units went missing in a
    reading that had more than one explanation: what nothing explains may be theirs."""
    ineffective: int = 0
    """Writes in a row that were acknowledged, or refused as stale, and left the number where it
    was."""


class ReadingVerdict(enum.StrEnum):
    """How an observed number differed from the expected one."""

    NONE = "NONE"
    FIRST = "FIRST"
    """There was nothing to compare with."""
    MISSING = "MISSING"
    """Lower: an order that is still to come, or a change by hand."""
    EXTRA = "EXTRA"
    """Higher: restocked or changed by hand; adopted."""


class Step(enum.StrEnum):
    """What a link needs next."""

    READ = "READ"
    WRITE = "WRITE"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step; for WRITE the number to show, for DONE the number that the shop shows."""

    step: Step
    quantity: int = 0
    recheck_at: int | None = None
    """When a suspicion ends and the link must be decided again, or None."""


def sold(belief: InventoryBelief, own: Sold) -> InventoryBelief:
    """Count one of the shop's own orders. It explains missing units; what it took beyond them
    lowers what is expected, unless the order was in the number already: when it is older than the
    uncertainty, or than the adoption of a number. The shop's clock decides that, so the number is
    read again."""
    absorbed = min(own.units, belief.unexplained)
    rest = own.units - absorbed
    uncertain_added = min(rest, belief.uncertain) if own.at <= belief.unexplained_since else 0
    contained = rest if own.at + _WHOLE_SECOND <= belief.adopted_at else uncertain_added
    rest -= contained
    pending = belief.pending
    return replace(
        belief,
        unexplained=belief.unexplained - absorbed,
        uncertain=belief.uncertain - uncertain_added,
        expected=None if belief.expected is None else belief.expected - rest,
        pending=None if pending is None else replace(pending, quantity=pending.quantity - rest),
        replaced=None if belief.replaced is None else belief.replaced - rest,
        released=belief.released + own.released,
        unshipped=belief.unshipped + own.unshipped,
        is_busy=True,
        must_read=belief.must_read
        or own.uncertain
        or own.released > 0
        or contained > 0
        # The order may have been made of them.
        or belief.reserved > 0,
    )


def withheld_by_shop(belief: InventoryBelief, units: int | None) -> InventoryBelief:
    """Take note of the units that the shop keeps off sale, before its number is settled. More of
    them lower its number as an order does, fewer raise it. None: they are as they were."""
    if units is None or units == belief.reserved:
        return belief
    more = units - belief.reserved
    pending = belief.pending
    return replace(
        belief,
        reserved=units,
        expected=None if belief.expected is None else belief.expected - more,
        pending=None if pending is None else replace(pending, quantity=pending.quantity - more),
        replaced=None if belief.replaced is None else belief.replaced - more,
    )


def observe(
    belief: InventoryBelief, quantity: int | None, *, at: int, now: int
) -> tuple[InventoryBelief, ReadingVerdict]:
    """Settle what the shop showed at `at`, after orders were fetched. What it could show is known:
    a pending write applied or not, released units given back or not, or only those that had not
    left. The value that equals the number, else the smallest above it, is the likely explanation,
    and what is missing from it is unexplained. What would be missing from the largest value besides
    is uncertain."""
    if quantity is None:
        # A registration was acknowledged, and there is no number.
        ineffective = belief.ineffective + 1 if belief.expected is not None else 0
        unknown = InventoryBelief(
            adopted_at=at, matched_at=at, must_read=False, ineffective=ineffective
        )
        return unknown, ReadingVerdict.FIRST
    pending = (belief.pending.quantity, belief.pending.absolute) if belief.pending else ()
    bases = {value for value in (belief.expected, *pending) if value is not None}
    returned = (0, belief.unshipped, belief.released)
    explained = {base + units for base in bases for units in returned}
    possible = sorted(value for value in explained if value >= quantity)
    if not bases:
        return InventoryBelief(
            expected=quantity,
            adopted_at=at,
            matched_at=at,
            must_read=False,
            reserved=belief.reserved,
            tells_states=belief.tells_states,
        ), ReadingVerdict.FIRST
    if possible:
        missing, uncertain_added = possible[0] - quantity, possible[-1] - possible[0]
        drift = ReadingVerdict.MISSING if missing else ReadingVerdict.NONE
    else:
        # Higher than anything explains. What was unexplained has come back with it, at most to the
        # full.
        missing, uncertain_added = (
            -min(belief.unexplained, quantity - max(bases) - belief.released),
            0,
        )
        drift = ReadingVerdict.EXTRA
    # More unexplained than before is a new suspicion, with its own full time to be explained.
    unexplained, uncertain = belief.unexplained + missing, belief.uncertain + uncertain_added
    since = now if missing > 0 or uncertain_added > 0 else belief.unexplained_since
    settled = InventoryBelief(
        expected=quantity,
        unexplained=unexplained,
        unexplained_since=since if unexplained or uncertain else 0,
        uncertain=uncertain,
        adopted_at=at if drift is ReadingVerdict.EXTRA else belief.adopted_at,
        matched_at=belief.matched_at if unexplained or uncertain else at,
        must_read=False,
        reserved=belief.reserved,
        tells_states=belief.tells_states,
        is_busy=unexplained > 0 and (belief.is_busy or len(explained) > 1),
        ineffective=_ineffective(belief, quantity),
    )
    return settled, drift


def withholding(belief: InventoryBelief, target: int, *, now: int) -> InventoryBelief:
    """Return the belief of a number that was read for the first time, with all that it lacks of
    `target` as missing: an order that cannot be read may have taken it."""
    missing = target - (belief.expected or 0)
    if missing <= 0:
        return belief
    return replace(belief, unexplained=missing, unexplained_since=now)


def _ineffective(belief: InventoryBelief, quantity: int) -> int:
    """Return how many writes in a row have left the number where it was, after one more reading.
    Any other number than before begins from the start."""
    if belief.pending is None and belief.replaced == quantity:
        return belief.ineffective + 1
    is_unchanged = belief.replaced is None and belief.expected == quantity
    return belief.ineffective if is_unchanged else 0


def differs(belief: InventoryBelief, quantity: int | None) -> bool:
    """Return whether a number that was read beside a run is another one than the shop is believed
    to show. None: it was not read. Such a number is no reading: orders may have come before it."""
    return quantity is not None and belief.expected is not None and quantity != belief.expected


def needs_reading(belief: InventoryBelief, mode: WriteMode, *, fresh: bool) -> bool:
    """Return whether the number must be read before a write can be planned. `fresh`: it was
    observed in this round, before orders were last fetched."""
    return (
        belief.pending is not None
        or belief.must_read
        or (mode is not WriteMode.COMPARE_AND_SET and not fresh)
    )


def without_expired(
    belief: InventoryBelief,
    mode: WriteMode,
    *,
    fresh: bool,
    visibility: int,
    now: int,
    kept: bool = False,
) -> InventoryBelief:
    """Return the belief without units that no order has explained for `visibility` µs: they were
    changed by hand. What is uncertain until a reading settles it stays; so does everything that is
    `kept`, because an order of unknown content may have taken it."""
    if (
        kept
        or needs_reading(belief, mode, fresh=fresh)
        or now - belief.unexplained_since < visibility
    ):
        return belief
    return replace(belief, unexplained=0, unexplained_since=0, uncertain=0)


def plan(
    belief: InventoryBelief,
    target: int,
    mode: WriteMode,
    *,
    fresh: bool,
    visibility: int,
    now: int,
    kept: bool = False,
) -> tuple[InventoryBelief, Plan]:
    """Return the next step towards showing `target` (≥ 0), and the belief with an expired suspicion
    dropped, unless it is `kept`. `visibility` is in µs."""
    if needs_reading(belief, mode, fresh=fresh):
        return belief, Plan(Step.READ)
    belief = without_expired(belief, mode, fresh=fresh, visibility=visibility, now=now, kept=kept)
    waiting = belief.unexplained > 0 or belief.uncertain > 0
    want = max(0, target - belief.unexplained)
    if belief.expected is not None and want > belief.expected:
        want = max(0, belief.expected, want - belief.uncertain)
    recheck_at = belief.unexplained_since + visibility if waiting else None
    if belief.expected == want:
        return belief, Plan(Step.DONE, want, recheck_at)
    return belief, Plan(Step.WRITE, want, recheck_at)


def record_pending(
    belief: InventoryBelief, quantity: int, mode: WriteMode, *, key: str, now: int
) -> InventoryBelief:
    """Return the belief to store before a write is sent."""
    absolute = quantity if mode is WriteMode.SET else None
    return replace(
        belief, pending=PendingWrite(key=key, quantity=quantity, at=now, absolute=absolute)
    )


def applied(belief: InventoryBelief, mode: WriteMode) -> InventoryBelief:
    """Return the belief after the platform acknowledged the pending write. Where the write was not
    conditional, the next round reads it back."""
    if belief.pending is None:
        return belief
    if mode is WriteMode.COMPARE_AND_SET:
        # The number was what was expected until then.
        return replace(
            belief,
            expected=belief.pending.quantity,
            pending=None,
            must_read=False,
            matched_at=max(belief.matched_at, belief.pending.at),
            ineffective=0,
        )
    return replace(
        belief,
        expected=belief.pending.quantity,
        pending=None,
        must_read=True,
        replaced=belief.expected,
    )


def refused(belief: InventoryBelief, *, stale: bool = False) -> InventoryBelief:
    """Return the belief after the pending write was certainly not applied. The belief may be wrong,
    so the number is read before the next write. `stale`: refused because the shop shows another
    number, so one that shows the same was refused for nothing."""
    replaced = belief.expected if stale else None
    return replace(belief, pending=None, must_read=True, replaced=replaced)
