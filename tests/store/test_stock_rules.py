"""domain.md §2, rule by rule, on both stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.world import MERCHANT, WAREHOUSE, World, order
from zaiko_core.app import stock
from zaiko_core.app.posting import LIMIT
from zaiko_core.app.records import Page
from zaiko_core.domain.demand import DemandState
from zaiko_core.domain.errors import (
    CauseKeyReused,
    DemandExceeded,
    InsufficientStock,
    NotFound,
    StockLimitExceeded,
)
from zaiko_core.storage.database import Database
from zaiko_core.storage.sql import observed


@pytest.fixture
def world(db: Database) -> World:
    return World(db).begin()


def linked(world: World, product: str = "tea") -> World:
    for shop in ("a", "b", "c"):
        world.link(shop, product)
    return world


def shown(world: World, product: str = "tea") -> int:
    return world.stock(product).balance.sent


def test_each_order_counts_once_before_allocation_after_it_and_after_shipping(world: World) -> None:
    linked(world).receive("tea", 10)

    world.ingest("a", order("1", {"tea": 2}))
    assert shown(world) == 8
    world.bind("allocate", "a", "1", "tea", 2)
    assert shown(world) == 8
    world.bind("ship", "a", "1", "tea", 2)
    assert shown(world) == 8
    world.ingest(
        "a", order("1", {"tea": 2}, version=2, fulfilled={"tea": 2}, state=DemandState.SHIPPED)
    )
    assert shown(world) == 8
    balance = world.stock("tea").balance
    assert (balance.physical, balance.allocated, balance.ordered) == (8, 0, 0)


def test_a_receipt_of_100_on_0_shows_100_and_a_reserve_of_10_sends_90(world: World) -> None:
    linked(world).receive("tea", 100)
    assert shown(world) == 100

    assert world.reserve("tea", 10) == 3
    balance = world.stock("tea").balance
    assert (balance.free, balance.synced, balance.sent) == (100, 90, 90)
    assert world.reserve("tea", 10) == 0


def test_an_oversell_is_shown_as_negative_free_and_cleared_by_a_receipt(world: World) -> None:
    linked(world).receive("tea", 1)
    world.ingest("a", order("1", {"tea": 2}))
    world.ingest("b", order("1", {"tea": 2}))

    balance = world.stock("tea").balance
    assert (balance.free, balance.oversold, balance.sent) == (-3, 3, 0)
    world.receive("tea", 3)
    assert world.stock("tea").balance.oversold == 0


def test_lowering_the_reserve_frees_units_and_a_reserve_never_changes_free(world: World) -> None:
    world.receive("tea", 5)
    world.reserve("tea", 9)
    assert (world.free("tea"), shown(world)) == (5, 0)
    world.reserve("tea", 1)
    assert (world.free("tea"), shown(world)) == (5, 4)


def test_shipping_lowers_physical_allocated_and_open_together(world: World) -> None:
    linked(world).receive("tea", 10)
    world.ingest("a", order("1", {"tea": 4}))
    world.bind("allocate", "a", "1", "tea", 3)

    world.bind("ship", "a", "1", "tea", 2)

    balance = world.stock("tea").balance
    assert (balance.physical, balance.allocated, balance.ordered, balance.unallocated) == (
        8,
        1,
        2,
        1,
    )
    assert balance.free == 6


def test_a_cause_key_records_once_and_refuses_another_fact(world: World) -> None:
    assert not world.receive("tea", 5, cause="r1").already_recorded
    again = world.receive("tea", 5, cause="r1")
    assert again.already_recorded
    assert world.stock("tea").balance.physical == 5
    with pytest.raises(CauseKeyReused):
        world.receive("tea", 6, cause="r1")


def delivered(world: World, *lines: tuple[str, int, str]) -> list[stock.Posting]:
    """Receipts of one call: product, units, cause."""
    receipts = [stock.Receipt(product, WAREHOUSE, units, cause) for product, units, cause in lines]
    return world.db.write_sync(MERCHANT, lambda uow: stock.receive(uow, receipts))


def test_receipts_of_one_call_add_up_and_each_tells_the_stock_after_all_of_them(
    world: World,
) -> None:
    postings = delivered(world, ("tea", 1, "a"), ("tea", 2, "b"), ("tea", 4, "c"))

    assert [posting.movement.entry.delta.physical for posting in postings] == [1, 2, 4]
    assert {posting.stock.balance.physical for posting in postings} == {7}
    assert world.stock("tea").warehouses == {WAREHOUSE: (7, 0)}
    world.assert_consistent()


def test_receipts_of_one_call_that_were_told_before_are_known_and_the_others_count(
    world: World,
) -> None:
    delivered(world, ("tea", 1, "a"), ("tea", 2, "b"))

    again = delivered(world, ("tea", 2, "b"), ("tea", 4, "c"), ("tea", 1, "a"))

    assert [posting.already_recorded for posting in again] == [True, False, True]
    assert {posting.stock.balance.physical for posting in again} == {7}
    world.assert_consistent()


def test_receipts_of_one_call_are_recorded_all_or_none(world: World) -> None:
    delivered(world, ("tea", 1, "a"))
    before = world.stock("tea")

    for wrong in (("coffee", 1, "x"), ("tea", 2, "a"), ("tea", LIMIT, "x")):
        with pytest.raises((NotFound, CauseKeyReused, StockLimitExceeded)):
            delivered(world, ("tea", 3, "b"), wrong)
        assert world.stock("tea") == before


def test_the_limit_holds_for_the_sum_of_a_call_and_is_not_one_unit_lower(world: World) -> None:
    delivered(world, ("tea", 1, "a"))
    half = LIMIT // 2
    with pytest.raises(StockLimitExceeded):
        delivered(world, ("tea", half, "b"), ("tea", half, "c"))

    delivered(world, ("tea", half, "b"), ("tea", half - 1, "c"))

    assert world.stock("tea").balance.physical == LIMIT


def test_a_repeated_allocation_and_a_repeated_count_change_nothing(world: World) -> None:
    world.receive("tea", 5)
    world.bind("allocate", "a", "1", "tea", 2, cause="k")
    assert world.bind("allocate", "a", "1", "tea", 2, cause="k").already_recorded
    assert world.stock("tea").balance.allocated == 2
    world.adjust("tea", counted=9, cause="count")
    world.receive("tea", 1)
    assert world.adjust("tea", counted=9, cause="count").already_recorded
    assert world.stock("tea").balance.physical == 10


def test_more_than_deliverable_cannot_be_allocated_nor_more_than_held_shipped(world: World) -> None:
    world.receive("tea", 2)
    with pytest.raises(InsufficientStock):
        world.bind("allocate", "a", "1", "tea", 3)
    world.bind("allocate", "a", "1", "tea", 2)
    with pytest.raises(DemandExceeded):
        world.bind("ship", "a", "1", "tea", 3)
    with pytest.raises(InsufficientStock):
        world.adjust("tea", delta=-1)
    with pytest.raises(NotFound):
        world.receive("coffee", 1)


def test_units_allocated_before_the_order_is_known_are_joined_when_it_comes(world: World) -> None:
    linked(world).receive("tea", 10)
    world.bind("allocate", "a", "1", "tea", 2)
    assert world.free("tea") == 8
    world.ingest("a", order("1", {"tea": 2}))
    assert world.free("tea") == 8


@pytest.mark.parametrize("state", [DemandState.CANCELLED, DemandState.DELETED])
def test_a_cancelled_or_deleted_order_releases_what_is_open(
    world: World, state: DemandState
) -> None:
    linked(world).receive("tea", 10)
    world.ingest("a", order("1", {"tea": 2}))
    world.ingest("a", order("1", {"tea": 2}, version=2, state=state))
    assert world.free("tea") == 10
    world.assert_consistent()


def test_an_archived_order_goes_on_holding_its_units_and_is_suspect(world: World) -> None:
    linked(world).receive("tea", 10)
    world.ingest("a", order("1", {"tea": 2}, archived=True))
    assert world.free("tea") == 8
    suspects = world.db.read_sync(
        MERCHANT,
        lambda uow: uow.orders.page(Page(10), shop="", states=(), suspect=True, uncounted=False),
    )
    assert [stored.record.order for stored in suspects] == ["1"]


def test_partial_shipment_edits_and_added_lines_change_the_open_quantity_by_the_difference(
    db: Database,
) -> None:
    world = linked(linked(World(db).begin(products=("tea", "pot"))), "pot")
    world.receive("tea", 10)
    world.receive("pot", 10)
    world.ingest("a", order("1", {"tea": 3}))
    world.bind("allocate", "a", "1", "tea", 1)
    world.bind("ship", "a", "1", "tea", 1)
    assert world.free("tea") == 7

    world.ingest("a", order("1", {"tea": 3}, version=2, fulfilled={"tea": 1}))
    assert world.free("tea") == 7
    world.ingest(
        "a", order("1", {"tea": 3, "pot": 2}, version=3, fulfilled={"tea": 1}, cancelled={"tea": 1})
    )
    assert (world.free("tea"), world.free("pot")) == (8, 8)
    world.ingest("a", order("1", {"tea": 5}, version=4, fulfilled={"tea": 1}, cancelled={"tea": 1}))
    assert (world.free("tea"), world.free("pot")) == (6, 10)
    world.assert_consistent()


def test_replays_overlaps_and_older_versions_change_nothing(world: World) -> None:
    linked(world).receive("tea", 10)
    newer = order("1", {"tea": 3}, version=5)
    older = order("1", {"tea": 1}, version=2)

    assert world.ingest("a", newer, older, newer).changed == 1
    assert world.ingest("a", newer).same == 1
    assert world.ingest("a", older).outdated == 1
    assert world.free("tea") == 7


def test_of_two_readings_with_one_version_the_later_reading_wins(world: World) -> None:
    linked(world).receive("tea", 10)
    world.ingest("a", order("1", {"tea": 3}, version=5, read_at=10))
    world.ingest("a", order("1", {"tea": 2}, version=5, read_at=11))
    world.ingest("a", order("1", {"tea": 3}, version=5, read_at=10))
    assert world.free("tea") == 8


def test_an_edit_back_to_an_earlier_state_is_applied(world: World) -> None:
    linked(world).receive("tea", 10)
    for version, units in ((1, 3), (2, 1), (3, 3)):
        world.ingest("a", order("1", {"tea": units}, version=version))
    assert world.free("tea") == 7
    world.assert_consistent()


def test_lines_of_an_unlinked_listing_are_counted_when_it_is_linked_and_listed(
    world: World,
) -> None:
    world.receive("tea", 10)
    world.ingest("a", order("1", {"tea": 2}), order("2", {"tea": 1}, state=DemandState.CANCELLED))
    assert world.free("tea") == 10

    _, counted = world.link("a", "tea")

    assert [(item.order, item.units) for item in counted] == [("1", 2)]
    assert world.free("tea") == 8
    world.assert_consistent()


def test_deleting_a_link_keeps_its_orders_counted_unless_they_are_released(world: World) -> None:
    world.receive("tea", 10)
    world.link("a", "tea")
    world.ingest("a", order("1", {"tea": 2}))
    assert world.unlink("a", "tea") == []
    assert world.free("tea") == 8
    _, counted = world.link("a", "tea")
    assert counted == []
    assert [item.units for item in world.unlink("a", "tea", release_orders=True)] == [2]
    assert world.free("tea") == 10
    _, counted = world.link("a", "tea")
    assert [item.units for item in counted] == [2]
    assert world.free("tea") == 8
    world.assert_consistent()


def test_a_bundle_takes_every_part_and_shows_the_scarcest(db: Database) -> None:
    world = World(db).begin(products=("tea", "pot", "set"))
    world.receive("tea", 9)
    world.receive("pot", 3)
    world.link("a", "set", parts={"tea": 2, "pot": 1})
    world.ingest("a", order("1", {"set": 2}))
    assert (world.free("tea"), world.free("pot")) == (5, 1)


def test_an_order_with_quantity_0_or_an_unknown_state_is_kept(world: World) -> None:
    linked(world).receive("tea", 10)
    world.ingest("a", order("1", {"tea": 0}), order("2", {"tea": 1}, state_known=False))
    assert world.order("a", "1") is not None
    assert world.free("tea") == 9


def test_an_order_that_cannot_be_read_any_more_goes_on_holding_what_it_held(world: World) -> None:
    linked(world).receive("tea", 10)
    world.ingest("a", order("1", {"tea": 3}, version=5))
    unreadable = replace(order("1", {}, version=9), lines_known=False)
    assert world.ingest("a", unreadable, unreadable).changed == 1
    kept = world.order("a", "1")
    assert kept is not None
    assert (world.free("tea"), kept.state_known, [line.ordered for line in kept.lines]) == (
        7,
        False,
        [3],
    )
    assert world.ingest("a", replace(unreadable, read_at=10)).same == 1
    # As soon as it is understood that counts, although its own time is older than the moment of the
    # failed reading.
    world.ingest("a", order("1", {"tea": 2}, version=6, read_at=11))
    assert world.free("tea") == 8
    world.assert_consistent()


def test_an_order_that_was_never_readable_is_kept_to_be_shown_and_counts_nothing(
    world: World,
) -> None:
    linked(world).receive("tea", 10)
    world.ingest("a", replace(order("1", {}, version=9), lines_known=False))
    kept = world.order("a", "1")
    assert kept is not None
    assert (world.free("tea"), kept.state_known) == (10, False)
    world.ingest("a", order("1", {"tea": 2}, version=6, read_at=10))
    assert world.free("tea") == 8


def test_a_page_of_200_orders_costs_as_many_statements_as_a_page_of_one(world: World) -> None:
    linked(world)
    one = statements(world, lambda: world.ingest("a", order("1", {"tea": 1})))
    many = statements(
        world, lambda: world.ingest("a", *(order(f"{n}", {"tea": 1}) for n in range(100, 300)))
    )
    assert many == one
    assert world.free("tea") == -201


def statements(world: World, work: Callable[[], object]) -> int:
    seen: list[str] = []
    with observed(world.db.engine, lambda execution: seen.append(execution.text)):
        work()
    return len(seen)
