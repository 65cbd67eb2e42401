"""Every RPC does what its comment says, and answers in the documented shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from api.bench import SECRET, Api, World, refused
from api.requests import ORDER, REQUESTS, all_rpcs, furnish
from google.protobuf import duration_pb2, struct_pb2
from zaiko.v1 import (
    addition_pb2,
    connector_pb2,
    connector_service_pb2,
    drift_pb2,
    explanation_pb2,
    link_pb2,
    link_service_pb2,
    listing_pb2,
    merchant_pb2,
    merchant_service_pb2,
    movement_pb2,
    operation_pb2,
    operation_service_pb2,
    order_pb2,
    order_service_pb2,
    oversell_pb2,
    product_pb2,
    product_service_pb2,
    receiving_service_pb2,
    shop_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_run_pb2,
    sync_service_pb2,
    token_pb2,
    token_service_pb2,
    warehouse_pb2,
    warehouse_service_pb2,
)
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, LinkState, OperationState, PushRecord
from zaiko_core.domain.push import Term
from zaiko_sdk import Finding, FindingLevel

pytestmark = pytest.mark.anyio

Body = Callable[[Api, World], Awaitable[None]]
HAPPY: dict[str, Body] = {}


def happy(rpc: str) -> Callable[[Body], Body]:
    """The test of an RPC's happy path."""

    def register(body: Body) -> Body:
        assert rpc not in HAPPY
        HAPPY[rpc] = body
        return body

    return register


def link(world: World, listing: str = "l1", product: str = "apple", *, shop: str = "one", sync: bool = False) -> link_pb2.Link:
    return link_pb2.Link(listing=world(f"shops/{shop}/listings/{listing}"), product=world(f"products/{product}"), sync_enabled=sync)


async def linked(api: Api, world: World, listing: str = "l1", product: str = "apple", *, sync: bool = True) -> Any:
    """A link that was just made."""
    request = link_service_pb2.CreateLinkRequest(parent=world("shops/one"), link=link(world, listing, product, sync=sync))
    return await api.call("LinkService.CreateLink", request)


def binding(world: World, units: int, **extra: Any) -> dict[str, Any]:
    order = movement_pb2.Demand.OrderReference(shop=world("shops/one"), external_order_id="gid://toy/1")
    return {
        "demand": movement_pb2.Demand(order=order),
        "product": world("products/apple"),
        "warehouse": world("warehouses/tokyo"),
        "quantity": units,
    } | extra


@pytest.mark.parametrize("rpc", all_rpcs())
async def test_happy_path(rpc: str, api: Api, world: World) -> None:
    await HAPPY[rpc](api, world)


# Merchants and warehouses


@happy("MerchantService.CreateMerchant")
async def create_merchant(api: Api, world: World) -> None:
    made = merchant_pb2.Merchant(name="ignored", display_name="New", revision=99)

    answer = await api.call(
        "MerchantService.CreateMerchant",
        merchant_service_pb2.CreateMerchantRequest(merchant_id=f"{world.id}-new", merchant=made),
    )

    assert answer.merchant.name == f"{world.name}-new"
    assert answer.merchant.inventory_sync_available is True
    assert answer.revision == answer.merchant.revision == 1
    assert answer.merchant.etag == 'W/"r1"'
    assert answer.merchant.create_time.seconds > 1_700_000_000


@happy("MerchantService.GetMerchant")
async def get_merchant(api: Api, world: World) -> None:
    answer = await api.call("MerchantService.GetMerchant", merchant_service_pb2.GetMerchantRequest(name=world.name))

    assert answer.merchant.display_name == "Acme"
    assert answer.revision > answer.merchant.revision


@happy("MerchantService.ListMerchants")
async def list_merchants(api: Api, world: World) -> None:
    answer = await api.call("MerchantService.ListMerchants", merchant_service_pb2.ListMerchantsRequest(page_size=1000))

    names = [merchant.name for merchant in answer.merchants]
    assert world.name in names
    assert names == sorted(names)


# Tokens


@happy("TokenService.CreateToken")
async def create_token(api: Api, world: World) -> None:
    wanted = token_pb2.Token(display_name="Tablet", role="ROLE_OPERATOR", merchants=[world.name], name="ignored")
    wanted.expire_time.FromSeconds(4_000_000_000)

    made = await api.call("TokenService.CreateToken", token_service_pb2.CreateTokenRequest(token=wanted))

    assert made.secret.startswith(f"zk_{made.token.name.removeprefix('tokens/')}_")
    assert (made.token.role, list(made.token.merchants)) == (token_pb2.Token.ROLE_OPERATOR, [world.name])
    assert (made.token.expire_time.seconds, made.token.creator) == (4_000_000_000, "")
    assert made.token.create_time.seconds > 1_700_000_000
    assert not made.token.HasField("revoke_time")


@happy("TokenService.GetToken")
async def get_token(api: Api, world: World) -> None:
    answer = await api.call("TokenService.GetToken", token_service_pb2.GetTokenRequest(name=f"tokens/{world.id}"))

    assert (answer.token.display_name, answer.token.role) == ("Seed", token_pb2.Token.ROLE_READER)


@happy("TokenService.ListTokens")
async def list_tokens(api: Api, world: World) -> None:
    answer = await api.call("TokenService.ListTokens", token_service_pb2.ListTokensRequest(page_size=1000))

    names = [token.name for token in answer.tokens]
    assert f"tokens/{world.id}" in names
    assert names == sorted(names)


@happy("TokenService.RevokeToken")
async def revoke_token(api: Api, world: World) -> None:
    request = token_service_pb2.RevokeTokenRequest(name=f"tokens/{world.id}")

    first = await api.call("TokenService.RevokeToken", request)
    second = await api.call("TokenService.RevokeToken", request)

    assert first.token.HasField("revoke_time")
    assert second == first


@happy("MerchantService.UpdateMerchant")
async def update_merchant(api: Api, world: World) -> None:
    await linked(api, world, sync=True)
    off = merchant_pb2.Merchant(name=world.name, inventory_sync_available=False)

    answer = await api.call("MerchantService.UpdateMerchant", merchant_service_pb2.UpdateMerchantRequest(merchant=off))

    assert answer.merchant.inventory_sync_available is False
    assert answer.merchant.display_name == "Acme"
    held = await api.call("LinkService.GetLink", link_service_pb2.GetLinkRequest(name=world("shops/one/links/l1")))
    assert held.link.sync_enabled
    assert held.link.status.state == link_pb2.LinkStatus.STATE_HELD
    assert held.link.status.problem.owner == 1  # the merchant's, who asks the operator

    on = merchant_pb2.Merchant(name=world.name, inventory_sync_available=True)
    await api.call("MerchantService.UpdateMerchant", merchant_service_pb2.UpdateMerchantRequest(merchant=on))
    again = await api.call("LinkService.GetLink", link_service_pb2.GetLinkRequest(name=world("shops/one/links/l1")))
    assert again.link.status.state == link_pb2.LinkStatus.STATE_PENDING
    assert not again.link.status.HasField("problem")


