"""Quotas per clock hour and per day in Japan."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from zaiko_base.budget import Budget
from zaiko_sdk import Throttled
from zaiko_sdk.testing.clock import FakeClock


def _at(hour: int, minute: int) -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, hour, minute, tzinfo=UTC))


def test_the_quota_begins_again_with_the_clock_hour() -> None:
    clock = _at(10, 59)
    budget = Budget(clock, per_hour=3, per_day=100)
    for _ in range(3):
        budget.take(for_orders=True)
    with pytest.raises(Throttled) as caught:
        budget.take(for_orders=True)

    clock.advance(caught.value.retry_after)
    budget.take(for_orders=True)

    assert 60 <= caught.value.retry_after < 70


def test_the_day_ends_at_midnight_in_japan() -> None:
    clock = _at(14, 30)
    budget = Budget(clock, per_hour=100, per_day=2)
    budget.take(for_orders=True)
    budget.take(for_orders=True)

    with pytest.raises(Throttled) as caught:
        budget.take(for_orders=True)

    assert 1800 <= caught.value.retry_after < 1810


def test_a_tenth_is_kept_for_orders() -> None:
    budget = Budget(_at(10, 0), per_hour=20, per_day=1000)
    for _ in range(18):
        budget.take()

    with pytest.raises(Throttled):
        budget.take()
    budget.take(for_orders=True)


def test_what_is_refused_counts_nothing() -> None:
    clock = _at(10, 0)
    budget = Budget(clock, per_hour=10, per_day=12)
    for _ in range(9):
        budget.take()
    for _ in range(50):
        with pytest.raises(Throttled):
            budget.take()

    clock.advance(3600)
    budget.take()


def test_when_base_says_that_nothing_is_left_nothing_goes_before_the_reset() -> None:
    clock = _at(10, 30)
    budget = Budget(clock, per_hour=5000, per_day=100_000)
    error = budget.used_up("hour", "hour_api_limit")

    with pytest.raises(Throttled):
        budget.take(for_orders=True)
    clock.advance(error.retry_after)
    budget.take(for_orders=True)
