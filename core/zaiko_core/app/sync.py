"""The transactions of one run of one shop (ADR 0004): plan what is due, record writes before they
are sent, record outcomes.

Each function is one transaction's work; the asynchronous shell (`sync/cycle.py`) calls them between
its conversations with the platform. All but `needs_reading` first check that this process still
holds the shop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zaiko_core.app import audit, escrow
from zaiko_core.app.due_marks import link_names, mark_links_due, mark_shop_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import (
    ChangeKind,
    DriftRecord,
    DueLink,
    FoundShop,
    GivenBack,
    LinkRecord,
    LinkState,
    PushRecord,
    PushResult,
    RunCounts,
    RunRecord,
    RunState,
    Trigger,
)
from zaiko_core.domain import fence
from zaiko_core.domain.decision import (
    Compared,
    Decision,
    Done,
    Fail,
    LinkFacts,
    Observation,
    Policy,
    Push,
    Read,
    Wait,
    decide,
    perceive,
    sellable,
)
from zaiko_core.domain.errors import NotFound, OperationDone
from zaiko_core.domain.fence import InventoryBelief, WriteMode
from zaiko_core.domain.polling import next_fetch
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.push import PushOutcome

_SECOND = 1_000_000
_RETRY_FIRST, _RETRY_LAST = 30 * _SECOND, 3600 * _SECOND


Adjust = Callable[[DueLink, int, int], Sequence[tuple[str, int]]]
"""(link, what it may sell, now in µs) → (plugin, number after it) of each plugin that shows another
number (ADR 0008)."""


def unadjusted(item: DueLink, sellable: int, now: int) -> Sequence[tuple[str, int]]:
    """No plugin changes what is shown."""
    return ()


@dataclass(frozen=True, slots=True)
class Write:
    """A write that has been recorded and is to be sent now. `touched` is the change that it takes
    account of."""

    listing: str
    external_id: str
    data: Mapping[str, str]
    quantity: int
    expected: int | None
    key: str
    due_revision: int
    at: int = 0
    """When it was recorded (µs)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write: exactly one of the flags, or a problem (refused)."""

    applied: bool = False
    stale: bool = False
    unknown: bool = False
    unsent: bool = False
    problem: Problem | None = None

    @property
    def recorded(self) -> PushOutcome:
        """As it is written down."""
        if self.problem is not None:
            return PushOutcome.REFUSED
        if self.applied:
            return PushOutcome.ACKNOWLEDGED
        if self.stale:
            return PushOutcome.STALE
        return PushOutcome.UNSENT if self.unsent else PushOutcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class PushPlan:
    """The writes to send, the links that were computed, and how many of them were confirmed and
    failed on the way."""

    writes: Sequence[Write] = ()
    handled: Collection[str] = ()
    confirmed: int = 0
    failed: int = 0
    unread: int = 0
    """Links that must be read before they can go on."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. `held`: the shop's links wait for a person. `cursor`: where fetching orders
    came to, when that is not stored yet because the last pages brought nothing new."""

    state: RunState
    counts: RunCounts = field(default_factory=RunCounts)
    problem: Problem | None = None
    held: bool = False
    cursor: str | None = None
    complete_until: int | None = None
    by_turn: bool = False
    """The shop is due again when it is its turn, or one of its links; otherwise in `next_in` µs
    (None: its interval)."""
    next_in: int | None = None
    attempt: int = 0
    """Runs that have failed in a row."""


def sync_now(
    uow: UnitOfWork, *, shops: Collection[str] = (), link: tuple[str, str] | None = None
) -> list[str]:
    """Handle every enabled link of these shops (or this one) as soon as possible, also those that
    back off, and fetch orders. The shops that were triggered; a paused shop is not. A run in
    progress is joined. (A product: `shops.sync_product`.)"""
    triggered = set(shops)
    for shop in shops:
        mark_shop_due(uow, shop)
    if link is not None:
        mark_links_due(uow, link[0], [link[1]])
        triggered.add(link[0])
    uow.trigger(triggered, by=Trigger.REQUEST)
    return sorted(triggered)


def begin_run(uow: UnitOfWork, run: RunRecord, *, unended: bool) -> None:
    """Write down that a run has begun, and (`unended`) that runs under older tokens have died. A
    second call changes nothing."""
    uow.hold_lease(run.shop, run.token)
    dead = uow.runs.abandon(run.shop, before_token=run.token) if unended else ()
    uow.runs.put(replace(run, started_revision=uow.revision))
    uow.changed(ChangeKind.RUN, [f"{run.shop}/{name}" for name in (*dead, run.run)])
    uow.changed(ChangeKind.SHOP, [run.shop])


def cancel_run(uow: UnitOfWork, shop: str, run: str) -> RunRecord:
    """Ask a run to end after the step that it is at, on whichever replica it is; the run, still
    RUNNING. What asked for a run until now waits for the shop's interval; what comes later makes
    the shop due as ever. A second call changes nothing, also once the run has ended CANCELLED.
    Raises NotFound, and OperationDone for a run that has ended otherwise."""
    found = uow.runs.get(shop, run)
    name = f"merchants/{uow.merchant}/shops/{shop}/runs/{run}"
    if found is None:
        raise NotFound(name)
    if found.state not in (RunState.RUNNING, RunState.CANCELLED):
        raise OperationDone(
            f"the run has ended as {found.state.value} and cannot be cancelled", operation=name
        )
    if found.state is RunState.RUNNING:
        uow.shops.cancel(shop, found.token)
    return found


def end_run(uow: UnitOfWork, found: FoundShop, run: RunRecord, end: RunEnd, *, began: bool) -> bool:
    """Record how a run ended, on the shop, which is given back, on the run, and, when the shop
    waits for a person or goes on again, on its links; whether the run is written down: one that
    ended well without having begun did nothing. A run that was cancelled has found nothing out
    about the shop: its problem stays."""
    shop, succeeded = found.shop, end.state in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED)
    written = began or not succeeded or shop.problem is not None
    due_at = uow.shops.give_back(
        shop.shop,
        run.token,
        GivenBack(
            next_in=_turn(uow, found, end, began=began) if end.by_turn else end.next_in,
            attempt=end.attempt,
            problem=shop.problem if end.state is RunState.CANCELLED else end.problem,
            succeeded=succeeded,
            run=run.run if written else None,
            cursor=end.cursor,
            complete_until=end.complete_until,
        ),
    )
    if due_at is not None:
        uow.due(max(0, due_at - uow.now))
    uow.changed(ChangeKind.SHOP, [shop.shop])
    if not written:
        return False
    ended = replace(
        run,
        state=end.state,
        started_revision=uow.revision,
        ended_at=uow.now,
        counts=end.counts,
        problem=end.problem,
    )
    uow.runs.put(ended)
    uow.changed(ChangeKind.RUN, [f"{shop.shop}/{run.run}"])
    # Links are held with the shop's problem, and let go with it: a shop without one has none to
    # look for.
    if end.held or (succeeded and shop.problem is not None):
        moved = uow.links.hold(shop.shop, end.held)
        uow.changed(ChangeKind.LINK, link_names(moved))
        if moved and succeeded:
            uow.trigger([shop.shop])
    return True


def _turn(uow: UnitOfWork, found: FoundShop, end: RunEnd, *, began: bool) -> int:
    """In how many µs the shop is due again. What became due since the claim, and not by this run,
    has triggered the shop."""
    shop = found.shop
    ordered_at = uow.now if end.counts.orders_changed else shop.ordered_at
    fetch = next_fetch(
        uow.now, shop.interval, ordered_at=ordered_at, place=found.place, shops=found.shops
    )
    moments = [uow.links.next_due(shop.shop) if began else found.links_due_at]
    if shop.additions_due_at is not None:
        moments.append(uow.additions.next_due(shop.shop))
    return max(0, min([fetch, *(moment - uow.now for moment in moments if moment is not None)]))


def needs_reading(
    uow: UnitOfWork, shop: str, policy: Policy, *, limit: int
) -> tuple[list[DueLink], int]:
    """The due links whose number must be read before they can go on: all of them in shadow, where
    reading is all there is; and how many are due at all, up to `limit`."""
    due = uow.links.due(shop, limit=limit)
    every = bool(due) and (policy.mode is not WriteMode.COMPARE_AND_SET or in_shadow(uow, shop))
    return [
        item
        for item in due
        if every or item.link.belief.must_read or item.link.belief.pending is not None
    ], len(due)


def in_shadow(uow: UnitOfWork, shop: str) -> bool:
    """Whether nothing may be sent to the shop now (ADR 0018)."""
    return uow.shops.in_shadow(shop)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What one slice of a run brings along: what was read in this round by listing, the beginning
    of the keys of its writes, and how many links it takes."""

    policy: Policy
    readings: Mapping[str, Observation]
    key: str
    limit: int
    exhausted: Mapping[str, int] = field(default_factory=dict)
    """Links that were sent too often in this run because of the change named there. They wait a
    little, unless a newer change has come."""
    adjust: Adjust = unadjusted


