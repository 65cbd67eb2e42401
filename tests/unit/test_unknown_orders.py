"""Orders of unknown content: what they may have taken, and what is withheld for them (ADR 0034)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import support.properties  # noqa: F401 - before any property
from hypothesis import given
from hypothesis import strategies as st
from zaiko_core.domain.decision import (
    UNKNOWN_RECHECK,
    Decision,
    Done,
    LinkFacts,
    Observation,
    Policy,
    Push,
    decide,
)
from zaiko_core.domain.demand import Sold
from zaiko_core.domain.escrow import Quota
from zaiko_core.domain.fence import InventoryBelief, WriteMode, sold
from zaiko_core.domain.links import Part
from zaiko_core.domain.push import Term
from zaiko_core.domain.stock import Balance
from zaiko_core.domain.unknown_orders import AROUND, UnknownOrders

VISIBILITY = 60_000_000
NOW = 10_000_000_000
MISSED, MATCHED = NOW - 2 * VISIBILITY, NOW - 20 * VISIBILITY
POLICY = Policy(WriteMode.COMPARE_AND_SET, maximum=1_000, visibility=VISIBILITY)
UNREADABLE = UnknownOrders(unreadable=1)
TWO_MISSING = InventoryBelief(
    expected=8, unexplained=2, unexplained_since=MISSED, matched_at=MATCHED, must_read=False
)


def step(link: LinkFacts, units: int = 10, seen: int | None = None) -> Decision:
    reading = None if seen is None else Observation(NOW, seen)
    return decide(link, reading, {"tea": Balance(units)}, Quota(("a", "tea")), POLICY, NOW)


def link(belief: InventoryBelief = TWO_MISSING, **more: object) -> LinkFacts:
    return LinkFacts(belief, (Part("tea"),), **more)  # type: ignore[arg-type]


# What they may have taken


@pytest.mark.parametrize(
    ("placed", "seen", "taken"),
    [
        (MATCHED - AROUND, 0, 2),
        (MATCHED - AROUND - 1, 0, 0),
        (1, MATCHED - AROUND, 2),
        (MISSED + AROUND, MISSED, 2),
        (MISSED + AROUND + 1, NOW, 0),
    ],
    ids=["since then", "before", "seen since then", "as it was missed", "later"],
)
def test_an_order_that_is_not_counted_may_have_taken_what_went_while_it_came(
    placed: int, seen: int, taken: int
) -> None:
    assert UnknownOrders(uncounted=((placed, seen),)).taken(TWO_MISSING) == taken


def test_an_order_that_cannot_be_read_may_have_taken_anything() -> None:
    assert UNREADABLE.taken(TWO_MISSING) == 2
    assert UnknownOrders().taken(TWO_MISSING) == 0


def test_where_nothing_is_missing_nothing_was_taken() -> None:
    known = InventoryBelief(expected=10, must_read=False)
    assert not UNREADABLE.may_have_taken(known)
    assert UNREADABLE.may_have_taken(replace(known, uncertain=1, unexplained_since=1))


# What is withheld for them


def test_what_one_may_have_taken_is_kept_and_looked_at_again() -> None:
    assert isinstance(step(link()), Push)
    decision = step(link(unknown=UNREADABLE))
    assert isinstance(decision, Done)
    assert (decision.shown, decision.recheck_at) == (8, NOW + UNKNOWN_RECHECK)
    assert decision.assessment.finding is None


def test_units_that_came_are_offered_all_the_same() -> None:
    decision = step(link(unknown=UNREADABLE), units=15)
    assert isinstance(decision, Push)
    assert decision.quantity == 13


def test_what_other_shops_miss_is_offered_nowhere() -> None:
    decision = step(link(InventoryBelief(expected=10, must_read=False), elsewhere={"tea": 3}))
    assert isinstance(decision, Push)
    assert decision.quantity == 7
    assert decision.assessment.breakdown is not None
    assert decision.assessment.breakdown.terms == (Term("UNKNOWN_ORDER", 3),)


def test_a_link_that_shows_less_for_another_shop_is_looked_at_again() -> None:
    decision = step(link(InventoryBelief(expected=7, must_read=False), elsewhere={"tea": 3}))
    assert isinstance(decision, Done)
    assert decision.recheck_at == NOW + UNKNOWN_RECHECK


def test_a_number_that_is_read_first_is_not_raised_while_an_order_cannot_be_read() -> None:
    new = link(InventoryBelief(), unknown=UNREADABLE)
    decision = step(new, seen=8)
    assert isinstance(decision, Done)
    assert decision.shown == 8
    assert decision.assessment.belief.unexplained == 2
    assert isinstance(step(replace(new, unknown=UnknownOrders()), seen=8), Push)

    lower = step(new, units=5, seen=8)
    assert isinstance(lower, Push)
    assert (lower.quantity, lower.assessment.belief.unexplained) == (5, 0)


@given(
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 600)), max_size=6),
    st.sampled_from(WriteMode),
)
def test_while_an_order_cannot_be_read_nothing_is_raised_over_what_it_may_have_taken(
    hidden: int, sales: list[tuple[int, int]], mode: WriteMode
) -> None:
    """A shop shows 20 and loses `hidden` units to an order that cannot be read. Others are read,
    and the time is any."""
    shown, free, now = 20 - hidden, 20, NOW
    policy = replace(POLICY, mode=mode)
    belief = InventoryBelief(expected=20, matched_at=NOW, must_read=True)
    for units, seconds in [(0, 0), *sales]:
        now += seconds * 1_000_000
        if units:
            shown, free = shown - units, free - units
            belief = sold(belief, Sold("tea", units, now))
        facts = link(belief, unknown=UNREADABLE)
        seen = Observation(now, shown)
        quota = Quota(("a", "tea"))
        decision = decide(facts, seen, {"tea": Balance(free)}, quota, policy, now)
        belief = replace(decision.assessment.belief, must_read=True)
        assert isinstance(decision, Done | Push)
        sent = decision.quantity if isinstance(decision, Push) else decision.shown
        assert sent <= max(shown, free - hidden, 0)
        if isinstance(decision, Push):
            shown = sent
            belief = replace(belief, expected=sent)
