"""The transactions of one run of one shop (ADR 0004): plan what is due, record writes before they
are sent, record outcomes.

Each function is one transaction's work; the asynchronous shell (`sync/shop_run.py`) calls them
between its conversations with the platform. All but `needs_reading` first check that this process
still holds the shop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from zaiko_core.app import audit, escrow
from zaiko_core.app.due_marks import link_names
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import (
    ChangeKind,
    DriftRecord,
    DueLink,
    LinkRecord,
    LinkState,
    PushRecord,
    PushResult,
)
from zaiko_core.app.unknown_orders import UnknownOrderBook
from zaiko_core.domain import fence, retry
from zaiko_core.domain.decision import (
    Compared,
    Decision,
    Done,
    Fail,
    Hold,
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
from zaiko_core.domain.drift import Difference, DriftCause
from zaiko_core.domain.fence import InventoryBelief, WriteMode
from zaiko_core.domain.open_counts import compared
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.push import PushOutcome
from zaiko_core.domain.sending import Sending

Adjust = Callable[[DueLink, int, int], Sequence[tuple[str, int]]]
"""(link, what it may sell, now in µs) → (plugin, number after it) of each plugin that shows another
number (ADR 0008)."""


def unadjusted(item: DueLink, sellable: int, now: int) -> Sequence[tuple[str, int]]:
    """Return no adjustment."""
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
    revision: int = 0
    """Every change up to here is in it."""


@dataclass(frozen=True, slots=True)
class SendOutcome:
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
    held: int = 0
    """Links that wait because nothing may be sent now, or because what is sent has no effect."""


def needs_reading(
    uow: UnitOfWork, shop: str, policy: Policy, *, limit: int
) -> tuple[list[DueLink], int]:
    """Return the due links whose number must be read before they can go on (all of them in shadow,
    where reading is all there is; none where numbers are held), and how many are due, up to
    `limit`."""
    due = uow.links.due(shop, limit=limit)
    may = permission(uow, shop) if due else Sending.ALLOWED
    if may is Sending.HELD:
        return [], len(due)
    every = policy.mode is not WriteMode.COMPARE_AND_SET or may is Sending.COMPARED
    return [
        item
        for item in due
        if every or item.link.belief.must_read or item.link.belief.pending is not None
    ], len(due)


def permission(uow: UnitOfWork, shop: str) -> Sending:
    """Return what may be done with the shop's numbers now. Every step that computes or sends asks
    here (ADR 0036)."""
    return uow.shops.sending(shop, offered=uow.merchants.sync_available)


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
    words: Mapping[str, str] = field(default_factory=dict)
    """What the platform said of the last write of a link in this run."""
    orders_until: int | None = None
    """Until when (µs) this round made the shop's orders complete; None: as stored."""


def plan(uow: UnitOfWork, shop: str, token: int, request: PlanRequest) -> PushPlan:
    """Decide each due link of the shop, save what was decided, and record the writes that follow
    before they are sent. Raises LeaseLost."""
    uow.hold_lease(shop, token)
    due, may = uow.links.due(shop, limit=request.limit), permission(uow, shop)
    if may is Sending.HELD:
        return _held(uow, due)
    shadow = may is Sending.COMPARED
    quotas, reader = (
        escrow.quotas_of(uow, due),
        audit.CircumstanceReader(uow, shop, orders_until=request.orders_until),
    )
    unknown = UnknownOrderBook(uow, shop, due)
    recorder = _PlanRecorder(uow, shop, request, reader)
    counted = audit.open_units(uow, shop, request.readings)
    for item in due:
        seen = request.readings.get(item.link.listing)
        held = counted.get(item.link.listing, 0)
        facts = _facts(item, seen, reader, unknown, request, held, shadow=shadow, now=uow.now)
        decision = decide(
            facts, seen, item.balances, quotas.quota(item.link), request.policy, uow.now
        )
        belief = recorder.add(item, seen, decision, held)
        if decision.assessment.breakdown is not None:
            quotas.note(item.link, belief, movable=not shadow)
    recorder.save()
    before = {(item.link.shop, item.link.listing): item.link.belief for item in due}
    after = [*recorder.changed, *recorder.verified]
    escrow.freed(uow, before, after)
    unknown.wake(before, after)
    return PushPlan(
        recorder.writes,
        {item.link.listing for item in due},
        recorder.confirmed,
        recorder.failed,
        recorder.unread,
        recorder.held,
    )


def _held(uow: UnitOfWork, due: Sequence[DueLink]) -> PushPlan:
    """Let the links wait as they are: the end of what holds them makes them due again."""
    held = [replace(item.link, state=LinkState.HELD, due_at=None) for item in due]
    news = [
        link for link, item in zip(held, due, strict=True) if item.link.state is not LinkState.HELD
    ]
    uow.links.save(held)
    uow.changed(ChangeKind.LINK, link_names((link.shop, link.listing) for link in news))
    return PushPlan(handled={link.listing for link in held}, held=len(held))


