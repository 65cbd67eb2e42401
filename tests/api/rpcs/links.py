"""Listings are linked to products, and unlinked, one or many at once."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.rpcs import happy
from zaiko.v1 import link_pb2, link_service_pb2, operation_pb2, order_service_pb2, stock_service_pb2


def link(
    world: World, listing: str = "l1", product: str = "apple", *, sync: bool = False
) -> link_pb2.Link:
    return link_pb2.Link(
        listing=world(f"shops/one/listings/{listing}"),
        product=world(f"products/{product}"),
        sync_enabled=sync,
    )


async def linked(
    api: Api, world: World, listing: str = "l1", product: str = "apple", *, sync: bool = True
) -> Any:
    """Return a new link."""
    request = link_service_pb2.CreateLinkRequest(
        parent=world("shops/one"), link=link(world, listing, product, sync=sync)
    )
    return await api.call("LinkService.CreateLink", request)


@happy("LinkService.CreateLink")
async def create_link(api: Api, world: World) -> None:
    answer = await linked(api, world, sync=True)

    assert answer.link.name == world("shops/one/links/l1")
    assert answer.link.product == world("products/apple")
    assert answer.link.status.state == link_pb2.LinkStatus.STATE_PENDING
    assert answer.link.status.sku == "A-1"
    (counted,) = answer.counted
    assert (counted.order_number, counted.quantity, answer.counted_units) == ("#1", 2, 2)
    order = await api.call(
        "OrderService.GetOrder", order_service_pb2.GetOrderRequest(name=counted.order)
    )
    assert order.order.external_id == "gid://toy/1"


@happy("LinkService.BatchCreateLinks")
async def batch_create_links(api: Api, world: World) -> None:
    bundle = link_pb2.Bundle(
        parts=[
            link_pb2.Bundle.Part(product=world("products/apple"), count=2),
            link_pb2.Bundle.Part(product=world("products/pear"), count=1),
        ]
    )
    links = [
        link(world, "l3"),
        link_pb2.Link(listing=world("shops/two/listings/l6"), bundle=bundle, sync_enabled=True),
    ]
    requests = [link_service_pb2.CreateLinkRequest(link=item) for item in links]

    answer = await api.call(
        "LinkService.BatchCreateLinks",
        link_service_pb2.BatchCreateLinksRequest(parent=world("shops/-"), requests=requests),
    )

    assert [item.name for item in answer.links] == [
        world("shops/one/links/l3"),
        world("shops/two/links/l6"),
    ]
    assert sorted((part.product, part.count) for part in answer.links[1].bundle.parts) == [
        (world("products/apple"), 2),
        (world("products/pear"), 1),
    ]


@happy("LinkService.UpdateLink")
async def update_link(api: Api, world: World) -> None:
    made = await linked(api, world, sync=False)
    on = link_pb2.Link(name=made.link.name, sync_enabled=True, etag=made.link.etag)

    answer = await api.call("LinkService.UpdateLink", link_service_pb2.UpdateLinkRequest(link=on))

    assert answer.link.status.state == link_pb2.LinkStatus.STATE_PENDING
    off = link_pb2.Link(name=made.link.name)
    request = link_service_pb2.UpdateLinkRequest(link=off)
    request.update_mask.paths.append("sync_enabled")
    answer = await api.call("LinkService.UpdateLink", request)
    assert answer.link.status.state == link_pb2.LinkStatus.STATE_DISABLED


@happy("LinkService.DeleteLink")
async def delete_link(api: Api, world: World) -> None:
    made = await linked(api, world)
    request = link_service_pb2.DeleteLinkRequest(
        name=made.link.name, release_orders=True, etag=made.link.etag
    )

    answer = await api.call("LinkService.DeleteLink", request)

    assert answer.released_units == 2
    stock = await api.call(
        "StockService.GetStock",
        stock_service_pb2.GetStockRequest(name=world("products/apple/stock")),
    )
    assert stock.stock.free == 10


@happy("LinkService.BatchDeleteLinks")
async def batch_delete_links(api: Api, world: World) -> None:
    names = [(await linked(api, world, listing)).link.name for listing in ("l1", "l3")]
    request = link_service_pb2.BatchDeleteLinksRequest(parent=world("shops/one"), names=names)

    await api.call("LinkService.BatchDeleteLinks", request)

    left = await api.call(
        "LinkService.ListLinks", link_service_pb2.ListLinksRequest(parent=world("shops/-"))
    )
    assert not left.links
    stock = await api.call(
        "StockService.GetStock",
        stock_service_pb2.GetStockRequest(name=world("products/apple/stock")),
    )
    assert stock.stock.free == 8  # what was ordered is still to be shipped


@happy("LinkService.GetLink")
async def get_link(api: Api, world: World) -> None:
    made = await linked(api, world)
    request = link_service_pb2.GetLinkRequest(name=made.link.name)
    assert (await api.call("LinkService.GetLink", request)).link == made.link


@happy("LinkService.ListLinks")
async def list_links(api: Api, world: World) -> None:
    await linked(api, world, "l1", "apple", sync=True)
    await linked(api, world, "l2", "pear", sync=False)

    async def found(**fields: Any) -> list[str]:
        wanted = link_service_pb2.ListLinksRequest.Filter(**fields)
        request = link_service_pb2.ListLinksRequest(parent=world("shops/one"), filter=wanted)
        return [
            item.name.rpartition("/")[2]
            for item in (await api.call("LinkService.ListLinks", request)).links
        ]

    assert await found() == ["l1", "l2"]
    assert await found(product=world("products/pear")) == ["l2"]
    assert await found(sync_enabled=True) == ["l1"]
    assert await found(sync_enabled=False) == ["l2"]
    assert await found(
        states=[link_pb2.LinkStatus.STATE_DISABLED, link_pb2.LinkStatus.STATE_HELD]
    ) == ["l2"]


@happy("LinkService.BulkLink")
async def bulk_link(api: Api, world: World) -> None:
    request = link_service_pb2.BulkLinkRequest(
        parent=world("shops/one"), enable_sync=True, dry_run=True
    )

    answer = await api.call("LinkService.BulkLink", request)

    assert answer.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert answer.operation.bulk_link.dry_run
    assert answer.operation.bulk_link.shop == world("shops/one")
    assert answer.operation.progress.unit == "listings"
