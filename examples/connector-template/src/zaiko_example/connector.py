"""The connector of one shop. Each method is one line that names the module with its code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

from zaiko_sdk import (
    Account,
    Connector,
    Finding,
    InventoryLevel,
    InventoryWrite,
    ListingPage,
    ListingRef,
    Order,
    OrderPage,
    ShopContext,
    WebhookHint,
    WriteResult,
)

from zaiko_example.catalogue import Catalogue
from zaiko_example.checkup import account_of, check_shop
from zaiko_example.client import Client
from zaiko_example.orders import FIRST_FETCH, Orders
from zaiko_example.settings import ExampleSettings
from zaiko_example.stock import Stock
from zaiko_example.webhooks import read_webhook


class ExampleConnector(Connector):
    """Orders, catalogue and stock of one shop."""

    def __init__(self, context: ShopContext, settings: ExampleSettings) -> None:
        self._settings = settings
        self._client = Client(context, settings)
        self._orders = Orders(self._client)
        self._catalogue = Catalogue(self._client)
        self._stock = Stock(self._client)

    async def check(self) -> Sequence[Finding]:
        return await check_shop(self._client)

    async def account(self) -> Account | None:
        return await account_of(self._client)

    @property
    def order_reach(self) -> timedelta | None:
        return FIRST_FETCH

    def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        return self._orders.changed(cursor)

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        return await self._orders.read(external_ids)

    def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        return self._catalogue.pages(cursor)

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return await self._stock.read(refs)

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        # This platform has no idempotency keys, so `key` is not used and no write is ever repeated.
        return await self._stock.write(writes)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        return read_webhook(self._settings.webhook_secret, headers, body)

    async def aclose(self) -> None:
        await self._client.aclose()


def open_shop(context: ShopContext, settings: ExampleSettings) -> Connector:
    """Make the connector of one shop. No request is sent yet."""
    return ExampleConnector(context, settings)
