"""What a run does next with one link: the decision, its difference and its breakdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import support.properties  # noqa: F401 - before any property
from hypothesis import assume, given
from hypothesis import strategies as st
from zaiko_core.domain.decision import (
    HOLD,
    PAUSE,
    QUOTA_RECHECK,
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
)
from zaiko_core.domain.drift import Circumstances, Difference, DriftCause
from zaiko_core.domain.escrow import Holder, Quota, ScarcePart
from zaiko_core.domain.fence import InventoryBelief, PendingWrite, WriteMode
from zaiko_core.domain.links import Part
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.push import Label
from zaiko_core.domain.stock import Balance

NOW, VISIBILITY = 1_000_000_000, 30_000_000
KEY = ("shop", "tea")
COMPARE = Policy(WriteMode.COMPARE_AND_SET, maximum=1_000, visibility=VISIBILITY)
ADJUST = replace(COMPARE, mode=WriteMode.ADJUST)
SET = replace(COMPARE, mode=WriteMode.SET)
FREE = Quota(KEY)
TEN = InventoryBelief(expected=10, must_read=False)
TEA = LinkFacts(TEN, (Part("tea"),))
BROKEN = Problem("ITEM_REFUSED", "no")


def stock(**units: int) -> dict[str, Balance]:
    return {product: Balance(physical=count) for product, count in units.items()}


def step(
    link: LinkFacts = TEA,
    seen: int | Observation | None = None,
    *,
    balances: Mapping[str, Balance] | None = None,
    quota: Quota = FREE,
    policy: Policy = COMPARE,
    now: int = NOW,
) -> Decision:
    """Decide a link with 10 units in stock; `seen` is a number that was read just now."""
    reading = Observation(now, seen) if isinstance(seen, int) else seen
    return decide(link, reading, balances or stock(tea=10), quota, policy, now)


def terms(decision: Decision) -> list[tuple[str, int]]:
    assert decision.assessment.breakdown is not None
    return [(term.label, term.units) for term in decision.assessment.breakdown.terms]


def wanted(decision: Decision) -> int:
    """Return the number that the fence is asked for."""
    breakdown = decision.assessment.breakdown
    assert breakdown is not None
    fenced = {Label.SUSPECTED, Label.DOUBT}
    return breakdown.target - sum(t.units for t in breakdown.terms if t.label not in fenced)


def scarce(units: int, *others: int | None, count: int = 1) -> Quota:
    holders = tuple(Holder((f"other{n}", "tea"), shown) for n, shown in enumerate(others))
    return Quota(KEY, (ScarcePart(units, count, 0, holders),))


# What is done, read, sent


def test_a_shop_that_shows_the_target_is_done() -> None:
    decision = step()
    assert isinstance(decision, Done)
    assert (decision.shown, decision.recheck_at, wanted(decision)) == (10, None, 10)
    assert decision.assessment.finding is None


def test_another_target_is_sent() -> None:
    decision = step(balances=stock(tea=7))
    assert isinstance(decision, Push)
    assert (decision.quantity, wanted(decision), terms(decision)) == (7, 7, [])


@pytest.mark.parametrize("policy", [ADJUST, SET])
def test_a_write_that_is_not_conditional_needs_a_reading_of_this_round(policy: Policy) -> None:
    assert isinstance(step(balances=stock(tea=7), policy=policy), Read)
    decision = step(seen=10, balances=stock(tea=7), policy=policy)
    assert isinstance(decision, Push)
    assert decision.quantity == 7


@pytest.mark.parametrize(
    "belief",
    [
        InventoryBelief(),
        replace(TEN, must_read=True),
        replace(TEN, pending=PendingWrite("k", 4, 0)),
    ],
)
def test_a_belief_that_is_not_sure_is_read_first(belief: InventoryBelief) -> None:
    decision = step(replace(TEA, belief=belief), balances=stock(tea=7))
    assert isinstance(decision, Read)
    assert decision.due_at is None
    assert decision.assessment.belief == belief


def test_a_reading_settles_the_belief_that_is_stored() -> None:
    lost = replace(TEN, pending=PendingWrite("k", 4, 0))
    decision = step(replace(TEA, belief=lost), 4)
    assert isinstance(decision, Done)
    assert decision.assessment.belief == InventoryBelief(
        expected=4, uncertain=6, unexplained_since=NOW, must_read=False
    )


def test_a_number_that_is_right_says_what_is_withheld_of_it() -> None:
    decision = step(
        replace(TEA, belief=replace(TEN, expected=8, unexplained=2, unexplained_since=NOW))
    )
    assert isinstance(decision, Done)
    assert terms(decision) == [("SUSPECTED", 2)]


def test_a_bundle_shows_what_its_scarcest_part_allows() -> None:
    link = LinkFacts(TEN, (Part("tea", 3), Part("cup")))
    decision = step(link, balances=stock(tea=10, cup=9))
    assert isinstance(decision, Push)
    assert decision.quantity == 3


def test_a_product_without_a_balance_shows_nothing() -> None:
    decision = step(LinkFacts(TEN, (Part("cup"),)))
    assert isinstance(decision, Push)
    assert decision.quantity == 0


# What takes units off the number


def test_units_that_the_shop_reserves_are_not_offered_again() -> None:
    decision = step(seen=Observation(NOW, 6, withheld=4))
    assert isinstance(decision, Done)
    assert (decision.shown, terms(decision)) == (6, [("RESERVED_IN_SHOP", 4)])
    assert decision.assessment.finding is None


def test_the_breakdown_names_each_step_from_target_to_number() -> None:
    link = LinkFacts(
        replace(TEN, expected=2, unexplained=1, uncertain=1, unexplained_since=NOW),
        (Part("tea"),),
        adjustments=[("half", 8), ("caution", 7)],
    )
    decision = step(link, quota=scarce(5), policy=replace(COMPARE, maximum=6))
    assert isinstance(decision, Push)
    assert terms(decision) == [
        ("ADJUSTMENT/half", 2),
        ("ADJUSTMENT/caution", 1),
        ("PLATFORM_MAXIMUM", 1),
        ("ESCROW", 1),
        ("SUSPECTED", 1),
        ("DOUBT", 1),
    ]
    assert (decision.quantity, wanted(decision)) == (3, 5)


@pytest.mark.parametrize(("shown", "quantity"), [(-3, 0), (99, 10)])
def test_a_plugin_moves_the_number_only_between_nothing_and_the_target(
    shown: int, quantity: int
) -> None:
    decision = step(replace(TEA, adjustments=[("wild", shown)], belief=replace(TEN, expected=5)))
    assert isinstance(decision, Push)
    assert decision.quantity == wanted(decision) == quantity


def test_what_a_plugin_shows_below_nothing_is_withheld_as_nothing() -> None:
    decision = step(replace(TEA, adjustments=[("wild", -3)], belief=replace(TEN, expected=5)))
    assert terms(decision) == [("ADJUSTMENT/wild", 10)]


def test_the_platforms_maximum_limits_the_number() -> None:
    decision = step(policy=replace(COMPARE, maximum=4))
    assert isinstance(decision, Push)
    assert (decision.quantity, terms(decision)) == (4, [("PLATFORM_MAXIMUM", 6)])


def test_scarce_units_that_others_show_are_waited_for() -> None:
    link = replace(TEA, belief=replace(TEN, expected=0))
    decision = step(link, quota=scarce(10, 10))
    assert isinstance(decision, Done)
    assert (decision.shown, decision.recheck_at) == (0, NOW + QUOTA_RECHECK)


def test_the_earlier_of_two_reasons_to_look_again_counts() -> None:
    suspicious = replace(TEN, expected=0, unexplained=1, unexplained_since=NOW - VISIBILITY + 5)
    decision = step(replace(TEA, belief=suspicious), quota=scarce(10, 9))
    assert isinstance(decision, Done)
    assert decision.recheck_at == NOW + 5


def test_a_part_that_is_not_scarce_is_not_limited() -> None:
    assert isinstance(step(quota=FREE), Done)
    decision = step(quota=scarce(6))
    assert isinstance(decision, Push)
    assert decision.quantity == 6


def test_a_scarce_part_of_a_bundle_counts_in_its_own_units() -> None:
    link = LinkFacts(replace(TEN, expected=0), (Part("tea", 3),))
    decision = step(link, balances=stock(tea=99), quota=scarce(10, count=3))
    assert isinstance(decision, Push)
    assert decision.quantity == 3


def test_the_scarcest_part_limits_a_bundle() -> None:
    parts = (ScarcePart(8, 2, 0, ()), ScarcePart(9, 1, 0, ()))
    link = LinkFacts(replace(TEN, expected=0), (Part("tea", 2), Part("cup")))
    decision = step(link, balances=stock(tea=99, cup=99), quota=Quota(KEY, parts))
    assert isinstance(decision, Push)
    assert decision.quantity == 4


def test_who_sold_lately_is_given_more_of_what_is_scarce() -> None:
    other = (Holder(("other", "tea"), 0),)
    link = replace(TEA, belief=replace(TEN, expected=0))
    decision = step(link, quota=Quota(KEY, (ScarcePart(10, 1, 3, other),)))
    assert isinstance(decision, Push)
    assert decision.quantity == 8


def test_a_link_keeps_the_scarce_units_that_it_shows() -> None:
    other = (Holder(("other", "tea"), 4),)
    link = replace(TEA, belief=replace(TEN, expected=6))
    assert isinstance(step(link, quota=Quota(KEY, (ScarcePart(10, 1, 0, other),))), Done)


# Trouble


def test_a_link_that_cannot_be_read_fails_and_its_belief_stays() -> None:
    decision = step(seen=Observation(NOW, problem=BROKEN))
    assert isinstance(decision, Fail)
    assert (decision.problem, decision.due_at) == (BROKEN, None)
    assert decision.assessment.belief == TEN
    assert decision.assessment.breakdown is None


def test_a_link_that_was_sent_too_often_waits() -> None:
    decision = step(replace(TEA, exhausted=True), balances=stock(tea=7))
    assert isinstance(decision, Wait)
    assert decision.due_at == NOW + PAUSE


def test_a_link_that_was_sent_too_often_and_must_be_read_waits_with_it() -> None:
    decision = step(replace(TEA, exhausted=True, belief=replace(TEN, must_read=True)))
    assert isinstance(decision, Read)
    assert decision.due_at == NOW + PAUSE


def test_a_link_that_was_sent_often_and_shows_the_target_is_done() -> None:
    assert isinstance(step(replace(TEA, exhausted=True)), Done)


# Shadow


def test_in_shadow_the_number_is_compared_and_never_sent() -> None:
    link = replace(TEA, shadow=True)
    assert isinstance(step(link), Read)
    decision = step(link, 3)
    assert isinstance(decision, Compared)
    assert (decision.shown, wanted(decision)) == (3, 10)


def test_in_shadow_a_difference_is_nobodys_finding() -> None:
    hold = Circumstances(hold=True)
    decision = step(replace(TEA, shadow=True, circumstances=hold), 12)
    assert isinstance(decision, Compared)
    assert decision.assessment.finding is None


# Differences


def test_an_edit_is_written_down_and_set_right() -> None:
    decision = step(seen=12)
    assert isinstance(decision, Push)
    assert decision.quantity == 10
    finding = decision.assessment.finding
    assert finding is not None
    assert (finding.difference, finding.held) == (
        Difference(DriftCause.EDITED_IN_SHOP, 10, 12),
        False,
    )


def test_an_edit_is_left_to_a_person_where_the_shop_wants_that() -> None:
    decision = step(replace(TEA, circumstances=Circumstances(hold=True)), 12)
    assert isinstance(decision, Fail)
    assert decision.assessment.finding is not None
    assert decision.assessment.finding.held
    assert (decision.problem.reason, decision.due_at) == ("DIFFERENCE_UNEXPLAINED", NOW + HOLD)
    assert decision.problem.metadata == {
        "shown": "12",
        "expected": "10",
        "cause": "EDITED_IN_SHOP",
    }
    assert decision.assessment.belief.expected == 12


def test_a_lost_write_is_set_right_wherever_it_happens() -> None:
    lost = replace(TEN, pending=PendingWrite("k", 4, 0))
    link = LinkFacts(lost, (Part("tea"),), circumstances=Circumstances(hold=True))
    decision = step(link, 10, balances=stock(tea=4))
    assert isinstance(decision, Push)
    assert decision.assessment.finding is not None
    assert decision.assessment.finding.difference.cause is DriftCause.PUSH_LOST


def test_missing_units_are_suspected_until_their_time_is_over() -> None:
    young = step(seen=8)
    assert isinstance(young, Done)
    assert young.recheck_at == NOW + VISIBILITY
    assert young.assessment.finding is None

    saying = replace(young.assessment.belief, tells_states=True)
    old = step(replace(TEA, belief=saying), now=NOW + VISIBILITY)
    assert isinstance(old, Push)
    assert old.quantity == 10
    assert old.assessment.finding is not None
    assert old.assessment.finding.difference == Difference(DriftCause.EDITED_IN_SHOP, 10, 8)


def test_what_expired_says_more_than_what_was_read() -> None:
    belief = replace(TEN, expected=8, unexplained=4, unexplained_since=NOW - VISIBILITY)
    around = Circumstances(sold_unlinked=True)
    decision = step(LinkFacts(belief, (Part("tea"),), circumstances=around), 9)
    finding = decision.assessment.finding
    assert finding is not None
    assert finding.difference == Difference(DriftCause.BUNDLE_PART, 12, 9)


@pytest.mark.parametrize(("quota", "sent"), [(scarce(10, 8), 2), (scarce(10, 10), 0)])
def test_units_of_an_expired_suspicion_are_not_counted_as_shown(quota: Quota, sent: int) -> None:
    belief = replace(TEN, expected=0, unexplained=5, unexplained_since=NOW - VISIBILITY)
    decision = step(LinkFacts(belief, (Part("tea"),)), quota=quota)
    assert isinstance(decision, Push if sent else Done)
    assert wanted(decision) == sent


# Properties

numbers = st.integers(0, 12)
moments = st.integers(NOW - 2 * VISIBILITY, NOW)
pendings = st.none() | st.builds(
    PendingWrite, st.just("k"), st.integers(-3, 12), moments, st.none() | numbers
)
beliefs = st.builds(
    InventoryBelief,
    expected=st.none() | st.integers(-3, 12),
    unexplained=numbers,
    unexplained_since=moments,
    uncertain=numbers,
    released=numbers,
    adopted_at=moments,
    must_read=st.booleans(),
    pending=pendings,
    replaced=st.none() | numbers,
)
links = st.builds(
    LinkFacts,
    beliefs,
    st.just((Part("tea"),)),
    shadow=st.booleans(),
    exhausted=st.booleans(),
    adjustments=st.lists(st.tuples(st.just("plugin"), st.integers(-3, 15)), max_size=2),
    circumstances=st.builds(Circumstances, hold=st.booleans(), sold_unlinked=st.booleans()),
)
readings = st.none() | st.builds(Observation, moments, st.none() | numbers)
policies = st.builds(
    Policy, st.sampled_from(list(WriteMode)), st.integers(0, 12), st.just(VISIBILITY)
)
shares = st.just(FREE) | st.builds(
    lambda units, others: scarce(units, *others),
    numbers,
    st.lists(st.none() | numbers, max_size=2),
)


@given(links, readings, numbers, shares, policies)
def test_nothing_is_sent_that_the_stock_the_platform_and_the_quota_do_not_allow(
    link: LinkFacts, seen: Observation | None, units: int, share: Quota, policy: Policy
) -> None:
    decision = decide(link, seen, stock(tea=units), share, policy, NOW)
    assume(isinstance(decision, Push))
    assert isinstance(decision, Push)
    assessment = decision.assessment
    limit, _ = share.allowed(assessment.belief)
    assert decision.quantity >= 0
    assert wanted(decision) <= min(units, policy.maximum)
    assert limit is None or wanted(decision) <= limit
    expected = assessment.belief.expected
    assert decision.quantity <= max(wanted(decision), expected if expected is not None else 0)
    assert decision.quantity != expected


@given(links, readings, numbers, shares, policies)
def test_a_push_adds_up(
    link: LinkFacts, seen: Observation | None, units: int, share: Quota, policy: Policy
) -> None:
    decision = decide(link, seen, stock(tea=units), share, policy, NOW)
    assume(isinstance(decision, Push))
    assert isinstance(decision, Push)
    breakdown = decision.assessment.breakdown
    assert breakdown is not None
    assert breakdown.target == units
    assert units - sum(term.units for term in breakdown.terms) == decision.quantity
    assert 0 not in {term.units for term in breakdown.terms}


@given(links, readings, numbers, shares, policies)
def test_synced_means_that_the_target_less_what_is_withheld_is_shown(
    link: LinkFacts, seen: Observation | None, units: int, share: Quota, policy: Policy
) -> None:
    decision = decide(link, seen, stock(tea=units), share, policy, NOW)
    if not isinstance(decision, Done | Push):
        return
    breakdown = decision.assessment.breakdown
    assert breakdown is not None
    assert breakdown.target == units
    withheld = sum(term.units for term in breakdown.terms)
    sent = decision.shown if isinstance(decision, Done) else decision.quantity
    assert withheld >= 0
    assert sent == max(0, units - withheld)


@given(links, readings, numbers, shares, policies)
def test_nothing_is_sent_in_shadow_over_an_unsettled_write_or_unread(
    link: LinkFacts, seen: Observation | None, units: int, share: Quota, policy: Policy
) -> None:
    decision = decide(link, seen, stock(tea=units), share, policy, NOW)
    if link.shadow:
        assert isinstance(decision, Compared | Read)
        assert decision.assessment.finding is None
    if isinstance(decision, Push):
        assert not link.exhausted
        assert decision.assessment.belief.pending is None
        assert not decision.assessment.belief.must_read
        assert seen is not None or policy.mode is WriteMode.COMPARE_AND_SET


@given(links, readings, numbers, shares, policies)
def test_a_fresh_reading_always_leads_on(
    link: LinkFacts, seen: Observation | None, units: int, share: Quota, policy: Policy
) -> None:
    assume(seen is not None)
    decision = decide(link, seen, stock(tea=units), share, policy, NOW)
    assert not isinstance(decision, Read)


@given(links, readings, numbers, shares, policies)
def test_a_difference_is_found_only_where_one_is_perceived(
    link: LinkFacts, seen: Observation | None, units: int, share: Quota, policy: Policy
) -> None:
    decision = decide(link, seen, stock(tea=units), share, policy, NOW)
    perceived = perceive(link.belief, seen, policy, NOW)
    if decision.assessment.finding is not None:
        assert perceived.is_different
    held = decision.assessment.finding is not None and decision.assessment.finding.held
    assert isinstance(decision, Fail) == held
    assert decision.assessment.belief == perceived.belief


@given(links, readings, numbers, shares, policies, numbers)
def test_deciding_again_with_the_stored_belief_gives_the_same_number(
    link: LinkFacts,
    seen: Observation | None,
    units: int,
    share: Quota,
    policy: Policy,
    later: int,
) -> None:
    assume(policy.mode is WriteMode.COMPARE_AND_SET)
    first = decide(link, seen, stock(tea=units), share, policy, NOW)
    assume(isinstance(first, Done | Push) and first.assessment.finding is None)
    link = replace(link, belief=first.assessment.belief)
    again = decide(link, None, stock(tea=units), share, policy, NOW)
    assert replace(again, assessment=first.assessment) == first


def test_a_number_that_stays_where_it_is_holds_the_link_until_it_is_tried_again() -> None:
    stuck = replace(TEA, belief=replace(TEN, ineffective=3), try_at=NOW + 60, words="noted")
    held = step(stuck, balances=stock(tea=4))
    assert isinstance(held, Hold)
    assert held.due_at == held.problem.retry_at == NOW + 60
    assert (held.problem.reason, held.problem.platform_message) == ("WRITE_WITHOUT_EFFECT", "noted")
    assert dict(held.problem.metadata) == {"shown": "10", "wanted": "4", "writes": "3"}

    assert isinstance(step(stuck, balances=stock(tea=4), now=NOW + 60), Push)
    assert isinstance(step(stuck), Done)
    assert isinstance(step(stuck, 9, balances=stock(tea=4)), Push)
    twice = replace(stuck, belief=replace(TEN, ineffective=2))
    assert isinstance(step(twice, balances=stock(tea=4)), Push)
