"""The schedule of faults keeps its own rules, without anything being struck."""

from __future__ import annotations

from itertools import pairwise

import pytest
from cluster.faults import CRASH, KINDS, LEASE, schedule


def test_a_seed_is_the_same_schedule_again() -> None:
    assert schedule(7, 20.0, 3) == schedule(7, 20.0, 3)
    assert schedule(7, 20.0, 3) != schedule(8, 20.0, 3)


@pytest.mark.parametrize("seed", range(50))
def test_one_fault_at_a_time_on_a_replica_two_at_most_at_once_and_one_that_outlasts_the_lease(
    seed: int,
) -> None:
    *strikes, crash = schedule(seed, 20.0, 3)

    assert crash.kind == CRASH
    assert {strike.kind for strike in strikes} <= set(KINDS)
    assert any(strike.seconds > LEASE for strike in strikes)
    for replica in range(3):
        mine = [strike for strike in strikes if strike.replica == replica]
        assert all(one.at + one.seconds < other.at for one, other in pairwise(mine))
    for strike in strikes:
        assert sum(other.at <= strike.at <= other.at + other.seconds for other in strikes) <= 2