@happy("WarehouseService.CreateWarehouse")
async def create_warehouse(api: Api, world: World) -> None:
    answer = await api.call(
        "WarehouseService.CreateWarehouse",
        warehouse_service_pb2.CreateWarehouseRequest(
            parent=world.name, warehouse_id="nagoya", warehouse=warehouse_pb2.Warehouse(display_name="Nagoya")
        ),
    )

    assert answer.warehouse.name == world("warehouses/nagoya")
    assert answer.revision == answer.warehouse.revision


@happy("WarehouseService.GetWarehouse")
async def get_warehouse(api: Api, world: World) -> None:
    request = warehouse_service_pb2.GetWarehouseRequest(name=world("warehouses/tokyo"))
    assert (await api.call("WarehouseService.GetWarehouse", request)).warehouse.display_name == "Tokyo"


@happy("WarehouseService.ListWarehouses")
async def list_warehouses(api: Api, world: World) -> None:
    answer = await api.call("WarehouseService.ListWarehouses", warehouse_service_pb2.ListWarehousesRequest(parent=world.name))

    assert [item.name for item in answer.warehouses] == [world("warehouses/osaka"), world("warehouses/tokyo")]
    assert answer.revision > 0


# Products


@happy("OrderService.ReleaseOrder")
async def release_order(api: Api, world: World) -> None:
    await linked(api, world)
    answer = await api.call("OrderService.ReleaseOrder", order_service_pb2.ReleaseOrderRequest(name=world(ORDER)))

    assert answer.order.HasField("release_time")
    assert not answer.order.suspicions
    assert [demand.open for demand in answer.order.demands] == [0]
    stock = await api.call("StockService.GetStock", stock_service_pb2.GetStockRequest(name=world("products/apple/stock")))
    assert (stock.stock.free, stock.stock.ordered) == (10, 0)
    kinds = stock_service_pb2.ListMovementsRequest.Filter(kinds=["KIND_ORDER_WRITTEN_OFF"])
    moved = await api.call("StockService.ListMovements", stock_service_pb2.ListMovementsRequest(parent=world.name, filter=kinds))
    assert len(moved.movements) == 1


@happy("OrderService.HoldOrder")
async def hold_order(api: Api, world: World) -> None:
    await linked(api, world)
    await api.call("OrderService.ReleaseOrder", order_service_pb2.ReleaseOrderRequest(name=world(ORDER)))

    answer = await api.call("OrderService.HoldOrder", order_service_pb2.HoldOrderRequest(name=world(ORDER)))

    assert answer.order.held_by_hand
    assert not answer.order.HasField("release_time")
    stock = await api.call("StockService.GetStock", stock_service_pb2.GetStockRequest(name=world("products/apple/stock")))
    assert stock.stock.free == 8


@happy("OrderService.PreviewSuspectPolicy")
async def preview_suspect_policy(api: Api, world: World) -> None:
    await linked(api, world)

    def archive(uow: UnitOfWork) -> None:
        record = uow.orders.get("one", ["gid://toy/1"])["gid://toy/1"]
        uow.orders.put("one", [replace(record, archived=True, archived_at=uow.now - 2 * 86_400_000_000)], known=[record.order])
        uow.advance()

    await world.write(archive)
    policy = shop_pb2.SuspectPolicy(archived_release_days=1)
    answer = await api.call(
        "OrderService.PreviewSuspectPolicy", order_service_pb2.PreviewSuspectPolicyRequest(shop=world("shops/one"), policy=policy)
    )

    (release,), (effect,) = answer.releases, answer.effects
    assert (release.order, release.suspicion) == (world(ORDER), 1)
    assert (effect.product, effect.units_now, effect.units_in_a_week, effect.free) == (world("products/apple"), 2, 2, 8)
    assert list(effect.links) == [world("shops/one/links/l1")]
    listed = await api.call(
        "OrderService.ListOrders", order_service_pb2.ListOrdersRequest(parent=world("shops/one"), filter={"suspect": True})
    )
    assert [list(order.suspicions) for order in listed.orders] == [[1]]
    given = shop_pb2.Shop(name=world("shops/one"), suspect_policy=policy)
    changed = await api.call("ShopService.UpdateShop", shop_service_pb2.UpdateShopRequest(shop=given))
    assert changed.shop.suspect_policy.archived_release_days == 1
    assert changed.shop.suspect_policy.unpaid_suspect_days == 14
    assert not changed.shop.suspect_policy.HasField("vanished_release_days")


@happy("ProductService.CreateProduct")
async def create_product(api: Api, world: World) -> None:
    request = product_service_pb2.CreateProductRequest(parent=world.name, product=product_pb2.Product(code="N-1"))

    answer = await api.call("ProductService.CreateProduct", request)

    assert answer.product.name.startswith(world("products/p"))
    assert answer.product.state == product_pb2.Product.STATE_ACTIVE
    stock = await api.call("StockService.GetStock", stock_service_pb2.GetStockRequest(name=answer.product.name + "/stock"))
    assert stock.stock.physical == 0


@happy("ProductService.BatchCreateProducts")
async def batch_create_products(api: Api, world: World) -> None:
    requests = [
        product_service_pb2.CreateProductRequest(product_id=f"n{i}-x", product=product_pb2.Product(code=f"N-{i}"))
        for i in (3, 1, 2)
    ]

    answer = await api.call(
        "ProductService.BatchCreateProducts",
        product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=requests),
    )

    assert [product.code for product in answer.products] == ["N-3", "N-1", "N-2"]
    assert {product.revision for product in answer.products} == {answer.revision}


@happy("ProductService.UpdateProduct")
async def update_product(api: Api, world: World) -> None:
    product = product_pb2.Product(name=world("products/apple"), code="A-2")

    answer = await api.call("ProductService.UpdateProduct", product_service_pb2.UpdateProductRequest(product=product))

    assert (answer.product.code, answer.product.barcode) == ("A-2", "4900000000011")
    assert answer.product.etag == f'W/"r{answer.revision}"'


@happy("ProductService.ArchiveProduct")
async def archive_product(api: Api, world: World) -> None:
    request = product_service_pb2.ArchiveProductRequest(name=world("products/pear"))

    answer = await api.call("ProductService.ArchiveProduct", request)
    again = await api.call("ProductService.ArchiveProduct", request)

    assert answer.product.state == product_pb2.Product.STATE_ARCHIVED
    assert again.product == answer.product


@happy("ProductService.GetProduct")
async def get_product(api: Api, world: World) -> None:
    request = product_service_pb2.GetProductRequest(name=world("products/old"))
    assert (await api.call("ProductService.GetProduct", request)).product.state == product_pb2.Product.STATE_ARCHIVED


@happy("ProductService.BatchGetProducts")
async def batch_get_products(api: Api, world: World) -> None:
    names = [world("products/pear"), world("products/apple")]
    request = product_service_pb2.BatchGetProductsRequest(parent=world.name, names=names)
    assert [product.name for product in (await api.call("ProductService.BatchGetProducts", request)).products] == names


