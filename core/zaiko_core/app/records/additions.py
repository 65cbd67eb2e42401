"""Units that are added to the numbers of shops, and the places where."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_core.domain.addition import AdditionState, Attempt, Reading
from zaiko_core.domain.problem import Problem


@dataclass(frozen=True, slots=True)
class AdditionRecord:
    """Units of one receipt that are added to the number of a shop. `shop` and `listing` are empty
    while the product has no link that takes them. Negative units are taken off again, because an
    addition overwrote orders."""

    addition: str
    product: str
    units: int
    shop: str = ""
    listing: str = ""
    state: AdditionState = AdditionState.QUEUED
    settled_at: int | None = None
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class PlaceRecord:
    """A listing that units are to be added to. `under_way`, recorded as `key`, may have been
    applied; `seen` is what a reading after it showed."""

    shop: str
    listing: str
    due_at: int
    attempt: int = 0
    """How often in a row it did not succeed."""
    key: str | None = None
    under_way: Attempt | None = None
    seen: Reading | None = None
    problem: Problem | None = None
