"""Links, the numbers that were sent to them, and the differences that were found."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from zaiko_core.domain.drift import Difference
from zaiko_core.domain.escrow import Sales
from zaiko_core.domain.fence import InventoryBelief
from zaiko_core.domain.links import Part
from zaiko_core.domain.open_counts import OpenCounts
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.push import PushOutcome, Term, total
from zaiko_core.domain.stock import Balance


class LinkState(enum.StrEnum):
    """The state of a link as people see it."""

    DISABLED = "DISABLED"
    PENDING = "PENDING"
    SYNCING = "SYNCING"
    SYNCED = "SYNCED"
    FAILED = "FAILED"
    HELD = "HELD"
    SHADOW = "SHADOW"
    """Compared and not sent (ADR 0018): `confirmed` is what the shop was read to show."""


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link, with what we believe that the shop shows and its status."""

    shop: str
    listing: str
    parts: tuple[Part, ...]
    sync_enabled: bool
    state: LinkState
    belief: InventoryBelief = field(default_factory=InventoryBelief)
    due_at: int | None = None
    due_revision: int = 0
    settled_revision: int = 0
    """While the link is not SYNCED: every change up to here is in the number that the shop
    acknowledged. A SYNCED link has every change."""
    attempt: int = 0
    target: int | None = None
    """What its stock allows the shop to show, before anything is withheld; None: not computed
    yet."""
    withheld: tuple[Term, ...] = ()
    """What is withheld of the target, and why: SYNCED means that `sent` is confirmed."""
    confirmed: int | None = None
    last_success_at: int | None = None
    last_attempt_at: int | None = None
    problem: Problem | None = None
    read_at: int = 0
    """When the shop's number was last read and settled; 0 = never."""
    open_counts: OpenCounts | None = None
    """The open units that the platform and zaiko count, while they differ."""
    differ_since: int | None = None
    """In shadow: since when the shop shows another number than it would be sent."""
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0

    @property
    def sent(self) -> int | None:
        """What the shop is to show now: the target less what is withheld. None: not computed
        yet."""
        return None if self.target is None else max(0, self.target - total(self.withheld))


@dataclass(frozen=True, slots=True)
class UnsettledLinks:
    """The links of one shop that lack changes: how many they are, up to which revision all of them
    have every change, and one of them, which has failed or is held if any is."""

    shop: str
    count: int
    settled_revision: int
    listing: str


@dataclass(frozen=True, slots=True)
class PushRecord:
    """A number that was sent to a shop: `target − Σ terms = quantity`. `revision` is the one that
    it was computed at, `expected` what we believed that the shop showed before."""

    shop: str
    listing: str
    at: int
    key: str
    expected: int | None
    target: int
    terms: tuple[Term, ...]
    quantity: int
    outcome: PushOutcome = PushOutcome.SENT
    settled_at: int | None = None
    shown: int | None = None
    """What the reading that settled it showed."""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class PushResult:
    """The outcome of the push of `listing` that was recorded at `at` under `key`."""

    listing: str
    at: int
    key: str
    outcome: PushOutcome
    shown: int | None = None


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """A difference between what a shop showed and what was expected. `held`: it waits for a person.
    `at` is when it was settled."""

    at: int
    shop: str
    listing: str
    difference: Difference
    held: bool = False
    revision: int = 0


@dataclass(frozen=True, slots=True)
class DueLink:
    """A link that is due, with what a run needs to handle it: the listing as the connector names
    it, and the present balances of its parts."""

    link: LinkRecord
    external_id: str
    data: Mapping[str, str]
    balances: Mapping[str, Balance]


@dataclass(frozen=True, slots=True)
class Holding:
    """An enabled link as a holder of one product, with what decides its quota (ADR 0012). One of
    the listing takes `count` units."""

    product: str
    shop: str
    listing: str
    count: int
    belief: InventoryBelief
    sales: Sales
    movable: bool
