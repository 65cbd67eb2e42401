"""One valid request of every RPC, for the tests of what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.bench import SECRET, World
from google.protobuf import duration_pb2, struct_pb2
from zaiko.v1 import (
    connector_service_pb2,
    link_pb2,
    link_service_pb2,
    merchant_pb2,
    merchant_service_pb2,
    movement_pb2,
    operation_service_pb2,
    order_service_pb2,
    product_pb2,
    product_service_pb2,
    receiving_service_pb2,
    shop_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
    token_pb2,
    token_service_pb2,
    warehouse_pb2,
    warehouse_service_pb2,
)
from zaiko_core.app import links, operations, orders
from zaiko_core.app.links import LinkDraft
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import (
    AdditionRecord,
    OversellRecord,
    ProductRecord,
    RunRecord,
    RunState,
)
from zaiko_core.app.stock import Binding, allocate
from zaiko_core.domain.addition import AdditionState
from zaiko_core.domain.demand import DemandLine, DemandState, OrderRecord
from zaiko_core.domain.links import Part
from zaiko_core.domain.oversell import Consumption, OversellCause, RootCause, Setting
from zaiko_core.domain.stock import DemandRef, MovementKind
from zaiko_server.options import FILES

OPERATION = "0000000000000001-aaaa"
ADDITION = "77"
ORDER = "shops/one/orders/gid_3a_2f_2ftoy_2f1"
BARE_ORDER = "shops/one/orders/bare-_235"


def all_rpcs() -> list[str]:
    """Return `Service.Method` of every method of the server."""
    return [
        f"{service.name}.{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def request_type(rpc: str) -> Any:
    """Return the descriptor of an RPC's request."""
    service, name = rpc.split(".")
    for file in FILES:
        found = file.DESCRIPTOR.services_by_name.get(service)
        if found is not None:
            return found.methods_by_name[name].input_type
    raise KeyError(rpc)


def furnish(uow: UnitOfWork) -> None:
    """Create what the requests below need beyond `World.seed`: a link of l5 to pear, one of l9 to
    fig without sync, 1 apple held for the order, an operation, an oversell, a current run, and an
    addition whose outcome is unknown."""
    links.create(
        uow, [LinkDraft("one", "l5", (Part("pear"),), True)], can_sync=lambda connector: None
    )
    uow.products.insert([ProductRecord("fig", "F-1")])
    uow.listings.upsert("one", [World.listing("one", 9)])
    links.create(
        uow, [LinkDraft("one", "l9", (Part("fig"),), False)], can_sync=lambda connector: None
    )
    uow.additions.insert(
        [AdditionRecord(ADDITION, "pear", 3, "one", "l5", AdditionState.UNDECIDED)]
    )
    allocate(uow, Binding(DemandRef("one", "gid://toy/1"), "apple", "tokyo", 1, "furnish"))
    orders.ingest(uow, "one", [bare_order(uow)])
    finding = RootCause(OversellCause.SOLD_TWICE, Setting.ESCROW, 3, "told")
    uow.oversells.insert(
        [
            OversellRecord(
                "pear", uow.now, 1, 1, Consumption(1, MovementKind.ORDER_PLACED, 1), finding, (), ()
            )
        ]
    )
    uow.runs.put(RunRecord("one", "0003-cccc", RunState.RUNNING, "REQUEST", 3, uow.now))
    begun = operations.refresh_listings(uow, "two", drawn="aaaa", can_sync=lambda connector: None)
    uow.operations.put(type(begun)(OPERATION, begun.kind, begun.state, "two", {}))


def bare_order(uow: UnitOfWork, number: str = "#5") -> OrderRecord:
    """An order of an apple whose listing the shop no longer knows."""
    line = DemandLine("1", "", 1, 0, 0, "A-1", "Apple")
    at = uow.now
    return OrderRecord(f"bare-{number}", number, at, at, DemandState.OPEN, at, (line,))


def _toy() -> shop_pb2.Shop:
    settings = struct_pb2.Struct()
    settings.update({"domain": "shop.example"})
    return shop_pb2.Shop(
        connector="connectors/toy", display_name="S", settings=settings, secrets={"token": SECRET}
    )


def _binding(world: World) -> dict[str, Any]:
    order = movement_pb2.Demand.OrderReference(
        shop=world("shops/one"), external_order_id="gid://toy/1"
    )
    return {"demand": movement_pb2.Demand(order=order), "quantity": 1} | _place(world)


def _place(world: World) -> dict[str, Any]:
    return {"product": world("products/apple"), "warehouse": world("warehouses/tokyo")}


def _link(world: World) -> link_pb2.Link:
    return link_pb2.Link(
        listing=world("shops/one/listings/l1"), product=world("products/apple"), sync_enabled=True
    )


