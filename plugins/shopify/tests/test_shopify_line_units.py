"""How the counters of a line become ordered, cancelled and fulfilled units."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from zaiko_shopify.line_units import Counters, Refunded, Units, units


@st.composite
def lives(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(ordered, shipped, refunded before shipping, returned) of a line that can exist."""
    ordered = draw(st.integers(1, 20))
    shipped = draw(st.integers(0, ordered))
    before = draw(st.integers(0, ordered - shipped))
    returned = draw(st.integers(0, shipped))
    return ordered, shipped, before, returned


def seen(
    life: tuple[int, int, int, int], *, includes_refunded: bool = False, returns: str = "RETURN"
) -> Units:
    ordered, shipped, before, returned = life
    left = ordered - shipped - before
    counters = Counters(
        ordered, ordered - before - returned, left + (before if includes_refunded else 0)
    )
    refunded = Refunded(returned=returned) if returns == "RETURN" else Refunded(unclear=returned)
    return units(counters, refunded, untouched=shipped == 0, cancelled=False)


@settings(deadline=None)
@given(lives())
def test_units_that_came_back_are_never_counted_as_cancelled_before_shipping(
    life: tuple[int, int, int, int],
) -> None:
    ordered, shipped, before, _ = life

    assert seen(life) == Units(ordered, cancelled=before, fulfilled=shipped)


@settings(deadline=None)
@given(lives())
def test_open_units_are_exact_when_unfulfilled_leaves_out_refunded_ones(
    life: tuple[int, int, int, int],
) -> None:
    ordered, shipped, before, _ = life

    found = seen(life, returns="NO_RESTOCK")

    assert found.ordered - found.cancelled - found.fulfilled == ordered - shipped - before


@settings(deadline=None)
@given(lives(), st.sampled_from(["RETURN", "NO_RESTOCK"]))
def test_open_units_are_never_too_few_whatever_unfulfilled_includes(
    life: tuple[int, int, int, int], returns: str
) -> None:
    ordered, shipped, before, _ = life

    found = seen(life, includes_refunded=True, returns=returns)

    assert found.ordered - found.cancelled - found.fulfilled >= ordered - shipped - before
    assert min(found.cancelled, found.fulfilled) >= 0
    assert found.cancelled <= found.ordered


@settings(deadline=None)
@given(lives().filter(lambda life: life[1] == 0))
def test_while_nothing_has_left_open_units_are_exact_whatever_unfulfilled_includes(
    life: tuple[int, int, int, int],
) -> None:
    ordered, _, before, _ = life

    assert seen(life, includes_refunded=True) == Units(ordered, cancelled=before, fulfilled=0)


def test_a_refund_that_does_not_say_is_a_cancellation_while_nothing_has_left() -> None:
    counters = Counters(quantity=3, current=2, unfulfilled=2)

    assert units(counters, Refunded(unclear=1), untouched=True, cancelled=False) == Units(3, 1, 0)
    assert units(counters, Refunded(unclear=1), untouched=False, cancelled=False) == Units(3, 0, 1)


def test_a_cancelled_order_wants_nothing_but_what_has_left() -> None:
    assert units(Counters(3, 3, 3), Refunded(), untouched=True, cancelled=True) == Units(3, 3, 0)
    assert units(Counters(3, 3, 1), Refunded(), untouched=False, cancelled=True) == Units(3, 1, 2)


def test_counters_out_of_range_never_give_negative_units() -> None:
    assert units(Counters(2, 5, 9), Refunded(), untouched=False, cancelled=False) == Units(2, 0, 0)
    assert units(
        Counters(2, -1, -4), Refunded(returned=-0), untouched=False, cancelled=False
    ) == Units(2, 2, 0)
    assert units(Counters(-2, 0, 0), Refunded(), untouched=False, cancelled=False) == Units(0, 0, 0)