@happy("ProductService.ListProducts")
async def list_products(api: Api, world: World) -> None:
    async def codes(**fields: Any) -> list[str]:
        wanted = product_service_pb2.ListProductsRequest.Filter(**fields)
        request = product_service_pb2.ListProductsRequest(parent=world.name, filter=wanted)
        return [product.code for product in (await api.call("ProductService.ListProducts", request)).products]

    assert await codes() == ["A-1", "O-1", "P-1"]
    assert await codes(codes=["P-1", "A-1", "none"]) == ["A-1", "P-1"]
    assert await codes(states=[product_pb2.Product.STATE_ARCHIVED]) == ["O-1"]
    assert await codes(states=[product_pb2.Product.STATE_ACTIVE]) == ["A-1", "P-1"]
    assert await codes(query="A-") == ["A-1"]
    assert await codes(query="a-") == []
    assert await codes(query="%") == []


# Stock


@happy("StockService.GetStock")
async def get_stock(api: Api, world: World) -> None:
    answer = await api.call("StockService.GetStock", stock_service_pb2.GetStockRequest(name=world("products/apple/stock")))

    stock = answer.stock
    assert (stock.physical, stock.free, stock.sent, stock.oversold) == (10, 10, 10, 0)
    assert stock.product == world("products/apple")
    assert [(item.warehouse, item.physical) for item in stock.warehouses] == [(world("warehouses/tokyo"), 10)]


@happy("StockService.BatchGetStocks")
async def batch_get_stocks(api: Api, world: World) -> None:
    names = [world("products/pear/stock"), world("products/apple/stock")]
    request = stock_service_pb2.BatchGetStocksRequest(parent=world.name, names=names)
    assert [stock.physical for stock in (await api.call("StockService.BatchGetStocks", request)).stocks] == [0, 10]


@happy("StockService.ListStocks")
async def list_stocks(api: Api, world: World) -> None:
    await linked(api, world, "l2", "pear")  # its order of 1 × pear is counted, of which there is none

    async def found(**fields: Any) -> list[tuple[str, int]]:
        wanted = stock_service_pb2.ListStocksRequest.Filter(**fields)
        request = stock_service_pb2.ListStocksRequest(parent=world.name, filter=wanted)
        return [(item.product, item.free) for item in (await api.call("StockService.ListStocks", request)).stocks]

    assert await found() == [(world("products/apple"), 10), (world("products/old"), 0), (world("products/pear"), -1)]
    assert await found(oversold=True) == [(world("products/pear"), -1)]
    assert await found(products=[world("products/apple")]) == [(world("products/apple"), 10)]


@happy("StockService.SetReserve")
async def set_reserve(api: Api, world: World) -> None:
    await linked(api, world)
    request = stock_service_pb2.SetReserveRequest(product=world("products/apple"), reserve=3)

    answer = await api.call("StockService.SetReserve", request)
    again = await api.call("StockService.SetReserve", request)

    assert (answer.stock.free, answer.stock.reserve, answer.stock.synced) == (8, 3, 5)
    assert answer.scheduled_link_count == 1
    assert again.scheduled_link_count == 0
    assert again.revision == answer.revision


@happy("StockService.SetEscrow")
async def set_escrow(api: Api, world: World) -> None:
    await linked(api, world)
    request = stock_service_pb2.SetEscrowRequest(product=world("products/apple"), escrow_below=8)

    answer = await api.call("StockService.SetEscrow", request)
    again = await api.call("StockService.SetEscrow", request)
    looser = await api.call(
        "StockService.SetEscrow", stock_service_pb2.SetEscrowRequest(product=world("products/apple"), escrow_below=7)
    )

    assert (answer.stock.free, answer.stock.synced, answer.stock.escrow_below, answer.stock.in_escrow) == (8, 8, 8, True)
    assert (answer.scheduled_link_count, again.scheduled_link_count, again.revision) == (1, 0, answer.revision)
    assert not looser.stock.in_escrow


@happy("StockService.BatchSetReserves")
async def batch_set_reserves(api: Api, world: World) -> None:
    requests = [
        stock_service_pb2.SetReserveRequest(product=world(f"products/{product}"), reserve=units)
        for product, units in (("pear", 1), ("apple", 2))
    ]
    request = stock_service_pb2.BatchSetReservesRequest(parent=world.name, requests=requests)
    assert [stock.synced for stock in (await api.call("StockService.BatchSetReserves", request)).stocks] == [-1, 8]


@happy("StockService.RecordReceipt")
async def record_receipt(api: Api, world: World) -> None:
    request = stock_service_pb2.RecordReceiptRequest(
        product=world("products/apple"), warehouse=world("warehouses/osaka"), quantity=5, cause_key="receipt-1", note="pallet 7"
    )

    answer = await api.call("StockService.RecordReceipt", request)
    again = await api.call("StockService.RecordReceipt", request)

    assert (answer.movement.physical_delta, answer.movement.kind) == (5, movement_pb2.Movement.KIND_RECEIVE)
    assert (answer.movement.cause_key, answer.movement.note) == ("receipt-1", "pallet 7")
    assert answer.stock.physical == 15
    assert not answer.already_recorded
    assert again.already_recorded
    assert again.movement == answer.movement
    assert again.stock.physical == 15


@happy("StockService.BatchRecordReceipts")
async def batch_record_receipts(api: Api, world: World) -> None:
    lines = (("pear", "tokyo", 3, "d1/1"), ("apple", "osaka", 4, "d1/2"), ("pear", "tokyo", 5, ""))
    requests = [
        stock_service_pb2.RecordReceiptRequest(
            product=world(f"products/{product}"), warehouse=world(f"warehouses/{warehouse}"), quantity=units, cause_key=cause
        )
        for product, warehouse, units, cause in lines
    ]
    request = stock_service_pb2.BatchRecordReceiptsRequest(parent=world.name, requests=requests)

    answer = await api.call("StockService.BatchRecordReceipts", request)

    recorded = [result.movement for result in answer.results]
    assert [movement.physical_delta for movement in recorded] == [3, 4, 5]
    assert [movement.cause_key for movement in recorded[:2]] == ["d1/1", "d1/2"]
    assert len(recorded[2].cause_key) == 36
    assert {movement.revision for movement in recorded} == {answer.revision}
    assert [(stock.product, stock.physical) for stock in answer.stocks] == [
        (world("products/pear"), 8),
        (world("products/apple"), 14),
    ]


@happy("StockService.StreamMovements")
async def stream_movements(api: Api, world: World) -> None:
    stream = api.method("StockService.StreamMovements")(REQUESTS["StockService.StreamMovements"](world), timeout=60)

    answer = await stream.read()

    assert (answer.sequence, answer.already_recorded, answer.WhichOneof("outcome")) == (1, False, "stock")
    assert answer.revision == answer.stock.revision
    stream.cancel()


