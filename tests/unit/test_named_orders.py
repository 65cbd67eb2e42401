"""Which orders of notifications are kept, and when they are asked for again."""

from __future__ import annotations

from zaiko_core.domain.named_orders import NamedOrder, after_answer, after_error, usable

SECOND = 1_000_000
NOW = 1_795_000_000 * SECOND
NAMED = NamedOrder("1", named_at=NOW, due_at=NOW)


def test_an_order_that_was_read_is_not_asked_for_again() -> None:
    assert after_answer([NAMED], present={"1"}, known=set(), now=NOW) == []


def test_a_known_order_that_is_absent_is_not_asked_for_again() -> None:
    assert after_answer([NAMED], present=set(), known={"1"}, now=NOW) == []


def test_an_unknown_order_is_asked_for_again_after_2_5_and_15_seconds() -> None:
    now, waits, left = NOW, [], [NAMED]
    while left := after_answer(left, present={"2"}, known=set(), now=now):
        waits.append((left[0].due_at - now) // SECOND)
        now = left[0].due_at
    assert waits == [2, 5, 15]


def test_an_order_whose_reading_fails_is_asked_for_for_an_hour() -> None:
    (again,) = after_error([NAMED], NOW + 3_599 * SECOND)
    assert (again.reads, again.due_at) == (0, NOW + 3_614 * SECOND)
    assert after_error([NAMED], NOW + 3_600 * SECOND) == []


def test_names_that_can_be_no_ids_are_left_out_and_each_is_kept_once() -> None:
    assert usable(["1", "2", "1", "", "\0", "x" * 201, "x" * 200]) == ["1", "2", "x" * 200]
