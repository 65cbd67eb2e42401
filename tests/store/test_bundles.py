"""A listing of 2 × tea + 1 × pot: whatever changes a part changes what the bundle shows, on both
stores."""

from __future__ import annotations

import pytest
from support.pushing import Pusher
from support.world import MERCHANT, World, can_sync, order
from zaiko_core.app import catalogue, links, stock
from zaiko_core.domain.errors import ProductArchived, ProductHasLinks
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.links import Part
from zaiko_core.storage.database import Database

PARTS = {"tea": 2, "pot": 1}


@pytest.fixture
def world(db: Database) -> World:
    """Shop `a` sells the bundle, shop `b` each part; 7 tea and 5 pots."""
    world = World(db).begin(products=("tea", "pot", "set"), shops=("a", "b"))
    world.receive("tea", 7)
    world.receive("pot", 5)
    world.link("a", "set", parts=PARTS)
    world.link("b", "tea")
    world.link("b", "pot")
    return world


def shown(pusher: Pusher, shop: str, listing: str) -> int | None:
    """What the shop was made to show, when one more round is done with it."""
    pusher.push(shop)
    return pusher.world.link_of(shop, listing).confirmed


def test_a_receipt_of_the_scarcest_part_raises_the_bundle(world: World) -> None:
    pusher = Pusher(world)
    assert shown(pusher, "a", "set") == 3
    world.receive("tea", 1)
    assert shown(pusher, "a", "set") == 4


def test_units_of_the_part_that_is_not_scarce_change_nothing(world: World) -> None:
    pusher = Pusher(world)
    assert shown(pusher, "a", "set") == 3
    world.receive("pot", 9)
    computed = pusher.push("a")
    assert listing_id("set") in computed.handled
    assert not computed.writes
    assert world.link_of("a", "set").confirmed == 3


def test_the_reserve_of_a_part_lowers_the_bundle(world: World) -> None:
    pusher = Pusher(world)
    assert shown(pusher, "a", "set") == 3
    world.reserve("pot", 4)
    assert shown(pusher, "a", "set") == 1


def test_a_part_sold_alone_in_another_shop_lowers_the_bundle(world: World) -> None:
    pusher = Pusher(world)
    assert shown(pusher, "a", "set") == 3
    world.ingest("b", order("1", {"tea": 3}))
    assert shown(pusher, "a", "set") == 2


def test_a_bundle_that_is_sold_lowers_every_part_in_other_shops(world: World) -> None:
    pusher = Pusher(world)
    assert (shown(pusher, "b", "tea"), shown(pusher, "b", "pot")) == (7, 5)
    world.ingest("a", order("1", {"set": 2}))
    assert (shown(pusher, "b", "tea"), shown(pusher, "b", "pot")) == (3, 3)
    world.assert_consistent()


def test_a_part_that_is_oversold_makes_the_bundle_show_0(world: World) -> None:
    pusher = Pusher(world)
    assert shown(pusher, "a", "set") == 3
    world.ingest("b", order("1", {"pot": 6}))
    assert world.free("pot") == -1
    assert shown(pusher, "a", "set") == 0


def test_a_cancelled_bundle_gives_every_part_back(world: World) -> None:
    world.ingest("a", order("1", {"set": 2}))
    assert (world.free("tea"), world.free("pot")) == (3, 3)
    world.ingest("a", order("1", {"set": 2}, version=2, cancelled={"set": 1}))
    assert (world.free("tea"), world.free("pot")) == (5, 4)
    world.assert_consistent()


def test_orders_that_came_before_the_bundle_was_linked_take_every_part(world: World) -> None:
    world.unlink("a", "set")
    world.ingest("a", order("1", {"set": 1}))
    assert (world.free("tea"), world.free("pot")) == (7, 5)
    _, counted = world.link("a", "set", parts=PARTS)
    assert sorted(item.units for item in counted) == [1, 2]
    assert (world.free("tea"), world.free("pot")) == (5, 4)


def test_orders_are_counted_anew_when_a_bundle_is_linked_again_with_other_parts(
    world: World,
) -> None:
    world.ingest("a", order("1", {"set": 1}))
    world.unlink("a", "set", release_orders=True)
    assert (world.free("tea"), world.free("pot")) == (7, 5)
    world.link("a", "set", parts={"tea": 3, "pot": 2})
    assert (world.free("tea"), world.free("pot")) == (4, 3)
    world.assert_consistent()


def test_a_bundle_with_an_archived_part_is_not_made_and_nothing_else_of_the_call_either(
    world: World,
) -> None:
    world.unlink("b", "pot")
    world.unlink("a", "set")
    world.db.write_sync(MERCHANT, lambda uow: catalogue.archive_product(uow, "pot"))
    bundle = links.LinkDraft("a", listing_id("set"), (Part("tea", 2), Part("pot", 1)), True)
    plain = links.LinkDraft("a", listing_id("tea"), (Part("tea"),), True)
    with pytest.raises(ProductArchived):
        world.db.write_sync(
            MERCHANT, lambda uow: links.create(uow, [plain, bundle], can_sync=can_sync)
        )
    assert world.db.read_sync(MERCHANT, lambda uow: uow.links.get("a", [listing_id("tea")])) == {}


def test_a_product_that_is_only_a_part_of_a_bundle_cannot_be_archived(world: World) -> None:
    world.unlink("b", "pot")
    with pytest.raises(ProductHasLinks):
        world.db.write_sync(MERCHANT, lambda uow: catalogue.archive_product(uow, "pot"))


def test_scarce_units_of_one_part_are_not_promised_to_the_bundle_and_to_another_shop_at_once(
    world: World,
) -> None:
    world.db.write_sync(MERCHANT, lambda uow: stock.set_escrow(uow, "pot", 10))
    pusher = Pusher(world)
    for _ in range(3):
        pusher.push("a")
        pusher.push("b")
    bundle, alone = world.link_of("a", "set").confirmed, world.link_of("b", "pot").confirmed
    assert bundle
    assert alone
    assert bundle + alone <= 5
