"""Whatever sells more than there is, the finding names the cause and what would have prevented it
(ADR 0011), on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text, update
from support.pushing import Pusher
from support.world import MERCHANT, World, can_sync, order
from zaiko_core.app import links, orders
from zaiko_core.app.records import OversellRecord, Page
from zaiko_core.app.sync import SendOutcome
from zaiko_core.domain.demand import DemandState, OrderRecord
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.oversell import OversellCause, Setting
from zaiko_core.domain.problem import Problem
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_core.storage.sql import observed

SECOND = 1_000_000
START = 1_900_000_000 * SECOND


class Clock:
    """The store's time, moved by hand."""

    def __init__(self) -> None:
        self.micros = START

    def __call__(self) -> int:
        self.micros += 1_000
        return self.micros

    def forward(self, seconds: float) -> None:
        self.micros += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(store_url: str, clock: Clock) -> Iterator[Database]:
    database = Database(store_url, now=clock)
    yield database
    database.close()


@pytest.fixture
def world(db: Database) -> World:
    return World(db).begin(shops=("a", "b"))


@pytest.fixture
def pusher(world: World, clock: Clock) -> Pusher:
    """Shops a and b are linked, synced and show the 3 units that there are."""
    world.receive("tea", 3)
    for shop in ("a", "b"):
        world.link(shop, "tea")
    pusher = Pusher(world)
    for shop in ("a", "b"):
        pusher.push(shop)
        read_to_the_end(world, shop)
    clock.forward(5)
    return pusher


def read_to_the_end(world: World, shop: str, *, problem: Problem | None = None) -> None:
    """The shop's last run, as its end leaves it."""
    table = schema.shops
    values = (
        {"problem": problem.document()}
        if problem
        else {"problem": None, "last_success_at": world.db.transactions.known_now()}
    )
    with world.db.transactions.begin(writing=True) as connection:
        connection.execute(
            update(table).where(table.c.merchant == MERCHANT, table.c.shop == shop).values(values)
        )


def placed(
    clock: Clock, number: str, units: int, *, ago: float = 2, version: int = 0, **rest: object
) -> OrderRecord:
    """An order that was placed `ago` seconds before it is read now."""
    at = clock.micros - int(ago * SECOND)
    return replace(order(number, {"tea": units}, version=version or at, **rest), placed_at=at)


def oversells(world: World, *, open_only: bool = False) -> list[OversellRecord]:
    """Oldest first."""
    found = world.db.read_sync(
        MERCHANT,
        lambda uow: uow.oversells.page(Page(100), product="", causes=(), open_only=open_only),
    )
    return found[::-1]


def only(world: World) -> OversellRecord:
    (found,) = oversells(world)
    return found


def test_two_shops_that_sell_the_same_unit_within_seconds_are_told_to_use_escrow(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))
    clock.forward(1)
    world.ingest("b", placed(clock, "7", 2))

    found = only(world)
    assert (found.root_cause.cause, found.root_cause.setting, found.root_cause.value) == (
        OversellCause.SOLD_TWICE,
        Setting.ESCROW,
        3,
    )
    assert (found.units, found.short, found.by.shop, found.by.number, found.by.units) == (
        2,
        2,
        "b",
        "#7",
        2,
    )
    assert [(other.shop, other.number, other.units) for other in found.consumptions] == [
        ("a", "#1", 3)
    ]
    snapshot = {snapshot.shop: snapshot for snapshot in found.snapshots}
    assert (snapshot["b"].shown, snapshot["b"].acknowledged, snapshot["a"].shown) == (3, 3, 0)
    assert snapshot["b"].since is not None
    assert snapshot["b"].since < found.by.at
    assert "took 2 units, 2 of them are not there" in found.root_cause.message
    assert found.at - found.by.at < 4 * SECOND


