"""Orders are read, listed, released and held; and the preview of a suspect policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.bench import Api, World
from api.requests import BARE_ORDER, ORDER, bare_order
from api.rpcs import happy
from api.rpcs.links import linked
from zaiko.v1 import order_pb2, order_service_pb2, shop_pb2, shop_service_pb2, stock_service_pb2
from zaiko_core.app import orders
from zaiko_core.app.ports import UnitOfWork


@happy("OrderService.ReleaseOrder")
async def release_order(api: Api, world: World) -> None:
    await linked(api, world)
    answer = await api.call(
        "OrderService.ReleaseOrder", order_service_pb2.ReleaseOrderRequest(name=world(ORDER))
    )

    assert answer.order.HasField("release_time")
    assert not answer.order.suspicions
    assert [demand.open for demand in answer.order.demands] == [0]
    stock = await api.call(
        "StockService.GetStock",
        stock_service_pb2.GetStockRequest(name=world("products/apple/stock")),
    )
    assert (stock.stock.free, stock.stock.ordered) == (10, 0)
    kinds = stock_service_pb2.ListMovementsRequest.Filter(kinds=["KIND_ORDER_WRITTEN_OFF"])
    moved = await api.call(
        "StockService.ListMovements",
        stock_service_pb2.ListMovementsRequest(parent=world.name, filter=kinds),
    )
    assert len(moved.movements) == 1


@happy("OrderService.HoldOrder")
async def hold_order(api: Api, world: World) -> None:
    await linked(api, world)
    await api.call(
        "OrderService.ReleaseOrder", order_service_pb2.ReleaseOrderRequest(name=world(ORDER))
    )

    answer = await api.call(
        "OrderService.HoldOrder", order_service_pb2.HoldOrderRequest(name=world(ORDER))
    )

    assert answer.order.held_by_hand
    assert not answer.order.HasField("release_time")
    stock = await api.call(
        "StockService.GetStock",
        stock_service_pb2.GetStockRequest(name=world("products/apple/stock")),
    )
    assert stock.stock.free == 8


@happy("OrderService.AssignOrderLines")
async def assign_order_lines(api: Api, world: World) -> None:
    await world.write(lambda uow: orders.ingest(uow, "one", [bare_order(uow)]))
    answer = await api.call(
        "OrderService.AssignOrderLines",
        order_service_pb2.AssignOrderLinesRequest(name=world(BARE_ORDER)),
    )

    assert answer.counted_units == 1
    assert not answer.order.has_unlinked_lines
    assert [demand.product for demand in answer.order.demands] == [world("products/apple")]
    numbered = order_service_pb2.ListOrdersRequest.Filter(numbers=["5"])
    listed = await api.call(
        "OrderService.ListOrders",
        order_service_pb2.ListOrdersRequest(parent=world("shops/one"), filter=numbered),
    )
    assert [order.name for order in listed.orders] == [world(BARE_ORDER)]


@happy("OrderService.PreviewSuspectPolicy")
async def preview_suspect_policy(api: Api, world: World) -> None:
    await linked(api, world)

    def archive(uow: UnitOfWork) -> None:
        record = uow.orders.get("one", ["gid://toy/1"])["gid://toy/1"]
        uow.orders.put(
            "one",
            [replace(record, archived=True, archived_at=uow.now - 2 * 86_400_000_000)],
            known=[record.order],
        )
        uow.advance()

    await world.write(archive)
    policy = shop_pb2.SuspectPolicy(archived_release_days=1)
    answer = await api.call(
        "OrderService.PreviewSuspectPolicy",
        order_service_pb2.PreviewSuspectPolicyRequest(shop=world("shops/one"), policy=policy),
    )

    (release,), (effect,) = answer.releases, answer.effects
    assert (release.order, release.suspicion) == (world(ORDER), 1)
    assert (effect.product, effect.units_now, effect.units_in_a_week, effect.free) == (
        world("products/apple"),
        2,
        2,
        8,
    )
    assert list(effect.links) == [world("shops/one/links/l1")]
    listed = await api.call(
        "OrderService.ListOrders",
        order_service_pb2.ListOrdersRequest(parent=world("shops/one"), filter={"suspect": True}),
    )
    assert [list(order.suspicions) for order in listed.orders] == [[1]]
    given = shop_pb2.Shop(name=world("shops/one"), suspect_policy=policy)
    changed = await api.call(
        "ShopService.UpdateShop", shop_service_pb2.UpdateShopRequest(shop=given)
    )
    assert changed.shop.suspect_policy.archived_release_days == 1
    assert changed.shop.suspect_policy.unpaid_suspect_days == 14
    assert not changed.shop.suspect_policy.HasField("vanished_release_days")


@happy("OrderService.GetOrder")
async def get_order(api: Api, world: World) -> None:
    await linked(api, world)
    request = order_service_pb2.GetOrderRequest(name=world("shops/one/orders/gid_3a_2f_2ftoy_2f1"))

    order = (await api.call("OrderService.GetOrder", request)).order

    assert order.name == request.name
    assert order.has_unlinked_lines
    assert [
        (line.listing.rpartition("/")[2], line.external_listing_id, line.open)
        for line in order.lines
    ] == [
        ("l1", "ext/1", 2),
        ("l2", "ext/2", 1),
    ]
    assert [(demand.product, demand.open) for demand in order.demands] == [
        (world("products/apple"), 2)
    ]


@happy("OrderService.ListOrders")
async def list_orders(api: Api, world: World) -> None:
    async def found(parent: str = "shops/one", **fields: Any) -> list[str]:
        wanted = order_service_pb2.ListOrdersRequest.Filter(**fields)
        request = order_service_pb2.ListOrdersRequest(parent=world(parent), filter=wanted)
        return [item.number for item in (await api.call("OrderService.ListOrders", request)).orders]

    assert await found() == await found("shops/-") == ["#1"]
    assert await found(unlinked=True) == ["#1"]
    assert await found(suspect=True) == []
    assert await found(states=[order_pb2.Order.STATE_SHIPPED]) == []
    assert await found(external_ids=["gid://toy/1", "2"]) == ["#1"]
