"""What to do next with one link of a run (ADR 0004). Pure.

A run reads the shop, fetches its orders, and then decides for each link that is due. `perceive`
settles what was read; `decide` says what follows. Neither reads the store: the caller loads what
they need and saves what they return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from zaiko_core.domain import drift, fence
from zaiko_core.domain.drift import Circumstances, Difference, DriftFinding
from zaiko_core.domain.escrow import Quota
from zaiko_core.domain.fence import InventoryBelief, Step, WriteMode
from zaiko_core.domain.links import Part, target
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.push import Breakdown, Label
from zaiko_core.domain.stock import LARGEST, Balance
from zaiko_core.domain.unknown_orders import UnknownOrders

HOLD = 24 * 3_600_000_000
"""µs after which a link whose difference is left to a person is decided again."""
QUOTA_RECHECK = 10_000_000
"""µs after which a link that waits for units of other shops is decided again, should nothing wake
it."""
UNKNOWN_RECHECK = 600_000_000
"""µs after which a link is decided again from which units are withheld for an order of unknown
content, should nothing wake it."""
WITHOUT_EFFECT = 3
"""As many writes in a row without effect hold a link: then one is tried in each interval."""
PAUSE = 2_000_000
"""µs that a link waits which was sent too often in one run because of the same change."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the connector says of its platform: how numbers are written, the largest number, and how
    long (µs) an order may take to become visible."""

    mode: WriteMode
    maximum: int
    visibility: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What the shop showed for a link when it was read at `at` (µs), before orders were fetched; or
    why it cannot be synced."""

    at: int
    quantity: int | None = None
    problem: Problem | None = None
    until: int = 0
    """When the answer arrived (µs)."""
    withheld: int | None = None
    """Units that the shop keeps off sale without an order; None: as they were."""
    committed: int | None = None
    """Units of open orders by the platform's own account; None: it does not say."""

    @property
    def is_complete(self) -> bool:
        """Whether all was read, rather than the number that a write was answered with."""
        return self.problem is None and self.withheld is not None


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What `decide` needs to know of a link besides its stock."""

    belief: InventoryBelief
    parts: tuple[Part, ...]
    shadow: bool = False
    """Whether its shop is only compared: nothing is sent (ADR 0018)."""
    exhausted: bool = False
    """Whether this run has sent the link too often because of the same change."""
    adjustments: Sequence[tuple[str, int]] = ()
    """The number after each plugin that shows another one (ADR 0008), with the plugin's name."""
    circumstances: Circumstances = field(default_factory=Circumstances)
    """What explains a difference; needed only where `perceive` reports one."""
    unknown: UnknownOrders = field(default_factory=UnknownOrders)
    """Orders of unknown content of its shop, where something is missing or nothing is known."""
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """By product, units that are missing in other shops and may be sold by such orders."""
    try_at: int = 0
    """When a number is sent again whose writes have no effect."""
    words: str = ""
    """What the platform said of the last write."""


@dataclass(frozen=True, slots=True)
class Perception:
    """A belief after a reading was settled and an expired suspicion was dropped."""

    belief: InventoryBelief
    difference: Difference | None = None
    """What the reading shows at once, before its circumstances are weighed."""
    dropped: InventoryBelief | None = None
    """The belief before missing units that no order explained in time were given up."""

    @property
    def is_different(self) -> bool:
        """Whether the shop's number was not what it should be: `decide` needs the circumstances."""
        return self.difference is not None or self.dropped is not None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What every decision rests on: the belief to store, how the number came about that the shop
    is to show, and the difference to write down."""

    belief: InventoryBelief
    breakdown: Breakdown | None = None
    """None: the number could not be read, so nothing was computed. It ends at the number that the
    shop is to show now; in Read the fence's own terms are not known yet."""
    finding: DriftFinding | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The shop shows the right number."""

    assessment: Assessment
    shown: int
    recheck_at: int | None = None
    """When to decide again although nothing changes; None: no need to."""


@dataclass(frozen=True, slots=True)
class Read:
    """The shop's number must be read before anything else."""

    assessment: Assessment
    due_at: int | None = None
    """When to go on; None: in the next round."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It was sent too often because of the same change: go on at `due_at`."""

    assessment: Assessment
    due_at: int


@dataclass(frozen=True, slots=True)
class Push:
    """Send `quantity`. The breakdown ends at that number."""

    assessment: Assessment
    quantity: int


