"""Checks of a shop's credentials and permissions: when a person asks, and once a day after a
run."""

from __future__ import annotations

from collections.abc import Sequence

from zaiko_sdk import ConnectorError, Finding, FindingLevel

from zaiko_core.app import accounts, checkups
from zaiko_core.app.records import JobClaim, RunResult, ShopRecord
from zaiko_core.domain.errors import AccountChanged, AccountTaken
from zaiko_core.plugin_host.announcements import announce_expiry
from zaiko_core.plugin_host.observers import Observers
from zaiko_core.storage.database import Database
from zaiko_core.sync import translation
from zaiko_core.sync.environment import Environment
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.shop_access import ShopAccess


class ShopChecks:
    """Lets connectors check, and records when credentials end."""

    def __init__(
        self, db: Database, shops: ShopAccess, observers: Observers, environment: Environment
    ) -> None:
        self._db, self._shops = db, shops
        self._observers, self._environment = observers, environment

    async def check(self, merchant: str, shop: str) -> Sequence[Finding]:
        """Let the connector try credentials and permissions. Raises ConnectorError, NotFound,
        ConnectorNotLoaded."""
        record = await self._shops.record(merchant, shop)
        async with self._shops.connector(merchant, shop) as connector:
            found = await self._check(merchant, shop, connector)
            if any(finding.level is FindingLevel.ERROR for finding in found):
                return found
            return [*found, *await self._account(merchant, record, connector)]

    async def after_run(
        self, claim: JobClaim, connector: GuardedConnector, result: RunResult
    ) -> None:
        """Check once a day, after a run that succeeded: nothing that sells waits for it, and a shop
        in trouble shows that already. What the connector raises is logged."""
        if not result.succeeded or not checkups.is_due(claim.found.shop, self._environment.now):
            return
        try:
            await self._check(claim.merchant, claim.shop, connector, token=claim.token)
            await self._account(claim.merchant, claim.found.shop, connector)
        except ConnectorError as error:
            self._environment.log.warning(
                "check_failed",
                merchant=claim.merchant,
                shop=claim.shop,
                reason=error.reason,
                problem=error.message,
            )

    async def _account(
        self, merchant: str, shop: ShopRecord, connector: GuardedConnector
    ) -> Sequence[Finding]:
        """Ask which account the shop is. One that it must not be stops the next run."""
        try:
            account = await self._shops.accounts.ask(merchant, shop, connector)
        except (AccountChanged, AccountTaken) as error:
            await self._db.write(merchant, lambda uow: accounts.ask_again(uow, shop.shop))
            return [Finding(FindingLevel.ERROR, error.reason, error.message)]
        if account is None:
            return ()
        name = f"{account.name} ({account.account})" if account.name else account.account
        return [Finding(FindingLevel.OK, "ACCOUNT", f"The shop is the account {name}.")]

    async def _check(
        self, merchant: str, shop: str, connector: GuardedConnector, *, token: int | None = None
    ) -> Sequence[Finding]:
        found = await connector.check()
        ends = [
            translation.micros(finding.expires_at)
            for finding in found
            if finding.expires_at is not None
        ]
        expire_at = min(ends, default=None)
        before = await self._db.write(
            merchant, lambda uow: checkups.record(uow, shop, expire_at, token=token)
        )
        if before is not None:
            announce_expiry(self._observers, merchant, before, expire_at, self._environment.now)
        return found
