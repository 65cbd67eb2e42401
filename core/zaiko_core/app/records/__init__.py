"""What is stored, as immutable values. Times are µs since 1970; `revision` is that of the last
change."""

from zaiko_core.app.records.additions import AdditionRecord, PlaceRecord
from zaiko_core.app.records.catalogue import MerchantRecord, ProductRecord, WarehouseRecord
from zaiko_core.app.records.history import (
    ChangeKind,
    OperationRecord,
    OperationState,
    RunCounts,
    RunRecord,
    RunState,
    Trigger,
)
from zaiko_core.app.records.jobs import FoundShop, JobClaim, Renewal, RunResult
from zaiko_core.app.records.links import (
    DriftRecord,
    DueLink,
    Holding,
    LinkRecord,
    LinkState,
    PushRecord,
    PushResult,
    UnsettledLinks,
)
from zaiko_core.app.records.orders import StoredOrder
from zaiko_core.app.records.oversells import ClearedRecord, OversellRecord, ShownLink
from zaiko_core.app.records.pages import Page
from zaiko_core.app.records.shops import ListingRecord, ShopRecord
from zaiko_core.app.records.stock import Promise, Shelf, StockRecord, StockSettings
from zaiko_core.app.records.tokens import TokenRecord

__all__ = [
    "AdditionRecord",
    "ChangeKind",
    "ClearedRecord",
    "DriftRecord",
    "DueLink",
    "FoundShop",
    "Holding",
    "JobClaim",
    "LinkRecord",
    "LinkState",
    "ListingRecord",
    "MerchantRecord",
    "OperationRecord",
    "OperationState",
    "OversellRecord",
    "Page",
    "PlaceRecord",
    "ProductRecord",
    "Promise",
    "PushRecord",
    "PushResult",
    "Renewal",
    "RunCounts",
    "RunRecord",
    "RunResult",
    "RunState",
    "Shelf",
    "ShopRecord",
    "ShownLink",
    "StockRecord",
    "StockSettings",
    "StoredOrder",
    "TokenRecord",
    "Trigger",
    "UnsettledLinks",
    "WarehouseRecord",
]