def plan(uow: UnitOfWork, shop: str, token: int, request: PlanRequest) -> PushPlan:
    """Decide each due link of the shop, save what was decided, and record the writes that follow
    before they are sent. Raises LeaseLost."""
    uow.hold_lease(shop, token)
    due, shadow = uow.links.due(shop, limit=request.limit), in_shadow(uow, shop)
    quotas, reader = escrow.quotas_of(uow, due), audit.CircumstanceReader(uow, shop)
    made = _Made(uow, shop, request)
    for item in due:
        seen = request.readings.get(item.link.listing)
        facts = _facts(item, seen, reader, request, shadow=shadow, now=uow.now)
        decision = decide(
            facts, seen, item.balances, quotas.quota(item.link), request.policy, uow.now
        )
        belief = made.add(item, seen, decision)
        if decision.assessment.target is not None:
            quotas.note(item.link, belief, movable=not shadow)
    made.save()
    escrow.freed(
        uow,
        {(item.link.shop, item.link.listing): item.link.belief for item in due},
        [*made.changed, *made.verified],
    )
    return PushPlan(
        made.writes,
        {item.link.listing for item in due},
        made.confirmed,
        made.failed,
        made.unread,
    )


def _facts(
    item: DueLink,
    seen: Observation | None,
    reader: audit.CircumstanceReader,
    request: PlanRequest,
    *,
    shadow: bool,
    now: int,
) -> LinkFacts:
    link = item.link
    facts = LinkFacts(
        link.belief,
        link.parts,
        shadow=shadow,
        exhausted=request.exhausted.get(link.listing) == link.due_revision,
    )
    if seen is not None and seen.problem is not None:
        return facts
    facts = replace(
        facts, adjustments=request.adjust(item, sellable(link.parts, item.balances), now)
    )
    perceived = perceive(link.belief, seen, request.policy, now)
    if shadow or not perceived.is_different:
        return facts
    return replace(facts, circumstances=reader.read(link, perceived))