@dataclass(frozen=True, slots=True)
class Fail:
    """A person, or time, has to help. `due_at` None: the link backs off."""

    assessment: Assessment
    problem: Problem
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """The shop's number stays where it is, whatever is sent: nothing is sent before `due_at`."""

    assessment: Assessment
    problem: Problem
    due_at: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The shop is in shadow and shows `shown`; the next change, or the audit, compares again."""

    assessment: Assessment
    shown: int | None


Decision = Done | Read | Wait | Push | Fail | Hold | Compared


def perceive(
    belief: InventoryBelief,
    seen: Observation | None,
    policy: Policy,
    now: int,
    unknown: UnknownOrders = UnknownOrders(),  # noqa: B008 - frozen
) -> Perception:
    """Settle what was read of a link, if it was, and drop a suspicion that has expired, unless an
    order of unknown content may have taken what is missing."""
    difference = None
    settled = belief
    if seen is not None:
        known = fence.withheld_by_shop(belief, seen.withheld)
        if seen.is_complete:
            known = replace(known, tells_states=seen.committed is not None)
        settled, verdict = fence.observe(known, seen.quantity, at=seen.at, now=now)
        difference = drift.on_reading(known, settled, verdict, seen.quantity)
    # A suspicion that is dropped must not count as units that the link holds already, so it is
    # dropped before the quota is asked.
    current = fence.without_expired(
        settled,
        policy.mode,
        fresh=seen is not None,
        visibility=policy.visibility,
        now=now,
        kept=unknown.may_have_taken(settled),
    )
    is_dropped = settled.unexplained > current.unexplained
    return Perception(current, difference, settled if is_dropped else None)


def decide(
    link: LinkFacts,
    seen: Observation | None,
    balances: Mapping[str, Balance],
    quota: Quota,
    policy: Policy,
    now: int,
) -> Decision:
    """Return the next step of one due link at `now` (µs). `seen` is what this round read of it
    before orders were fetched; None: nothing."""
    if seen is not None and seen.problem is not None:
        return Fail(Assessment(link.belief), seen.problem)
    perceived = perceive(link.belief, seen, policy, now, link.unknown)
    belief = perceived.belief
    breakdown = _before_escrow(link, balances, policy)
    limit, waits = quota.allowed(belief)
    if limit is not None:
        breakdown = breakdown.then(Label.ESCROW, min(breakdown.quantity, limit))
    kept = max(0, breakdown.quantity - belief.reserved)
    breakdown = breakdown.then(Label.RESERVED, kept)
    if link.shadow:
        compared = Assessment(belief, breakdown)
        return Read(compared) if seen is None else Compared(compared, seen.quantity)
    if link.unknown.unreadable and seen is not None and link.belief.expected is None:
        belief = fence.withholding(belief, breakdown.quantity, now=now)
    is_kept = link.unknown.may_have_taken(belief)
    belief, plan = fence.plan(
        belief,
        breakdown.quantity,
        policy.mode,
        fresh=seen is not None,
        visibility=policy.visibility,
        now=now,
        kept=is_kept,
    )
    if plan.step is not Step.READ:
        breakdown = _after_fence(breakdown, belief, plan.quantity)
    assessment = Assessment(belief, breakdown, _finding(perceived, link.circumstances))
    finding = assessment.finding
    if finding is not None and finding.held:
        return Fail(assessment, _left_to_people(finding.difference), due_at=now + HOLD)
    if plan.step is Step.DONE:
        recheck = [
            plan.recheck_at if not is_kept or (plan.recheck_at or 0) > now else None,
            now + QUOTA_RECHECK if waits else None,
            now + UNKNOWN_RECHECK if is_kept or link.elsewhere else None,
        ]
        return Done(assessment, plan.quantity, min(filter(None, recheck), default=None))
    pause_until = now + PAUSE if link.exhausted else None
    if plan.step is Step.READ:
        return Read(assessment, pause_until)
    if belief.ineffective >= WITHOUT_EFFECT and now < link.try_at:
        problem = _without_effect(belief, plan.quantity, link.words)
        return Hold(assessment, replace(problem, retry_at=link.try_at), link.try_at)
    if pause_until is not None:
        return Wait(assessment, pause_until)
    return Push(assessment, plan.quantity)


def sellable(parts: Sequence[Part], balances: Mapping[str, Balance]) -> int:
    """Return how many units of a listing the stock of its parts allows."""
    return target(parts, balances, maximum=LARGEST)


def _before_escrow(link: LinkFacts, balances: Mapping[str, Balance], policy: Policy) -> Breakdown:
    breakdown = Breakdown(sellable(link.parts, balances))
    for plugin, quantity in link.adjustments:
        within = min(max(0, quantity), breakdown.target)
        breakdown = breakdown.then(f"{Label.ADJUSTMENT}/{plugin}", within)
    if link.elsewhere:
        left = sellable(link.parts, _without(balances, link.elsewhere))
        breakdown = breakdown.then(Label.UNKNOWN_ORDER, min(breakdown.quantity, left))
    return breakdown.then(Label.MAXIMUM, min(breakdown.quantity, policy.maximum))


def _without(balances: Mapping[str, Balance], units: Mapping[str, int]) -> Mapping[str, Balance]:
    return {
        product: replace(balance, reserve=balance.reserve + units.get(product, 0))
        for product, balance in balances.items()
    }


def _after_fence(breakdown: Breakdown, belief: InventoryBelief, quantity: int) -> Breakdown:
    """Name what the fence withholds: the breakdown ends at `quantity`."""
    suspected = max(0, breakdown.quantity - belief.unexplained)
    return breakdown.then(Label.SUSPECTED, suspected).then(Label.DOUBT, quantity)


def _finding(perceived: Perception, around: Circumstances) -> DriftFinding | None:
    """Return the difference to write down. What an expired suspicion shows is the newer one."""
    found = perceived.difference
    if perceived.dropped is not None:
        found = drift.on_expiry(perceived.dropped, perceived.belief, around) or found
    if found is None or drift.is_order_in_flight(found, around):
        return None
    return drift.judged(found, around)


def _without_effect(belief: InventoryBelief, wanted: int, words: str) -> Problem:
    times, shown = belief.ineffective, "no number" if belief.expected is None else belief.expected
    return Problem(
        "WRITE_WITHOUT_EFFECT",
        f"{times} writes in a row had no effect: the shop shows {shown}, and is to show {wanted}",
        words,
        metadata={"shown": str(shown), "wanted": str(wanted), "writes": str(times)},
    )


def _left_to_people(difference: Difference) -> Problem:
    shown, expected, cause = difference.shown, difference.expected, difference.cause
    return Problem(
        "DIFFERENCE_UNEXPLAINED",
        f"the shop shows {shown} where {expected} was left; cause: {cause}",
        metadata={"shown": str(shown), "expected": str(expected), "cause": str(cause)},
    )
