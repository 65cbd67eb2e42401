"""The fence, rule by rule (ADR 0004)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zaiko_core.domain.demand import Sold
from zaiko_core.domain.fence import (
    Drift,
    Fence,
    Flight,
    Mode,
    Step,
    applied,
    launch,
    observe,
    plan,
    refused,
    sold,
)

VISIBILITY = 60
SECOND = 1_000_000
KNOWN = Fence(expected=10, must_read=False)


def own(units: int, at: int = 100, **more: object) -> Sold:
    return Sold("l", units, at, **more)  # type: ignore[arg-type]


def flying(mode: Mode = Mode.COMPARE_AND_SET) -> Fence:
    """A write of 8 is on its way to a shop that shows 10."""
    return launch(KNOWN, 8, mode, key="k", now=1)


def step(
    fence: Fence,
    target: int,
    mode: Mode = Mode.COMPARE_AND_SET,
    *,
    fresh: bool = True,
    now: int = 100,
) -> tuple[Step, int]:
    _, planned = plan(fence, target, mode, fresh=fresh, visibility=VISIBILITY, now=now)
    return planned.step, planned.quantity


@pytest.mark.parametrize("mode", [Mode.ADJUST, Mode.SET])
def test_only_compare_and_set_writes_without_a_reading_of_this_round(mode: Mode) -> None:
    assert step(KNOWN, 8, mode, fresh=False)[0] is Step.READ
    assert step(KNOWN, 8, mode) == (Step.WRITE, 8)
    assert step(KNOWN, 8, fresh=False) == (Step.WRITE, 8)


def test_nothing_is_sent_while_the_outcome_of_a_write_is_unknown() -> None:
    assert step(flying(), 7)[0] is Step.READ


def test_the_shops_own_orders_lower_what_is_expected_and_both_outcomes_of_a_write_in_flight() -> (
    None
):
    fence = sold(flying(), own(2))
    assert fence.expected == 8
    assert fence.flight == Flight("k", 6, 1)


def test_a_missing_unit_is_an_order_that_is_still_to_come_and_is_not_offered_again() -> None:
    fence, drift = observe(KNOWN, 9, at=100, now=100)
    assert drift is Drift.MISSING
    assert step(fence, 10) == (Step.DONE, 9)
    assert step(fence, 20) == (Step.WRITE, 19)


def test_the_order_that_comes_late_is_not_subtracted_twice() -> None:
    fence, _ = observe(KNOWN, 9, at=100, now=100)
    fence = sold(fence, own(1, at=90))
    assert (fence.expected, fence.suspected) == (9, 0)
    assert step(fence, 9) == (Step.DONE, 9)


def test_an_order_in_doubt_is_not_subtracted_twice_and_the_number_is_read_again() -> None:
    fence = sold(Fence(expected=5, doubt=2, suspected_since=100, must_read=False), own(1, at=90))
    assert (fence.expected, fence.doubt, fence.must_read) == (5, 1, True)


def test_units_that_come_back_are_suspected_no_more() -> None:
    fence, drift = observe(
        Fence(expected=8, suspected=2, suspected_since=10, must_read=False), 10, at=100, now=100
    )
    assert (drift, fence.expected, fence.suspected) == (Drift.EXTRA, 10, 0)


def test_a_suspicion_is_looked_at_again_when_its_time_is_over() -> None:
    fence, _ = observe(KNOWN, 9, at=100, now=100)
    _, planned = plan(fence, 10, Mode.COMPARE_AND_SET, fresh=True, visibility=VISIBILITY, now=100)
    assert planned.recheck_at == 100 + VISIBILITY


def test_what_nothing_explains_in_time_was_changed_by_hand_and_is_healed() -> None:
    fence, _ = observe(KNOWN, 9, at=100, now=100)
    assert step(fence, 10, now=100 + VISIBILITY) == (Step.WRITE, 10)


def test_a_higher_number_is_taken_over_at_once() -> None:
    fence, drift = observe(KNOWN, 13, at=5 * SECOND, now=5 * SECOND)
    assert drift is Drift.EXTRA
    assert step(fence, 10) == (Step.WRITE, 10)
    assert sold(fence, own(1, at=4 * SECOND)).expected == 13, (
        "an older order was in the number already"
    )
    assert sold(fence, own(1, at=5 * SECOND)).expected == 12
    assert sold(fence, own(1, at=4 * SECOND + 1)).expected == 12, "times are cut to whole seconds"


@pytest.mark.parametrize(("shown", "expected"), [(10, 10), (8, 8)])
def test_an_ambiguous_write_is_settled_by_reading(shown: int, expected: int) -> None:
    fence, _ = observe(flying(), shown, at=100, now=100)
    assert (fence.expected, fence.flight, fence.suspected) == (expected, None, 0)


def test_an_unconditional_write_may_have_overwritten_an_order_that_came_before_it() -> None:
    fence, _ = observe(sold(flying(Mode.SET), own(1)), 8, at=100, now=100)
    assert (fence.expected, fence.suspected) == (8, 0)
    assert step(fence, 7, Mode.SET) == (Step.WRITE, 7)


def test_the_less_likely_explanation_of_an_ambiguous_write_holds_back_a_raise_only() -> None:
    fence, _ = observe(flying(), 8, at=100, now=100)
    assert fence.doubt == 2
    assert step(fence, 10) == (Step.DONE, 8), "2 units may be gone: they are not offered again"
    assert step(fence, 5) == (Step.WRITE, 5)
    assert step(fence, 10, now=100 + VISIBILITY) == (Step.WRITE, 10)


def test_a_restock_after_a_cancel_does_not_hide_an_unseen_order() -> None:
    fence = sold(KNOWN, own(0, released=2))
    assert fence.must_read
    fence, _ = observe(fence, 11, at=100, now=100)
    assert (fence.suspected, fence.expected) == (1, 11)


def test_a_refused_write_is_followed_by_a_reading() -> None:
    assert step(refused(flying()), 8)[0] is Step.READ


@pytest.mark.parametrize(
    ("mode", "reads"), [(Mode.COMPARE_AND_SET, False), (Mode.ADJUST, True), (Mode.SET, True)]
)
def test_a_write_that_was_not_conditional_is_read_back(mode: Mode, reads: bool) -> None:
    fence = applied(flying(mode), mode)
    assert (fence.expected, fence.must_read) == (8, reads)


def test_a_shop_without_a_number_gets_its_first_one() -> None:
    fence, drift = observe(Fence(), None, at=1, now=1)
    assert drift is Drift.FIRST
    assert fence.expected is None
    assert step(fence, 5) == (Step.WRITE, 5)


@given(
    expected=st.integers(0, 50),
    flight=st.none() | st.integers(0, 50),
    released=st.integers(0, 5),
    suspected=st.integers(0, 5),
    doubt=st.integers(0, 5),
    shown=st.integers(-5, 60),
    target=st.integers(0, 60),
)
def test_whatever_is_read_a_raise_never_offers_what_any_explanation_says_is_gone(
    expected: int,
    flight: int | None,
    released: int,
    suspected: int,
    doubt: int,
    shown: int,
    target: int,
) -> None:
    before = Fence(
        expected=expected,
        suspected=suspected,
        suspected_since=90 if suspected or doubt else 0,
        doubt=doubt,
        released=released,
        flight=None if flight is None else Flight("k", flight, 1),
    )
    fence, drift = observe(before, shown, at=100, now=100)
    kind, quantity = step(fence, target)
    explanations = [
        base + extra for base in (expected, flight) if base is not None for extra in (0, released)
    ]
    gone = max(0, *(value - shown for value in explanations if value >= shown), 0)
    if drift is not Drift.EXTRA and kind is Step.WRITE and quantity > shown:
        assert quantity <= max(0, target - gone - suspected - doubt)
    assert fence.suspected >= 0
    assert fence.doubt >= 0
