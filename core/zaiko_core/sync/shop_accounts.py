"""Asks connectors which account of the platform a shop is, before anything else is asked of it (ADR
0040)."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_core.app import accounts
from zaiko_core.app.accounts import FoundAccount
from zaiko_core.app.records import ShopRecord
from zaiko_core.storage.database import Database
from zaiko_core.sync.guard import GuardedConnector


@dataclass(frozen=True, slots=True)
class ShopAccounts:
    """The accounts of all shops."""

    db: Database

    async def confirm(self, merchant: str, shop: ShopRecord, connector: GuardedConnector) -> None:
        """Ask, unless it was asked since the settings last changed. Raises AccountChanged,
        AccountTaken, NotFound, and what the connector raises."""
        if shop.account_at is None:
            await self.ask(merchant, shop, connector)

    async def ask(
        self, merchant: str, shop: ShopRecord, connector: GuardedConnector
    ) -> FoundAccount | None:
        """Ask, and store the answer; return it, or None where the platform does not say. Raises as
        `confirm`."""
        said = await connector.account()
        if said is None:
            return None
        found = FoundAccount(said.id, said.name)
        await self.db.write(merchant, lambda uow: accounts.confirm(uow, shop, found))
        return found
