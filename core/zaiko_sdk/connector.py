"""What a connector is: a type that the host can list before any shop exists, and an object per
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
"""The version of this contract. A connector is loaded when its major is equal and its minor is not
newer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes that the host cuts its calls to. All ≥ 1; times ≥ 0."""

    read_batch: int = 250
    """Listings per `read_inventory`."""
    write_batch: int = 100
    """Writes per `set_inventory`."""
    order_batch: int = 100
    """Orders per `read_orders`."""
    max_quantity: int = 1_000_000
    """The largest number that the shop accepts; larger ones are cut to it."""
    order_visibility: timedelta = timedelta(seconds=60)
    """How late, at the latest expected, an order can be read after the shop has subtracted it from
    its number. For that long a number lower than explained is taken for an order that is still to
    come, not for a change by hand."""


class Connector(ABC):
    """One opened shop. The host calls these methods from one event loop.

    Runs of a shop never overlap, but `check`, `list_listings` and a run may; so shared state (a
    token, a bucket) needs a lock. Every method may raise any `zaiko_sdk.errors.ConnectorError`;
    anything else counts as a bug of the connector: it fails this run of this shop only and is shown
    as CONTRACT_BROKEN. No method retries for longer than about 30 s: the host has the patience, and
    shows the reason meanwhile.
    """

    @abstractmethod
    async def check(self) -> Sequence[Finding]:
        """Try credentials, permissions and settings with reads only. A shop that says no is a
        finding, not an exception; raise only when the platform could not be asked at all."""

    @abstractmethod
    def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """Deliver what changed since `cursor`, oldest change first, in pages of at most a few
        hundred orders.

        None means the first fetch of this shop: begin as far back as open orders can reasonably be
        (the connector's choice, at least 30 days where the platform allows). Pages may overlap
        earlier ones and repeat orders: the connector overlaps by its platform's search lag, the
        host removes duplicates. One bad order never stops the page: an order that cannot be
        understood is logged and delivered as `Order.unreadable`, and left out (and logged) only
        when not even its id can be told. Lines are never guessed and never dropped one by one:
        either would move stock. At least one page is delivered, empty if need be, so that the
        cursor moves on.
        """

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        """Read these orders now, at most `Limits.order_batch`. An id that is missing in the answer
        is taken for vanished, so one that cannot be understood is answered as `Order.unreadable`.
        Needs READ_ORDERS."""
        raise NotImplementedError(f"{type(self).__name__} does not declare READ_ORDERS")

    @abstractmethod
    def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """Deliver the catalogue from the start (None) or after a page's cursor. Each listing at
        least once; a listing that moves while paging may come twice. After the last page the
        iteration ends."""

    @abstractmethod
    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        """What the shop shows now for each of `refs` (at most `Limits.read_batch`, no duplicates):
        one level per ref, in any order. Read from the platform, never from a cache."""

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        """Ask the platform for these changes (at most `Limits.write_batch`, no duplicates), as one
        request where possible.

        `key` is unique for this call: use it as the idempotency key where the platform has one, and
        repeat a lost request only under the same key with the same content. Without such a key
        never repeat a request that may have been applied: answer UNKNOWN, or raise
        Timeout(sent=None), which says the same of every write of the call. Raising any other error
        promises that nothing was applied. Needs SET_INVENTORY.
        """
        raise NotImplementedError(f"{type(self).__name__} does not declare SET_INVENTORY")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        """Verify the signature over the raw body and say what changed; None when it concerns
        nothing that we follow. Raises CredentialsRejected when the signature is missing or wrong.
        Pure: no I/O. Needs WEBHOOKS."""
        raise NotImplementedError(f"{type(self).__name__} does not declare WEBHOOKS")

    async def aclose(self) -> None:
        """Release what was opened; called once, also after an error. Never raises."""


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What the platform wants to hear when its notification was taken: a body, with status 200."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ConnectorType:
    """What a plugin registers: all that is known of a platform before a shop is opened.

    `id` is the connector's name in resource names (`connectors/{id}`): lower-case letters, digits
    and dashes. `open(context, settings)` makes the connector of one shop, given an instance of
    `settings`; it does no I/O.
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
