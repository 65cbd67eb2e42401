"""The shop as a job: what a claim finds, and what a run gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from zaiko_core.app.records.history import Trigger
from zaiko_core.app.records.shops import ShopRecord
from zaiko_core.domain.problem import Problem

FEW = 20
"""Orders or links of a transaction of a run that others of the merchant need not be kept apart
from: it is as short as a call's."""


@dataclass(frozen=True, slots=True)
class FoundShop:
    """What a claim found, at `at` (µs): the shop, when the first of its links is due, and its place
    (0 …) among the merchant's shops that are not paused, of which there are `shops` (≥ 1)."""

    shop: ShopRecord
    at: int
    links_due_at: int | None
    reading_due: bool
    """Whether a link was due whose number in the shop must be read before it can go on."""
    many_due: bool
    """Whether more than FEW links were due."""
    place: int
    shops: int
    unended: bool
    """Whether a run of it is written as RUNNING, whose process has died."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What is kept of a run with the shop that it gives back. `next_in` µs (None: its interval)
    until it is due again, at once when it was triggered meanwhile, unless `attempt`, the runs that
    failed in a row, is more than 0."""

    next_in: int | None
    attempt: int
    problem: Problem | None
    succeeded: bool
    run: str | None = None
    """None: it did nothing, so it is not written down."""
    cursor: str | None = None
    complete_until: int | None = None
    """Of pages of orders that brought nothing new; None: as stored."""


@dataclass(frozen=True, slots=True)
class JobClaim:
    """A shop that this process may run until its lease ends."""

    merchant: str
    shop: str
    token: int
    attempt: int
    found: FoundShop = field(compare=False)
    trigger: Trigger = Trigger.INTERVAL
    cause: str | None = None
    """The trace of the newest change that made it due, as a W3C `traceparent`; None where it was
    not traced."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Claims whose lease was lost, and those whose row another transaction had locked."""

    lost: tuple[JobClaim, ...] = ()
    busy: tuple[JobClaim, ...] = ()