@happy("StockService.AdjustStock")
async def adjust_stock(api: Api, world: World) -> None:
    place = {"product": world("products/apple"), "warehouse": world("warehouses/tokyo")}
    lost = await api.call("StockService.AdjustStock", stock_service_pb2.AdjustStockRequest(**place, delta=-2))
    counting = stock_service_pb2.AdjustStockRequest(**place, counted=7, etag=lost.stock.etag, cause_key="count-1")

    counted = await api.call("StockService.AdjustStock", counting)
    again = await api.call("StockService.AdjustStock", counting)  # the etag is stale by now, the fact is known

    assert lost.stock.physical == 8
    assert (counted.stock.physical, counted.movement.physical_delta) == (7, -1)
    assert again.already_recorded


@happy("StockService.AllocateStock")
async def allocate_stock(api: Api, world: World) -> None:
    await linked(api, world)

    answer = await api.call("StockService.AllocateStock", stock_service_pb2.AllocateStockRequest(**binding(world, 2)))

    assert (answer.stock.allocated, answer.stock.ordered, answer.stock.free) == (2, 2, 8)
    assert answer.movement.demand.order.external_order_id == "gid://toy/1"


@happy("StockService.DeallocateStock")
async def deallocate_stock(api: Api, world: World) -> None:
    await api.call("StockService.AllocateStock", stock_service_pb2.AllocateStockRequest(**binding(world, 2)))

    answer = await api.call("StockService.DeallocateStock", stock_service_pb2.DeallocateStockRequest(**binding(world, 1)))

    assert answer.stock.allocated == 1


@happy("StockService.ShipStock")
async def ship_stock(api: Api, world: World) -> None:
    shipment = {"demand": movement_pb2.Demand(shipment="wholesale-9")}
    held = await api.call("StockService.AllocateStock", stock_service_pb2.AllocateStockRequest(**binding(world, 2) | shipment))

    answer = await api.call("StockService.ShipStock", stock_service_pb2.ShipStockRequest(**binding(world, 2) | shipment))

    assert (answer.stock.physical, answer.stock.allocated, answer.stock.free) == (8, 0, 8)
    assert held.stock.free == 8
    assert answer.movement.demand.shipment == "wholesale-9"


@happy("StockService.ListMovements")
async def list_movements(api: Api, world: World) -> None:
    await linked(api, world)

    async def kinds(**fields: Any) -> list[int]:
        wanted = stock_service_pb2.ListMovementsRequest.Filter(**fields)
        request = stock_service_pb2.ListMovementsRequest(parent=world.name, filter=wanted)
        return [item.kind for item in (await api.call("StockService.ListMovements", request)).movements]

    kind = movement_pb2.Movement
    assert await kinds() == [kind.KIND_ORDER_LINKED, kind.KIND_RECEIVE]
    assert await kinds(kinds=[kind.KIND_RECEIVE]) == [kind.KIND_RECEIVE]
    assert await kinds(product=world("products/pear")) == []
    assert await kinds(warehouse=world("warehouses/tokyo")) == [kind.KIND_RECEIVE]


@happy("StockService.WatchStocks")
async def watch_stocks(api: Api, world: World) -> None:
    stream = api.method("StockService.WatchStocks")(stock_service_pb2.WatchStocksRequest(parent=world.name), timeout=60)

    first = await stream.read()

    assert len(first.changes.stocks) == 3
    stream.cancel()


# Shops


def toy(**fields: Any) -> shop_pb2.Shop:
    settings = struct_pb2.Struct()
    settings.update({"domain": "shop.example", "page": 5})
    values: dict[str, Any] = {"connector": "connectors/toy", "display_name": "Shop", "settings": settings}
    return shop_pb2.Shop(**values | {"secrets": {"token": SECRET}} | fields)


@happy("ShopService.CreateShop")
async def create_shop(api: Api, world: World) -> None:
    request = shop_service_pb2.CreateShopRequest(parent=world.name, shop_id="new", shop=toy())

    answer = await api.call("ShopService.CreateShop", request)

    shop = answer.shop
    assert shop.name == world("shops/new")
    assert list(shop.secret_names) == ["token"]
    assert not shop.secrets
    assert shop.settings["page"] == 5
    assert shop.sync_interval.seconds == 600
    assert shop.state == shop_pb2.Shop.STATE_ACTIVE
    assert shop.status.state == shop_pb2.ShopStatus.STATE_SCHEDULED
    assert SECRET not in str(answer)


@happy("ShopService.UpdateShop")
async def update_shop(api: Api, world: World) -> None:
    given = shop_pb2.Shop(name=world("shops/one"), secrets={"token": "another"}, sync_interval=duration_pb2.Duration(seconds=60))

    answer = await api.call("ShopService.UpdateShop", shop_service_pb2.UpdateShopRequest(shop=given))

    assert answer.shop.sync_interval.seconds == 60
    assert answer.shop.display_name == "One"
    assert answer.shop.settings["domain"] == "shop.example"
    record = await world.write(lambda uow: uow.shops.get(["one"])["one"])
    assert api.engine.secrets.open(record.secrets) == {"token": "another"}


@happy("ShopService.ListShadowDifferences")
async def list_shadow_differences(api: Api, world: World) -> None:
    await linked(api, world)
    shadowed = shop_pb2.Shop(name=world("shops/one"), shadow=True)
    answer = await api.call("ShopService.UpdateShop", shop_service_pb2.UpdateShopRequest(shop=shadowed))
    assert answer.shop.shadow
    request = shop_service_pb2.ListShadowDifferencesRequest(parent=world("shops/-"))
    assert not (await api.call("ShopService.ListShadowDifferences", request)).differences

    def compared(uow: UnitOfWork) -> None:
        record = uow.links.get("one", ["l1"])["l1"]
        found = replace(record, state=LinkState.SHADOW, target=8, confirmed=5, differ_since=uow.now, last_attempt_at=uow.now)
        uow.links.save([found])
        uow.changed(ChangeKind.LINK, ["one/l1"])

    await world.write(compared)
    answer = await api.call("ShopService.ListShadowDifferences", request)

    (found,) = answer.differences
    assert (found.link, found.sku) == (world("shops/one/links/l1"), "A-1")
    assert (found.shown, found.target, found.difference) == (5, 8, 3)
    assert found.HasField("read_time")
    assert found.HasField("differ_time")
    shop = (await api.call("ShopService.GetShop", shop_service_pb2.GetShopRequest(name=world("shops/one")))).shop
    assert (shop.status.shadow_difference_count, shop.status.link_counts.shadow) == (1, 1)
    request.filter.include_equal = True
    assert len((await api.call("ShopService.ListShadowDifferences", request)).differences) == 1


