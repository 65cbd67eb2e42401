"""Closing settles: a shop that is deleted, a shop's own «shipped», a refund without restocking, and
an order that is named by its number (ADR 0035)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.world import MERCHANT, World, can_sync, order
from zaiko_core.app import bulk_link, closing, shops, suspects
from zaiko_core.app.closing import OpenOrders
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ListingRecord, Page
from zaiko_core.domain.demand import DemandState, OrderRecord
from zaiko_core.domain.errors import (
    NotFound,
    OrderNotOpen,
    OrderNumberAmbiguous,
    ShopHasOpenOrders,
)
from zaiko_core.domain.shop_word import UNSHIPPED_AFTER, ShippedFrees
from zaiko_core.storage.database import Database

START = 1_700_000_000_000_000


class Shop:
    """A merchant with 100 units of tea, and two shops that sell it."""

    def __init__(self, url: str) -> None:
        self.time = START
        self.world = World(Database(url, now=lambda: self.time)).begin(shops=("a", "b"))
        self.world.receive("tea", 100)
        self.world.link("a", "tea")
        self.world.link("b", "tea")
        self.versions = START

    def read(self, number: str, units: int = 4, **facts: Any) -> None:
        """The shop says this of an order, in a version of its own."""
        self.versions += 1
        reading = order(number, {"tea": units}, version=self.versions, **facts)
        self.world.ingest("a", replace(reading, placed_at=START + 1))

    def configure(self, **changes: Any) -> None:
        def work(uow: UnitOfWork) -> None:
            shops.update(uow, replace(shops.get(uow, "a"), **changes))

        self.world.db.write_sync(MERCHANT, work)

    def close(self, open_orders: OpenOrders | None = None) -> None:
        self.world.unlink("a", "tea")
        self.world.db.write_sync(MERCHANT, lambda uow: closing.delete(uow, "a", open_orders))

    def reported(self) -> None:
        """The warehouse reports what it does for an order of a shop."""
        self.world.ingest("b", order("other", {"tea": 1}))
        self.world.bind("allocate", "b", "other", "tea", 1)
        self.world.bind("ship", "b", "other", "tea", 1)

    @property
    def ordered(self) -> int:
        self.world.assert_consistent()
        return self.world.stock("tea").balance.ordered

    @property
    def free(self) -> int:
        self.world.assert_consistent()
        return self.world.free("tea")

    def unshipped(self) -> list[str]:
        return self.listed(unshipped=True)

    def doubtful(self) -> list[str]:
        return self.listed(doubtful=True)

    def listed(self, **which: bool) -> list[str]:
        found: list[OrderRecord] = self.world.db.read_sync(
            MERCHANT,
            lambda uow: [
                item.record
                for item in uow.orders.page(
                    Page(100), shop="", states=(), suspect=False, uncounted=False, **which
                )
            ],
        )
        return [record.order for record in found]


@pytest.fixture
def shop(store_url: str) -> Iterator[Shop]:
    shop = Shop(store_url)
    yield shop
    shop.world.db.close()


# Deleting a shop


def test_a_shop_with_open_orders_is_not_deleted_before_a_person_says_what_becomes_of_them(
    shop: Shop,
) -> None:
    shop.read("1")
    shop.read("2")
    shop.read("done", state=DemandState.SHIPPED)
    shop.world.unlink("a", "tea")
    with pytest.raises(ShopHasOpenOrders) as refusal:
        shop.world.db.write_sync(MERCHANT, lambda uow: closing.delete(uow, "a"))
    assert refusal.value.metadata["count"] == "2"
    assert shop.ordered == 8


def test_the_kept_orders_of_a_deleted_shop_can_be_shipped_and_released(shop: Shop) -> None:
    shop.read("1")
    shop.read("2")
    shop.close(OpenOrders.KEEP)
    assert shop.ordered == 8
    shop.world.bind("allocate", "a", "1", "tea", 4)
    shop.world.bind("ship", "a", "#1", "tea", 4)
    assert (shop.ordered, shop.free) == (4, 92)
    shop.world.db.write_sync(MERCHANT, lambda uow: suspects.release(uow, "a", "2"))
    assert (shop.ordered, shop.free) == (0, 96)
    with pytest.raises(NotFound):
        shop.world.bind("allocate", "a", "never-read", "tea", 1)


def test_the_released_orders_of_a_deleted_shop_hold_only_what_a_warehouse_allocated(
    shop: Shop,
) -> None:
    shop.read("1")
    shop.read("2")
    shop.world.bind("allocate", "a", "2", "tea", 3)
    shop.close(OpenOrders.RELEASE)
    assert shop.ordered == 3
    shop.world.bind("ship", "a", "2", "tea", 3)
    assert (shop.ordered, shop.free) == (0, 97)


def test_a_shop_without_open_orders_is_deleted_at_once(shop: Shop) -> None:
    shop.read("1", state=DemandState.SHIPPED)
    shop.close()
    assert shop.ordered == 0


# An order by its number


def test_an_order_named_by_its_number_is_that_order(shop: Shop) -> None:
    shop.read("gid-1060")
    for spelling in ("#gid-1060", "gid-1060"):
        shop.world.bind("allocate", "a", spelling, "tea", 2)
        assert (shop.ordered, shop.free) == (4, 96)
    shop.world.bind("ship", "a", "#gid-1060", "tea", 4)
    assert (shop.ordered, shop.free) == (0, 96)


def test_a_number_of_two_orders_is_refused_with_both_ids(shop: Shop) -> None:
    for name in ("one", "two"):
        shop.world.ingest("a", replace(order(name, {"tea": 4}), number="#1060"))
    with pytest.raises(OrderNumberAmbiguous) as refusal:
        shop.world.bind("allocate", "a", "1060", "tea", 4)
    assert refusal.value.metadata["orders"] == "one, two"
    assert shop.ordered == 8


def test_what_was_recorded_under_a_number_is_joined_to_the_order_when_it_is_read(
    shop: Shop,
) -> None:
    shop.world.bind("allocate", "a", "#gid-1060", "tea", 4, cause="slip")
    assert shop.ordered == 4
    shop.read("gid-1060")
    assert (shop.ordered, shop.free) == (4, 96)
    assert shop.world.bind("allocate", "a", "#gid-1060", "tea", 4, cause="slip").already_recorded
    shop.world.bind("ship", "a", "gid-1060", "tea", 4)
    assert (shop.ordered, shop.free) == (0, 96)


# The shop's own «shipped»


def test_the_word_of_a_shop_frees_stock_until_the_warehouse_reports_shipments(shop: Shop) -> None:
    shop.read("before", fulfilled={"tea": 4}, state=DemandState.SHIPPED)
    assert shop.free == 100
    shop.reported()
    shop.read("open")
    shop.read("open", fulfilled={"tea": 4}, state=DemandState.SHIPPED)
    assert (shop.ordered, shop.free) == (4, 95)
    shop.world.bind("allocate", "a", "open", "tea", 4)
    shop.world.bind("ship", "a", "open", "tea", 4)
    assert (shop.ordered, shop.free) == (0, 95)


@pytest.mark.parametrize("setting", [ShippedFrees.ALWAYS, ShippedFrees.NEVER])
def test_the_setting_says_whether_the_word_of_a_shop_frees_stock(
    shop: Shop, setting: ShippedFrees
) -> None:
    shop.configure(shipped_frees=setting)
    if setting is ShippedFrees.ALWAYS:
        shop.reported()
    before = shop.free
    shop.read("1")
    shop.read("1", fulfilled={"tea": 4})
    assert shop.free == (before if setting is ShippedFrees.ALWAYS else before - 4)
    other = next(item for item in ShippedFrees if item not in (setting, ShippedFrees.AUTO))
    shop.configure(shipped_frees=other)
    assert shop.free == (before if other is ShippedFrees.ALWAYS else before - 4)


def test_what_was_shipped_before_the_shop_was_known_here_is_not_the_warehouses(shop: Shop) -> None:
    shop.reported()
    old = order("old", {"tea": 4}, fulfilled={"tea": 4}, state=DemandState.SHIPPED)
    shop.world.ingest("a", replace(old, placed_at=START - 1))
    assert shop.ordered == 0
    shop.time += UNSHIPPED_AFTER
    assert shop.unshipped() == []


@pytest.mark.parametrize("setting", [ShippedFrees.AUTO, ShippedFrees.ALWAYS])
def test_units_that_the_shop_ships_and_the_warehouse_does_not_are_a_finding(
    shop: Shop, setting: ShippedFrees
) -> None:
    shop.configure(shipped_frees=setting)
    shop.reported()
    shop.read("1")
    shop.read("1", fulfilled={"tea": 4})
    assert shop.unshipped() == []
    shop.time += UNSHIPPED_AFTER
    assert shop.unshipped() == ["1"]
    count = shop.world.db.read_sync(MERCHANT, lambda uow: uow.demands.count_unshipped())
    assert count == 1
    shop.world.bind("allocate", "a", "1", "tea", 4)
    shop.world.bind("ship", "a", "1", "tea", 4)
    assert shop.unshipped() == []


def test_without_a_warehouse_that_reports_there_is_no_finding(shop: Shop) -> None:
    shop.read("1", fulfilled={"tea": 4})
    shop.time += UNSHIPPED_AFTER
    assert shop.unshipped() == []


def test_an_order_that_the_warehouse_will_not_report_can_be_released(shop: Shop) -> None:
    shop.reported()
    shop.read("1", fulfilled={"tea": 4}, state=DemandState.SHIPPED)
    assert shop.ordered == 4
    shop.world.db.write_sync(MERCHANT, lambda uow: suspects.release(uow, "a", "1"))
    assert shop.ordered == 0
    shop.time += UNSHIPPED_AFTER
    assert shop.unshipped() == []


# A refund without restocking


def refunded(shop: Shop, unrestocked: int, **facts: Any) -> None:
    shop.versions += 1
    reading = order("1", {"tea": 3}, version=shop.versions, cancelled={"tea": 2}, **facts)
    lines = tuple(replace(line, unrestocked=unrestocked) for line in reading.lines)
    shop.world.ingest("a", replace(reading, lines=lines))


def test_a_refund_without_restocking_is_a_finding_until_a_person_settles_it(shop: Shop) -> None:
    shop.read("1", 3)
    refunded(shop, 2)
    assert (shop.free, shop.doubtful()) == (99, ["1"])
    shop.world.db.write_sync(MERCHANT, lambda uow: suspects.settle(uow, "a", "1"))
    refunded(shop, 2)
    assert (shop.free, shop.doubtful()) == (99, [])
    shop.read("2")
    with pytest.raises(OrderNotOpen):
        shop.world.db.write_sync(MERCHANT, lambda uow: suspects.settle(uow, "a", "2"))


@pytest.mark.parametrize("state", [DemandState.OPEN, DemandState.CANCELLED, DemandState.SHIPPED])
def test_where_the_shop_says_so_unrestocked_units_stay_off_sale_until_they_are_settled(
    shop: Shop, state: DemandState
) -> None:
    shop.read("1", 3)
    shop.configure(keeps_unrestocked=True)
    refunded(shop, 2, state=state)
    rest = 1 if state is DemandState.OPEN else 0
    assert shop.free == 98 - rest
    shop.configure(keeps_unrestocked=False)
    assert shop.free == 100 - rest
    shop.configure(keeps_unrestocked=True)
    assert shop.free == 98 - rest
    shop.world.db.write_sync(MERCHANT, lambda uow: suspects.settle(uow, "a", "1"))
    assert shop.free == 100 - rest


# A code that two listings carry


def test_a_twin_stays_ambiguous_after_a_person_has_linked_the_other_one(shop: Shop) -> None:
    asked = bulk_link.BulkLinkOrder("a", match_barcode=False, enable_sync=False, dry_run=False)

    def again(uow: UnitOfWork) -> bulk_link.BulkLinkReport:
        uow.listings.upsert("a", [ListingRecord("a", "twin", "twin", {}, sku="tea")])
        whole = bulk_link.catalogue(uow, "a")
        matcher, batch = bulk_link.matcher_for(whole, asked), bulk_link.meant(whole, asked)
        report = bulk_link.BulkLinkReport(dry_run=False)
        return bulk_link.link_batch(uow, asked, matcher, batch, report, can_sync=can_sync)

    report = shop.world.db.write_sync(MERCHANT, again)
    assert (report.matched, report.ambiguous, len(report.rows)) == (0, 1, 1)
