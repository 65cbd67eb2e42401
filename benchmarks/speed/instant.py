"""A platform in memory that answers at once, so that zaiko is measured and not a shop."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from zaiko_core.plugin_host.loader import Registry
from zaiko_sdk import (
    Capability,
    Connector,
    ConnectorSettings,
    ConnectorType,
    Finding,
    InventoryLevel,
    InventoryMode,
    InventoryWrite,
    Limits,
    ListingPage,
    ListingRef,
    Order,
    OrderPage,
    ShopContext,
    WebhookHint,
    WriteOutcome,
    WriteResult,
)

from benchmarks.speed.buyers import parsed

_PAGE = 250
CONNECTOR, SHOWN = "instant", 5
"""SHOWN is the number of a listing before the first write."""


class InstantSettings(ConnectorSettings):
    """The shop on the platform."""

    shop: str = ""


@dataclass(slots=True)
class InstantShop:
    """The numbers of one shop, and the orders that the next fetch returns: those placed since the
    last fetch, in pages of 250 as on other platforms, and prepared pages. A prepared page is built
    when it is fetched, as a connector parses a page on arrival."""

    placed: list[Order] = field(default_factory=list)
    shown: dict[str, int] = field(default_factory=dict)
    pages: list[Callable[[], Sequence[Order]]] = field(default_factory=list)
    written: Callable[[str, int], None] = lambda listing, quantity: None


class InstantConnector(Connector):
    """Compares and sets like Shopify's connector, with its batch sizes."""

    def __init__(self, shop: InstantShop) -> None:
        self._shop = shop

    async def check(self) -> Sequence[Finding]:
        return ()

    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        pages, self._shop.pages = self._shop.pages, []
        placed, self._shop.placed = self._shop.placed, []
        pages += [
            functools.partial(list, placed[first : first + _PAGE])
            for first in range(0, len(placed), _PAGE)
        ]
        for page in pages or [lambda: ()]:
            now = datetime.now(UTC)
            yield OrderPage(page(), "here", now, now)

    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        yield ListingPage((), "")

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return [
            InventoryLevel(ref.external_id, self._shop.shown.get(ref.external_id, SHOWN))
            for ref in refs
        ]

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        return [self._write(write) for write in writes]

    def parse_webhook(self, headers: object, body: bytes) -> WebhookHint | None:
        """Place the orders of the body, a page. The shop's own numbers fall, and the next fetch
        returns the orders."""
        orders = parsed(body.decode())
        for line in (line for order in orders for line in order.lines if line.listing is not None):
            assert line.listing is not None
            self._shop.shown[line.listing] = (
                self._shop.shown.get(line.listing, SHOWN) - line.ordered
            )
        self._shop.placed += orders
        return WebhookHint(orders[0].external_id, "orders/create")

    def _write(self, write: InventoryWrite) -> WriteResult:
        name = write.ref.external_id
        if self._shop.shown.get(name, SHOWN) != write.expected:
            return WriteResult(name, WriteOutcome.STALE)
        self._shop.shown[name] = write.quantity
        self._shop.written(name, write.quantity)
        return WriteResult(name, WriteOutcome.APPLIED)


def instant(shops: dict[str, InstantShop] | None = None) -> Registry:
    """Return a registry with this platform only. A shop that is not in `shops` is created when it
    is opened."""
    known = {} if shops is None else shops

    def open_shop(context: ShopContext, settings: InstantSettings) -> Connector:
        return InstantConnector(known.setdefault(settings.shop, InstantShop()))

    kind = ConnectorType(
        id=CONNECTOR,
        display_name="Instant",
        version="1",
        settings=InstantSettings,
        open=open_shop,
        capabilities=frozenset(Capability) - {Capability.READ_ORDERS},
        inventory_mode=InventoryMode.COMPARE_AND_SET,
        limits=Limits(read_batch=250, write_batch=250),
    )
    registry = Registry()
    registry.types[CONNECTOR] = kind
    return registry
