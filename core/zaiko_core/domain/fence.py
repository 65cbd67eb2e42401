"""The fence of a push (domain.md §3, ADR 0004): what zaiko believes a shop shows, and what it may send. Pure.

A number lower than explained is taken for an order that cannot be seen yet, as long as the connector says that orders may
take to become visible; only after that it is a change by hand. A number higher than explained cannot be an order.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from zaiko_core.domain.demand import Sold


class Mode(enum.StrEnum):
    """How the platform lets its number be changed."""

    COMPARE_AND_SET = "compare_and_set"
    ADJUST = "adjust"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Flight:
    """A write that was recorded before it was sent and has no recorded outcome. `quantity` is what the shop shows if it
    was applied; the fence's `expected` is what it shows if not. Own orders counted meanwhile lower both."""

    key: str
    quantity: int
    at: int


@dataclass(frozen=True, slots=True)
class Fence:
    """What is known of the number that a shop shows for one link. Times in µs since 1970.

    `expected` None: the shop has no number yet (when `must_read` is off) or none is known (when it is on).
    """

    expected: int | None = None
    suspected: int = 0
    suspected_since: int = 0
    must_read: bool = True
    flight: Flight | None = None


class Drift(enum.StrEnum):
    """How an observed number differed from the expected one."""

    NONE = "NONE"
    FIRST = "FIRST"
    """There was nothing to compare with."""
    MISSING = "MISSING"
    """Lower: an order that is still to come, or a change by hand."""
    EXTRA = "EXTRA"
    """Higher: restocked or changed by hand; taken over."""


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
    """When a suspicion ends and the link must be looked at again, or None."""


def sold(fence: Fence, own: Sold) -> Fence:
    """The shop's own orders were counted: they explain what was suspected first, and lower what is expected by the rest."""
    absorbed = min(own.units, fence.suspected)
    rest = own.units - absorbed
    flight = fence.flight
    return replace(
        fence,
        suspected=fence.suspected - absorbed,
        expected=None if fence.expected is None else fence.expected - rest,
        flight=None if flight is None else replace(flight, quantity=flight.quantity - rest),
        must_read=fence.must_read or own.uncertain,
    )


def observe(fence: Fence, quantity: int | None, *, now: int) -> tuple[Fence, Drift]:
    """The shop was read, and orders were fetched after that. Settles a flight: of what the shop would show with the write
    applied and without it, the smaller one that is not below the number is what happened."""
    if quantity is None:
        return Fence(expected=None, must_read=False), Drift.FIRST
    candidates = [value for value in (fence.expected, fence.flight.quantity if fence.flight else None) if value is not None]
    if not candidates:
        return Fence(expected=quantity, must_read=False), Drift.FIRST
    explained = min((value for value in candidates if value >= quantity), default=None)
    if explained is None:
        # Higher than anything explains. What was suspected has come back with it, at most to the full.
        surplus = quantity - max(candidates)
        suspected = max(0, fence.suspected - surplus)
        return _settled(fence, quantity, suspected, now), Drift.EXTRA
    missing = explained - quantity
    return _settled(fence, quantity, fence.suspected + missing, now), Drift.MISSING if missing else Drift.NONE


def _settled(fence: Fence, quantity: int, suspected: int, now: int) -> Fence:
    # More suspected than before is a new suspicion, with its own full time to be explained.
    since = now if suspected > fence.suspected else fence.suspected_since
    return Fence(expected=quantity, suspected=suspected, suspected_since=since if suspected else 0, must_read=False)


def plan(fence: Fence, target: int, mode: Mode, *, fresh: bool, visibility: int, now: int) -> tuple[Fence, Plan]:
    """The next step towards showing `target` (≥ 0), and the fence with an outlived suspicion dropped.

    `fresh` says that the number was observed in this round, before orders were last fetched. `visibility` is in µs.
    """
    if fence.flight is not None or fence.must_read or (mode is not Mode.COMPARE_AND_SET and not fresh):
        return fence, Plan(Step.READ)
    if fence.suspected and now - fence.suspected_since >= visibility:
        fence = replace(fence, suspected=0, suspected_since=0)
    want = max(0, target - fence.suspected)
    recheck_at = fence.suspected_since + visibility if fence.suspected else None
    if fence.expected == want:
        return fence, Plan(Step.DONE, want, recheck_at)
    return fence, Plan(Step.WRITE, want, recheck_at)


def launch(fence: Fence, quantity: int, *, key: str, now: int) -> Fence:
    """A write is about to be sent; stored before it is."""
    return replace(fence, flight=Flight(key=key, quantity=quantity, at=now))


def applied(fence: Fence, mode: Mode) -> Fence:
    """The platform acknowledged the write in flight. Where it could not be conditional, the next round reads it back."""
    if fence.flight is None:
        return fence
    return replace(fence, expected=fence.flight.quantity, flight=None, must_read=mode is not Mode.COMPARE_AND_SET)


def refused(fence: Fence) -> Fence:
    """The write in flight was certainly not applied, and the belief may be wrong: read before the next one."""
    return replace(fence, flight=None, must_read=True)
