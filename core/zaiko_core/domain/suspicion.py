"""Orders whose open units may no longer be promised, and what a shop's policy does with them (ADR
0022). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from zaiko_core.domain.demand import OrderRecord

DAY = 24 * 3_600_000_000
UNPAID_AFTER = 14
"""Days after which an order that nobody pays is suspect, unless the shop says otherwise."""


class Suspicion(enum.StrEnum):
    """Why a person should look."""

    ARCHIVED = "ARCHIVED"
    VANISHED = "VANISHED"
    UNPAID = "UNPAID"
    STATE_UNKNOWN = "STATE_UNKNOWN"
    ORDER_UNREADABLE = "ORDER_UNREADABLE"
    """What is in it cannot be read: it may have taken any units of its shop."""
    LINE_MISSING = "LINE_MISSING"
    """The shop leaves out a line that nobody removed."""


@dataclass(frozen=True, slots=True)
class SuspectPolicy:
    """Days (1 … 365) after which open units are released, counted from when the suspicion began;
    None: never. `unpaid_after` days after it was placed an unpaid order is suspect."""

    archived: int | None = None
    vanished: int | None = None
    unpaid: int | None = None
    unpaid_after: int = UNPAID_AFTER

    @property
    def releases(self) -> bool:
        """Whether it ever releases anything."""
        return (self.archived, self.vanished, self.unpaid) != (None, None, None)


def suspicions(order: OrderRecord, policy: SuspectPolicy, now: int) -> dict[Suspicion, int]:
    """Return what is odd about an order that has open units, or may have some, and since when
    (µs since 1970; 0: not known). An order that was released has nothing odd."""
    if order.released_at is not None or not order.may_be_open:
        return {}
    found: dict[Suspicion, int] = {}
    if order.archived:
        found[Suspicion.ARCHIVED] = order.archived_at or 0
    if order.vanished_at is not None:
        found[Suspicion.VANISHED] = order.vanished_at
    if order.paid is False and (since := order.placed_at + policy.unpaid_after * DAY) <= now:
        found[Suspicion.UNPAID] = since
    if order.unreadable_at is not None:
        found[Suspicion.ORDER_UNREADABLE] = order.unreadable_at
    elif not order.state_known:
        found[Suspicion.STATE_UNKNOWN] = 0
    if order.lines_missing_at is not None:
        found[Suspicion.LINE_MISSING] = order.lines_missing_at
    return found


def release_time(
    order: OrderRecord, policy: SuspectPolicy, now: int
) -> tuple[int, Suspicion] | None:
    """Return when the policy releases the order (µs since 1970, maybe past), and for what; None:
    never, as far as is known now. A person who holds it wins."""
    if order.kept:
        return None
    days = {
        Suspicion.ARCHIVED: policy.archived,
        Suspicion.VANISHED: policy.vanished,
        Suspicion.UNPAID: policy.unpaid,
    }
    times = [
        (since + limit * DAY, suspicion)
        for suspicion, since in suspicions(order, policy, now).items()
        if since and (limit := days.get(suspicion)) is not None
    ]
    return min(times, default=None)


def still_released(reading: OrderRecord, stored: OrderRecord) -> bool:
    """Return whether a new reading of an order leaves it released: the reason for its release still
    holds."""
    if stored.released_at is None:
        return False
    if stored.released_for == Suspicion.ARCHIVED:
        return reading.archived
    return stored.released_for == Suspicion.UNPAID and reading.paid is False
