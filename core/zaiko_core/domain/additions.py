"""What became of a relative change whose answer was lost (receiving_only, ADR 0017). Pure.

A receipt's units are added to a shop's number once. A write that was not answered is judged by a reading, and only when every order
that was in that reading can be read; what then fits neither story, or both, is left to people. Nothing is resent on a guess.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from zaiko_core.domain.fence import Mode

ARRIVAL = 60_000_000
"""µs after which a request that was sent is taken to arrive no more. UNCONFIRMED for every platform: none documents how long a
request whose caller has gone may still be worked on; connectors themselves give up within 30 s."""
_WHOLE_SECOND = 1_000_000
"""Platforms cut the times of orders to whole seconds."""


class Verdict(enum.StrEnum):
    """What is known of an addition that was sent."""

    ADDED = "ADDED"
    NOT_ADDED = "NOT_ADDED"
    """It may be sent again, under a new key."""
    READ = "READ"
    """A reading is needed that was taken after `readable_at`, and before `orders_known_at` of it nothing is decided."""
    WAIT = "WAIT"
    """Orders that are in the reading may not be readable yet."""
    UNDECIDED = "UNDECIDED"
    """Both stories fit the number, or none: a person compares the shop's number with the receipt."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An addition of `units` (≥ 1), recorded at `at` (µs) before it was sent. `base` is what the shop showed at `base_at` ≤ `at`,
    when every order in that reading was known. `acknowledged_at`: when the platform's word that it was applied came, or None."""

    key: str
    units: int
    base: int
    base_at: int
    at: int
    acknowledged_at: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the shop showed at `at` (µs)."""

    quantity: int
    at: int


@dataclass(frozen=True, slots=True)
class Own:
    """One of the shop's own orders for the listing: `units` taken at `at` (µs, the shop's clock), or given back by a cancellation
    or an edit when `units` is negative. Whether the shop really gave them back is not known."""

    units: int
    at: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """`overwritten`: units of orders that an unconditional write put back on sale by overwriting them; to be taken off again."""

    verdict: Verdict
    overwritten: int = 0


def readable_at(attempt: Attempt) -> int:
    """The earliest moment (µs) of a reading that can tell; before it the request may still arrive."""
    return attempt.at + ARRIVAL if attempt.acknowledged_at is None else attempt.acknowledged_at


def orders_known_at(reading: Reading, visibility: int) -> int:
    """When (µs) every order that is in the reading has been readable; `visibility` (µs) is the connector's promise."""
    return reading.at + visibility


def judge(
    attempt: Attempt, mode: Mode, reading: Reading | None, orders: list[Own], *, fetched_at: int, visibility: int
) -> Judgement:
    """What became of `attempt`. `orders` are those of the shop for this listing since `base_at`, as of the fetch that began at
    `fetched_at` (µs). Calling it again with the same arguments says the same.

    A change by hand of exactly the added units between two readings cannot be told from the addition; ADR 0017 says so.
    """
    if attempt.acknowledged_at is not None and mode is not Mode.SET:
        return Judgement(Verdict.ADDED)
    if reading is None or reading.at < readable_at(attempt):
        return Judgement(Verdict.READ)
    if fetched_at < orders_known_at(reading, visibility):
        return Judgement(Verdict.WAIT)
    if any(_on_the_edge(order, attempt.base_at) or _on_the_edge(order, reading.at) for order in orders):
        # It may be in the reading or not. Another reading, in a quiet second, tells; an order on the edge of the base never becomes
        # clear.
        edge_of_base = any(_on_the_edge(order, attempt.base_at) for order in orders)
        return Judgement(Verdict.UNDECIDED if edge_of_base else Verdict.READ)
    between = [order for order in orders if attempt.base_at < order.at <= reading.at]
    sold = sum(order.units for order in between if order.units > 0)
    released = -sum(order.units for order in between if order.units < 0)
    # An unconditional write carries base + units: orders that came before it arrived are gone from the number.
    across = sum(o.units for o in between if o.units > 0 and o.at <= readable_at(attempt)) if mode is Mode.SET else 0
    absent = attempt.base - sold
    overwritten = {reading.quantity - absent - attempt.units - back for back in {0, released}}
    fitting = sorted(units for units in overwritten if 0 <= units <= across)
    could_be_added = bool(fitting)
    could_be_absent = attempt.acknowledged_at is None and reading.quantity in {absent, absent + released}
    if could_be_added == could_be_absent or len(fitting) > 1:
        return Judgement(Verdict.UNDECIDED)
    return Judgement(Verdict.ADDED, fitting[0]) if could_be_added else Judgement(Verdict.NOT_ADDED)


def _on_the_edge(order: Own, moment: int) -> bool:
    """Whether the order's whole second does not tell on which side of `moment` it was placed."""
    return order.at <= moment < order.at + _WHOLE_SECOND
