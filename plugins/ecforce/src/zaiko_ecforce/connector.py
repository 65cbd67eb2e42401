"""The connector of one ecforce shop."""

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

from zaiko_ecforce.catalogue import Catalogue
from zaiko_ecforce.checkup import check_shop
from zaiko_ecforce.client import Client
from zaiko_ecforce.inventory import Inventory
from zaiko_ecforce.orders import Orders
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.webhook import read_webhook


class EcforceConnector(Connector):
    """Orders, catalogue and stock of one shop through the admin API v2."""

    def __init__(self, context: ShopContext, settings: EcforceSettings) -> None:
        self._context, self._settings = context, settings
        self._client = Client(context, settings)
        self._orders = Orders(self._client, settings)
        self._catalogue = Catalogue(self._client, settings)
        self._inventory = Inventory(self._client, settings)

    async def check(self) -> Sequence[Finding]:
        return await check_shop(self._client, self._settings)

    async def account(self) -> Account | None:
        return account_of(self._settings)

    @property
    def order_reach(self) -> timedelta | None:
        return timedelta(days=self._settings.first_fetch_days)

    def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        return self._orders.changed(cursor)

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        return await self._orders.read(external_ids)

    def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        return self._catalogue.pages(cursor)

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return await self._inventory.read(refs)

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        # ecforce has no idempotency keys, so `key` is not used and no write is ever repeated.
        return await self._inventory.write(writes)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        return read_webhook(self._settings, headers, body, self._context.new_id)

    async def aclose(self) -> None:
        await self._client.aclose()


def account_of(settings: EcforceSettings) -> Account:
    """Return the account that the settings name. UNCONFIRMED: whether any reply names the shop. Its
    address is the only identity known; a shop that moves looks like another account."""
    return Account(settings.origin)


def open_shop(context: ShopContext, settings: EcforceSettings) -> Connector:
    """Make the connector of one shop. No request is sent yet."""
    return EcforceConnector(context, settings)
