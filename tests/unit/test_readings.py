"""Readings that an order superseded are given up, a few times."""

from __future__ import annotations

from zaiko_core.domain.decision import Observation
from zaiko_core.sync.readings import MOST_GIVEN_UP, SupersededRule

S = 1_000_000
SEEN = Observation(at=100 * S, quantity=5)


def test_a_reading_without_a_later_order_counts() -> None:
    rule = SupersededRule()
    assert rule.keep({"tea": SEEN}, {}) == {"tea": SEEN}
    assert rule.keep({"tea": SEEN}, {"cup": 100 * S}) == {"tea": SEEN}
    assert rule.keep({"tea": SEEN}, {"tea": 99 * S}) == {"tea": SEEN}


def test_a_reading_that_may_lack_an_order_of_its_second_is_given_up() -> None:
    assert SupersededRule().keep({"tea": SEEN}, {"tea": 99 * S + 1}) == {}


def test_a_link_that_sells_all_the_time_goes_on() -> None:
    rule = SupersededRule()
    kept = [rule.keep({"tea": SEEN}, {"tea": 200 * S}) for _ in range(MOST_GIVEN_UP + 1)]
    assert kept == [{}] * MOST_GIVEN_UP + [{"tea": SEEN}]