class _Made:
    """What one plan writes down: links as the decisions leave them, pushes, differences."""

    def __init__(self, uow: UnitOfWork, shop: str, request: PlanRequest) -> None:
        self._uow, self._shop, self._request = uow, shop, request
        self._pushes: list[PushRecord] = []
        self._read: list[PushResult] = []
        self._drifts: list[DriftRecord] = []
        self.changed: list[LinkRecord] = []
        self.verified: list[LinkRecord] = []
        """Links that were looked at and are as they were: watchers are not notified."""
        self.writes: list[Write] = []
        self.confirmed = self.failed = self.unread = 0

    def add(self, item: DueLink, seen: Observation | None, decision: Decision) -> InventoryBelief:
        """Note what follows from a decision. Return the belief that the link is stored with."""
        now, before, assessment = self._uow.now, item.link, decision.assessment
        self._note_reading(before, seen)
        if assessment.finding is not None:
            self._drifts.append(
                DriftRecord(
                    now,
                    self._shop,
                    before.listing,
                    assessment.finding.difference,
                    assessment.finding.held,
                )
            )
        link = before
        if assessment.target is not None:
            link = replace(
                before,
                belief=assessment.belief,
                target=assessment.target,
                read_at=before.read_at if seen is None else seen.at,
            )
        match decision:
            case Fail():
                failed = failing(link, decision.problem, now)
                if decision.due_at is not None:
                    failed = replace(failed, due_at=decision.due_at)
                self.changed.append(failed)
                self.failed += 1
            case Done():
                self._confirm(before, _done(link, decision.shown, decision.recheck_at, now))
            case Compared():
                self._confirm(before, _compared(link, decision.shown, now))
            case Read():
                self.unread += 1
                if decision.due_at is not None:
                    self.changed.append(replace(link, due_at=decision.due_at))
            case Wait():
                self.changed.append(replace(link, due_at=decision.due_at))
            case Push():
                link = self._push(item, link, decision)
                self.changed.append(link)
        return link.belief

    def save(self) -> None:
        """Write it down."""
        uow = self._uow
        uow.links.save(self.changed)
        uow.links.save_verified(self.verified)
        uow.pushes.settle(self._shop, self._read)
        uow.pushes.insert(self._pushes)
        uow.drifts.insert(self._drifts)
        uow.changed(ChangeKind.LINK, link_names((link.shop, link.listing) for link in self.changed))

    def _note_reading(self, link: LinkRecord, seen: Observation | None) -> None:
        pending = link.belief.pending
        if seen is None or seen.problem is not None or pending is None:
            return
        self._read.append(
            PushResult(link.listing, pending.at, pending.key, PushOutcome.READ, seen.quantity)
        )

    def _confirm(self, before: LinkRecord, after: LinkRecord) -> None:
        """The link is done with. Watchers are not notified that a number was read and is what it
        was."""
        self.confirmed += 1
        unchanged = (before.state, before.target, before.confirmed) == (
            after.state,
            after.target,
            after.confirmed,
        )
        (self.verified if unchanged else self.changed).append(after)

    def _push(self, item: DueLink, link: LinkRecord, push: Push) -> LinkRecord:
        now, breakdown = self._uow.now, push.assessment.breakdown
        assert breakdown is not None
        key = f"{self._request.key}.{len(self.writes)}"
        expected = link.belief.expected
        self._pushes.append(
            PushRecord(
                self._shop,
                link.listing,
                now,
                key,
                expected,
                breakdown.target,
                breakdown.terms,
                push.quantity,
            )
        )
        self.writes.append(
            Write(
                link.listing,
                item.external_id,
                item.data,
                push.quantity,
                expected,
                key,
                link.due_revision,
                now,
            )
        )
        belief = fence.record_pending(
            link.belief, push.quantity, self._request.policy.mode, key=key, now=now
        )
        return replace(link, belief=belief, state=LinkState.SYNCING, last_attempt_at=now)