@happy("ShopService.DeleteShop")
async def delete_shop(api: Api, world: World) -> None:
    answer = await api.call("ShopService.DeleteShop", shop_service_pb2.DeleteShopRequest(name=world("shops/two")))

    assert answer.revision > 0
    shops = await api.call("ShopService.ListShops", shop_service_pb2.ListShopsRequest(parent=world.name))
    assert world("shops/two") not in [shop.name for shop in shops.shops]
    listings = await api.call("ShopService.ListListings", shop_service_pb2.ListListingsRequest(parent=world("shops/-")))
    assert not [item for item in listings.listings if item.name.startswith(world("shops/two/"))]


@happy("ShopService.GetShop")
async def get_shop(api: Api, world: World) -> None:
    answer = await api.call("ShopService.GetShop", shop_service_pb2.GetShopRequest(name=world("shops/lost")))

    assert answer.shop.connector == "connectors/gone"
    assert answer.shop.status.state == shop_pb2.ShopStatus.STATE_HELD
    assert answer.shop.status.problem.action_ja
    assert SECRET not in str(answer)


@happy("ShopService.ListShops")
async def list_shops(api: Api, world: World) -> None:
    answer = await api.call("ShopService.ListShops", shop_service_pb2.ListShopsRequest(parent=world.name))
    assert [shop.name.rpartition("/")[2] for shop in answer.shops] == ["look", "lost", "one", "two"]


@happy("ShopService.CheckShop")
async def check_shop(api: Api, world: World) -> None:
    api.answers.check = [
        Finding(FindingLevel.OK, "SCOPES", "all scopes are granted"),
        Finding(FindingLevel.ERROR, "LOCATION_UNKNOWN", "no such location; choose one of 1, 2"),
    ]

    answer = await api.call("ShopService.CheckShop", shop_service_pb2.CheckShopRequest(name=world("shops/one")))

    level = shop_service_pb2.CheckShopResponse.Finding
    assert [(item.level, item.reason) for item in answer.findings] == [
        (level.LEVEL_ERROR, "LOCATION_UNKNOWN"),
        (level.LEVEL_OK, "SCOPES"),
    ]


@happy("ShopService.PauseShop")
async def pause_shop(api: Api, world: World) -> None:
    await linked(api, world)

    answer = await api.call("ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one")))
    again = await api.call("ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one")))

    assert answer.shop.state == shop_pb2.Shop.STATE_PAUSED
    assert answer.shop.status.state == shop_pb2.ShopStatus.STATE_PAUSED
    assert answer.shop.status.link_counts.held == 1
    assert not answer.shop.status.HasField("next_run_time")
    assert again.revision == answer.revision


@happy("ShopService.ResumeShop")
async def resume_shop(api: Api, world: World) -> None:
    await linked(api, world)
    await api.call("ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one")))

    answer = await api.call("ShopService.ResumeShop", shop_service_pb2.ResumeShopRequest(name=world("shops/one")))

    assert answer.shop.state == shop_pb2.Shop.STATE_ACTIVE
    assert answer.shop.status.link_counts.pending == 1
    assert answer.shop.status.state == shop_pb2.ShopStatus.STATE_SCHEDULED


@happy("ShopService.ListListings")
async def list_listings(api: Api, world: World) -> None:
    await linked(api, world)

    async def found(parent: str = "shops/one", **fields: Any) -> list[str]:
        wanted = shop_service_pb2.ListListingsRequest.Filter(**fields)
        request = shop_service_pb2.ListListingsRequest(parent=world(parent), filter=wanted)
        return [item.name.rpartition("/")[2] for item in (await api.call("ShopService.ListListings", request)).listings]

    assert await found() == ["l1", "l2", "l3", "l4", "l5"]
    assert await found(linked=True) == ["l1"]
    assert await found(linked=False, vanished=False) == ["l2", "l3", "l5"]
    assert await found(vanished=True) == ["l4"]
    assert await found(query="X-") == ["l3", "l4", "l5"]
    assert await found("shops/-", query="X-") == ["l7", "l8", "l3", "l4", "l5", "l6"]
    request = shop_service_pb2.ListListingsRequest(parent=world("shops/look"))
    (listing,) = (await api.call("ShopService.ListListings", request)).listings
    refusals = listing_pb2.Listing.DESCRIPTOR.fields_by_name["sync_refusal"].enum_type
    assert refusals.values_by_number[listing.sync_refusal].name == "ERROR_REASON_CONNECTOR_CANNOT_SET_INVENTORY"


@happy("ShopService.RefreshListings")
async def refresh_listings(api: Api, world: World) -> None:
    request = shop_service_pb2.RefreshListingsRequest(parent=world("shops/one"))

    answer = await api.call("ShopService.RefreshListings", request)
    again = await api.call("ShopService.RefreshListings", request)

    assert answer.operation.kind == operation_pb2.Operation.KIND_REFRESH_LISTINGS
    assert answer.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert answer.operation.refresh_listings.shop == world("shops/one")
    assert again.operation.name == answer.operation.name


# Links


@happy("LinkService.CreateLink")
async def create_link(api: Api, world: World) -> None:
    answer = await linked(api, world, sync=True)

    assert answer.link.name == world("shops/one/links/l1")
    assert answer.link.product == world("products/apple")
    assert answer.link.status.state == link_pb2.LinkStatus.STATE_PENDING
    assert answer.link.status.sku == "A-1"
    (counted,) = answer.counted
    assert (counted.order_number, counted.quantity, answer.counted_units) == ("#1", 2, 2)
    order = await api.call("OrderService.GetOrder", order_service_pb2.GetOrderRequest(name=counted.order))
    assert order.order.external_id == "gid://toy/1"


@happy("LinkService.BatchCreateLinks")
async def batch_create_links(api: Api, world: World) -> None:
    bundle = link_pb2.Bundle(
        parts=[
            link_pb2.Bundle.Part(product=world("products/apple"), count=2),
            link_pb2.Bundle.Part(product=world("products/pear"), count=1),
        ]
    )
    links = [link(world, "l3"), link_pb2.Link(listing=world("shops/two/listings/l6"), bundle=bundle, sync_enabled=True)]
    requests = [link_service_pb2.CreateLinkRequest(link=item) for item in links]

    answer = await api.call(
        "LinkService.BatchCreateLinks",
        link_service_pb2.BatchCreateLinksRequest(parent=world("shops/-"), requests=requests),
    )

    assert [item.name for item in answer.links] == [world("shops/one/links/l3"), world("shops/two/links/l6")]
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
    request = link_service_pb2.DeleteLinkRequest(name=made.link.name, release_orders=True, etag=made.link.etag)

    answer = await api.call("LinkService.DeleteLink", request)

    assert answer.released_units == 2
    stock = await api.call("StockService.GetStock", stock_service_pb2.GetStockRequest(name=world("products/apple/stock")))
    assert stock.stock.free == 10


