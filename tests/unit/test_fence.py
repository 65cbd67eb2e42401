"""The fence, rule by rule (ADR 0004)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zaiko_core.domain.demand import Sold
from zaiko_core.domain.fence import (
    InventoryBelief,
    PendingWrite,
    ReadingVerdict,
    Step,
    WriteMode,
    applied,
    observe,
    plan,
    record_pending,
    refused,
    sold,
    withheld_by_shop,
)

VISIBILITY = 60
SECOND = 1_000_000
KNOWN = InventoryBelief(expected=10, must_read=False)


def own(units: int, at: int = 100, **more: object) -> Sold:
    return Sold("l", units, at, **more)  # type: ignore[arg-type]


def flying(mode: WriteMode = WriteMode.COMPARE_AND_SET) -> InventoryBelief:
    """A write of 8 is on its way to a shop that shows 10."""
    return record_pending(KNOWN, 8, mode, key="k", now=1)


def step(
    belief: InventoryBelief,
    target: int,
    mode: WriteMode = WriteMode.COMPARE_AND_SET,
    *,
    fresh: bool = True,
    now: int = 100,
) -> tuple[Step, int]:
    _, planned = plan(belief, target, mode, fresh=fresh, visibility=VISIBILITY, now=now)
    return planned.step, planned.quantity


@pytest.mark.parametrize("mode", [WriteMode.ADJUST, WriteMode.SET])
def test_only_compare_and_set_writes_without_a_reading_of_this_round(mode: WriteMode) -> None:
    assert step(KNOWN, 8, mode, fresh=False)[0] is Step.READ
    assert step(KNOWN, 8, mode) == (Step.WRITE, 8)
    assert step(KNOWN, 8, fresh=False) == (Step.WRITE, 8)


def test_nothing_is_sent_while_the_outcome_of_a_write_is_unknown() -> None:
    assert step(flying(), 7)[0] is Step.READ


def test_the_shops_own_orders_lower_what_is_expected_and_both_outcomes_of_a_write_in_flight() -> (
    None
):
    belief = sold(flying(), own(2))
    assert belief.expected == 8
    assert belief.pending == PendingWrite("k", 6, 1)


@pytest.mark.parametrize(("shown", "unexplained"), [(10, 0), (11, 0), (19, 0), (12, 7), (20, 0)])
def test_a_cancel_of_the_rest_is_explained_whether_nothing_the_rest_or_all_was_given_back(
    shown: int, unexplained: int
) -> None:
    """Of 9 units 8 had been shipped when the order was cancelled."""
    belief = sold(KNOWN, own(0, released=9, unshipped=1))
    settled, _ = observe(belief, shown, at=100, now=100)
    assert settled.unexplained == unexplained
    assert (settled.released, settled.unshipped) == (0, 0)


def test_a_missing_unit_is_an_order_that_is_still_to_come_and_is_not_offered_again() -> None:
    belief, drift = observe(KNOWN, 9, at=100, now=100)
    assert drift is ReadingVerdict.MISSING
    assert step(belief, 10) == (Step.DONE, 9)
    assert step(belief, 20) == (Step.WRITE, 19)


def test_the_order_that_comes_late_is_not_subtracted_twice() -> None:
    belief, _ = observe(KNOWN, 9, at=100, now=100)
    belief = sold(belief, own(1, at=90))
    assert (belief.expected, belief.unexplained) == (9, 0)
    assert step(belief, 9) == (Step.DONE, 9)


def test_an_order_in_doubt_is_not_subtracted_twice_and_the_number_is_read_again() -> None:
    belief = sold(
        InventoryBelief(expected=5, uncertain=2, unexplained_since=100, must_read=False),
        own(1, at=90),
    )
    assert (belief.expected, belief.uncertain, belief.must_read) == (5, 1, True)


def test_units_that_come_back_are_suspected_no_more() -> None:
    belief, drift = observe(
        InventoryBelief(expected=8, unexplained=2, unexplained_since=10, must_read=False),
        10,
        at=100,
        now=100,
    )
    assert (drift, belief.expected, belief.unexplained) == (ReadingVerdict.EXTRA, 10, 0)


def test_a_suspicion_is_looked_at_again_when_its_time_is_over() -> None:
    belief, _ = observe(KNOWN, 9, at=100, now=100)
    _, planned = plan(
        belief, 10, WriteMode.COMPARE_AND_SET, fresh=True, visibility=VISIBILITY, now=100
    )
    assert planned.recheck_at == 100 + VISIBILITY


def test_what_nothing_explains_in_time_was_changed_by_hand_and_is_healed() -> None:
    belief, _ = observe(KNOWN, 9, at=100, now=100)
    assert step(belief, 10, now=100 + VISIBILITY) == (Step.WRITE, 10)


def test_a_higher_number_is_taken_over_at_once() -> None:
    belief, drift = observe(KNOWN, 13, at=5 * SECOND, now=5 * SECOND)
    assert drift is ReadingVerdict.EXTRA
    assert step(belief, 10) == (Step.WRITE, 10)
    assert sold(belief, own(1, at=4 * SECOND)).expected == 13, (
        "an older order was in the number already"
    )
    assert sold(belief, own(1, at=5 * SECOND)).expected == 12
    assert sold(belief, own(1, at=4 * SECOND + 1)).expected == 12, "times are cut to whole seconds"


@pytest.mark.parametrize(("shown", "expected"), [(10, 10), (8, 8)])
def test_an_ambiguous_write_is_settled_by_reading(shown: int, expected: int) -> None:
    belief, _ = observe(flying(), shown, at=100, now=100)
    assert (belief.expected, belief.pending, belief.unexplained) == (expected, None, 0)


def test_an_unconditional_write_may_have_overwritten_an_order_that_came_before_it() -> None:
    belief, _ = observe(sold(flying(WriteMode.SET), own(1)), 8, at=100, now=100)
    assert (belief.expected, belief.unexplained) == (8, 0)
    assert step(belief, 7, WriteMode.SET) == (Step.WRITE, 7)


def test_the_less_likely_explanation_of_an_ambiguous_write_holds_back_a_raise_only() -> None:
    belief, _ = observe(flying(), 8, at=100, now=100)
    assert belief.uncertain == 2
    assert step(belief, 10) == (Step.DONE, 8), "2 units may be gone: they are not offered again"
    assert step(belief, 5) == (Step.WRITE, 5)
    assert step(belief, 10, now=100 + VISIBILITY) == (Step.WRITE, 10)


def test_a_restock_after_a_cancel_does_not_hide_an_unseen_order() -> None:
    belief = sold(KNOWN, own(0, released=2))
    assert belief.must_read
    belief, _ = observe(belief, 11, at=100, now=100)
    assert (belief.unexplained, belief.expected) == (1, 11)


def test_a_refused_write_is_followed_by_a_reading() -> None:
    assert step(refused(flying()), 8)[0] is Step.READ


@pytest.mark.parametrize(
    ("mode", "reads"),
    [(WriteMode.COMPARE_AND_SET, False), (WriteMode.ADJUST, True), (WriteMode.SET, True)],
)
def test_a_write_that_was_not_conditional_is_read_back(mode: WriteMode, reads: bool) -> None:
    belief = applied(flying(mode), mode)
    assert (belief.expected, belief.must_read) == (8, reads)


def test_a_shop_without_a_number_gets_its_first_one() -> None:
    belief, drift = observe(InventoryBelief(), None, at=1, now=1)
    assert drift is ReadingVerdict.FIRST
    assert belief.expected is None
    assert step(belief, 5) == (Step.WRITE, 5)


@given(
    expected=st.integers(0, 50),
    pending=st.none() | st.integers(0, 50),
    released=st.integers(0, 5),
    unexplained=st.integers(0, 5),
    uncertain=st.integers(0, 5),
    shown=st.integers(-5, 60),
    target=st.integers(0, 60),
)
def test_whatever_is_read_a_raise_never_offers_what_any_explanation_says_is_gone(
    expected: int,
    pending: int | None,
    released: int,
    unexplained: int,
    uncertain: int,
    shown: int,
    target: int,
) -> None:
    before = InventoryBelief(
        expected=expected,
        unexplained=unexplained,
        unexplained_since=90 if unexplained or uncertain else 0,
        uncertain=uncertain,
        released=released,
        pending=None if pending is None else PendingWrite("k", pending, 1),
    )
    belief, drift = observe(before, shown, at=100, now=100)
    kind, quantity = step(belief, target)
    explanations = [
        base + extra for base in (expected, pending) if base is not None for extra in (0, released)
    ]
    gone = max(0, *(value - shown for value in explanations if value >= shown), 0)
    if drift is not ReadingVerdict.EXTRA and kind is Step.WRITE and quantity > shown:
        assert quantity <= max(0, target - gone - unexplained - uncertain)
    assert belief.unexplained >= 0
    assert belief.uncertain >= 0


# Units that the shop keeps off sale itself


def test_units_that_the_shop_reserves_are_explained_and_so_is_their_return() -> None:
    held = withheld_by_shop(KNOWN, 4)
    belief, drift = observe(held, 6, at=100, now=100)
    assert (drift, belief.expected, belief.unexplained, belief.reserved) == (
        ReadingVerdict.NONE,
        6,
        0,
        4,
    )
    belief, drift = observe(withheld_by_shop(belief, 0), 10, at=200, now=200)
    assert (drift, belief.expected, belief.reserved) == (ReadingVerdict.NONE, 10, 0)


def test_units_that_the_shop_reserves_lower_a_write_that_is_not_settled() -> None:
    belief, drift = observe(withheld_by_shop(flying(), 2), 6, at=100, now=100)
    assert (drift, belief.expected, belief.unexplained) == (
        ReadingVerdict.NONE,
        6,
        0,
    )


def test_an_order_where_units_are_reserved_may_be_of_them() -> None:
    belief = sold(replace(KNOWN, reserved=4), own(4))
    assert belief.must_read
    belief, drift = observe(withheld_by_shop(belief, 0), 10, at=100, now=100)
    assert (drift, belief.expected, belief.unexplained) == (ReadingVerdict.NONE, 10, 0)


def test_a_reading_that_does_not_say_what_is_reserved_changes_nothing() -> None:
    assert withheld_by_shop(replace(KNOWN, reserved=4), None) == replace(KNOWN, reserved=4)


# Progress is measured


@pytest.mark.parametrize("mode", [WriteMode.ADJUST, WriteMode.SET])
def test_acknowledged_writes_that_leave_the_number_where_it_was_are_counted(
    mode: WriteMode,
) -> None:
    belief = KNOWN
    for times in (1, 2, 3):
        belief = applied(record_pending(belief, 8, mode, key="k", now=1), mode)
        belief, _ = observe(belief, 10, at=100, now=100)
        assert belief.ineffective == times
    belief, _ = observe(belief, 10, at=200, now=200)
    assert belief.ineffective == 3


def test_a_write_refused_as_stale_with_the_very_number_that_was_expected_is_counted() -> None:
    belief, _ = observe(refused(flying(), stale=True), 10, at=100, now=100)
    assert belief.ineffective == 1
    belief, _ = observe(refused(flying(), stale=True), 9, at=100, now=100)
    assert belief.ineffective == 0
    belief, _ = observe(refused(flying()), 10, at=100, now=100)
    assert belief.ineffective == 0


def test_a_registration_that_leaves_no_number_is_counted() -> None:
    none = InventoryBelief(must_read=False)
    written = applied(record_pending(none, 8, WriteMode.ADJUST, key="k", now=1), WriteMode.ADJUST)
    belief, _ = observe(written, None, at=100, now=100)
    assert belief.ineffective == 1


@pytest.mark.parametrize("shown", [8, 9, 11])
def test_any_other_number_begins_the_count_again(shown: int) -> None:
    stuck = InventoryBelief(expected=10, must_read=False, ineffective=3)
    assert observe(stuck, shown, at=100, now=100)[0].ineffective == 0
    written = applied(record_pending(stuck, 8, WriteMode.ADJUST, key="k", now=1), WriteMode.ADJUST)
    assert observe(written, shown, at=100, now=100)[0].ineffective == 0


def test_a_write_of_an_unknown_outcome_is_not_counted() -> None:
    assert observe(flying(), 10, at=100, now=100)[0].ineffective == 0


def test_an_order_meanwhile_does_not_hide_that_the_write_had_no_effect() -> None:
    written = applied(flying(WriteMode.ADJUST), WriteMode.ADJUST)
    belief, _ = observe(sold(written, own(2)), 8, at=100, now=100)
    assert belief.ineffective == 1
