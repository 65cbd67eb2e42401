"""The number that a shop is to show, and why it is not the target (ADR 0011, ADR 0037). Pure.

Every push and every link adds up: `target − Σ terms = quantity`. The terms of a link are what is
withheld of its target.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Label:
    """Names of terms. The set is open: each rule that withholds units between target and push adds
    its own."""

    MAXIMUM = "PLATFORM_MAXIMUM"
    """The platform takes no larger number."""
    ESCROW = "ESCROW"
    """The units are on sale in other shops (ADR 0012)."""
    ADJUSTMENT = "ADJUSTMENT"
    """A plugin shows another number (ADR 0008): `ADJUSTMENT/<plugin>`."""
    RESERVED = "RESERVED_IN_SHOP"
    """The shop keeps the units off sale without an order (ADR 0037)."""
    SUSPECTED = "SUSPECTED"
    """Units missing in the shop: probably sold by an order that cannot be read yet (ADR 0004)."""
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    """Units missing in another shop, where an order of unknown content may have taken them (ADR
    0034)."""
    DOUBT = "DOUBT"
    """Units that may be sold already: they are not offered again until that is known."""


@dataclass(frozen=True, slots=True)
class Term:
    """Units taken off the number (negative: added to it), and why."""

    label: str
    units: int


class PushOutcome(enum.StrEnum):
    """What became of a push."""

    SENT = "SENT"
    """It was recorded and is about to be sent; nothing else is known."""
    ACKNOWLEDGED = "ACKNOWLEDGED"
    REFUSED = "REFUSED"
    STALE = "STALE"
    """Not applied: the shop showed another number than we believed."""
    UNSENT = "UNSENT"
    """It never left."""
    UNKNOWN = "UNKNOWN"
    """It may have been applied; the next reading shows whether it was."""
    READ = "READ"
    """It was not answered; a later reading settled it."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How a target became the number that is sent: `target − Σ terms = quantity`."""

    target: int
    terms: tuple[Term, ...] = ()

    @property
    def quantity(self) -> int:
        """The number after every term."""
        return self.target - total(self.terms)

    def then(self, label: str, quantity: int) -> Breakdown:
        """Return the breakdown that ends at `quantity` because of `label`."""
        if quantity == self.quantity:
            return self
        return Breakdown(self.target, (*self.terms, Term(label, self.quantity - quantity)))


def total(terms: Iterable[Term]) -> int:
    """Return the units of all terms."""
    return sum(term.units for term in terms)
