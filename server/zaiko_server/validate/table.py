"""Which field of which request has which rules: an entry for every field of every request, also for
free ones.

Paths are dotted; `[]` stands for every item of a list. The entry of a message or of a list is about
itself, the entries below it are about what it holds. A name of a oneof stands for the choice. Below
`Ignored` nothing has an entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from zaiko.v1 import link_pb2

from zaiko_server import names
from zaiko_server.names import CHOSEN_ID, Name
from zaiko_server.validate.rules import (
    Absent,
    Empty,
    Entries,
    Free,
    Ignored,
    Items,
    Known,
    Named,
    NotFuture,
    NotZero,
    OneShop,
    Pattern,
    Range,
    Required,
    Rule,
    SameAs,
    Text,
    Trimmed,
    Unique,
    Uuid,
    With,
    Within,
)

Rules = tuple[Rule, ...]
Fields = Mapping[str, Rules]

LARGEST = 1_000_000_000
BATCH = 1_000

_FREE: Rules = (Free(),)
_OUTPUT: Rules = (Ignored(),)
_DISPLAY_NAME: Rules = (Required(), Text(200))
_ETAG: Rules = (Text(100),)
_KINDS: Rules = (Items(50), Known())
_QUANTITY: Rules = (Range(1, LARGEST),)
_CODES: Rules = (Items(BATCH), Text(200))
_PREFIX: Rules = (Text(100),)


def _name(kind: Name, *, wildcard: bool = False) -> Rules:
    return (Required(), Named(kind, wildcard))


def _maybe(kind: Name) -> Rules:
    return (Named(kind),)


def _new_id(*, required: bool = True) -> Rules:
    form = Pattern(
        CHOSEN_ID,
        "use 2 to 63 lower-case letters, digits and dashes, a letter first and no dash last",
    )
    return (Required(), form) if required else (form,)


def _below(prefix: str, fields: Fields) -> dict[str, Rules]:
    return {f"{prefix}.{path}": rules for path, rules in fields.items()}


_REQUEST_ID: Fields = {"request_id": (Uuid(),)}
_PAGE: Fields = {"page_size": (Range(0, 2**31 - 1),), "page_token": (Text(4096),)}
_STAMPS: Fields = {"create_time": _OUTPUT, "update_time": _OUTPUT, "revision": _OUTPUT}
_VERB: Fields = {"etag": _ETAG, **_REQUEST_ID}
_START: Fields = {
    "start": (Free("unset = a snapshot"),),
    "start.position": (Free("unset = a snapshot"),),
    "start.snapshot": (Free("has no settings yet"),),
    "start.resume_token": (Text(4096),),
    "start.bookmark_interval": (Free("moved to the nearest allowed one"),),
}


def _by_name(kind: Name) -> Fields:
    return {"name": _name(kind)}


def _in_merchant(fields: Fields | None = None) -> dict[str, Rules]:
    return {"parent": _name(names.MERCHANT), **_PAGE, **(fields or {})}


def _in_shops(fields: Fields | None = None) -> dict[str, Rules]:
    return {"parent": _name(names.SHOP, wildcard=True), **_PAGE, **(fields or {})}


def _filter(fields: Fields) -> dict[str, Rules]:
    return {"filter": _FREE, **_below("filter", fields)}


_WATCH_SYNC: Fields = {
    "parent": _name(names.MERCHANT),
    **_filter({"shops": (Items(100), Required(), Named(names.SHOP)), "subjects": _KINDS}),
    **_START,
}
_MERCHANT: Fields = {
    "display_name": _DISPLAY_NAME,
    "inventory_sync_available": (Free("unset = true"),),
    "create_time": _OUTPUT,
    "update_time": _OUTPUT,
    "revision": _OUTPUT,
}
_WAREHOUSE: Fields = {"name": _OUTPUT, "display_name": _DISPLAY_NAME, "etag": _OUTPUT, **_STAMPS}
_PRODUCT: Fields = {
    "code": (Required(), Text(100), Trimmed()),
    "barcode": (Text(100),),
    "display_name": (Text(500),),
    "state": _OUTPUT,
    "receiving_only": _OUTPUT,
    **_STAMPS,
}
_DAYS: Rules = (Range(1, 365),)


def _policy(prefix: str) -> Fields:
    days = (
        "archived_release_days",
        "vanished_release_days",
        "unpaid_release_days",
        "unpaid_suspect_days",
    )
    return _below(prefix, dict.fromkeys(days, _DAYS))


_SHOP: Fields = {
    "display_name": _DISPLAY_NAME,
    "state": _OUTPUT,
    "settings": (Free("the connector's own schema, checked with it"),),
    "secrets": (Entries(50, longest_key=100, longest=10_000),),
    "secret_names": _OUTPUT,
    "sync_interval": (Within(10, 86_400),),
    "drift_policy": (Known(unspecified=True),),
    "shadow": (Free("unset = false"),),
    "suspect_policy": (Free("unset = everything is held"),),
    **_policy("suspect_policy"),
    "status": _OUTPUT,
    **_STAMPS,
}
_NEW_LINK: Fields = {
    "name": _OUTPUT,
    "listing": _name(names.LISTING),
    "target": (Required(),),
    "product": _maybe(names.PRODUCT),
    "bundle": _FREE,
    "bundle.parts": (Items(50, least=1), Unique(by=("product",), batch=False)),
    "bundle.parts[].product": _name(names.PRODUCT),
    "bundle.parts[].count": (Range(1, 10_000),),
    "sync_enabled": (Free("unset = false"),),
    "mode": (
        Known(
            unspecified=True,
            never=(link_pb2.Link.MODE_RECEIVING_ONLY,),
            instead="call SetReceivingOnly for its product",
        ),
    ),
    "status": _OUTPUT,
    "etag": _OUTPUT,
    **_STAMPS,
}
_CREATE_PRODUCT: Fields = {
    "product_id": _new_id(required=False),
    "product": (Required(),),
    **_below("product", {"name": _OUTPUT, "etag": _OUTPUT, **_PRODUCT}),
}
_CREATE_LINK: Fields = {"link": (Required(),), **_below("link", _NEW_LINK)}
_SET_RESERVE: Fields = {
    "product": _name(names.PRODUCT),
    "reserve": (Range(0, LARGEST),),
    "etag": _ETAG,
}
_IN_BATCH: Fields = {
    "parent": (SameAs("parent"),),
    "request_id": (Empty("the id of the batch counts"),),
}
_FACT: Fields = {
    "product": _name(names.PRODUCT),
    "warehouse": _name(names.WAREHOUSE),
    "cause_key": (Text(200),),
    "note": (Text(1000),),
    "occur_time": (NotFuture(300),),
    **_REQUEST_ID,
}
_RECEIPT: Fields = {"quantity": _QUANTITY, **_FACT}
_BINDING: Fields = {
    "demand": (Required(),),
    "demand.reference": (Required(),),
    "demand.order": _FREE,
    "demand.order.shop": _name(names.SHOP),
    "demand.order.external_order_id": (Required(), Text(200)),
    "demand.shipment": (Required(), Text(200)),
    "quantity": _QUANTITY,
    **_FACT,
}
_STREAMED: Fields = {
    "cause_key": (Required(), Text(200)),
    "request_id": (Empty("the cause key makes it safe to repeat"),),
}

TABLE: Mapping[str, Fields] = {
    # ConnectorService
    "ListConnectorsRequest": _PAGE,
    "GetConnectorRequest": _by_name(names.CONNECTOR),
    # LinkService
    "CreateLinkRequest": {"parent": _name(names.SHOP), **_CREATE_LINK, **_REQUEST_ID},
    "BatchCreateLinksRequest": {
        "parent": _name(names.SHOP, wildcard=True),
        "requests": (Items(BATCH, least=1, batch=True), Unique(by=("link.listing",))),
        **_below("requests[]", {**_IN_BATCH, **_CREATE_LINK}),
        **_REQUEST_ID,
    },
    "UpdateLinkRequest": {
        "link": (Required(),),
        **_below(
            "link",
            {
                "name": _name(names.LINK),
                "listing": (Free("compared with what is stored"),),
                "target": (Free("compared with what is stored"),),
                "product": (Free("compared with what is stored"),),
                "bundle": _OUTPUT,
                "sync_enabled": (Free("unset = false"),),
                "mode": _OUTPUT,
                "status": _OUTPUT,
                "etag": _ETAG,
                **_STAMPS,
            },
        ),
        "update_mask": (Free("see masks.py"),),
        **_REQUEST_ID,
    },
    "DeleteLinkRequest": {"name": _name(names.LINK), "release_orders": _FREE, **_VERB},
    "BatchDeleteLinksRequest": {
        "parent": _name(names.SHOP, wildcard=True),
        "names": (Items(BATCH, least=1, batch=True), Unique(), Required(), Named(names.LINK)),
        "release_orders": _FREE,
        **_REQUEST_ID,
    },
    "GetLinkRequest": _by_name(names.LINK),
    "ListLinksRequest": _in_shops(
        _filter({"product": _maybe(names.PRODUCT), "sync_enabled": _FREE, "states": _KINDS})
    ),
    "BulkLinkRequest": {
        "parent": _name(names.SHOP),
        "match_barcode": _FREE,
        "enable_sync": _FREE,
        "dry_run": _FREE,
        **_REQUEST_ID,
    },
    # MerchantService
    "CreateMerchantRequest": {
        "merchant_id": _new_id(),
        "merchant": (Required(),),
        **_below("merchant", {"name": _OUTPUT, "etag": _OUTPUT, **_MERCHANT}),
        **_REQUEST_ID,
    },
    "GetMerchantRequest": _by_name(names.MERCHANT),
    "ListMerchantsRequest": _PAGE,
    "UpdateMerchantRequest": {
        "merchant": (Required(),),
        **_below("merchant", {"name": _name(names.MERCHANT), "etag": _ETAG, **_MERCHANT}),
        "update_mask": (Free("see masks.py"),),
        **_REQUEST_ID,
    },
    # OperationService
    "GetOperationRequest": _by_name(names.OPERATION),
    "ListOperationsRequest": _in_merchant(_filter({"kinds": _KINDS, "states": _KINDS})),
    "CancelOperationRequest": {"name": _name(names.OPERATION), **_REQUEST_ID},
    "WatchOperationRequest": {"name": _name(names.OPERATION)},
    "WaitOperationRequest": {
        "name": _name(names.OPERATION),
        "timeout": (Within(0, 315_576_000_000),),
    },
    # OrderService
    "GetOrderRequest": _by_name(names.ORDER),
    "ListOrdersRequest": _in_shops(
        _filter(
            {
                "states": _KINDS,
                "suspect": _FREE,
                "unlinked": _FREE,
                "external_ids": (*_CODES, OneShop()),
            }
        )
    ),
    "ReleaseOrderRequest": {"name": _name(names.ORDER), **_VERB},
    "HoldOrderRequest": {"name": _name(names.ORDER), **_VERB},
    "PreviewSuspectPolicyRequest": {
        "shop": _name(names.SHOP),
        "policy": (Required(),),
        **_policy("policy"),
    },
    # ProductService
    "CreateProductRequest": {"parent": _name(names.MERCHANT), **_CREATE_PRODUCT, **_REQUEST_ID},
    "BatchCreateProductsRequest": {
        "parent": _name(names.MERCHANT),
        "requests": (Items(BATCH, least=1, batch=True), Unique(by=("product.code", "product_id"))),
        **_below("requests[]", {**_IN_BATCH, **_CREATE_PRODUCT}),
        **_REQUEST_ID,
    },
    "UpdateProductRequest": {
        "product": (Required(),),
        **_below("product", {"name": _name(names.PRODUCT), "etag": _ETAG, **_PRODUCT}),
        "update_mask": (Free("see masks.py"),),
        **_REQUEST_ID,
    },
    "ArchiveProductRequest": {"name": _name(names.PRODUCT), **_VERB},
    "GetProductRequest": _by_name(names.PRODUCT),
    "BatchGetProductsRequest": {
        "parent": _name(names.MERCHANT),
        "names": (Items(BATCH, least=1, batch=True), Unique(), Required(), Named(names.PRODUCT)),
    },
    "ListProductsRequest": _in_merchant(
        _filter({"codes": _CODES, "states": _KINDS, "query": _PREFIX})
    ),
    # ReceivingService
    "SetReceivingOnlyRequest": {
        "product": _name(names.PRODUCT),
        "enabled": (Free("unset = false"),),
        "etag": _ETAG,
        **_REQUEST_ID,
    },
    "GetAdditionRequest": _by_name(names.ADDITION),
    "ListAdditionsRequest": _in_merchant(
        _filter({"product": _maybe(names.PRODUCT), "shop": _maybe(names.SHOP), "states": _KINDS})
    ),
    "ResolveAdditionRequest": {"name": _name(names.ADDITION), "outcome": (Known(),), **_REQUEST_ID},
    "CutOverRequest": {"parent": _name(names.SHOP), "dry_run": _FREE, **_REQUEST_ID},
    # ShopService
    "CreateShopRequest": {
        "parent": _name(names.MERCHANT),
        "shop_id": _new_id(),
        "shop": (Required(),),
        **_below(
            "shop", {"name": _OUTPUT, "connector": _name(names.CONNECTOR), "etag": _OUTPUT, **_SHOP}
        ),
        **_REQUEST_ID,
    },
    "UpdateShopRequest": {
        "shop": (Required(),),
        **_below(
            "shop",
            {
                "name": _name(names.SHOP),
                "connector": (Free("compared with what is stored"),),
                "etag": _ETAG,
                **_SHOP,
            },
        ),
        "update_mask": (Free("see masks.py"),),
        **_REQUEST_ID,
    },
    "DeleteShopRequest": {"name": _name(names.SHOP), **_VERB},
    "GetShopRequest": _by_name(names.SHOP),
    "ListShopsRequest": _in_merchant(),
    "CheckShopRequest": _by_name(names.SHOP),
    "PauseShopRequest": {"name": _name(names.SHOP), **_VERB},
    "ResumeShopRequest": {"name": _name(names.SHOP), **_VERB},
    "ListListingsRequest": _in_shops(
        _filter({"linked": _FREE, "query": _PREFIX, "vanished": _FREE})
    ),
    "ListShadowDifferencesRequest": _in_shops(_filter({"include_equal": _FREE})),
    "RefreshListingsRequest": {"parent": _name(names.SHOP), **_REQUEST_ID},
    # StockService
    "GetStockRequest": _by_name(names.STOCK),
    "BatchGetStocksRequest": {
        "parent": _name(names.MERCHANT),
        "names": (Items(BATCH, least=1, batch=True), Unique(), Required(), Named(names.STOCK)),
    },
    "ListStocksRequest": _in_merchant(
        _filter({"oversold": _FREE, "products": (Items(BATCH), Required(), Named(names.PRODUCT))})
    ),
    "SetReserveRequest": {**_SET_RESERVE, **_REQUEST_ID},
    "SetEscrowRequest": {
        "product": _name(names.PRODUCT),
        "escrow_below": (Range(0, LARGEST),),
        "etag": _ETAG,
        **_REQUEST_ID,
    },
    "BatchSetReservesRequest": {
        "parent": _name(names.MERCHANT),
        "requests": (Items(BATCH, least=1, batch=True), Unique(by=("product",))),
        **_below("requests[]", {**_SET_RESERVE, "request_id": _IN_BATCH["request_id"]}),
        **_REQUEST_ID,
    },
    "RecordReceiptRequest": _RECEIPT,
    "BatchRecordReceiptsRequest": {
        "parent": _name(names.MERCHANT),
        "requests": (Items(BATCH, least=1, batch=True), Unique(by=("cause_key",))),
        **_below("requests[]", {**_RECEIPT, "request_id": _IN_BATCH["request_id"]}),
        **_REQUEST_ID,
    },
    "StreamMovementsRequest": {
        "sequence": (Range(1, 2**63 - 1),),
        "parent": _name(names.MERCHANT),
        "fact": (Required(),),
        "receipt": _FREE,
        **_below("receipt", {**_RECEIPT, **_STREAMED}),
        "adjustment": _FREE,
        "adjustment.change": (Required(),),
        "adjustment.delta": (Range(-LARGEST, LARGEST), NotZero()),
        "adjustment.counted": (Absent("say by how much, or use AdjustStock"),),
        "adjustment.etag": (Empty("it belongs to a count"),),
        **_below("adjustment", {**_FACT, **_STREAMED}),
        "allocation": _FREE,
        **_below("allocation", {**_BINDING, **_STREAMED}),
        "deallocation": _FREE,
        **_below("deallocation", {**_BINDING, **_STREAMED}),
        "shipment": _FREE,
        **_below("shipment", {**_BINDING, **_STREAMED}),
    },
    "AdjustStockRequest": {
        "change": (Required(),),
        "delta": (Range(-LARGEST, LARGEST), NotZero()),
        "counted": (Range(0, LARGEST),),
        "etag": (Text(100), With("counted")),
        **_FACT,
    },
    "AllocateStockRequest": _BINDING,
    "DeallocateStockRequest": _BINDING,
    "ShipStockRequest": _BINDING,
    "ListMovementsRequest": _in_merchant(
        _filter(
            {
                "product": _maybe(names.PRODUCT),
                "warehouse": _maybe(names.WAREHOUSE),
                "kinds": _KINDS,
            }
        )
    ),
    "ExplainStockRequest": {
        "subject": (Required(),),
        "product": _name(names.PRODUCT),
        "link": _name(names.LINK),
        "at_revision": (Range(0, 2**63 - 1),),
        "promise_limit": (Range(0, 2**31 - 1),),
    },
    "GetOversellRequest": _by_name(names.OVERSELL),
    "ListOversellsRequest": _in_merchant(
        _filter(
            {"product": _maybe(names.PRODUCT), "causes": _KINDS, "open": (Free("unset = all"),)}
        )
    ),
    "WatchStocksRequest": {
        "parent": _name(names.MERCHANT),
        **_filter({"products": (Items(BATCH), Required(), Named(names.PRODUCT))}),
        **_START,
    },
    # SyncService
    "SyncNowRequest": {
        "subject": (Required(),),
        "shop": _name(names.SHOP),
        "link": _name(names.LINK),
        "product": _name(names.PRODUCT),
        **_REQUEST_ID,
    },
    "GetSyncRunRequest": _by_name(names.RUN),
    "CancelSyncRunRequest": {"name": _name(names.RUN), **_REQUEST_ID},
    "ListSyncRunsRequest": _in_shops(_filter({"states": _KINDS})),
    "GetAuditSummaryRequest": {
        "parent": _name(names.SHOP, wildcard=True),
        "window": (Within(1, 30 * 86_400),),
    },
    "ListDriftsRequest": _in_shops(_filter({"link": _maybe(names.LINK), "causes": _KINDS})),
    "GetSyncStatusRequest": {"parent": _name(names.MERCHANT)},
    "ListLinkStatusesRequest": _in_shops(
        _filter({"product": _maybe(names.PRODUCT), "states": _KINDS})
    ),
    "WatchSyncRequest": _WATCH_SYNC,
    "WatchSyncSessionRequest": {
        "watch_id": (Range(1, 2**31 - 1),),
        "request": (Required(),),
        "create": _FREE,
        **_below("create", _WATCH_SYNC),
        "cancel": _FREE,
        "ack": _FREE,
        "ack.delivery": (Range(1, 2**31 - 1),),
        "progress": _FREE,
    },
    # TokenService
    "CreateTokenRequest": {
        "token": (Required(),),
        "token.name": _OUTPUT,
        "token.display_name": _DISPLAY_NAME,
        "token.role": (Known(),),
        "token.merchants": (Items(BATCH), Unique(), Required(), Named(names.MERCHANT)),
        "token.all_merchants": (Free("or else merchants"),),
        "token.certificate": (Text(500), Trimmed()),
        "token.expire_time": (Free("unset = never; compared with the store's clock"),),
        "token.create_time": _OUTPUT,
        "token.creator": _OUTPUT,
        "token.revoke_time": _OUTPUT,
        "token.last_use_time": _OUTPUT,
    },
    "GetTokenRequest": _by_name(names.TOKEN),
    "ListTokensRequest": _PAGE,
    "RevokeTokenRequest": _by_name(names.TOKEN),
    # WarehouseService
    "CreateWarehouseRequest": {
        "parent": _name(names.MERCHANT),
        "warehouse_id": _new_id(),
        "warehouse": (Required(),),
        **_below("warehouse", _WAREHOUSE),
        **_REQUEST_ID,
    },
    "GetWarehouseRequest": _by_name(names.WAREHOUSE),
    "ListWarehousesRequest": _in_merchant(),
}
