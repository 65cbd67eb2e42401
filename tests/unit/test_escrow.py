"""Disjoint quotas: what shops together may sell is never more than there is, and everything there
is gets on sale."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from zaiko_core.domain.escrow import PERIOD, Holder, Sales, allowed, apportion, exposed, quotas
from zaiko_core.domain.fence import InventoryBelief, PendingWrite

units = st.integers(0, 50)
holders = st.lists(
    st.tuples(units, st.integers(0, 100), st.booleans()).map(lambda row: row),
    min_size=1,
    max_size=6,
).map(
    lambda rows: [
        Holder((f"s{n}", "l"), shown, recent, movable)
        for n, (shown, recent, movable) in enumerate(rows)
    ]
)


@given(units, holders)
def test_shares_add_up_to_what_there_is(total: int, among: list[Holder]) -> None:
    shares = apportion(total, among)
    assert sum(shares.values()) == total
    assert min(shares.values()) >= 0


@given(units, holders)
def test_quotas_add_up_to_what_those_that_cannot_be_moved_leave(
    total: int, among: list[Holder]
) -> None:
    fixed = sum(holder.exposed or 0 for holder in among if not holder.movable)
    movable = [holder for holder in among if holder.movable]
    given_out = quotas(total, among)
    assert set(given_out) == {holder.key for holder in movable}
    if movable:
        assert sum(given_out.values()) == max(0, total - fixed)


@given(units, holders)
def test_nobody_that_sells_starves(total: int, among: list[Holder]) -> None:
    movable = [replace(holder, movable=True) for holder in among]
    shares = apportion(total, movable)
    for key, quota in quotas(total, movable).items():
        assert 2 * quota >= shares[key]


@given(units, holders)
def test_units_stay_where_they_are_while_nobody_starves(total: int, among: list[Holder]) -> None:
    movable = [replace(holder, movable=True) for holder in among]
    shown = {holder.key: holder.exposed or 0 for holder in movable}
    shares = apportion(total, movable)
    if sum(shown.values()) <= total and all(
        2 * shown[key] >= share for key, share in shares.items()
    ):
        assert all(quota >= shown[key] for key, quota in quotas(total, movable).items())


@given(units, holders)
def test_a_raise_takes_only_units_that_nobody_exposes(total: int, among: list[Holder]) -> None:
    for holder in among:
        others = sum(other.exposed or 0 for other in among if other.key != holder.key)
        now = allowed(total, among, holder.key)
        if now > (holder.exposed or 0):
            assert others + now <= total


def test_nobody_is_raised_while_a_shop_is_unread() -> None:
    among = [Holder(("a", "l"), 1), Holder(("b", "l"), None)]
    assert allowed(10, among, ("a", "l")) == 1


def test_a_tie_goes_to_whoever_holds_the_unit() -> None:
    among = [Holder(("a", "l"), 0), Holder(("b", "l"), 1), Holder(("c", "l"), 0)]
    assert quotas(1, among) == {("a", "l"): 0, ("b", "l"): 1, ("c", "l"): 0}


def test_units_go_where_they_sell() -> None:
    among = [
        Holder(("a", "l"), 5, recent=19),
        Holder(("b", "l"), 5, recent=0),
        Holder(("c", "l"), 10, recent=0),
    ]
    shares = quotas(20, among)
    assert shares[("a", "l")] > 15
    assert min(shares.values()) >= 1


def test_a_shop_that_cannot_be_changed_keeps_its_units_and_the_others_share_the_rest() -> None:
    among = [Holder(("a", "l"), 6, movable=False), Holder(("b", "l"), 6), Holder(("c", "l"), 6)]
    assert quotas(10, among) == {("b", "l"): 2, ("c", "l"): 2}


step = st.tuples(
    st.integers(0, 5), st.sampled_from(["push", "lose", "sell", "receive"]), st.integers(1, 9)
)


@settings(max_examples=300)
@given(st.integers(2, 4), units, st.lists(step, max_size=60))
def test_the_sum_never_exceeds_what_is_free_and_all_of_it_gets_on_sale(
    shops: int, free: int, steps: list
) -> None:
    """Shops that apply, lose or delay writes: the sum of what they show stays within what is free
    at every step."""
    shown = [0] * shops
    pending: list[int | None] = [None] * shops

    def state() -> list[Holder]:
        return [Holder((f"s{n}", "l"), max(shown[n], pending[n] or 0)) for n in range(shops)]

    for where, what, count in steps:
        n = where % shops
        if what == "receive":
            free += count
        elif what == "sell":
            count = min(count, shown[n])
            shown[n] -= count
            free -= count
            pending[n] = None if pending[n] is None else max(0, pending[n] - count)
        elif pending[n] is None:
            pending[n] = allowed(free, state(), (f"s{n}", "l"))
        else:
            if what == "push":
                shown[n] = pending[n]
            pending[n] = None
        assert sum(shown) <= free
    for _ in range(2 * shops + 2):
        for n in range(shops):
            pending[n] = None
            shown[n] = allowed(free, state(), (f"s{n}", "l"))
            assert sum(shown) <= free
    assert sum(shown) == free


def test_exposed_counts_whatever_the_shop_may_show_or_have_sold_unseen() -> None:
    calm = InventoryBelief(expected=5, must_read=False)
    assert exposed(calm) == 5
    assert exposed(replace(calm, pending=PendingWrite("k", 9, 0))) == 9
    assert exposed(replace(calm, pending=PendingWrite("k", 2, 0))) == 5
    assert exposed(replace(calm, pending=PendingWrite("k", 2, 0, absolute=7))) == 7
    assert exposed(replace(calm, unexplained=2, uncertain=1, released=3)) == 11
    assert exposed(replace(calm, reserved=4)) == 9
    assert exposed(InventoryBelief()) is None
    assert exposed(InventoryBelief(must_read=False)) == 0


def test_sales_fade_as_their_period_passes() -> None:
    sales = Sales(period=10, now=8, before=4)
    assert sales.recent(10 * PERIOD) == 12
    assert sales.recent(10 * PERIOD + PERIOD // 2) == 10
    assert sales.recent(11 * PERIOD + PERIOD // 2) == 4
    assert sales.recent(12 * PERIOD) == 0
