"""What became of units that were added to a shop's number, when no answer said so (ADR 0017). Pure.

Here the number belongs to the shop: there is no target, only a sum. An addition that was certainly
not applied is made again; one that may have been applied never is. What the numbers do not
say is left to a person.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_core.domain.fence import WriteMode

ARRIVAL = 60_000_000
"""µs after which a request that was not answered is taken not to arrive any longer (UNCONFIRMED
for every platform; the longest time-out of our connectors is 30 s)."""
_WHOLE_SECOND = 1_000_000
_MANY = 12
"""Sales of one second; of more than these any number of units is taken to be possible."""


class ReceivingOnly(enum.StrEnum):
    """Whether receipts of a product are added to one shop instead of the product being synced
    (docs/domain.md §2)."""

    OFF = "OFF"
    ON = "ON"
    ENDED = "ENDED"
    """Sync was switched on for one of its links: permanently."""


class AdditionState(enum.StrEnum):
    """What has become of a receipt's units."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    """On their way, or sent without an answer: read before anything else is sent."""
    ADDED = "ADDED"
    UNDECIDED = "UNDECIDED"
    """The numbers do not say; a person decides (`receiving.resolve`)."""
    SUPERSEDED = "SUPERSEDED"
    """Sync took over: free − reserve contains the receipt."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that the shop showed at some moment between `at` and `until` (µs since 1970)."""

    quantity: int
    at: int
    until: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write of `base + units`, recorded before it was sent. The request was sent after `sent_at`
    and acknowledged at `answered_at` (µs since 1970). `units` < 0 takes back what an earlier one
    overwrote."""

    base: Reading
    units: int
    sent_at: int
    answered_at: int | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """One line of an order of the shop: units bought (≥ 0), units cancelled since (≥ 0, the shop
    may have put them back), and when it was placed and last changed by the shop's clock (µs, cut to
    whole seconds by most)."""

    units: int
    cancelled: int
    placed_at: int
    changed_at: int


class Verdict(enum.StrEnum):
    """What the numbers and orders of a shop say of a write whose answer was lost."""

    APPLIED = "APPLIED"
    NOT_APPLIED = "NOT_APPLIED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of APPLIED: so many units (≥ 0) of orders, which the shop had taken off, were put back by the
    write, and so many more may have been."""

    verdict: Verdict
    overwritten: int = 0
    doubtful: int = 0


def settled_by_answer(attempt: Attempt, mode: WriteMode, sales: Sequence[Sale]) -> bool:
    """Return whether an acknowledged attempt needs no reading: it was conditional or relative, or
    no order can have come in between."""
    return attempt.answered_at is not None and (
        mode is not WriteMode.SET or not _overwritable(attempt, sales)
    )


def superseded(base: Reading, sales: Sequence[Sale]) -> bool:
    """Return whether it is unknown if one of these orders is in the reading: a plain number should
    not be based on it."""
    return any(sale.placed_at + _WHOLE_SECOND > base.at for sale in sales)


def judge(attempt: Attempt, mode: WriteMode, seen: Reading, sales: Sequence[Sale]) -> Judgement:
    """Judge an attempt by a later reading, given every order of the listing that changed since the
    base was read. Call it only when no request can arrive any longer and orders placed before the
    reading can be seen."""
    least, most, back = _taken(attempt.base, seen, sales)
    shown = attempt.base.quantity + attempt.units
    sums = _sums(_overwritable(attempt, sales), attempt.base) if mode is WriteMode.SET else {0}
    stories = {
        units
        for units in sums
        if shown + units - most <= seen.quantity <= shown + units - least + back
    }
    if attempt.answered_at is not None:
        # It was applied; at the worst everything that came in between was put back.
        fewest, largest = (min(stories), max(stories)) if stories else (0, max(sums))
        return Judgement(Verdict.APPLIED, fewest, largest - fewest)
    without = attempt.base.quantity - most <= seen.quantity <= attempt.base.quantity - least + back
    if stories and not without:
        return Judgement(Verdict.APPLIED, min(stories), max(stories) - min(stories))
    return Judgement(Verdict.NOT_APPLIED if without and not stories else Verdict.UNDECIDED)


def _taken(base: Reading, seen: Reading, sales: Sequence[Sale]) -> tuple[int, int, int]:
    """Units that orders took from the number between two readings, at least and at most, and units
    that may have come back."""
    least = most = back = 0
    for sale in sales:
        changed = sale.changed_at + _WHOLE_SECOND > base.at
        if changed:
            back += sale.cancelled
        if sale.placed_at + _WHOLE_SECOND <= base.at:
            # In the base; an edit since may have added units to it.
            most += sale.units if changed else 0
        elif sale.placed_at <= seen.until:
            most += sale.units
            certain = (
                sale.placed_at > base.until
                and max(sale.placed_at, sale.changed_at) + _WHOLE_SECOND <= seen.at
            )
            least += sale.units if certain else 0
    return least, most, back


def _overwritable(attempt: Attempt, sales: Sequence[Sale]) -> list[Sale]:
    """Orders that the shop may have taken between the reading of the base and the writing of a
    plain number."""
    until = attempt.answered_at if attempt.answered_at is not None else attempt.sent_at + ARRIVAL
    return [
        sale
        for sale in sales
        if sale.units
        and max(sale.placed_at, sale.changed_at) + _WHOLE_SECOND > attempt.base.at
        and sale.placed_at <= until + _WHOLE_SECOND
    ]


def _sums(sales: Sequence[Sale], base: Reading) -> set[int]:
    """Units that a write may have overwritten: those of all orders up to some moment. Within one
    second any of them; and any units of an order that may have been in the base already, of which
    only an edit can have come in between."""
    seconds: dict[int, list[int]] = defaultdict(list)
    maybe = 0
    for sale in sales:
        if sale.placed_at > base.until:
            seconds[sale.placed_at // _WHOLE_SECOND].append(sale.units)
        else:
            maybe += sale.units
    possible, before = {0}, 0
    for second in sorted(seconds):
        units = seconds[second]
        some = set(range(sum(units) + 1)) if len(units) > _MANY else {0}
        for each in units if len(units) <= _MANY else ():
            some |= {one + each for one in some}
        possible |= {before + one for one in some}
        before += sum(units)
    return {one + more for one in possible for more in range(maybe + 1)}