def takes_back_orders(world: World, shop: str) -> None:
    """Let the platform say that the listing is sold without stock."""

    def warn(uow) -> None:
        (listing,) = uow.listings.get(shop, [listing_id("tea")]).values()
        uow.listings.upsert(shop, [replace(listing, warnings=("SELLS_BELOW_ZERO",))])

    world.db.write_sync(MERCHANT, warn)


def test_an_order_that_was_read_minutes_late_asks_for_webhooks_or_a_shorter_interval(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    clock.forward(300)
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 2, ago=200))

    assert (only(world).root_cause.cause, only(world).root_cause.setting) == (
        OversellCause.ORDER_READ_LATE,
        Setting.SHORTER_INTERVAL,
    )


def test_a_shop_whose_key_had_expired_is_told_to_replace_it(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    read_to_the_end(world, "b", problem=Problem("CREDENTIALS_REJECTED", "the key has expired"))
    clock.forward(90)
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 2))

    found = only(world)
    assert (found.root_cause.cause, found.root_cause.setting) == (
        OversellCause.SHOP_FAILING,
        Setting.REPAIR_SHOP,
    )
    assert "CREDENTIALS_REJECTED" in found.root_cause.message


def test_a_shop_that_nobody_read_for_longer_than_its_interval_was_paused_or_forgotten(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    clock.forward(3_600)
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 2))

    assert (only(world).root_cause.cause, only(world).root_cause.setting) == (
        OversellCause.SHOP_NOT_READ,
        Setting.RESUME_SHOP,
    )


def test_a_number_that_the_platform_refuses_asks_for_the_listing_to_be_repaired(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))
    pusher.push("b", SendOutcome(problem=Problem("ITEM_REFUSED", "not now")))
    world.ingest("b", placed(clock, "7", 2))

    found = only(world)
    assert (found.root_cause.cause, found.root_cause.setting) == (
        OversellCause.LINK_FAILING,
        Setting.REPAIR_LISTING,
    )
    assert {snapshot.shop: snapshot.state for snapshot in found.snapshots}["b"] == "FAILED"


def test_a_listing_that_is_sold_without_sync_asks_for_sync(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.db.write_sync(
        MERCHANT, lambda uow: links.set_sync(uow, "b", listing_id("tea"), False, can_sync=can_sync)
    )
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 2))

    assert (only(world).root_cause.cause, only(world).root_cause.setting) == (
        OversellCause.SYNC_DISABLED,
        Setting.ENABLE_SYNC,
    )


def test_a_shop_that_sells_more_than_it_shows_takes_orders_without_stock(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    takes_back_orders(world, "b")
    world.ingest("a", placed(clock, "1", 3))
    pusher.push("b")
    clock.forward(5)
    world.ingest("b", placed(clock, "7", 2, ago=1))

    found = only(world)
    assert (found.root_cause.cause, found.root_cause.setting) == (
        OversellCause.SELLS_BELOW_ZERO,
        Setting.STOP_BACK_ORDERS,
    )
    assert {snapshot.shop: snapshot.shown for snapshot in found.snapshots}["b"] == 0


def test_a_listing_that_takes_no_back_orders_has_not_sold_below_zero(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))
    pusher.push("b")
    clock.forward(5)
    world.ingest("b", placed(clock, "7", 2, ago=1))

    assert (only(world).root_cause.cause, only(world).root_cause.setting) == (
        OversellCause.UNKNOWN,
        Setting.NONE,
    )


def test_an_order_placed_before_its_shop_acknowledged_a_lower_number_is_no_back_order(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    takes_back_orders(world, "b")
    clock.forward(60)
    world.ingest("a", placed(clock, "1", 3))
    pusher.push("b")
    clock.forward(5)
    world.ingest("b", placed(clock, "7", 2, ago=30))

    assert only(world).root_cause.cause is OversellCause.UNKNOWN


def test_a_shop_that_a_long_run_reads_all_the_time_is_not_forgotten(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    clock.forward(3_600)

    def read(uow) -> None:
        uow.shops.save_orders_read("b", uow.now)

    world.db.write_sync(MERCHANT, read)
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 2))

    assert only(world).root_cause.cause is OversellCause.SOLD_TWICE


