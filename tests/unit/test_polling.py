"""When a shop's orders are fetched next: shops take turns, and one that sells is looked at
sooner."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from zaiko_core.domain.polling import SOON, next_fetch

SECOND = 1_000_000
INTERVAL = 600 * SECOND
NOW = 1_795_000_000 * SECOND


def test_shops_of_a_merchant_take_turns_within_the_interval() -> None:
    moments = sorted(
        (NOW + next_fetch(NOW, INTERVAL, ordered_at=None, place=n, shops=4)) % INTERVAL
        for n in range(4)
    )
    assert moments == [INTERVAL * n // 4 for n in range(4)]


def test_a_run_at_another_time_does_not_move_a_shops_turn() -> None:
    turns = {
        (now + next_fetch(now, INTERVAL, ordered_at=None, place=1, shops=3)) % INTERVAL
        for now in range(NOW, NOW + INTERVAL, SECOND)
    }
    assert len(turns) == 1


def test_after_an_order_a_shop_is_looked_at_soon_and_then_with_doubling_silence() -> None:
    now, looks = NOW, []
    while now - NOW < INTERVAL:
        now += next_fetch(now, 10 * INTERVAL, ordered_at=NOW, place=0, shops=1)
        looks.append((now - NOW) // SECOND)
    assert looks[:6] == [10, 20, 40, 80, 160, 320]


@given(
    now=st.integers(0, 2**60),
    interval=st.integers(1, 24 * 3600 * SECOND),
    silence=st.none() | st.integers(0, 2**50),
    shops=st.integers(1, 50),
    data=st.data(),
)
def test_a_shop_is_never_left_alone_for_longer_than_its_interval(
    now: int, interval: int, silence: int | None, shops: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, shops - 1))
    ordered_at = None if silence is None else now - silence
    assert (
        0 < next_fetch(now, interval, ordered_at=ordered_at, place=place, shops=shops) <= interval
    )


def test_a_shop_that_sells_every_second_is_not_looked_at_more_often_than_soon() -> None:
    assert next_fetch(NOW, INTERVAL, ordered_at=NOW, place=0, shops=1) in (
        SOON,
        INTERVAL - NOW % INTERVAL,
    )