def settle(
    uow: UnitOfWork,
    shop: str,
    token: int,
    policy: Policy,
    outcomes: Sequence[tuple[Write, Outcome]],
) -> tuple[int, int]:
    """Record what became of writes; how many links are confirmed and how many failed. A link that
    was deleted or switched off meanwhile is left alone."""
    uow.hold_lease(shop, token)
    links = uow.links.get(shop, [write.listing for write, _ in outcomes])
    saved: list[LinkRecord] = []
    confirmed = failed = 0
    for write, outcome in outcomes:
        link = links.get(write.listing)
        if link is None or link.belief.pending is None or link.belief.pending.key != write.key:
            continue
        link = replace(link, due_revision=write.due_revision)
        if outcome.problem is not None:
            saved.append(
                failing(replace(link, belief=fence.refused(link.belief)), outcome.problem, uow.now)
            )
            failed += 1
        elif outcome.applied:
            belief = fence.applied(link.belief, policy.mode)
            if belief.must_read:
                saved.append(replace(link, belief=belief, due_at=uow.now))
            else:
                recheck = (
                    belief.unexplained_since + policy.visibility
                    if belief.unexplained_since
                    else None
                )
                saved.append(_done(replace(link, belief=belief), write.quantity, recheck, uow.now))
                confirmed += 1
        elif outcome.unsent:
            saved.append(
                replace(
                    link,
                    belief=replace(link.belief, pending=None),
                    state=LinkState.PENDING,
                    due_at=uow.now,
                )
            )
        elif outcome.stale:
            saved.append(replace(link, belief=fence.refused(link.belief), due_at=uow.now))
        else:
            # Unknown: the flight stays; the next round reads.
            saved.append(replace(link, due_at=uow.now))
    uow.links.save(saved)
    uow.pushes.settle(
        shop,
        [
            PushResult(write.listing, write.at, write.key, outcome.recorded)
            for write, outcome in outcomes
        ],
    )
    uow.changed(ChangeKind.LINK, link_names((link.shop, link.listing) for link in saved))
    escrow.freed(uow, {(link.shop, link.listing): link.belief for link in links.values()}, saved)
    return confirmed, failed


def failing(link: LinkRecord, problem: Problem, now: int) -> LinkRecord:
    """The link set aside with its own back-off: 30 s, doubling to one hour."""
    attempt = link.attempt + 1
    due_at = now + min(_RETRY_FIRST * 2 ** min(attempt - 1, 16), _RETRY_LAST)
    problem = replace(problem, retry_at=due_at)
    return replace(
        link,
        state=LinkState.FAILED,
        attempt=attempt,
        due_at=due_at,
        problem=problem,
        last_attempt_at=now,
    )


def _compared(link: LinkRecord, shown: int | None, now: int) -> LinkRecord:
    """In shadow the link is done with when it was compared; the next change, or the audit's turn,
    compares it again."""
    differs = shown != link.target
    return replace(
        link,
        state=LinkState.SHADOW,
        confirmed=shown,
        differ_since=(link.differ_since or now) if differs else None,
        due_at=None,
        attempt=0,
        problem=None,
        last_attempt_at=now,
    )


def _done(link: LinkRecord, shown: int, recheck_at: int | None, now: int) -> LinkRecord:
    return replace(
        link,
        state=LinkState.SYNCED,
        confirmed=shown,
        differ_since=None,
        due_at=recheck_at,
        attempt=0,
        problem=None,
        last_success_at=now,
        last_attempt_at=now,
    )
