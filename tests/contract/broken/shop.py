"""Connectors that open, check or share a shop wrongly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import httpx
from contract.broken.delegating import Delegating, behaves
from zaiko_example.settings import ExampleSettings
from zaiko_sdk import (
    Account,
    ConnectorError,
    CredentialsRejected,
    Finding,
    FindingLevel,
    ListingPage,
    PlatformDown,
    ShopContext,
)


@behaves("opening_asks_the_platform_nothing")
class AsksWhenOpened(Delegating):
    def __init__(self, context: ShopContext, settings: ExampleSettings) -> None:
        super().__init__(context, settings)
        httpx.get(f"{settings.origin}/api/shop")


@behaves("check_finds_a_good_shop_good")
class FindsNothing(Delegating):
    async def check(self) -> Sequence[Finding]:
        await self.inner.check()
        return []


@behaves("an_account_is_known_from_others")
class NamesThePlatform(Delegating):
    async def account(self) -> Account | None:
        await self.inner.account()
        return Account("example")


@behaves("check_tells_wrong_credentials_as_a_finding")
class RaisesWhatItFinds(Delegating):
    async def check(self) -> Sequence[Finding]:
        findings = await self.inner.check()
        for finding in findings:
            if finding.level is FindingLevel.ERROR:
                raise CredentialsRejected(finding.message)
        return findings


@behaves("check_of_a_silent_platform_is_no_finding")
class BlamesTheMerchant(Delegating):
    async def check(self) -> Sequence[Finding]:
        try:
            return await self.inner.check()
        except ConnectorError as error:
            return [Finding(FindingLevel.ERROR, error.reason, error.message)]


@behaves("wrong_credentials_hold_the_shop")
class TriesWithADeadKey(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        try:
            async for page in self.inner.list_listings(cursor):
                yield page
        except CredentialsRejected as error:
            raise PlatformDown(error.message) from None


@behaves("no_error_and_no_log_line_holds_a_credential")
class LogsItsHeaders(Delegating):
    async def check(self) -> Sequence[Finding]:
        self.context.log.debug(
            "request", authorization=f"Bearer {self.settings.token.get_secret_value()}"
        )
        return await self.inner.check()


@behaves("check_and_listings_may_overlap_a_run")
class KeepsItsPageOnSelf(Delegating):
    def __init__(self, context: ShopContext, settings: ExampleSettings) -> None:
        super().__init__(context, settings)
        self.cursor: str | None = None

    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        self.cursor = cursor
        while True:
            pages = self.inner.list_listings(self.cursor)
            page = await anext(pages)
            if self.cursor == page.cursor or not page.listings:
                return
            self.cursor = page.cursor
            yield page


@behaves("two_processes_may_hold_one_shop")
class HoldsASingleUseToken(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        kept = dict(await self.context.state.load())
        mine = getattr(self, "mine", None) or kept.get("token", "0")
        if mine != kept.get("token", "0"):
            raise CredentialsRejected("the token was used by somebody else")
        self.mine = str(int(mine) + 1)
        await self.context.state.save({"token": self.mine})
        async for page in self.inner.list_listings(cursor):
            yield page


@behaves("a_cancelled_call_leaves_the_shop_usable")
class LosesItsTurn(Delegating):
    turn = 0

    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        if self.turn:
            raise PlatformDown("another call has not given its turn back")
        self.turn = 1
        async for page in self.inner.list_listings(cursor):
            yield page
        self.turn = 0


@behaves("closing_never_fails")
class LogsOut(Delegating):
    async def aclose(self) -> None:
        try:
            await self.inner.check()
        finally:
            await self.inner.aclose()
