"""The transactions of a run that adds received units to a shop's numbers (ADR 0017): judge what was
not answered, record an attempt before it is sent, record what became of it.

Each listing has at most one attempt under way. `prepare` is called after the shop's orders were
fetched, with numbers that were read before; all but `to_read` first check that this process still
holds the shop. Watchers are not notified of anything here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import AdditionRecord, ListingRecord, PlaceRecord
from zaiko_core.app.sync import SendOutcome, Write
from zaiko_core.domain import retry
from zaiko_core.domain.addition import (
    ARRIVAL,
    AdditionState,
    Attempt,
    Reading,
    Verdict,
    judge,
    settled_by_answer,
    superseded,
)
from zaiko_core.domain.decision import Observation, Policy
from zaiko_core.domain.fence import WriteMode
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.sending import Sending

_SECOND = 1_000_000
_IDLE = 600 * _SECOND
_MOST_GIVEN_UP = 2
"""How often a reading is given up because an order superseded it."""
_BECOMES = {
    Verdict.APPLIED: AdditionState.ADDED,
    Verdict.NOT_APPLIED: AdditionState.QUEUED,
    Verdict.UNDECIDED: AdditionState.UNDECIDED,
}
_MARGIN = 300 * _SECOND
"""µs before an attempt was recorded from when orders count for it: it was read, and orders were
ingested, shortly before."""


@dataclass(frozen=True, slots=True)
class AdditionRequest:
    """What one round of a run brings along: what was read in it by listing, the beginning of the
    keys of its writes, and how many places it takes."""

    policy: Policy
    readings: Mapping[str, Observation]
    key: str
    limit: int


@dataclass(frozen=True, slots=True)
class AdditionPlan:
    """The writes to send, and whether another round has something to do at once."""

    writes: Sequence[Write] = ()
    again: bool = False


@dataclass(slots=True)
class _Step:
    """What a transaction does to one place and its additions."""

    place: PlaceRecord
    rows: list[AdditionRecord]

    def move(self, state: AdditionState, among: AdditionState) -> None:
        self.rows = [replace(row, state=state) if row.state is among else row for row in self.rows]

    def settle(self, state: AdditionState, due_at: int) -> None:
        """End the attempt under way in this state."""
        self.move(state, AdditionState.SENT)
        self.place = replace(
            self.place, due_at=due_at, key=None, under_way=None, seen=None, attempt=0, problem=None
        )

    def wait(self, due_at: int) -> None:
        self.place = replace(self.place, due_at=due_at)

    def fail(self, problem: Problem, now: int) -> None:
        """Backs off: 2 s, doubling to one hour."""
        attempt = self.place.attempt + 1
        due_at = now + retry.ADDITION.wait(attempt)
        self.place = replace(
            self.place, due_at=due_at, attempt=attempt, problem=replace(problem, retry_at=due_at)
        )

    @property
    def units(self) -> int:
        return sum(row.units for row in self.rows if row.state is AdditionState.QUEUED)

    @property
    def product(self) -> str:
        return self.rows[0].product if self.rows else ""


def to_read(uow: UnitOfWork, shop: str, policy: Policy, *, limit: int) -> list[ListingRecord]:
    """Return the listings whose numbers the due places need now."""
    places = uow.additions.due(shop, limit=limit)
    wanted = [
        place.listing
        for place in places
        if place.seen is None and _wait(place, policy, uow.now) <= uow.now
    ]
    return list(uow.listings.get(shop, wanted).values()) if wanted else []


def plan(uow: UnitOfWork, shop: str, token: int, request: AdditionRequest) -> AdditionPlan:
    """Go on with every place that is due, and record the writes that follow, before they are sent.
    Raises LeaseLost."""
    uow.hold_lease(shop, token)
    policy = request.policy
    due = uow.additions.due(shop, limit=request.limit)
    if not due:
        return AdditionPlan()
    rows = uow.additions.of_places(shop, [place.listing for place in due])
    waits = not may_add(uow, shop)
    listings = uow.listings.get(shop, [place.listing for place in due])
    before = {row.addition: row for found in rows.values() for row in found}
    steps: list[_Step] = []
    writes: list[Write] = []
    made: list[AdditionRecord] = []
    for place in due:
        step, seen = (
            _Step(place, list(rows.get(place.listing, ()))),
            request.readings.get(place.listing),
        )
        steps.append(step)
        if place.listing not in listings:
            step.fail(
                Problem("LISTING_GONE", f"listing {place.listing} is no longer known"), uow.now
            )
        elif place.under_way is not None:
            made += _look_after(uow, step, policy, seen, f"r{uow.revision}-{len(made)}")
        elif not any(row.state is AdditionState.QUEUED for row in step.rows):
            continue
        elif waits:
            step.wait(uow.now + _IDLE)
        elif seen is not None and seen.problem is not None:
            step.fail(seen.problem, uow.now)
        elif seen is not None and not _may_overwrite(uow, step, policy, seen):
            made += _shorten(step, seen, f"r{uow.revision}-{len(made)}")
            write = _begin(
                uow, step, policy, seen, listings[place.listing], f"{request.key}.{len(writes)}"
            )
            writes += [write] if write is not None else []
    _save(uow, shop, steps, before, made)
    return AdditionPlan(writes, any(step.place.due_at <= uow.now and step.rows for step in steps))


def may_add(uow: UnitOfWork, shop: str) -> bool:
    """Return whether received units may be added to the shop's numbers now. This mode replaces
    sync, so it does not ask whether sync is offered."""
    return uow.shops.sending(shop, offered=True) is Sending.ALLOWED


def settle(
    uow: UnitOfWork,
    shop: str,
    token: int,
    policy: Policy,
    outcomes: Sequence[tuple[Write, SendOutcome]],
) -> None:
    """Record what became of writes. One whose place has moved on since is left alone."""
    uow.hold_lease(shop, token)
    places = uow.additions.places(shop, [write.listing for write, _ in outcomes])
    rows = uow.additions.of_places(shop, list(places))
    before = {row.addition: row for found in rows.values() for row in found}
    steps: list[_Step] = []
    for write, outcome in outcomes:
        place = places.get(write.listing)
        if place is None or place.under_way is None or place.key != write.key:
            continue
        step = _Step(place, list(rows.get(write.listing, ())))
        steps.append(step)
        if outcome.applied:
            answered = replace(place.under_way, answered_at=uow.now)
            if policy.mode is WriteMode.SET:
                step.place = replace(place, under_way=answered, due_at=uow.now + policy.visibility)
            else:
                step.settle(AdditionState.ADDED, uow.now)
        elif outcome.unknown:
            step.wait(place.under_way.sent_at + ARRIVAL)
        else:
            attempts = place.attempt
            step.settle(AdditionState.QUEUED, uow.now)
            step.place = replace(step.place, attempt=attempts)
            if outcome.problem is not None:
                step.fail(outcome.problem, uow.now)
            elif outcome.stale:
                # Somebody bought meanwhile; a shop that says so again and again is asked less
                # often.
                step.place = replace(step.place, attempt=attempts + 1)
                step.wait(uow.now + (0 if attempts < 3 else retry.ADDITION.wait(attempts - 2)))
    _save(uow, shop, steps, before, [])


def _wait(place: PlaceRecord, policy: Policy, now: int) -> int:
    """Return from when a reading says something about the attempt under way: no request arrives any
    longer, and where a plain number was acknowledged, the orders that it may have overwritten can
    be seen."""
    attempt = place.under_way
    if attempt is None:
        return 0
    if attempt.answered_at is None:
        return _possible(attempt.sent_at, ARRIVAL, now)
    return _possible(attempt.answered_at, policy.visibility, now)


def _possible(since: int, span: int, now: int) -> int:
    """Return when a wait of `span` µs that began at `since` ends. One that began after `now` was
    begun before the clock was set back. The place alone says until when it still waits (ADR 0039):
    0."""
    return since + span if since <= now else 0


def _look_after(
    uow: UnitOfWork, step: _Step, policy: Policy, seen: Observation | None, name: str
) -> list[AdditionRecord]:
    """Find out about the attempt under way, as far as that is possible now; units that are to be
    taken off again."""
    place, attempt = step.place, step.place.under_way
    assert attempt is not None
    if (wait := _wait(place, policy, uow.now)) > uow.now:
        step.wait(wait)
        return []
    sales = uow.additions.sales(place.shop, place.listing, since=attempt.sent_at - _MARGIN)
    if settled_by_answer(attempt, policy.mode, sales):
        step.settle(AdditionState.ADDED, uow.now)
        return []
    if place.seen is None:
        if seen is None:
            return []
        if seen.at < wait:
            step.wait(uow.now + 2 * _SECOND)
        elif seen.problem is not None:
            step.fail(seen.problem, uow.now)
        elif seen.quantity is None:
            step.settle(AdditionState.UNDECIDED, uow.now)
        else:
            # Orders placed before this reading have until then to show up.
            reading = Reading(seen.quantity, seen.at, seen.until)
            step.place = replace(
                place, seen=reading, due_at=seen.until + policy.visibility, attempt=0, problem=None
            )
        return []
    if (wait := _possible(place.seen.until, policy.visibility, uow.now)) > uow.now:
        step.wait(wait)
        return []
    product, found = step.product, judge(attempt, policy.mode, place.seen, sales)
    step.settle(_BECOMES[found.verdict], uow.now)
    wrong = ((found.overwritten, AdditionState.QUEUED), (found.doubtful, AdditionState.UNDECIDED))
    back = [
        AdditionRecord(f"{name}{letter}", product, -units, place.shop, place.listing, state)
        for letter, (units, state) in zip("ab", wrong, strict=True)
        if units
    ]
    step.rows += back
    return back


def _may_overwrite(uow: UnitOfWork, step: _Step, policy: Policy, seen: Observation) -> bool:
    """Return whether a plain number would be based on a reading that an order has superseded. It is
    read again, a few times."""
    place = step.place
    if policy.mode is not WriteMode.SET or place.attempt >= _MOST_GIVEN_UP:
        return False
    base = Reading(seen.quantity or 0, seen.at, seen.until)
    if not superseded(
        base, uow.additions.sales(place.shop, place.listing, since=seen.at - _MARGIN)
    ):
        return False
    step.place = replace(place, attempt=place.attempt + 1)
    return True


def _shorten(step: _Step, seen: Observation, name: str) -> list[AdditionRecord]:
    """Split off units that are not there: a number cannot fall below zero, so of units that are to
    be taken off, these wait for the next receipt."""
    short = step.units + (seen.quantity or 0)
    if short >= 0:
        return []
    for index, row in enumerate(step.rows):
        if row.state is AdditionState.QUEUED and row.units - short < 0:
            step.rows[index] = replace(row, units=row.units - short)
            return [AdditionRecord(name, row.product, short, row.shop, row.listing)]
    return []


def _begin(
    uow: UnitOfWork,
    step: _Step,
    policy: Policy,
    seen: Observation,
    listing: ListingRecord,
    key: str,
) -> Write | None:
    """Record the attempt to add all that is queued, unless the number cannot be."""
    place, units, shown = step.place, step.units, seen.quantity or 0
    if units == 0 or shown + units < 0:
        if units == 0:
            step.move(AdditionState.ADDED, AdditionState.QUEUED)
        step.wait(uow.now + _IDLE)
        return None
    if shown + units > policy.maximum:
        message = f"{shown} + {units} units are more than the platform takes ({policy.maximum})"
        step.fail(Problem("ITEM_REFUSED", message), uow.now)
        return None
    step.move(AdditionState.SENT, AdditionState.QUEUED)
    attempt = Attempt(Reading(shown, seen.at, seen.until), units, uow.now)
    step.place = replace(place, key=key, under_way=attempt, seen=None, due_at=uow.now + ARRIVAL)
    return Write(
        place.listing,
        listing.external_id,
        listing.data,
        shown + units,
        seen.quantity,
        key,
        0,
        uow.now,
    )


def _save(
    uow: UnitOfWork,
    shop: str,
    steps: Sequence[_Step],
    before: Mapping[str, AdditionRecord],
    made: Sequence[AdditionRecord],
) -> None:
    fresh = {row.addition for row in made}
    uow.additions.insert(made)
    changed = [
        row
        for step in steps
        for row in step.rows
        if row.addition not in fresh and before.get(row.addition) != row
    ]
    uow.additions.put(changed)
    pending = {step.place.listing for step in steps if _pending(step)}
    for row in made:
        pending.add(row.listing)
    kept = [step.place for step in steps if step.place.listing in pending]
    done: Collection[str] = {step.place.listing for step in steps} - pending
    uow.additions.save_places(shop, kept, done=done)
    if changed or made:
        uow.advance()


def _pending(step: _Step) -> bool:
    return step.place.under_way is not None or any(
        row.state in (AdditionState.QUEUED, AdditionState.SENT) for row in step.rows
    )
