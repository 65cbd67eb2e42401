"""The drift audit: every number is compared with its shop, every difference has a cause, and all
but held ones are healed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.simulation import VISIBILITY, Simulation
from support.world import MERCHANT
from zaiko_core.app import audit, runs, shops
from zaiko_core.app.records import (
    DriftRecord,
    LinkState,
    ListingRecord,
    Page,
    ProductRecord,
    ShopRecord,
)
from zaiko_core.domain.drift import DriftCause
from zaiko_core.domain.ids import listing_id
from zaiko_sdk import Timeout

SHOPS = ["compare-and-set", "adjust", "set"]


@pytest.fixture
def calm(sqlite_url: str) -> Iterator[Simulation]:
    simulation = Simulation(sqlite_url, seed=0)
    simulation.begin(units=10)
    simulation.calm = True
    yield simulation
    simulation.close()


def drifts(simulation: Simulation) -> list[DriftRecord]:
    return simulation.world.db.read_sync(
        MERCHANT, lambda uow: uow.drifts.page(Page(100), shop="", listing="", causes=())
    )


def causes(simulation: Simulation, shop: str) -> list[DriftCause]:
    return [record.difference.cause for record in drifts(simulation) if record.shop == shop]


@pytest.mark.parametrize("shop", SHOPS)
def test_a_number_edited_in_a_shop_that_nobody_touches_is_found_named_and_healed(
    calm: Simulation, shop: str
) -> None:
    calm.shops[shop].stock["tea"] = 25
    calm.settle(turns=2)
    assert calm.shops[shop].stock["tea"] == 10
    (found,) = drifts(calm)
    assert (found.difference.cause, found.difference.expected, found.difference.shown) == (
        DriftCause.EDITED_IN_SHOP,
        10,
        25,
    )
    assert not found.held


@pytest.mark.parametrize("shop", SHOPS)
def test_a_number_that_is_too_low_is_healed_and_named_once_no_order_can_explain_it_any_more(
    calm: Simulation, shop: str
) -> None:
    calm.shops[shop].stock["tea"] = 4
    calm.clock.advance(601)
    calm.run_due()
    assert drifts(calm) == []
    assert calm.shops[shop].stock["tea"] == 4
    calm.clock.advance(VISIBILITY + 1)
    calm.run_due()
    assert causes(calm, shop) == [DriftCause.EDITED_IN_SHOP]
    calm.settle(turns=1)
    assert calm.shops[shop].stock["tea"] == 10


@pytest.mark.parametrize("shop", SHOPS)
def test_an_order_that_is_visible_late_is_no_drift(calm: Simulation, shop: str) -> None:
    calm.shops[shop].place({"tea": 3}, visible_after=VISIBILITY / 2)
    calm.settle(turns=3)
    assert drifts(calm) == []
    assert [item.stock["tea"] for item in calm.shops.values()] == [7, 7, 7]


@pytest.mark.parametrize("shop", ["adjust", "set"])
def test_a_write_that_was_acknowledged_and_not_applied_is_named_so(
    calm: Simulation, shop: str
) -> None:
    """The shop accepts the write and undoes it before it is read back."""

    def undo(name: str, moment: str, operation: str) -> None:
        calm.clock.advance(1.1)
        if (name, moment, operation) == (shop, "after", "set_inventory"):
            calm.shops[shop].stock["tea"] = 10

    calm.interfere = undo  # type: ignore[method-assign]
    calm.world.receive("tea", 5)
    calm.clock.advance(1)
    calm.run_due()
    assert set(causes(calm, shop)) == {DriftCause.NOT_APPLIED}


@pytest.mark.parametrize("shop", SHOPS)
def test_a_write_that_was_lost_is_named_so_and_sent_again(calm: Simulation, shop: str) -> None:
    lost = iter([True])

    def lose(name: str, moment: str, operation: str) -> None:
        calm.clock.advance(1.1)
        if (name, moment, operation) == (shop, "before", "set_inventory") and next(lost, False):
            raise Timeout("lost", sent=None)

    calm.interfere = lose  # type: ignore[method-assign]
    calm.world.receive("tea", 5)
    calm.settle(turns=3)
    assert causes(calm, shop) == [DriftCause.PUSH_LOST]
    assert calm.shops[shop].stock["tea"] == 15


def test_units_sold_as_a_part_of_an_unlinked_listing_are_named_so(calm: Simulation) -> None:
    shop = calm.shops["compare-and-set"]
    shop.stock["hamper"] = 5
    order = shop.place({"hamper": 1})
    shop.stock["tea"] -= 2
    calm.clock.advance(601)
    calm.run_due()
    calm.clock.advance(VISIBILITY + 1)
    calm.run_due()
    assert causes(calm, "compare-and-set") == []
    # As long as the order is open the units are withheld.
    shop.ship(order)
    calm.settle(turns=1)
    assert causes(calm, "compare-and-set") == [DriftCause.BUNDLE_PART]


def test_a_listing_of_another_code_that_is_edited_again_and_again_is_probably_linked_wrongly(
    calm: Simulation,
) -> None:
    def rename(uow) -> None:
        (listing,) = uow.listings.get("set", [listing_id("tea")]).values()
        uow.listings.upsert("set", [replace(listing, sku="COFFEE")])

    calm.world.db.write_sync(MERCHANT, rename)
    for units in (20, 30, 40):
        calm.shops["set"].stock["tea"] = units
        calm.settle(turns=1)
    assert causes(calm, "set") == [
        DriftCause.WRONG_LINK,
        DriftCause.EDITED_IN_SHOP,
        DriftCause.EDITED_IN_SHOP,
    ]


def test_a_shop_that_holds_differences_waits_for_a_person_and_goes_on_when_asked(
    calm: Simulation,
) -> None:
    hold = lambda uow: shops.update(uow, replace(shops.get(uow, "adjust"), hold_drift=True))  # noqa: E731
    calm.world.db.write_sync(MERCHANT, hold)
    calm.shops["adjust"].stock["tea"] = 25
    calm.settle(turns=3)
    link = calm.world.link_of("adjust", "tea")
    assert (calm.shops["adjust"].stock["tea"], link.state) == (25, LinkState.FAILED)
    assert link.problem is not None
    assert link.problem.reason == "DIFFERENCE_UNEXPLAINED"
    assert set(link.problem.metadata) == {"shown", "expected", "cause"}
    assert all(value in link.problem.message for value in link.problem.metadata.values())
    assert [record.held for record in drifts(calm)] == [True]

    calm.world.db.write_sync(
        MERCHANT, lambda uow: runs.sync_now(uow, link=("adjust", listing_id("tea")))
    )
    calm.settle(turns=1)
    assert (calm.shops["adjust"].stock["tea"], calm.world.link_of("adjust", "tea").state) == (
        10,
        LinkState.SYNCED,
    )


def test_watchers_are_not_told_that_a_number_was_what_it_should_be(calm: Simulation) -> None:
    calm.settle(turns=1)
    before = calm.world.link_of("set", "tea")
    calm.settle(turns=1)
    after = calm.world.link_of("set", "tea")
    assert after.read_at > before.read_at
    assert after.revision == before.revision


def test_the_whole_catalogue_is_read_in_slices_oldest_first(calm: Simulation) -> None:
    """30 links, slices of at least 10: three intervals read everything once."""
    goods = [f"item{n}" for n in range(29)]

    def more(uow) -> None:
        uow.products.insert([ProductRecord(name, name) for name in goods])
        uow.listings.upsert(
            "adjust",
            [ListingRecord("adjust", listing_id(name), name, {}, sku=name) for name in goods],
        )

    calm.world.db.write_sync(MERCHANT, more)
    for name in goods:
        calm.shops["adjust"].stock[name] = 0
        calm.world.link("adjust", name)
    calm.settle(turns=2)
    begun = calm.engine.db.transactions.known_now()  # type: ignore[arg-type]
    shares = []
    for _ in range(3):
        calm.settle(turns=1)
        summary = calm.world.db.read_sync(
            MERCHANT, lambda uow: audit.summary(uow, "adjust", since=begun)
        )
        shares.append((summary.enabled, summary.verified))
    assert shares == [(30, 10), (30, 20), (30, 30)]


def test_a_shop_that_is_down_is_not_verified(calm: Simulation) -> None:
    begun = calm.engine.db.transactions.known_now()  # type: ignore[arg-type]

    def down(name: str, moment: str, operation: str) -> None:
        if name == "set":
            raise Timeout("down", sent=False)

    calm.interfere = down  # type: ignore[method-assign]
    calm.settle(turns=2)
    of = lambda shop: calm.world.db.read_sync(  # noqa: E731
        MERCHANT, lambda uow: audit.summary(uow, shop, since=begun)
    )
    assert [of(shop).verified for shop in SHOPS] == [1, 1, 0]
    assert (of("").enabled, of("").verified) == (3, 2)


def test_one_shop_is_audited_once_per_interval(calm: Simulation) -> None:
    calm.settle(turns=1)
    at = shop_record(calm, "adjust").audited_at
    calm.clock.advance(5)
    calm.world.receive("tea", 1)
    calm.run_due()
    assert shop_record(calm, "adjust").audited_at == at


def shop_record(simulation: Simulation, shop: str) -> ShopRecord:
    return simulation.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([shop])[shop])