@happy("LinkService.BatchDeleteLinks")
async def batch_delete_links(api: Api, world: World) -> None:
    names = [(await linked(api, world, listing)).link.name for listing in ("l1", "l3")]
    request = link_service_pb2.BatchDeleteLinksRequest(parent=world("shops/one"), names=names)

    await api.call("LinkService.BatchDeleteLinks", request)

    left = await api.call("LinkService.ListLinks", link_service_pb2.ListLinksRequest(parent=world("shops/-")))
    assert not left.links
    stock = await api.call("StockService.GetStock", stock_service_pb2.GetStockRequest(name=world("products/apple/stock")))
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
        return [item.name.rpartition("/")[2] for item in (await api.call("LinkService.ListLinks", request)).links]

    assert await found() == ["l1", "l2"]
    assert await found(product=world("products/pear")) == ["l2"]
    assert await found(sync_enabled=True) == ["l1"]
    assert await found(sync_enabled=False) == ["l2"]
    assert await found(states=[link_pb2.LinkStatus.STATE_DISABLED, link_pb2.LinkStatus.STATE_HELD]) == ["l2"]


@happy("LinkService.BulkLink")
async def bulk_link(api: Api, world: World) -> None:
    request = link_service_pb2.BulkLinkRequest(parent=world("shops/one"), enable_sync=True, dry_run=True)

    answer = await api.call("LinkService.BulkLink", request)

    assert answer.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert answer.operation.bulk_link.dry_run
    assert answer.operation.bulk_link.shop == world("shops/one")
    assert answer.operation.progress.unit == "listings"


# Receiving-only


@happy("ReceivingService.SetReceivingOnly")
async def set_receiving_only(api: Api, world: World) -> None:
    await linked(api, world, sync=False)
    request = receiving_service_pb2.SetReceivingOnlyRequest(product=world("products/apple"), enabled=True)

    product = (await api.call("ReceivingService.SetReceivingOnly", request)).product

    assert product.receiving_only == product_pb2.Product.RECEIVING_ONLY_ON
    listed = (await api.call("LinkService.ListLinks", link_service_pb2.ListLinksRequest(parent=world("shops/one")))).links
    assert [link.mode for link in listed] == [link_pb2.Link.MODE_RECEIVING_ONLY]
    assert (await api.call("ReceivingService.SetReceivingOnly", request)).product == product


@happy("ReceivingService.ListAdditions")
@happy("ReceivingService.GetAddition")
async def a_receipt_of_a_receiving_only_product(api: Api, world: World) -> None:
    await linked(api, world, sync=False)
    switch = receiving_service_pb2.SetReceivingOnlyRequest(product=world("products/apple"), enabled=True)
    await api.call("ReceivingService.SetReceivingOnly", switch)
    receipt = stock_service_pb2.RecordReceiptRequest(
        product=world("products/apple"), warehouse=world("warehouses/tokyo"), quantity=4, cause_key="r-1"
    )
    movement = (await api.call("StockService.RecordReceipt", receipt)).movement

    async def found(**wanted: Any) -> list[addition_pb2.Addition]:
        request = receiving_service_pb2.ListAdditionsRequest(parent=world.name, filter=wanted)
        return list((await api.call("ReceivingService.ListAdditions", request)).additions)

    (addition,) = await found()
    assert (addition.product, addition.units) == (world("products/apple"), 4)
    assert addition.listing == world("shops/one/listings/l1")
    assert addition.state == addition_pb2.Addition.STATE_QUEUED
    assert addition.movement == movement.name
    assert await found(product=world("products/pear")) == await found(shop=world("shops/two")) == []
    assert await found(states=[addition_pb2.Addition.STATE_ADDED]) == []
    assert await found(states=[addition_pb2.Addition.STATE_QUEUED], shop=world("shops/one")) == [addition]
    request = receiving_service_pb2.GetAdditionRequest(name=addition.name)
    assert (await api.call("ReceivingService.GetAddition", request)).addition == addition


@happy("ReceivingService.ResolveAddition")
async def resolve_addition(api: Api, world: World) -> None:
    await world.write(furnish)
    request = receiving_service_pb2.ResolveAdditionRequest(
        name=world("additions/77"), outcome=receiving_service_pb2.ResolveAdditionRequest.OUTCOME_NOT_ADDED
    )

    addition = (await api.call("ReceivingService.ResolveAddition", request)).addition

    assert addition.state == addition_pb2.Addition.STATE_QUEUED
    assert not addition.HasField("settle_time")


@happy("ReceivingService.CutOver")
async def cut_over(api: Api, world: World) -> None:
    request = receiving_service_pb2.CutOverRequest(parent=world("shops/one"), dry_run=True)

    operation = (await api.call("ReceivingService.CutOver", request)).operation

    assert operation.kind == operation_pb2.Operation.KIND_CUT_OVER
    assert operation.state == operation_pb2.Operation.STATE_QUEUED
    assert operation.cut_over.dry_run
    assert operation.cut_over.shop == world("shops/one")


# Sync


@happy("SyncService.SyncNow")
async def sync_now(api: Api, world: World) -> None:
    made = await linked(api, world)

    async def shops(**subject: str) -> list[str]:
        answer = await api.call("SyncService.SyncNow", sync_service_pb2.SyncNowRequest(**subject))
        return [item.shop.rpartition("/")[2] for item in answer.shops]

    assert await shops(shop=world("shops/one")) == ["one"]
    assert await shops(link=made.link.name) == ["one"]
    assert await shops(product=world("products/apple")) == ["one"]
    assert await shops(product=world("products/pear")) == []


@happy("SyncService.GetSyncRun")
async def get_sync_run(api: Api, world: World) -> None:
    request = sync_service_pb2.GetSyncRunRequest(name=world("shops/one/runs/0001-aaaa"))

    run = (await api.call("SyncService.GetSyncRun", request)).sync_run

    assert run.state == sync_run_pb2.SyncRun.STATE_SUCCEEDED
    assert run.trigger == sync_run_pb2.SyncRun.TRIGGER_INTERVAL
    assert run.end_time.ToMicroseconds() - run.start_time.ToMicroseconds() == 5


@happy("SyncService.CancelSyncRun")
async def cancel_sync_run(api: Api, world: World) -> None:
    await world.write(furnish)
    request = REQUESTS["SyncService.CancelSyncRun"](world)

    answer = await api.call("SyncService.CancelSyncRun", request)
    again = await api.call("SyncService.CancelSyncRun", request)

    assert answer.sync_run == again.sync_run
    assert answer.sync_run.state == sync_run_pb2.SyncRun.STATE_RUNNING  # until it comes to the end of its step


@happy("SyncService.ListSyncRuns")
async def list_sync_runs(api: Api, world: World) -> None:
    async def found(parent: str, **fields: Any) -> list[str]:
        wanted = sync_service_pb2.ListSyncRunsRequest.Filter(**fields)
        request = sync_service_pb2.ListSyncRunsRequest(parent=world(parent), filter=wanted)
        return [item.name.rpartition("/")[2] for item in (await api.call("SyncService.ListSyncRuns", request)).sync_runs]

    assert await found("shops/one") == await found("shops/-") == ["0002-bbbb", "0001-aaaa"]
    assert await found("shops/one", states=[sync_run_pb2.SyncRun.STATE_FAILED]) == ["0002-bbbb"]
    assert await found("shops/two") == []


