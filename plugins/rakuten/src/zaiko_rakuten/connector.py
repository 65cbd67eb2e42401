"""The connector of one shop on Rakuten Ichiba."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

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

from zaiko_rakuten.catalogue import Catalogue
from zaiko_rakuten.checkup import check_shop
from zaiko_rakuten.client import Client
from zaiko_rakuten.notices import hint_of
from zaiko_rakuten.order_source import OrderApi
from zaiko_rakuten.orders import Orders
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.stock import Stock
from zaiko_rakuten.writing import Writing


class RakutenConnector(Connector):
    """Orders, catalogue and stock of one shop through the RMS WEB SERVICE."""

    def __init__(self, context: ShopContext, settings: RakutenSettings) -> None:
        self._context, self._notice_auth_key = context, settings.notice_auth_key
        self._client = Client(context, settings)
        self._order_api = OrderApi(context, self._client, settings)
        self._orders = Orders(context, self._order_api, settings)
        self._catalogue = Catalogue(context, self._client)
        self._stock = Stock(context, self._client)
        self._writing = Writing(context, self._client, self._stock, self._catalogue)

    async def check(self) -> Sequence[Finding]:
        return await check_shop(self._context, self._client, self._order_api, self._stock)

    async def account(self) -> Account | None:
        # UNCONFIRMED: whether the licence key names the shop. The numbers of its orders do.
        number = await self._orders.shop_number()
        return None if number is None else Account(number)

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
        # RMS has no idempotency keys, so `key` is not used and no write is ever repeated.
        return await self._writing.write(writes)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        return hint_of(self._notice_auth_key, body)

    async def aclose(self) -> None:
        await self._client.aclose()


def open_shop(context: ShopContext, settings: RakutenSettings) -> Connector:
    """Make the connector of one shop. No request is sent yet."""
    return RakutenConnector(context, settings)