REQUESTS: dict[str, Callable[[World], Any]] = {
    "ConnectorService.ListConnectors": lambda world: connector_service_pb2.ListConnectorsRequest(),
    "ConnectorService.GetConnector": lambda world: connector_service_pb2.GetConnectorRequest(
        name="connectors/toy"
    ),
    "LinkService.CreateLink": lambda world: link_service_pb2.CreateLinkRequest(
        parent=world("shops/one"), link=_link(world)
    ),
    "LinkService.BatchCreateLinks": lambda world: link_service_pb2.BatchCreateLinksRequest(
        parent=world("shops/one"), requests=[link_service_pb2.CreateLinkRequest(link=_link(world))]
    ),
    "LinkService.UpdateLink": lambda world: link_service_pb2.UpdateLinkRequest(
        link=link_pb2.Link(name=world("shops/one/links/l5"), sync_enabled=False)
    ),
    "LinkService.DeleteLink": lambda world: link_service_pb2.DeleteLinkRequest(
        name=world("shops/one/links/l5")
    ),
    "LinkService.BatchDeleteLinks": lambda world: link_service_pb2.BatchDeleteLinksRequest(
        parent=world("shops/one"), names=[world("shops/one/links/l5")]
    ),
    "LinkService.GetLink": lambda world: link_service_pb2.GetLinkRequest(
        name=world("shops/one/links/l5")
    ),
    "LinkService.ListLinks": lambda world: link_service_pb2.ListLinksRequest(
        parent=world("shops/one")
    ),
    "LinkService.BulkLink": lambda world: link_service_pb2.BulkLinkRequest(
        parent=world("shops/one")
    ),
    "MerchantService.CreateMerchant": lambda world: merchant_service_pb2.CreateMerchantRequest(
        merchant_id=f"{world.id}-new", merchant=merchant_pb2.Merchant(display_name="New")
    ),
    "MerchantService.GetMerchant": lambda world: merchant_service_pb2.GetMerchantRequest(
        name=world.name
    ),
    "MerchantService.ListMerchants": lambda world: merchant_service_pb2.ListMerchantsRequest(),
    "MerchantService.UpdateMerchant": lambda world: merchant_service_pb2.UpdateMerchantRequest(
        merchant=merchant_pb2.Merchant(name=world.name, display_name="Other")
    ),
    "OperationService.GetOperation": lambda world: operation_service_pb2.GetOperationRequest(
        name=world(f"operations/{OPERATION}")
    ),
    "OperationService.ListOperations": lambda world: operation_service_pb2.ListOperationsRequest(
        parent=world.name
    ),
    "OperationService.CancelOperation": lambda world: operation_service_pb2.CancelOperationRequest(
        name=world(f"operations/{OPERATION}")
    ),
    "OperationService.WatchOperation": lambda world: operation_service_pb2.WatchOperationRequest(
        name=world(f"operations/{OPERATION}")
    ),
    "OperationService.WaitOperation": lambda world: operation_service_pb2.WaitOperationRequest(
        name=world(f"operations/{OPERATION}"), timeout={"nanos": 1}
    ),
    "OrderService.GetOrder": lambda world: order_service_pb2.GetOrderRequest(
        name=world("shops/one/orders/gid_3a_2f_2ftoy_2f1")
    ),
    "OrderService.ListOrders": lambda world: order_service_pb2.ListOrdersRequest(
        parent=world("shops/one")
    ),
    "OrderService.ReleaseOrder": lambda world: order_service_pb2.ReleaseOrderRequest(
        name=world(ORDER)
    ),
    "OrderService.HoldOrder": lambda world: order_service_pb2.HoldOrderRequest(name=world(ORDER)),
    "OrderService.AssignOrderLines": lambda world: order_service_pb2.AssignOrderLinesRequest(
        name=world(BARE_ORDER)
    ),
    "OrderService.PreviewSuspectPolicy": lambda world: (
        order_service_pb2.PreviewSuspectPolicyRequest(
            shop=world("shops/one"), policy=shop_pb2.SuspectPolicy(archived_release_days=1)
        )
    ),
    "ProductService.CreateProduct": lambda world: product_service_pb2.CreateProductRequest(
        parent=world.name, product=product_pb2.Product(code="N-1")
    ),
    "ProductService.BatchCreateProducts": lambda world: (
        product_service_pb2.BatchCreateProductsRequest(
            parent=world.name,
            requests=[
                product_service_pb2.CreateProductRequest(product=product_pb2.Product(code="N-1"))
            ],
        )
    ),
    "ProductService.UpdateProduct": lambda world: product_service_pb2.UpdateProductRequest(
        product=product_pb2.Product(name=world("products/apple"), display_name="Other")
    ),
    "ProductService.ArchiveProduct": lambda world: product_service_pb2.ArchiveProductRequest(
        name=world("products/apple")
    ),
    "ProductService.GetProduct": lambda world: product_service_pb2.GetProductRequest(
        name=world("products/apple")
    ),
    "ProductService.BatchGetProducts": lambda world: product_service_pb2.BatchGetProductsRequest(
        parent=world.name, names=[world("products/apple")]
    ),
    "ProductService.ListProducts": lambda world: product_service_pb2.ListProductsRequest(
        parent=world.name
    ),
    "ReceivingService.SetReceivingOnly": lambda world: (
        receiving_service_pb2.SetReceivingOnlyRequest(product=world("products/fig"), enabled=True)
    ),
    "ReceivingService.GetAddition": lambda world: receiving_service_pb2.GetAdditionRequest(
        name=world(f"additions/{ADDITION}")
    ),
    "ReceivingService.ListAdditions": lambda world: receiving_service_pb2.ListAdditionsRequest(
        parent=world.name
    ),
    "ReceivingService.ResolveAddition": lambda world: receiving_service_pb2.ResolveAdditionRequest(
        name=world(f"additions/{ADDITION}"),
        outcome=receiving_service_pb2.ResolveAdditionRequest.OUTCOME_ADDED,
    ),
    "ReceivingService.CutOver": lambda world: receiving_service_pb2.CutOverRequest(
        parent=world("shops/one"), dry_run=True
    ),
    "ShopService.CreateShop": lambda world: shop_service_pb2.CreateShopRequest(
        parent=world.name, shop_id="new", shop=_toy()
    ),
    "ShopService.UpdateShop": lambda world: shop_service_pb2.UpdateShopRequest(
        shop=shop_pb2.Shop(name=world("shops/one"), display_name="Other")
    ),
    "ShopService.DeleteShop": lambda world: shop_service_pb2.DeleteShopRequest(
        name=world("shops/two")
    ),
    "ShopService.GetShop": lambda world: shop_service_pb2.GetShopRequest(name=world("shops/one")),
    "ShopService.ListShops": lambda world: shop_service_pb2.ListShopsRequest(parent=world.name),
    "ShopService.CheckShop": lambda world: shop_service_pb2.CheckShopRequest(
        name=world("shops/one")
    ),
    "ShopService.PauseShop": lambda world: shop_service_pb2.PauseShopRequest(
        name=world("shops/one")
    ),
    "ShopService.ResumeShop": lambda world: shop_service_pb2.ResumeShopRequest(
        name=world("shops/one")
    ),
    "ShopService.ListListings": lambda world: shop_service_pb2.ListListingsRequest(
        parent=world("shops/one")
    ),
    "ShopService.ListShadowDifferences": lambda world: (
        shop_service_pb2.ListShadowDifferencesRequest(parent=world("shops/one"))
    ),
    "ShopService.RefreshListings": lambda world: shop_service_pb2.RefreshListingsRequest(
        parent=world("shops/one")
    ),
    "StockService.GetStock": lambda world: stock_service_pb2.GetStockRequest(
        name=world("products/apple/stock")
    ),
    "StockService.BatchGetStocks": lambda world: stock_service_pb2.BatchGetStocksRequest(
        parent=world.name, names=[world("products/apple/stock")]
    ),
    "StockService.ListStocks": lambda world: stock_service_pb2.ListStocksRequest(parent=world.name),
    "StockService.SetReserve": lambda world: stock_service_pb2.SetReserveRequest(
        product=world("products/apple"), reserve=1
    ),
    "StockService.SetEscrow": lambda world: stock_service_pb2.SetEscrowRequest(
        product=world("products/apple"), escrow_below=5
    ),
    "StockService.BatchSetReserves": lambda world: stock_service_pb2.BatchSetReservesRequest(
        parent=world.name,
        requests=[stock_service_pb2.SetReserveRequest(product=world("products/apple"), reserve=1)],
    ),
    "StockService.RecordReceipt": lambda world: stock_service_pb2.RecordReceiptRequest(
        **_place(world), quantity=1
    ),
    "StockService.BatchRecordReceipts": lambda world: stock_service_pb2.BatchRecordReceiptsRequest(
        parent=world.name,
        requests=[
            stock_service_pb2.RecordReceiptRequest(
                **_place(world), quantity=1, cause_key="delivered"
            )
        ],
    ),
    "StockService.StreamMovements": lambda world: stock_service_pb2.StreamMovementsRequest(
        sequence=1,
        parent=world.name,
        receipt=stock_service_pb2.RecordReceiptRequest(
            **_place(world), quantity=1, cause_key="streamed"
        ),
    ),
    "StockService.AdjustStock": lambda world: stock_service_pb2.AdjustStockRequest(
        **_place(world), delta=-1
    ),
    "StockService.TransferStock": lambda world: stock_service_pb2.TransferStockRequest(
        product=world("products/apple"),
        from_warehouse=world("warehouses/tokyo"),
        to_warehouse=world("warehouses/osaka"),
        quantity=1,
    ),
    "StockService.AllocateStock": lambda world: stock_service_pb2.AllocateStockRequest(
        **_binding(world)
    ),
    "StockService.DeallocateStock": lambda world: stock_service_pb2.DeallocateStockRequest(
        **_binding(world)
    ),
    "StockService.ShipStock": lambda world: stock_service_pb2.ShipStockRequest(**_binding(world)),
    "StockService.ListMovements": lambda world: stock_service_pb2.ListMovementsRequest(
        parent=world.name
    ),
    "StockService.ExplainStock": lambda world: stock_service_pb2.ExplainStockRequest(
        product=world("products/apple")
    ),
    "StockService.GetOversell": lambda world: stock_service_pb2.GetOversellRequest(
        name=world("oversells/0000000000000001")
    ),
    "StockService.ListOversells": lambda world: stock_service_pb2.ListOversellsRequest(
        parent=world.name
    ),
    "StockService.WatchStocks": lambda world: stock_service_pb2.WatchStocksRequest(
        parent=world.name
    ),
    "SyncService.SyncNow": lambda world: sync_service_pb2.SyncNowRequest(shop=world("shops/one")),
    "SyncService.GetSyncRun": lambda world: sync_service_pb2.GetSyncRunRequest(
        name=world("shops/one/runs/0001-aaaa")
    ),
    "SyncService.CancelSyncRun": lambda world: sync_service_pb2.CancelSyncRunRequest(
        name=world("shops/one/runs/0003-cccc")
    ),
    "SyncService.ListSyncRuns": lambda world: sync_service_pb2.ListSyncRunsRequest(
        parent=world("shops/one")
    ),
    "SyncService.WaitSettled": lambda world: sync_service_pb2.WaitSettledRequest(
        product=world("products/apple"), timeout=duration_pb2.Duration(nanos=1)
    ),
    "SyncService.GetSyncStatus": lambda world: sync_service_pb2.GetSyncStatusRequest(
        parent=world.name
    ),
    "SyncService.GetAuditSummary": lambda world: sync_service_pb2.GetAuditSummaryRequest(
        parent=world("shops/-")
    ),
    "SyncService.ListDrifts": lambda world: sync_service_pb2.ListDriftsRequest(
        parent=world("shops/one")
    ),
    "SyncService.ListLinkStatuses": lambda world: sync_service_pb2.ListLinkStatusesRequest(
        parent=world("shops/one")
    ),
    "SyncService.WatchSyncSession": lambda world: sync_service_pb2.WatchSyncSessionRequest(
        watch_id=1, create=sync_service_pb2.WatchSyncRequest(parent=world.name)
    ),
    "SyncService.WatchSync": lambda world: sync_service_pb2.WatchSyncRequest(parent=world.name),
    "TokenService.CreateToken": lambda world: token_service_pb2.CreateTokenRequest(
        token=token_pb2.Token(display_name="N", role="ROLE_READER", merchants=[world.name])
    ),
    "TokenService.GetToken": lambda world: token_service_pb2.GetTokenRequest(
        name=f"tokens/{world.id}"
    ),
    "TokenService.ListTokens": lambda world: token_service_pb2.ListTokensRequest(),
    "TokenService.RevokeToken": lambda world: token_service_pb2.RevokeTokenRequest(
        name=f"tokens/{world.id}"
    ),
    "WarehouseService.CreateWarehouse": lambda world: warehouse_service_pb2.CreateWarehouseRequest(
        parent=world.name,
        warehouse_id="nagoya",
        warehouse=warehouse_pb2.Warehouse(display_name="N"),
    ),
    "WarehouseService.GetWarehouse": lambda world: warehouse_service_pb2.GetWarehouseRequest(
        name=world("warehouses/tokyo")
    ),
    "WarehouseService.ListWarehouses": lambda world: warehouse_service_pb2.ListWarehousesRequest(
        parent=world.name
    ),
}


def has(rpc: str, field: str) -> bool:
    """Return whether an RPC's request has a field."""
    return field in request_type(rpc).fields_by_name


def replaced(message: Any, old: str, new: str) -> Any:
    """Return a copy of a request in which `new` replaces `old` in every text."""
    copy = type(message)()
    copy.CopyFrom(message)
    _replace(copy, old, new)
    return copy


def _replace(message: Any, old: str, new: str) -> None:
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                _replace(item, old, new)
        elif field.type == field.TYPE_STRING and field.is_repeated:
            value[:] = [item.replace(old, new) for item in value]
        elif field.type == field.TYPE_STRING:
            setattr(message, field.name, value.replace(old, new))