async def explained(api: Api, **fields: Any) -> Any:
    return await api.call("StockService.ExplainStock", stock_service_pb2.ExplainStockRequest(**fields))


@happy("StockService.ExplainStock")
async def explain_stock(api: Api, world: World) -> None:
    made = await linked(api, world)
    before = made.revision

    def pushed(uow: UnitOfWork) -> None:
        terms = (Term("ESCROW", 3), Term("SUSPECTED", 1))
        uow.pushes.insert([PushRecord("one", "l1", uow.now, "k", 6, 8, terms, 4)])
        uow.advance()

    await world.write(pushed)

    found = await explained(api, product=world("products/apple"))
    (shown,) = found.stocks
    assert (shown.stock.physical, shown.stock.ordered, shown.stock.free, shown.stock.etag) == (10, 2, 8, "")
    assert [(shelf.warehouse.rpartition("/")[2], shelf.received, shelf.physical) for shelf in shown.shelves] == [("tokyo", 10, 10)]
    (promise,) = shown.promises
    assert (promise.order_number, promise.ordered, promise.unallocated) == ("#1", 2, 2)
    assert promise.demand.order.external_order_id == "gid://toy/1"
    assert (shown.rest.promise_count, shown.rest.ordered) == (0, 0)
    (link_found,) = found.links
    push = link_found.last_push
    assert (push.target, [(term.label, term.units) for term in push.terms], push.quantity) == (
        8,
        [("ESCROW", 3), ("SUSPECTED", 1)],
        4,
    )
    assert push.outcome == explanation_pb2.Push.OUTCOME_SENT
    assert not link_found.HasField("last_acknowledged_push")
    assert link_found.status.link == made.link.name

    earlier = await explained(api, link=made.link.name, at_revision=before - 1)
    assert (earlier.stocks[0].stock.ordered, earlier.revision) == (0, before - 1)
    assert not earlier.links[0].HasField("last_push")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await explained(api, product=world("products/apple"), at_revision=found.revision + 1)
    assert (refused(error.value).reason, refused(error.value).metadata["currentRevision"]) == (
        "REVISION_IN_FUTURE",
        str(found.revision),
    )


async def first_oversell(api: Api, world: World) -> Any:
    await linked(api, world, "l2", "pear")
    request = stock_service_pb2.ListOversellsRequest(parent=world.name)
    (found,) = (await api.call("StockService.ListOversells", request)).oversells
    return found


@happy("StockService.GetOversell")
async def get_oversell(api: Api, world: World) -> None:
    listed = await first_oversell(api, world)

    answer = await api.call("StockService.GetOversell", stock_service_pb2.GetOversellRequest(name=listed.name))

    found = answer.oversell
    assert found == listed
    assert (found.product, found.units, found.short_units) == (world("products/pear"), 1, 1)
    assert found.cause == oversell_pb2.Oversell.CAUSE_ORDER_BEFORE_LINKING
    assert (found.by.order_number, found.by.units, found.by.kind) == ("#1", 1, movement_pb2.Movement.KIND_ORDER_LINKED)
    assert [showing.link for showing in found.showings] == [world("shops/one/links/l2")]
    assert found.action_en
    assert found.action_ja
    assert not found.HasField("clear_time")
    for missing in ("0000000000000099", "none", "9" * 80):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await api.call("StockService.GetOversell", stock_service_pb2.GetOversellRequest(name=world(f"oversells/{missing}")))
        assert refused(error.value).reason == "RESOURCE_NOT_FOUND"


@happy("StockService.ListOversells")
async def list_oversells(api: Api, world: World) -> None:
    only = await first_oversell(api, world)

    async def found(**fields: Any) -> list[str]:
        wanted = stock_service_pb2.ListOversellsRequest.Filter(**fields)
        request = stock_service_pb2.ListOversellsRequest(parent=world.name, filter=wanted)
        return [item.name for item in (await api.call("StockService.ListOversells", request)).oversells]

    assert await found(product=world("products/pear")) == await found(open=True) == [only.name]
    assert await found(product=world("products/apple")) == []
    assert await found(causes=[oversell_pb2.Oversell.CAUSE_SOLD_TWICE]) == []
    receipt = stock_service_pb2.RecordReceiptRequest(
        product=world("products/pear"), warehouse=world("warehouses/tokyo"), quantity=1
    )
    reply = await api.call("StockService.RecordReceipt", receipt)
    assert await found(open=True) == []
    (cleared,) = (await api.call("StockService.ListOversells", stock_service_pb2.ListOversellsRequest(parent=world.name))).oversells
    assert cleared.cleared_by == reply.movement.name


@happy("SyncService.GetAuditSummary")
async def get_audit_summary(api: Api, world: World) -> None:
    await linked(api, world)

    async def summary(parent: str, **fields: Any) -> sync_service_pb2.GetAuditSummaryResponse:
        request = sync_service_pb2.GetAuditSummaryRequest(parent=world(parent), **fields)
        return await api.call("SyncService.GetAuditSummary", request)  # type: ignore[no-any-return]

    one, two = await summary("shops/one"), await summary("shops/two")
    assert (one.enabled_link_count, one.verified_link_count, one.verified_share) == (1, 0, 0.0)
    assert [(item.cause, item.count) for item in one.cause_counts] == [
        (drift_pb2.Drift.CAUSE_EDITED_IN_SHOP, 1),
        (drift_pb2.Drift.CAUSE_PUSH_LOST, 1),
    ]
    assert (two.enabled_link_count, two.verified_share, list(two.cause_counts)) == (0, 1.0, [])
    assert (await summary("shops/-")).enabled_link_count == 1


@happy("SyncService.ListDrifts")
async def list_drifts(api: Api, world: World) -> None:
    async def found(parent: str, **fields: Any) -> list[tuple[str, int, int]]:
        wanted = sync_service_pb2.ListDriftsRequest.Filter(**fields)
        request = sync_service_pb2.ListDriftsRequest(parent=world(parent), filter=wanted)
        reply = await api.call("SyncService.ListDrifts", request)
        return [(item.link.rpartition("/")[2], item.expected, item.shown) for item in reply.drifts]

    assert await found("shops/one") == await found("shops/-") == [("l2", 5, 9), ("l1", 5, 9)]
    assert await found("shops/-", causes=[drift_pb2.Drift.CAUSE_PUSH_LOST]) == [("l2", 5, 9)]
    assert await found("shops/-", link=world("shops/one/links/l1")) == [("l1", 5, 9)]
    assert await found("shops/two") == []


@happy("SyncService.GetSyncStatus")
async def get_sync_status(api: Api, world: World) -> None:
    await linked(api, world, "l2", "pear")

    answer = await api.call("SyncService.GetSyncStatus", sync_service_pb2.GetSyncStatusRequest(parent=world.name))

    assert answer.link_counts.pending == 1
    assert [status.shop.rpartition("/")[2] for status in answer.shop_statuses] == ["look", "lost", "one", "two"]
    assert (answer.oversold_product_count, answer.unlinked_order_count, answer.suspect_order_count) == (1, 1, 0)


