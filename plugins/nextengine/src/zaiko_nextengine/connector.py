"""The connector of one account. Each method is one line that names the module with its code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

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

from zaiko_nextengine.catalogue import Catalogue
from zaiko_nextengine.checkup import account_of, check_shop
from zaiko_nextengine.client import Client
from zaiko_nextengine.memory import Memory
from zaiko_nextengine.orders import Orders
from zaiko_nextengine.settings import NextEngineSettings
from zaiko_nextengine.stock import Stock
from zaiko_nextengine.uploads import Uploads


class NextEngineConnector(Connector):
    """Orders, catalogue and stock of one account of Next Engine."""

    def __init__(self, context: ShopContext, settings: NextEngineSettings) -> None:
        memory = Memory(context.state)
        self._client = Client(context, settings, memory)
        self._orders = Orders(self._client, settings)
        self._catalogue = Catalogue(self._client, settings)
        self._stock = Stock(
            self._client, Uploads(context, self._client, memory, settings), settings
        )

    async def check(self) -> Sequence[Finding]:
        return await check_shop(self._client)

    async def account(self) -> Account | None:
        return await account_of(self._client)

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
        # Next Engine has no idempotency keys, so `key` is not used and no upload is ever repeated.
        return await self._stock.write(writes)

    async def aclose(self) -> None:
        await self._client.aclose()


def open_shop(context: ShopContext, settings: NextEngineSettings) -> Connector:
    """Make the connector of one account. No request is sent yet."""
    return NextEngineConnector(context, settings)
