"""What a listing shows (domain.md §2)."""

from hypothesis import given
from hypothesis import strategies as st
from zaiko_core.domain.links import Part, target
from zaiko_core.domain.stock import Balance


def test_a_bundle_shows_its_scarcest_part() -> None:
    balances = {"tea": Balance(physical=9), "pot": Balance(physical=3, reserve=1)}
    assert target([Part("tea", 2), Part("pot")], balances, maximum=100) == 2


@given(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 50),
    st.integers(1, 9),
    st.integers(0, 500),
)
def test_a_shop_is_never_sent_less_than_0_nor_more_than_may_be_sold(
    physical: int, ordered: int, reserve: int, count: int, maximum: int
) -> None:
    balance = Balance(physical=physical, ordered=ordered, unallocated=ordered, reserve=reserve)
    shown = target([Part("tea", count)], {"tea": balance}, maximum=maximum)
    assert 0 <= shown <= maximum
    assert shown * count <= max(0, balance.synced)