@happy("SyncService.ListLinkStatuses")
async def list_link_statuses(api: Api, world: World) -> None:
    made = await linked(api, world)
    request = sync_service_pb2.ListLinkStatusesRequest(parent=world("shops/-"))
    assert list((await api.call("SyncService.ListLinkStatuses", request)).link_statuses) == [made.link.status]


@happy("SyncService.WatchSync")
async def watch_sync(api: Api, world: World) -> None:
    stream = api.method("SyncService.WatchSync")(sync_service_pb2.WatchSyncRequest(parent=world.name), timeout=60)

    first = await stream.read()

    kinds = {item.WhichOneof("item") for item in first.changes.items}
    assert kinds == {"shop_status", "sync_run"}
    stream.cancel()


# Orders, operations, connectors


@happy("OrderService.GetOrder")
async def get_order(api: Api, world: World) -> None:
    await linked(api, world)
    request = order_service_pb2.GetOrderRequest(name=world("shops/one/orders/gid_3a_2f_2ftoy_2f1"))

    order = (await api.call("OrderService.GetOrder", request)).order

    assert order.name == request.name
    assert order.has_unlinked_lines
    assert [(line.listing.rpartition("/")[2], line.external_listing_id, line.open) for line in order.lines] == [
        ("l1", "ext/1", 2),
        ("l2", "ext/2", 1),
    ]
    assert [(demand.product, demand.open) for demand in order.demands] == [(world("products/apple"), 2)]


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


@happy("SyncService.WatchSyncSession")
async def watch_sync_session(api: Api, world: World) -> None:
    stream = api.method("SyncService.WatchSyncSession")(REQUESTS["SyncService.WatchSyncSession"](world), timeout=60)

    created, states, mark = [await stream.read() for _ in range(3)]

    assert [event.watch_id for event in (created, states, mark)] == [1, 1, 1]
    assert created.HasField("created")
    assert [(event.delivery, event.update.WhichOneof("delivery")) for event in (states, mark)] == [(1, "changes"), (2, "mark")]
    assert mark.update.mark.snapshot_complete
    stream.cancel()


@happy("OperationService.GetOperation")
async def get_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    request = operation_service_pb2.GetOperationRequest(name=begun.name)
    assert (await api.call("OperationService.GetOperation", request)).operation == begun


async def refreshing(api: Api, world: World, shop: str = "one") -> Any:
    request = shop_service_pb2.RefreshListingsRequest(parent=world(f"shops/{shop}"))
    return (await api.call("ShopService.RefreshListings", request)).operation


async def end_operation(world: World, name: str, state: OperationState, result: dict[str, Any] | None = None) -> None:
    """What the engine does at the end of one."""

    def end(uow: Any) -> None:
        record = uow.operations.get(name.rpartition("/")[2])
        uow.operations.put(replace(record, state=state, started_at=uow.now, ended_at=uow.now, result=result))
        uow.advance()

    await world.write(end)


@happy("OperationService.ListOperations")
async def list_operations(api: Api, world: World) -> None:
    first, second = await refreshing(api, world), await refreshing(api, world, "two")
    await end_operation(world, first.name, OperationState.SUCCEEDED, {"listings": 5, "vanished": 1})

    async def found(**fields: Any) -> list[Any]:
        wanted = operation_service_pb2.ListOperationsRequest.Filter(**fields)
        request = operation_service_pb2.ListOperationsRequest(parent=world.name, filter=wanted)
        return list((await api.call("OperationService.ListOperations", request)).operations)

    assert [item.name for item in await found()] == [second.name, first.name]
    (done,) = await found(states=[operation_pb2.Operation.STATE_SUCCEEDED])
    assert done.refresh_listings_report.vanished_count == 1
    assert await found(kinds=[operation_pb2.Operation.KIND_BULK_LINK]) == []


@happy("OperationService.CancelOperation")
async def cancel_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    request = operation_service_pb2.CancelOperationRequest(name=begun.name)

    answer = await api.call("OperationService.CancelOperation", request)
    again = await api.call("OperationService.CancelOperation", request)

    assert answer.operation.state == operation_pb2.Operation.STATE_CANCELLED  # it had not begun
    assert again.operation == answer.operation


@happy("OperationService.WaitOperation")
async def wait_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    asked = operation_service_pb2.WaitOperationRequest(name=begun.name, timeout=duration_pb2.Duration(nanos=50_000_000))

    waiting = await api.call("OperationService.WaitOperation", asked)
    call = api.method("OperationService.WaitOperation")(operation_service_pb2.WaitOperationRequest(name=begun.name), timeout=20)
    await end_operation(world, begun.name, OperationState.SUCCEEDED, {"listings": 5, "vanished": 0})
    done = await call

    assert waiting.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert done.operation.state == operation_pb2.Operation.STATE_SUCCEEDED
    assert done.operation.refresh_listings_report.listing_count == 5


@happy("OperationService.WatchOperation")
async def watch_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    stream = api.method("OperationService.WatchOperation")(operation_service_pb2.WatchOperationRequest(name=begun.name), timeout=20)

    states = aiter(stream)
    first = await anext(states)
    await end_operation(world, begun.name, OperationState.SUCCEEDED, {"listings": 5, "vanished": 0})
    rest = [response async for response in states]

    assert first.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert rest[-1].operation.state == operation_pb2.Operation.STATE_SUCCEEDED
    assert [response.revision for response in rest] == sorted({response.revision for response in rest})


@happy("ConnectorService.ListConnectors")
async def list_connectors(api: Api, world: World) -> None:
    answer = await api.call("ConnectorService.ListConnectors", connector_service_pb2.ListConnectorsRequest())
    assert [item.name for item in answer.connectors] == ["connectors/broken", "connectors/toy", "connectors/toy-readonly"]


@happy("ConnectorService.GetConnector")
async def get_connector(api: Api, world: World) -> None:
    toy_type = await api.call("ConnectorService.GetConnector", connector_service_pb2.GetConnectorRequest(name="connectors/toy"))
    broken = await api.call("ConnectorService.GetConnector", connector_service_pb2.GetConnectorRequest(name="connectors/broken"))

    assert toy_type.connector.state == connector_pb2.Connector.STATE_LOADED
    assert '"writeOnly": true' in toy_type.connector.settings_schema
    assert toy_type.connector.inventory_mode == connector_pb2.Connector.INVENTORY_MODE_COMPARE_AND_SET
    assert broken.connector.failure.stage == connector_pb2.Connector.Failure.STAGE_IMPORT
    assert "nothing" in broken.connector.failure.hint


async def test_every_rpc_has_a_happy_path() -> None:
    assert sorted(HAPPY) == sorted(all_rpcs())
