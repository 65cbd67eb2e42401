"""What a connector is: a type that the host can list before any shop exists, and one object per
opened shop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from zaiko_sdk.capabilities import Capability, InventoryMode
from zaiko_sdk.context import ShopContext
from zaiko_sdk.model import (
    Account,
    Finding,
    InventoryLevel,
    InventoryWrite,
    ListingPage,
    ListingRef,
    Order,
    OrderPage,
    WebhookHint,
    WriteResult,
)
from zaiko_sdk.settings import ConnectorSettings

SDK_API = (1, 0)
"""The version of this contract. The host loads a connector with the same major version and a minor
version that is not newer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest calls that the host makes. Sizes are ≥ 1, times ≥ 0."""

    read_batch: int = 250
    """Listings per `read_inventory`."""
    write_batch: int = 100
    """Writes per `set_inventory`."""
    order_batch: int = 100
    """Orders per `read_orders`."""
    max_quantity: int = 1_000_000
    """The largest number that the shop accepts. The host cuts larger ones to it."""
    order_visibility: timedelta = timedelta(seconds=60)
    """How late an order can be read after the shop has lowered its number for it. For that long the
    host assumes that an unexplained lower number is an order that is still to come, not a change by
    hand."""


class Connector(ABC):
    """One opened shop. The host calls these methods from one event loop.

    Runs of a shop never overlap. `check` and `list_listings` may overlap a run, so that shared
    state (a token, a bucket) needs a lock.

    Every method may raise any `ConnectorError`. Any other exception is a bug of the connector: it
    fails this run of this shop only, and is shown as CONTRACT_BROKEN.

    The host ends a call, or one page of an iteration, that takes longer than two minutes. Repeat a
    request for about 30 s at most (`Repeats`): the host repeats whole calls, and shows the reason
    meanwhile.
    """

    @abstractmethod
    async def check(self) -> Sequence[Finding]:
        """Try credentials, permissions and settings with reads only.

        A shop that refuses them is a finding, not an exception. Raise Retry when the platform could
        not be asked at all.
        """

    async def account(self) -> Account | None:
        """Return which account of the platform the settings lead to, or None where the platform
        does not say.

        The host asks before it reads or writes anything with new settings or credentials, so that
        it takes no order of another account for one of this shop, and counts none twice when one
        account is connected as two shops. Reads only, one request where possible. Refused
        credentials are CredentialsRejected.
        """
        return None

    @property
    def order_reach(self) -> timedelta | None:
        """How far back the first fetch finds an open order, by its last change or by when it was
        placed. None: however old it is.

        A reach is shown to the merchant, because an open order beyond it holds no stock: a
        pre-order, say. Declare one only where the platform cannot be asked for its open orders.
        """
        return None

    @abstractmethod
    def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """Yield what changed since `cursor`, oldest change first, in pages of at most a few hundred
        orders.

        None means the first fetch of this shop, or a lost cursor: deliver every open order, however
        old it is, or say in `order_reach` how far back this looks. Pages may repeat
        orders of earlier ones: the connector reaches back by its platform's search lag, and the
        host removes duplicates.

        One bad order never stops the page. Log an order that cannot be understood and deliver it as
        `Order.unreadable`; leave it out, and log it, only when not even its id can be read. Never
        guess lines and never drop a single one: either would move stock.

        Yield at least one page, empty if need be, so that the cursor moves on.
        """

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        """Read these orders now, at most `Limits.order_batch`.

        The host treats an order that is missing in the result as vanished, so return
        `Order.unreadable` for one that cannot be understood. Needs READ_ORDERS.
        """
        raise NotImplementedError(f"{type(self).__name__} does not declare READ_ORDERS")

    @abstractmethod
    def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """Yield the catalogue from the start (None) or after a page's cursor.

        Deliver each listing at least once. A listing that moves while paging may come twice. The
        iteration ends after the last page.
        """

    @abstractmethod
    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        """Return what the shop shows now for each of `refs` (at most `Limits.read_batch`, no
        duplicates): one level per ref, in any order. Read from the platform, never from a cache."""

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        """Ask the platform for these changes (at most `Limits.write_batch`, no duplicates), as one
        request where possible.

        `key` is unique for this call. Use it as the idempotency key where the platform has one, and
        repeat a lost request only under the same key with the same content. Without such a key
        never repeat a request that may have been applied: return UNKNOWN for it, or raise
        Timeout(sent=None), which says the same about every write of the call.

        Raising any other error promises that nothing was applied. Needs SET_INVENTORY.
        """
        raise NotImplementedError(f"{type(self).__name__} does not declare SET_INVENTORY")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        """Verify the signature over the raw body and return what changed, or None when the
        notification concerns nothing that the connector follows.

        Raises CredentialsRejected when the signature is missing or wrong. Does no I/O. Needs
        WEBHOOKS.
        """
        raise NotImplementedError(f"{type(self).__name__} does not declare WEBHOOKS")

    async def aclose(self) -> None:
        """Release what was opened. The host calls it once, also after an error. Never raises."""


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """The reply that the platform expects when its notification was accepted: a body, with status
    200."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ConnectorType:
    """What a plugin registers: everything about a platform that is known before a shop is opened.

    `id` is the connector's name in resource names (`connectors/{id}`): lower-case letters, digits
    and dashes. `open(context, settings)` makes the connector of one shop from an instance of
    `settings`, without I/O.

    `account_of(settings)`, where settings alone name the account (`Connector.account`), returns it
    without I/O: the host then refuses wrong settings when they are entered, and not in the next
    run.
    """

    id: str
    display_name: str
    version: str
    settings: type[ConnectorSettings]
    open: Callable[[ShopContext, Any], Connector]
    capabilities: frozenset[Capability]
    inventory_mode: InventoryMode | None = None
    limits: Limits = field(default_factory=Limits)
    sdk_api: tuple[int, int] = SDK_API
    webhook_reply: WebhookReply = WebhookReply()
    account_of: Callable[[Any], Account | None] | None = None
    interval: timedelta = timedelta(minutes=10)
    """How often the orders of a new shop are fetched: as often as the platform's quota allows
    without effort, where it has no webhooks. From 10 s to a day; a person may set another one."""
