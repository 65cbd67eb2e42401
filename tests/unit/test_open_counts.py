"""When the platform's own count of open units is said to differ from ours."""

from __future__ import annotations

from zaiko_core.domain.open_counts import OpenCounts, compared

VISIBILITY = 30


def after(*readings: tuple[int, int | None, int]) -> OpenCounts | None:
    """Return what is known after readings of (time, by the platform, by us)."""
    known = None
    for now, committed, counted in readings:
        known = compared(known, committed, counted, visibility=VISIBILITY, now=now)
    return known


def test_equal_counts_are_nothing() -> None:
    assert after((1, 3, 3)) is None
    assert after((1, 3, 2), (2, 3, 3)) is None


def test_a_platform_that_does_not_say_its_count_does_not_differ() -> None:
    assert after((1, None, 3)) is None
    assert after((1, 4, 3), (2, None, 3)) is None


def test_a_difference_is_found_when_no_order_in_flight_explains_it_any_longer() -> None:
    assert after((1, 4, 3)) == OpenCounts(4, 3, since=1)
    assert after((1, 4, 3), (31, 4, 3)) == OpenCounts(4, 3, since=1)
    assert after((1, 4, 3), (32, 4, 3)) == OpenCounts(4, 3, since=1, is_found=True)


def test_an_order_that_comes_meanwhile_begins_the_comparison_again() -> None:
    assert after((1, 4, 3), (40, 5, 4)) == OpenCounts(5, 4, since=40)
    assert after((1, 4, 3), (40, 4, 2)) == OpenCounts(4, 2, since=40)


def test_what_was_found_stays_found_while_nothing_changes() -> None:
    known = after((1, 4, 3), (40, 4, 3))
    assert compared(known, 4, 3, visibility=100, now=50) == known