def test_two_orders_of_one_page_that_sell_more_than_the_shop_shows_are_not_blamed_on_others(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    takes_back_orders(world, "b")
    clock.forward(5)
    world.ingest("b", placed(clock, "7", 2), placed(clock, "8", 2, ago=1))

    found = only(world)
    assert (found.by.order, found.units, found.by.units, found.root_cause.cause) == (
        "8",
        1,
        2,
        OversellCause.SELLS_BELOW_ZERO,
    )


def test_an_order_that_was_missing_in_the_shop_before_it_was_read_is_no_back_order(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.adjust("tea", counted=4)
    pusher.push("b", SendOutcome(stale=True))
    pusher.prepare("b", shown={"tea": 0})
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 3))

    assert only(world).root_cause.cause is OversellCause.SOLD_TWICE


def test_a_shop_that_never_acknowledged_a_number_is_not_yet_synced(
    world: World, clock: Clock
) -> None:
    world.link("a", "tea")
    clock.forward(1)
    world.ingest("a", placed(clock, "1", 1, ago=0.5))

    assert only(world).root_cause.cause is OversellCause.NOT_YET_SYNCED


def test_orders_counted_by_linking_are_older_than_the_link(world: World, clock: Clock) -> None:
    world.ingest("a", placed(clock, "1", 2))
    clock.forward(5)
    world.link("a", "tea")

    found = only(world)
    assert (found.root_cause.cause, found.by.number, found.units) == (
        OversellCause.ORDER_BEFORE_LINKING,
        "#1",
        2,
    )


def test_an_order_placed_before_the_link_and_read_after_it_is_older_than_the_link(
    world: World, clock: Clock
) -> None:
    world.link("a", "tea")
    world.ingest("a", placed(clock, "1", 1, ago=600))

    assert only(world).root_cause.cause is OversellCause.ORDER_BEFORE_LINKING


def test_an_order_that_was_made_larger_asks_for_a_reserve(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.reserve("tea", 1)
    world.ingest("a", placed(clock, "1", 2))
    clock.forward(10)
    world.ingest("a", placed(clock, "1", 5, ago=12, version=clock.micros))

    found = only(world)
    assert (found.root_cause.cause, found.root_cause.setting, found.root_cause.value) == (
        OversellCause.ORDER_EDITED,
        Setting.RESERVE,
        3,
    )
    assert (found.units, found.by.units) == (2, 3)


def test_a_count_that_finds_fewer_units_asks_for_a_reserve(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))
    world.adjust("tea", counted=1)

    found = only(world)
    assert (found.root_cause.cause, found.root_cause.setting, found.root_cause.value) == (
        OversellCause.STOCK_CORRECTED,
        Setting.RESERVE,
        2,
    )
    assert [(other.shop, other.units) for other in found.consumptions] == [("a", 3)]


def test_units_that_a_count_did_not_find_and_a_shop_sold_are_a_correction_of_stock(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.adjust("tea", counted=0)
    world.ingest("b", placed(clock, "7", 2))

    assert only(world).root_cause.cause is OversellCause.STOCK_CORRECTED


def test_units_held_for_a_shipment_that_no_shop_told_of_ask_for_a_reserve(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 2))
    world.bind("allocate", "", "out-1", "tea", 3)

    found = only(world)
    assert (found.root_cause.cause, found.by.order, found.units) == (
        OversellCause.HELD_WITHOUT_ORDER,
        "out-1",
        2,
    )


