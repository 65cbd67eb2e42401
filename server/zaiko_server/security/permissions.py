"""Which permission each method needs. A method without an entry is refused for everybody (a test
compares with what is served)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zaiko_core.domain.access import Permission

P = Permission
OPEN: Final = None
"""Anybody may ask: whether the server lives is no secret, and load balancers have no tokens."""

_SERVICES: Mapping[str, Mapping[P, tuple[str, ...]]] = {
    "ConnectorService": {P.CONNECTORS_READ: ("ListConnectors", "GetConnector")},
    "LinkService": {
        P.LINKS_READ: ("GetLink", "ListLinks"),
        P.LINKS_WRITE: (
            "CreateLink",
            "BatchCreateLinks",
            "UpdateLink",
            "DeleteLink",
            "BatchDeleteLinks",
            "BulkLink",
        ),
    },
    "MerchantService": {
        P.MERCHANTS_CREATE: ("CreateMerchant",),
        P.MERCHANTS_READ: ("GetMerchant", "ListMerchants"),
        P.MERCHANTS_WRITE: ("UpdateMerchant",),
    },
    "OperationService": {
        P.OPERATIONS_READ: ("GetOperation", "ListOperations", "WaitOperation", "WatchOperation"),
        P.OPERATIONS_CANCEL: ("CancelOperation",),
    },
    "OrderService": {
        P.ORDERS_READ: ("GetOrder", "ListOrders", "PreviewSuspectPolicy"),
        P.ORDERS_WRITE: ("ReleaseOrder", "HoldOrder"),
    },
    "ProductService": {
        P.PRODUCTS_READ: ("GetProduct", "BatchGetProducts", "ListProducts"),
        P.PRODUCTS_WRITE: (
            "CreateProduct",
            "BatchCreateProducts",
            "UpdateProduct",
            "ArchiveProduct",
        ),
    },
    "ReceivingService": {
        P.LINKS_READ: ("GetAddition", "ListAdditions"),
        P.LINKS_WRITE: ("SetReceivingOnly", "ResolveAddition", "CutOver"),
    },
    "ShopService": {
        P.SHOPS_READ: ("GetShop", "ListShops", "ListListings", "ListShadowDifferences"),
        P.SHOPS_RUN: ("CheckShop", "PauseShop", "ResumeShop", "RefreshListings"),
        P.SHOPS_WRITE: ("CreateShop", "UpdateShop", "DeleteShop"),
    },
    "StockService": {
        P.STOCK_READ: (
            "GetStock",
            "BatchGetStocks",
            "ListStocks",
            "ListMovements",
            "ExplainStock",
            "GetOversell",
            "ListOversells",
            "WatchStocks",
        ),
        P.STOCK_RESERVE: ("SetReserve", "BatchSetReserves", "SetEscrow"),
        P.STOCK_WRITE: (
            "RecordReceipt",
            "BatchRecordReceipts",
            "AdjustStock",
            "AllocateStock",
            "DeallocateStock",
            "ShipStock",
            "StreamMovements",
        ),
    },
    "SyncService": {
        P.SYNC_READ: (
            "GetSyncRun",
            "ListSyncRuns",
            "GetSyncStatus",
            "GetAuditSummary",
            "ListDrifts",
            "ListLinkStatuses",
            "WatchSync",
            "WatchSyncSession",
        ),
        P.SYNC_RUN: ("SyncNow", "CancelSyncRun"),
    },
    "TokenService": {
        P.TOKENS_READ: ("GetToken", "ListTokens"),
        P.TOKENS_WRITE: ("CreateToken", "RevokeToken"),
    },
    "WarehouseService": {
        P.WAREHOUSES_READ: ("GetWarehouse", "ListWarehouses"),
        P.WAREHOUSES_WRITE: ("CreateWarehouse",),
    },
}
_CHANNELZ = (
    "GetTopChannels",
    "GetServers",
    "GetServer",
    "GetServerSockets",
    "GetChannel",
    "GetSubchannel",
    "GetSocket",
)

RULES: Final[Mapping[str, P | None]] = {
    **{
        f"/zaiko.v1.{service}/{method}": permission
        for service, permissions in _SERVICES.items()
        for permission, methods in permissions.items()
        for method in methods
    },
    "/grpc.health.v1.Health/Check": OPEN,
    "/grpc.health.v1.Health/Watch": OPEN,
    "/grpc.health.v1.Health/List": OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": P.SERVER_INSPECT,
    **{f"/grpc.channelz.v1.Channelz/{method}": P.SERVER_INSPECT for method in _CHANNELZ},
}
"""By the method's full name."""
