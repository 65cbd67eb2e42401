"""The contract between zaiko and its connectors. Everything that an author needs can be imported
from here.

To read in this order: `Connector` and `ConnectorType` (what a connector is), the values of `model`
(what it says), `ConnectorError` and its kinds (what went wrong), `ShopContext` (what the host
provides), `ConnectorSettings` (what a merchant enters).

Helpers for connectors: `RateLimiter` and `CostBucket` keep a quota, `Repeats` bounds the repeats of
a request, `PageTrail` follows pages, `Row` and `read_row` or `ReplyFields` and `LooseFields` read
replies, `transport_errors`, `read_json` and `announced_wait` handle HTTP, `http_origin` checks an
address that a merchant entered. The guide is docs/connectors.md.
"""

from zaiko_sdk.capabilities import Capability, InventoryMode
from zaiko_sdk.connector import SDK_API, Connector, ConnectorType, Limits, WebhookReply
from zaiko_sdk.context import Clock, ConnectorState, Log, MemoryState, ShopContext, SystemClock
from zaiko_sdk.errors import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    ItemRefused,
    ListingGone,
    Owner,
    Pause,
    PermissionMissing,
    PlanTooLow,
    PlatformDown,
    Retry,
    SettingsInvalid,
    Skip,
    StateUnavailable,
    Stop,
    Throttled,
    Timeout,
)
from zaiko_sdk.events import (
    CredentialsExpiring,
    LinkView,
    Oversold,
    OversoldCleared,
    PartView,
    RunFinished,
    ShopHeld,
    ShopResumed,
    Trouble,
)
from zaiko_sdk.fields import LooseFields, ReplyFields
from zaiko_sdk.hooks import hookimpl
from zaiko_sdk.model import (
    Account,
    Finding,
    FindingLevel,
    InventoryLevel,
    InventoryWrite,
    Listing,
    ListingPage,
    ListingRef,
    ListingWarning,
    Order,
    OrderLine,
    OrderPage,
    OrderState,
    WebhookHint,
    WriteOutcome,
    WriteResult,
)
from zaiko_sdk.pacing import CostBucket, RateLimiter
from zaiko_sdk.paging import PageTrail
from zaiko_sdk.repeats import Repeats
from zaiko_sdk.replies import announced_wait, read_json, transport_errors
from zaiko_sdk.rows import Row, read_row
from zaiko_sdk.settings import ConnectorSettings, http_origin

__all__ = [
    "SDK_API",
    "Account",
    "Capability",
    "Clock",
    "Connector",
    "ConnectorError",
    "ConnectorSettings",
    "ConnectorState",
    "ConnectorType",
    "ContractBroken",
    "CostBucket",
    "CredentialsExpiring",
    "CredentialsRejected",
    "Finding",
    "FindingLevel",
    "InventoryLevel",
    "InventoryMode",
    "InventoryWrite",
    "ItemRefused",
    "Limits",
    "LinkView",
    "Listing",
    "ListingGone",
    "ListingPage",
    "ListingRef",
    "ListingWarning",
    "Log",
    "LooseFields",
    "MemoryState",
    "Order",
    "OrderLine",
    "OrderPage",
    "OrderState",
    "Oversold",
    "OversoldCleared",
    "Owner",
    "PageTrail",
    "PartView",
    "Pause",
    "PermissionMissing",
    "PlanTooLow",
    "PlatformDown",
    "RateLimiter",
    "Repeats",
    "ReplyFields",
    "Retry",
    "Row",
    "RunFinished",
    "SettingsInvalid",
    "ShopContext",
    "ShopHeld",
    "ShopResumed",
    "Skip",
    "StateUnavailable",
    "Stop",
    "SystemClock",
    "Throttled",
    "Timeout",
    "Trouble",
    "WebhookHint",
    "WebhookReply",
    "WriteOutcome",
    "WriteResult",
    "announced_wait",
    "hookimpl",
    "http_origin",
    "read_json",
    "read_row",
    "transport_errors",
]
