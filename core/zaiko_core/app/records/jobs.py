"""The shop as a job: what a claim finds, and how a run ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from zaiko_core.app.records.history import RunCounts, RunState, Trigger
from zaiko_core.app.records.shops import ShopRecord
from zaiko_core.domain.problem import Problem


@dataclass(frozen=True, slots=True)
class FoundShop:
    """What a claim found, at `at` (µs): the shop, when the first of its links is due, and its place
    (0 …) among the merchant's shops that are not paused, of which there are `shops` (≥ 1)."""

    shop: ShopRecord
    at: int
    links_due_at: int | None
    reading_due: bool
    """Whether a link was due whose number in the shop must be read before it can go on."""
    place: int
    shops: int
    unended: bool
    """Whether a run of it is written as RUNNING, whose process has died."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, and what is kept of it with the shop that it releases."""

    state: RunState
    counts: RunCounts = field(default_factory=RunCounts)
    problem: Problem | None = None
    held: bool = False
    """Whether the shop's links wait for a person."""
    is_unfinished: bool = False
    """Whether time was up: the shop is due again at once."""
    retry_in: int | None = None
    """µs until the run is repeated that failed."""
    attempt: int = 0
    """Runs that have failed in a row. While it is more than 0, a trigger does not bring the next
    run forward."""
    sending_retry_at: int | None = None
    """Until when (µs) only orders are read, because numbers could not be read or sent; None: the
    run failed as a whole, or not at all."""
    order_cursor: str | None = None
    """Where fetching orders came to, while the last pages brought nothing new; None: as stored."""
    orders_complete_until: int | None = None
    orders_read_at: int | None = None
    """When the last fetch began that was ingested whole; None: as stored."""

    @property
    def succeeded(self) -> bool:
        """Whether the shop works, though single links may have failed."""
        return self.state in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED)


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
