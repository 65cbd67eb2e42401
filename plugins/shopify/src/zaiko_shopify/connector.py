"""One opened Shopify shop."""

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

from zaiko_shopify.catalogue import Catalogue
from zaiko_shopify.checks import findings_of
from zaiko_shopify.client import Client
from zaiko_shopify.documents import SHOP
from zaiko_shopify.feed import OrderFeed
from zaiko_shopify.locations import Locations
from zaiko_shopify.settings import ShopifySettings
from zaiko_shopify.stock import Stock
from zaiko_shopify.webhooks import hint_of


class ShopifyConnector(Connector):
    """The parts of the connector for one shop."""

    def __init__(self, context: ShopContext, settings: ShopifySettings) -> None:
        self._settings = settings
        self._client = Client(context, settings)
        self._locations = Locations(self._client, settings)
        self._feed = OrderFeed(self._client, settings, context.new_id)
        self._catalogue = Catalogue(self._client, settings, self._locations)
        self._stock = Stock(self._client, settings, self._locations)

    async def check(self) -> Sequence[Finding]:
        return await findings_of(self._client, self._settings, self._locations)

    async def account(self) -> Account | None:
        shop = (await self._client.query(SHOP)).inner("shop")
        return Account(shop.text("id"), shop.text_or_empty("myshopifyDomain"))

    @property
    def order_reach(self) -> timedelta | None:
        return timedelta(days=self._settings.first_fetch_days)

    def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        return self._feed.pages(cursor)

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        return await self._feed.by_id(external_ids)

    def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        return self._catalogue.pages(cursor)

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return await self._stock.read(refs)

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        return await self._stock.set(writes, key)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        return hint_of(self._settings, headers, body)

    async def aclose(self) -> None:
        await self._client.aclose()
