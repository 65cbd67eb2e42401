"""A number that was sent to a shop, and why it is not the target (ADR 0011). Pure.

Every push adds up: `target − Σ terms = quantity`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Label:
    """Names of terms. The set is open: whatever changes a number between target and push adds its
    own."""

    MAXIMUM = "PLATFORM_MAXIMUM"
    """The platform takes no larger number."""
    ESCROW = "ESCROW"
    """The units are on sale in other shops (ADR 0012)."""
    ADJUSTMENT = "ADJUSTMENT"
    """A plugin shows another number (ADR 0008): `ADJUSTMENT/<plugin>`."""
    SUSPECTED = "SUSPECTED"
    """Units missing in the shop: probably sold by an order that cannot be read yet (ADR 0004)."""
    DOUBT = "DOUBT"
    """Units that may be sold already: not offered again before that is clear."""


@dataclass(frozen=True, slots=True)
class Term:
    """`units` that were taken off the number (negative: added to it), and why."""

    label: str
    units: int


class PushOutcome(enum.StrEnum):
    """What became of a push."""

    SENT = "SENT"
    """It was recorded to be sent; nothing is known yet."""
    ACKNOWLEDGED = "ACKNOWLEDGED"
    REFUSED = "REFUSED"
    STALE = "STALE"
    """Not applied: the shop showed another number than believed."""
    UNSENT = "UNSENT"
    """It never left."""
    UNKNOWN = "UNKNOWN"
    """It may have been applied; the next reading tells."""
    READ = "READ"
    """It was not answered; a reading told what the shop shows."""


class Breakdown:
    """The way from a target to the number that is sent, step by step."""

    def __init__(self, target: int) -> None:
        self.target = self.quantity = target
        self.terms: list[Term] = []

    def then(self, label: str, quantity: int) -> int:
        """The number is `quantity` from here on, because of `label`."""
        if quantity != self.quantity:
            self.terms.append(Term(label, self.quantity - quantity))
            self.quantity = quantity
        return quantity


def total(terms: Iterable[Term]) -> int:
    """The units of all terms."""
    return sum(term.units for term in terms)