def test_a_shop_that_showed_more_than_it_was_told_was_edited_by_hand(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.adjust("tea", counted=4)
    pusher.prepare("b", shown={"tea": 9})
    world.ingest("b", placed(clock, "7", 9))

    found = only(world)
    assert (found.root_cause.cause, found.root_cause.setting) == (
        OversellCause.SHOWED_TOO_MUCH,
        Setting.HOLD_DRIFT,
    )


def test_each_order_that_sinks_the_product_further_has_a_finding_of_its_own_and_the_units_add_up(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 1), placed(clock, "8", 2))

    assert [(found.by.order, found.units, found.short) for found in oversells(world)] == [
        ("7", 1, 1),
        ("8", 2, 3),
    ]
    assert sum(found.units for found in oversells(world)) == world.stock("tea").balance.oversold


def test_what_is_oversold_is_cleared_by_the_movement_that_brings_free_back_to_zero(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 2))
    world.receive("tea", 1)
    assert only(world).cleared_at is None

    world.receive("tea", 1)

    found = only(world)
    assert found.cleared_at is not None
    movement = world.db.read_sync(
        MERCHANT, lambda uow: uow.stocks.movements(Page(1), products=(), warehouse="", kinds=())
    )[0]
    assert found.cleared_by == movement.seq
    assert oversells(world, open_only=True) == []


def test_a_cancelled_order_clears_too_and_the_next_oversell_is_a_new_one(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))
    world.ingest("b", placed(clock, "7", 2))
    clock.forward(1)
    world.ingest(
        "b", placed(clock, "7", 2, ago=3, version=clock.micros, state=DemandState.CANCELLED)
    )
    assert oversells(world, open_only=True) == []

    world.ingest("b", placed(clock, "9", 1))

    assert [found.by.order for found in oversells(world, open_only=True)] == ["9"]
    assert len(oversells(world)) == 2


def test_reading_the_same_page_again_finds_nothing_new(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    page = [placed(clock, "7", 5)]
    world.ingest("b", *page)
    world.ingest("b", *page)

    assert only(world).units == 2


def test_an_order_that_fits_leaves_nothing_behind(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 3))

    assert oversells(world) == []


def test_a_finding_is_made_or_undone_with_its_movement(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    class Dies(Exception): ...

    def work(uow) -> None:
        orders.ingest(uow, "b", [placed(clock, "7", 9)])
        raise Dies

    with pytest.raises(Dies):
        world.db.write_sync(MERCHANT, work)

    assert oversells(world) == []
    assert world.free("tea") == 3


def test_a_thousand_oversold_products_are_examined_in_as_many_statements_as_one(
    db: Database, clock: Clock
) -> None:
    products = [f"p{number}" for number in range(60)]
    world = World(db).begin(products=products, shops=("a", "b"))

    def statements(shop: str, wanted: list[str]) -> int:
        reading = replace(order(f"of-{shop}", dict.fromkeys(wanted, 1)), placed_at=clock.micros)
        world.ingest(shop, reading)
        drafts = [links.LinkDraft(shop, listing_id(p), (links.Part(p),), False) for p in wanted]
        seen: list[str] = []
        with observed(db.engine, lambda execution: seen.append(execution.text)):
            db.write_sync(MERCHANT, lambda uow: links.create(uow, drafts, can_sync=can_sync))
        return len(seen)

    assert statements("a", products) == statements("b", products[:1])
    assert len(oversells(world)) == 61
    assert {found.root_cause.cause for found in oversells(world)} == {
        OversellCause.ORDER_BEFORE_LINKING
    }


def test_what_was_cleared_long_ago_is_forgotten_and_what_is_open_is_kept(
    world: World, pusher: Pusher, clock: Clock
) -> None:
    world.ingest("a", placed(clock, "1", 4))
    world.receive("tea", 1)
    world.ingest("a", placed(clock, "2", 1))
    clock.forward(86_400)

    world.db.write_sync(MERCHANT, lambda uow: uow.oversells.forget(older_than=uow.now))

    assert [found.by.order for found in oversells(world)] == ["2"]
    with world.db.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM oversells")) == 1
