"""A shop by its name: its record and its connector, for calls that are not part of a run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from zaiko_core.app.records import ShopRecord
from zaiko_core.domain.errors import NotFound
from zaiko_core.storage.database import Database
from zaiko_core.sync.connectors import Connectors
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.shop_accounts import ShopAccounts


class ShopAccess:
    """Shares the connectors with the shops' runs."""

    def __init__(self, db: Database, connectors: Connectors, accounts: ShopAccounts) -> None:
        self._db, self._connectors, self.accounts = db, connectors, accounts

    async def record(self, merchant: str, shop: str) -> ShopRecord:
        """Return the shop. Raises NotFound."""
        record = (await self._db.read(merchant, lambda uow: uow.shops.get([shop]))).get(shop)
        if record is None:
            raise NotFound(f"merchants/{merchant}/shops/{shop}")
        return record

    @contextlib.asynccontextmanager
    async def confirmed(self, merchant: str, shop: str) -> AsyncIterator[GuardedConnector]:
        """Lend the shop's connector once it is known which account the shop is. Raises as
        `connector`, AccountChanged, AccountTaken, and what the connector raises."""
        record = await self.record(merchant, shop)
        async with self._connectors.use(merchant, record) as connector:
            await self.accounts.confirm(merchant, record, connector)
            yield connector

    @contextlib.asynccontextmanager
    async def connector(self, merchant: str, shop: str) -> AsyncIterator[GuardedConnector]:
        """Lend the shop's connector. Raises NotFound, ConnectorNotLoaded, SettingsInvalid,
        SecretKeyMissing, ConnectorBug."""
        record = await self.record(merchant, shop)
        async with self._connectors.use(merchant, record) as connector:
            yield connector