def _facts(
    item: DueLink,
    seen: Observation | None,
    reader: audit.CircumstanceReader,
    unknown: UnknownOrderBook,
    request: PlanRequest,
    counted: int,
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
        unknown=unknown.of_shop(link.belief),
        elsewhere=unknown.elsewhere(link),
        try_at=(link.last_attempt_at or 0) + reader.interval if link.belief.ineffective else 0,
        words=request.words.get(link.listing, ""),
    )
    if seen is not None and seen.problem is not None:
        return facts
    facts = replace(
        facts, adjustments=request.adjust(item, sellable(link.parts, item.balances), now)
    )
    perceived = perceive(link.belief, seen, request.policy, now, facts.unknown)
    if shadow or not perceived.is_different:
        return facts
    return replace(facts, circumstances=reader.read(link, perceived, seen, counted))


class _PlanRecorder:
    """What one plan writes down: links as the decisions leave them, pushes, differences."""

    def __init__(
        self, uow: UnitOfWork, shop: str, request: PlanRequest, reader: audit.CircumstanceReader
    ) -> None:
        self._uow, self._shop, self._request, self._reader = uow, shop, request, reader
        self._pushes: list[PushRecord] = []
        self._read: list[PushResult] = []
        self._drifts: list[DriftRecord] = []
        self.changed: list[LinkRecord] = []
        self.verified: list[LinkRecord] = []
        """Links that were decided and are as they were: watchers are not notified."""
        self.writes: list[Write] = []
        self.confirmed = self.failed = self.unread = self.held = 0

    def add(
        self, item: DueLink, seen: Observation | None, decision: Decision, counted: int
    ) -> InventoryBelief:
        """Note what follows from a decision. Return the belief that the link is stored with.
        `counted`: the open units of the shop's orders for this listing."""
        now, before, assessment = self._uow.now, item.link, decision.assessment
        if before.state is LinkState.SYNCED:
            # It may no longer be when this is saved. Until now it had every change.
            before = replace(before, settled_revision=self._uow.revision - 1)
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
        if seen is not None and seen.is_complete and assessment.finding is None:
            link = self._compare_counts(before, seen.committed, counted)
        if assessment.breakdown is not None:
            link = replace(
                link,
                belief=assessment.belief,
                target=assessment.breakdown.target,
                withheld=assessment.breakdown.terms,
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
            case Hold():
                self._hold(before, link, decision)
            case Read():
                self.unread += 1
                if decision.due_at is not None:
                    self.changed.append(_waiting(link, decision.due_at))
            case Wait():
                self.changed.append(_waiting(link, decision.due_at))
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

    def _compare_counts(self, link: LinkRecord, committed: int | None, counted: int) -> LinkRecord:
        """Compare the open units by the platform's account with ours; a difference that lasts is
        written down, once. Where an order cannot be read the platform counts more, which that
        order's own suspicion says."""
        if committed not in (None, counted) and self._has_unreadable:
            committed = None
        # At least two runs apart: within one, orders may be as old as its beginning.
        now = self._uow.now
        visibility = max(self._request.policy.visibility, self._reader.interval)
        open_counts = compared(link.open_counts, committed, counted, visibility=visibility, now=now)
        was_found = link.open_counts is not None and link.open_counts.is_found
        if open_counts is not None and open_counts.is_found and not was_found:
            found = Difference(DriftCause.COMMITTED_DIFFERS, counted, open_counts.committed)
            self._drifts.append(DriftRecord(now, self._shop, link.listing, found))
        return replace(link, open_counts=open_counts)

    @cached_property
    def _has_unreadable(self) -> bool:
        return self._uow.orders.unknown([self._shop])[self._shop].unreadable > 0

    def _confirm(self, before: LinkRecord, after: LinkRecord) -> None:
        """Keep a link that is done with. Watchers are not notified where a number was read and is
        what it was."""
        self.confirmed += 1
        (self.verified if _seen_alike(before, after) else self.changed).append(after)

    def _hold(self, before: LinkRecord, link: LinkRecord, hold: Hold) -> None:
        """Keep a link whose writes have no effect until it is tried again. What the platform said
        stays until it says something else."""
        problem, known = hold.problem, before.problem
        if known is not None and known.reason == problem.reason and not problem.platform_message:
            problem = replace(problem, platform_message=known.platform_message)
        held = replace(link, state=LinkState.HELD, due_at=hold.due_at, problem=problem)
        is_news = (before.state, before.problem) != (held.state, held.problem)
        (self.changed if is_news else self.verified).append(held)
        self.held += 1

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
                self._uow.revision,
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
    outcomes: Sequence[tuple[Write, SendOutcome]],
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
            link = replace(link, settled_revision=write.revision)
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
            saved.append(
                replace(link, belief=fence.refused(link.belief, stale=True), due_at=uow.now)
            )
        else:
            # Unknown: the write stays pending; the next round reads.
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


def _waiting(link: LinkRecord, due_at: int) -> LinkRecord:
    """Return the link whose number was computed and is to be sent later."""
    state = LinkState.PENDING if link.state is LinkState.SYNCED else link.state
    return replace(link, state=state, due_at=due_at)


def _seen_alike(before: LinkRecord, after: LinkRecord) -> bool:
    """Return whether both look alike to people."""
    same = [
        (link.state, link.target, link.withheld, link.confirmed, link.problem, link.open_counts)
        for link in (before, after)
    ]
    return same[0] == same[1]


def failing(link: LinkRecord, problem: Problem, now: int) -> LinkRecord:
    """Set the link aside with its own back-off."""
    attempt = link.attempt + 1
    due_at = now + retry.LINK.wait(attempt)
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
    """Return the link in shadow after it was compared; the next change, or the audit, compares it
    again."""
    differs = shown != link.sent
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
