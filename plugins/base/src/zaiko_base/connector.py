"""The connector of one shop. Each method is one line that names the module with its code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
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
    WriteResult,
)

from zaiko_base.catalogue import Catalogue
from zaiko_base.checkup import check_shop, user_of
from zaiko_base.client import Client
from zaiko_base.orders import Orders
from zaiko_base.settings import BaseSettings
from zaiko_base.stock import Stock


class BaseConnector(Connector):
    """Orders, catalogue and stock of one shop."""

    def __init__(self, context: ShopContext, settings: BaseSettings) -> None:
        self._settings = settings
        self._client = Client(context, settings)
        self._orders = Orders(self._client, settings)
        self._catalogue = Catalogue(self._client)
        self._stock = Stock(self._client)

    async def check(self) -> Sequence[Finding]:
        return await check_shop(self._client, self._settings)

    async def account(self) -> Account | None:
        user = await user_of(self._client)
        return Account(user.shop_id, user.shop_name)

    @property
    def order_reach(self) -> timedelta | None:
        return timedelta(days=self._settings.window_days)

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
        # BASE has no idempotency keys, so `key` is not used and no write is ever repeated.
        return await self._stock.write(writes)

    async def aclose(self) -> None:
        await self._client.aclose()


def open_shop(context: ShopContext, settings: BaseSettings) -> Connector:
    """Make the connector of one shop. No request is sent yet."""
    return BaseConnector(context, settings)
