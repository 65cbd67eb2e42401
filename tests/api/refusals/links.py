"""Listings and products that cannot be linked or synced, one or many at once."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.refusals.merchants import withdraw_sync
from api.requests import furnish
from zaiko.v1 import link_pb2, link_service_pb2


def _create(
    world: World, listing: str = "one/listings/l1", product: str = "apple", sync: bool = False
) -> Any:
    shop = listing.partition("/")[0]
    made = link_pb2.Link(
        listing=world(f"shops/{listing}"), product=world(f"products/{product}"), sync_enabled=sync
    )
    return link_service_pb2.CreateLinkRequest(parent=world(f"shops/{shop}"), link=made)


@case("LinkService.CreateLink", "LISTING_ALREADY_LINKED", {"link": "{}/shops/one/links/l5"})
async def already_linked(api: Api, world: World) -> Any:
    await world.write(furnish)
    return _create(world, "one/listings/l5")


@case("LinkService.CreateLink", "PRODUCT_ARCHIVED", {"product": "old"})
async def archived_product(api: Api, world: World) -> Any:
    return _create(world, product="old")


@case("LinkService.CreateLink", "LISTING_GONE", {"listing": "l4", "owner": "MERCHANT"})
async def vanished_listing(api: Api, world: World) -> Any:
    return _create(world, "one/listings/l4")


@case("LinkService.CreateLink", "SYNC_NOT_OFFERED", {"owner": "MERCHANT"})
async def sync_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return _create(world, sync=True)


@case("LinkService.CreateLink", "CONNECTOR_NOT_LOADED", {"connector": "gone", "owner": "SYSTEM"})
async def connector_not_loaded(api: Api, world: World) -> Any:
    return _create(world, "lost/listings/l8", sync=True)


@case(
    "LinkService.CreateLink",
    "CONNECTOR_CANNOT_SET_INVENTORY",
    {"connector": "toy-readonly", "owner": "PLATFORM"},
)
async def connector_cannot_set(api: Api, world: World) -> Any:
    return _create(world, "look/listings/l7", sync=True)


@case("LinkService.CreateLink", "INVALID_NAME", violations={"link.listing": "name.parent"})
async def listing_of_another_shop(api: Api, world: World) -> Any:
    request = _create(world)
    request.parent = world("shops/two")
    return request


@case("LinkService.CreateLink", "INVALID_NAME", violations={"link.product": "name.merchant"})
async def product_of_another_merchant(api: Api, world: World) -> Any:
    request = _create(world)
    request.link.product = "merchants/other/products/apple"
    return request


@case("LinkService.CreateLink", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def linking_no_product(api: Api, world: World) -> Any:
    return _create(world, product="kiwi")


@case("LinkService.CreateLink", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/listings/l9"})
async def linking_no_listing(api: Api, world: World) -> Any:
    return _create(world, "one/listings/l9")


@case(
    "LinkService.CreateLink",
    "INVALID_FIELD",
    violations={"link.bundle.parts[1].product": "repeated.unique"},
)
async def bundle_with_a_product_twice(api: Api, world: World) -> Any:
    request = _create(world)
    part = link_pb2.Bundle.Part(product=world("products/apple"), count=1)
    request.link.bundle.parts.extend([part, part])
    return request


def _batch(world: World, *links: Any, parent: str = "shops/-") -> Any:
    for item in links:
        item.parent = ""
    return link_service_pb2.BatchCreateLinksRequest(parent=world(parent), requests=links)


@case("LinkService.BatchCreateLinks", "DUPLICATE_IN_BATCH", {"index": "1"})
async def listing_twice(api: Api, world: World) -> Any:
    return _batch(world, _create(world), _create(world, product="pear"))


@case("LinkService.BatchCreateLinks", "LISTING_GONE", {"index": "1"})
async def one_of_a_batch_has_vanished(api: Api, world: World) -> Any:
    return _batch(world, _create(world), _create(world, "one/listings/l4"))


@case(
    "LinkService.BatchCreateLinks",
    "RESOURCE_NOT_FOUND",
    {"index": "2", "resource": "{}/products/kiwi"},
)
async def one_of_a_batch_has_no_product(api: Api, world: World) -> Any:
    return _batch(
        world,
        _create(world),
        _create(world, "one/listings/l2"),
        _create(world, "one/listings/l3", "kiwi"),
    )


@case("LinkService.BatchCreateLinks", "CONNECTOR_CANNOT_SET_INVENTORY", {"index": "2"})
async def one_of_a_batch_cannot_be_synced(api: Api, world: World) -> Any:
    links = [
        _create(world, sync=True),
        _create(world, "two/listings/l6", sync=True),
        _create(world, "look/listings/l7", sync=True),
    ]
    return _batch(world, *links)


@case(
    "LinkService.BatchCreateLinks",
    "LISTING_ALREADY_LINKED",
    {"index": "1", "link": "{}/shops/one/links/l5"},
)
async def one_of_a_batch_is_linked(api: Api, world: World) -> Any:
    await world.write(furnish)
    return _batch(world, _create(world, "two/listings/l6"), _create(world, "one/listings/l5"))


@case("LinkService.BatchCreateLinks", "PRODUCT_ARCHIVED", {"index": "1", "product": "old"})
async def one_of_a_batch_is_to_be_linked_to_an_archived_product(api: Api, world: World) -> Any:
    return _batch(world, _create(world), _create(world, "one/listings/l2", "old"))


@case("LinkService.BatchCreateLinks", "CONNECTOR_NOT_LOADED", {"index": "1"})
async def one_of_a_batch_has_no_connector(api: Api, world: World) -> Any:
    return _batch(world, _create(world, sync=True), _create(world, "lost/listings/l8", sync=True))


@case("LinkService.BatchCreateLinks", "SYNC_NOT_OFFERED", {"index": "1"})
async def one_of_a_batch_is_to_be_synced_where_it_is_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return _batch(world, _create(world), _create(world, "one/listings/l2", sync=True))


@case("LinkService.BatchCreateLinks", "BATCH_TOO_LARGE", {"limit": "1000"})
async def too_many_links(api: Api, world: World) -> Any:
    return _batch(world, *(_create(world) for _ in range(1001)))


def update_link(world: World, listing: str, shop: str = "one", **fields: Any) -> Any:
    return link_service_pb2.UpdateLinkRequest(
        link=link_pb2.Link(name=world(f"shops/{shop}/links/{listing}"), **fields)
    )


@case("LinkService.UpdateLink", "FIELD_MASK_INVALID", {"paths": "status,nothing"})
async def updating_what_cannot_be(api: Api, world: World) -> Any:
    request = update_link(world, "l5", sync_enabled=True)
    request.update_mask.paths.extend(["sync_enabled", "status", "nothing"])
    return request


@case("LinkService.UpdateLink", "FIELD_MASK_INVALID", {"paths": "product"})
async def updating_a_links_product(api: Api, world: World) -> Any:
    await world.write(furnish)
    return update_link(world, "l5", sync_enabled=True, product=world("products/apple"))


@case("LinkService.UpdateLink", "FIELD_MASK_INVALID", {"paths": ""})
async def updating_nothing(api: Api, world: World) -> Any:
    return update_link(world, "l5")


async def _link_then(api: Api, world: World, listing: str) -> Any:
    await api.call("LinkService.CreateLink", _create(world, listing))
    shop, _, last = listing.partition("/listings/")
    return update_link(world, last, shop, sync_enabled=True)


@case("LinkService.UpdateLink", "SYNC_NOT_OFFERED")
async def enabling_where_it_is_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return await _link_then(api, world, "one/listings/l1")


@case("LinkService.UpdateLink", "CONNECTOR_NOT_LOADED")
async def enabling_without_connector(api: Api, world: World) -> Any:
    return await _link_then(api, world, "lost/listings/l8")


@case("LinkService.UpdateLink", "CONNECTOR_CANNOT_SET_INVENTORY")
async def enabling_what_cannot_be_set(api: Api, world: World) -> Any:
    return await _link_then(api, world, "look/listings/l7")


@case("LinkService.DeleteLink", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/links/l1"})
async def unlinking_nothing(api: Api, world: World) -> Any:
    return link_service_pb2.DeleteLinkRequest(name=world("shops/one/links/l1"))


@case(
    "LinkService.BatchDeleteLinks",
    "RESOURCE_NOT_FOUND",
    {"resource": "{}/shops/one/links/l1", "index": "1"},
)
async def unlinking_one_that_is_not_linked(api: Api, world: World) -> Any:
    await world.write(furnish)
    names = [world("shops/one/links/l5"), world("shops/one/links/l1")]
    return link_service_pb2.BatchDeleteLinksRequest(parent=world("shops/one"), names=names)


@case("LinkService.BatchDeleteLinks", "DUPLICATE_IN_BATCH", {"index": "1"})
async def unlinking_twice(api: Api, world: World) -> Any:
    return link_service_pb2.BatchDeleteLinksRequest(
        parent=world("shops/one"), names=[world("shops/one/links/l5")] * 2
    )


@case("LinkService.BatchDeleteLinks", "INVALID_NAME", violations={"names[0]": "name.parent"})
async def unlinking_in_another_shop(api: Api, world: World) -> Any:
    return link_service_pb2.BatchDeleteLinksRequest(
        parent=world("shops/two"), names=[world("shops/one/links/l5")]
    )


@case("LinkService.BulkLink", "OPERATION_ACTIVE")
async def bulk_linking_twice(api: Api, world: World) -> Any:
    request = link_service_pb2.BulkLinkRequest(parent=world("shops/one"))
    await api.call("LinkService.BulkLink", request)
    return request


@case("LinkService.BulkLink", "SYNC_NOT_OFFERED")
async def bulk_linking_where_sync_is_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return link_service_pb2.BulkLinkRequest(parent=world("shops/one"), enable_sync=True)


@case("LinkService.BulkLink", "CONNECTOR_NOT_LOADED")
async def bulk_linking_without_connector(api: Api, world: World) -> Any:
    return link_service_pb2.BulkLinkRequest(parent=world("shops/lost"), enable_sync=True)


@case("LinkService.BulkLink", "CONNECTOR_CANNOT_SET_INVENTORY")
async def bulk_linking_what_cannot_be_set(api: Api, world: World) -> Any:
    return link_service_pb2.BulkLinkRequest(parent=world("shops/look"), enable_sync=True)


@case("LinkService.CreateLink", "INVALID_FIELD", violations={"link.mode": "enum.not_in"})
async def linking_as_receiving_only(api: Api, world: World) -> Any:
    request = _create(world)
    request.link.mode = link_pb2.Link.MODE_RECEIVING_ONLY
    return request
