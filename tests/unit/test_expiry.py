"""Each step before the end of credentials is announced once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from zaiko_core.domain.expiry import DAY, STEPS, newly_reached, step

END = 1_000 * DAY


def test_the_step_is_the_smallest_number_of_days_that_is_not_undercut() -> None:
    days_left = (31, 30, 29.5, 14, 13.9, 7, 3, 2, 1, 0.5, 0, -1)

    assert [step(END, int(END - days * DAY)) for days in days_left] == [
        None,
        30,
        30,
        14,
        14,
        7,
        3,
        3,
        1,
        1,
        0,
        0,
    ]


def test_credentials_without_an_end_have_no_step() -> None:
    assert step(None, END) is None


@given(st.lists(st.integers(-3 * DAY, 40 * DAY), min_size=1, max_size=60))
def test_looked_at_however_often_each_step_is_told_once_at_most_and_in_order(
    lefts: list[int],
) -> None:
    observed, known_at = [], None
    for left in sorted(lefts, reverse=True):
        days = newly_reached(END, END - left, known=END, known_at=known_at)
        observed += [days] if days is not None else []
        known_at = END - left

    assert observed == sorted(set(observed), reverse=True)
    assert set(observed) <= set(STEPS)
    assert (observed[-1:] or [None]) == [step(END, END - min(lefts))]


def test_another_end_is_told_anew() -> None:
    at = END - 2 * DAY

    assert newly_reached(END, at, known=END, known_at=at) is None
    assert newly_reached(END + 3 * DAY, at, known=END, known_at=at) == 7
    assert newly_reached(END, at, known=None, known_at=at) == 3
