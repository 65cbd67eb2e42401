"""What became of an addition whose answer was lost (ADR 0017): against a shop that really did it,
or did not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zaiko_core.domain.addition import (
    ARRIVAL,
    Attempt,
    Judgement,
    Reading,
    Sale,
    Verdict,
    judge,
    settled_by_answer,
    superseded,
)
from zaiko_core.domain.fence import WriteMode

S = 1_000_000
BASE_AT, SENT_AT, SEEN_AT = 1_000 * S, 1_002 * S, 1_100 * S
HELD = S // 2
"""How long a reading takes: the number is of some moment in it."""


def attempt(units: int = 10, base: int = 5, answered_at: int | None = None) -> Attempt:
    return Attempt(Reading(base, BASE_AT, BASE_AT), units, SENT_AT, answered_at)


def read(quantity: int) -> Reading:
    return Reading(quantity, SEEN_AT, SEEN_AT)


def sale(units: int, at: int, cancelled: int = 0, changed_at: int = 0) -> Sale:
    return Sale(units, cancelled, at, changed_at or at)


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize(
    ("seen", "verdict"), [(15, Verdict.APPLIED), (5, Verdict.NOT_APPLIED), (9, Verdict.UNDECIDED)]
)
def test_an_undisturbed_number_tells(mode: WriteMode, seen: int, verdict: Verdict) -> None:
    assert judge(attempt(), mode, read(seen), []) == Judgement(verdict)


def test_orders_in_between_are_taken_into_account() -> None:
    sold = [sale(2, BASE_AT + 5 * S)]
    assert judge(attempt(), WriteMode.ADJUST, read(13), sold).verdict is Verdict.APPLIED
    assert judge(attempt(), WriteMode.ADJUST, read(3), sold).verdict is Verdict.NOT_APPLIED
    assert judge(attempt(), WriteMode.ADJUST, read(15), sold).verdict is Verdict.UNDECIDED


def test_orders_of_before_and_after_do_not_matter() -> None:
    others = [sale(4, BASE_AT - 60 * S), sale(4, SEEN_AT + 2 * S)]
    assert judge(attempt(), WriteMode.ADJUST, read(15), others).verdict is Verdict.APPLIED


@pytest.mark.parametrize("back", range(4))
def test_any_part_of_what_was_cancelled_may_have_come_back(back: int) -> None:
    sold = [sale(3, BASE_AT - 60 * S, cancelled=3, changed_at=BASE_AT + 5 * S)]
    assert judge(attempt(), WriteMode.ADJUST, read(15 + back), sold).verdict is Verdict.APPLIED


def test_two_stories_with_the_same_number_are_left_to_a_person() -> None:
    sold = [sale(10, BASE_AT + 5 * S, cancelled=10, changed_at=BASE_AT + 9 * S)]
    assert judge(attempt(base=20), WriteMode.ADJUST, read(20), sold).verdict is Verdict.UNDECIDED


def test_an_order_in_the_second_of_a_reading_is_counted_both_ways() -> None:
    for at in (BASE_AT - S // 2, SEEN_AT - S // 2):
        for seen in (15, 13):
            assert (
                judge(attempt(), WriteMode.ADJUST, read(seen), [sale(2, at)]).verdict
                is Verdict.APPLIED
            )


def test_an_edit_after_the_base_may_have_taken_more() -> None:
    sold = [sale(3, BASE_AT - 60 * S, changed_at=BASE_AT + 5 * S)]
    for seen in (12, 13, 14, 15):
        assert judge(attempt(), WriteMode.ADJUST, read(seen), sold).verdict is Verdict.APPLIED


def test_what_a_plain_number_overwrote_is_told() -> None:
    sold = [sale(2, BASE_AT + S), sale(3, BASE_AT + 3 * S)]
    answered = attempt(answered_at=SENT_AT + 3 * S)
    for seen, overwritten in ((10, 0), (12, 2), (15, 5)):
        assert judge(answered, WriteMode.SET, read(seen), sold) == Judgement(
            Verdict.APPLIED, overwritten
        )
    # Only the first orders can be overwritten, never a later one alone: somebody edited the number,
    # and up to 5 may be too many.
    assert judge(answered, WriteMode.SET, read(13), sold) == Judgement(Verdict.APPLIED, 0, 5)
    assert judge(attempt(), WriteMode.ADJUST, read(12), sold).verdict is Verdict.UNDECIDED


def test_a_plain_number_on_a_reading_that_an_order_may_be_in_leaves_a_doubt() -> None:
    base = Reading(5, BASE_AT, BASE_AT + 3 * S)
    made = Attempt(base, 10, SENT_AT + 5 * S, SENT_AT + 6 * S)
    sold = [sale(1, BASE_AT + S)]
    assert judge(made, WriteMode.SET, read(15), sold) == Judgement(Verdict.APPLIED, 0, 1)
    assert superseded(base, sold)
    assert not superseded(base, [sale(1, BASE_AT - S)])


def test_within_one_second_any_of_the_orders_may_have_been_first() -> None:
    sold = [sale(2, BASE_AT + S), sale(3, BASE_AT + S)]
    assert judge(attempt(answered_at=SENT_AT), WriteMode.SET, read(13), sold) == Judgement(
        Verdict.APPLIED, 3
    )
    many = [sale(1, BASE_AT + S) for _ in range(13)]
    assert judge(attempt(base=20, answered_at=SENT_AT), WriteMode.SET, read(20), many) == Judgement(
        Verdict.APPLIED, 3
    )


def test_an_answer_settles_what_nothing_can_have_come_between() -> None:
    answered = attempt(answered_at=SENT_AT + S)
    assert not settled_by_answer(attempt(), WriteMode.ADJUST, [])
    assert settled_by_answer(answered, WriteMode.ADJUST, [sale(1, SENT_AT)])
    assert settled_by_answer(answered, WriteMode.COMPARE_AND_SET, [sale(1, SENT_AT)])
    assert settled_by_answer(
        answered, WriteMode.SET, [sale(1, SENT_AT + 60 * S), sale(1, BASE_AT - 60 * S)]
    )
    assert not settled_by_answer(answered, WriteMode.SET, [sale(1, BASE_AT + S)])


def test_an_unanswered_plain_number_may_arrive_until_the_end_of_arrival() -> None:
    sold = [sale(2, SENT_AT + ARRIVAL - S)]
    assert judge(attempt(), WriteMode.SET, read(15), sold) == Judgement(Verdict.APPLIED, 2)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Attempt, WriteMode, list[Sale], Reading, bool, int]:
    """A shop as it really was: the attempt, its orders, what it shows, whether the write was
    applied, and what that overwrote."""
    mode, applied = draw(st.sampled_from(list(WriteMode))), draw(st.booleans())
    answered = applied and draw(st.booleans())
    units, base = draw(st.integers(1, 12)), draw(st.integers(0, 12))
    written_at = SENT_AT + draw(st.integers(1, 20)) * S
    based, seen = BASE_AT + draw(st.integers(0, HELD)), SEEN_AT + draw(st.integers(0, HELD))
    # (when, what happens to the number, in which order): buying, cancelling with some units given
    # back, and the write.
    sales: list[Sale] = []
    steps: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(0, 4))):
        bought, placed_at = (
            draw(st.integers(1, 6)),
            draw(st.integers(BASE_AT - 5 * S, SEEN_AT + 5 * S)),
        )
        if mode is WriteMode.COMPARE_AND_SET and applied and based < placed_at < written_at:
            continue  # the write would have been refused
        cancelled, changed_at = 0, placed_at
        steps.append((placed_at, -bought))
        after_the_write = max(placed_at, written_at)
        if after_the_write < SEEN_AT - 2 * S and draw(st.booleans()):
            cancelled, changed_at = bought, draw(st.integers(after_the_write, SEEN_AT - 2 * S))
            steps.append((changed_at, draw(st.integers(0, bought))))
        sales.append(Sale(bought, cancelled, placed_at // S * S, changed_at // S * S))
    number, overwritten = base, 0
    between = [(at, change) for at, change in sorted(steps) if based < at < seen]
    for at, change in [*between, (seen, 0)]:
        number += change if not (applied and mode is WriteMode.SET and at < written_at) else 0
        overwritten -= change if applied and mode is WriteMode.SET and at < written_at else 0
    number += units if applied else 0
    made = Attempt(
        Reading(base, BASE_AT, BASE_AT + HELD), units, SENT_AT, written_at if answered else None
    )
    return made, mode, sales, Reading(number, SEEN_AT, SEEN_AT + HELD), applied, overwritten


@settings(max_examples=600)
@given(story=stories())
def test_a_judgement_is_what_happened_or_left_to_a_person(
    story: tuple[Attempt, WriteMode, list[Sale], Reading, bool, int],
) -> None:
    made, mode, sales, seen, applied, overwritten = story
    found = judge(made, mode, seen, sales)
    if found.verdict is Verdict.APPLIED:
        assert applied
        assert found.overwritten <= overwritten <= found.overwritten + found.doubtful
    else:
        assert made.answered_at is None
        assert found.verdict is Verdict.UNDECIDED or not applied
