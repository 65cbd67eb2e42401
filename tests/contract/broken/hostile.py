"""Connectors that trust their platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from contract.broken.delegating import ADJUST, Delegating, behaves
from zaiko_sdk import (
    ContractBroken,
    Finding,
    InventoryLevel,
    InventoryWrite,
    ListingPage,
    ListingRef,
    Order,
    OrderPage,
    PlatformDown,
    Retry,
    Throttled,
    Timeout,
    WriteOutcome,
    WriteResult,
)


@behaves("a_broken_reply_is_never_a_catalogue")
class EndsTheCatalogue(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        try:
            async for page in self.inner.list_listings(cursor):
                yield page
        except ContractBroken:
            yield ListingPage([], "")


@behaves("a_broken_reply_is_never_an_order_page")
class EndsTheOrders(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        try:
            async for page in self.inner.fetch_orders(cursor):
                yield page
        except ContractBroken:
            yield OrderPage([], "", self.context.clock.now())


@behaves("a_broken_reply_is_never_a_vanished_order")
class FindsNoOrder(Delegating):
    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        try:
            return await self.inner.read_orders(external_ids)
        except ContractBroken:
            return []


@behaves("a_broken_reply_is_never_a_number")
class IndexesReplies(Delegating):
    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        try:
            return await self.inner.read_inventory(refs)
        except ContractBroken as error:
            raise KeyError("rows") from error


@behaves("a_refused_write_is_reported_truly")
class HopesForTheBest(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        try:
            return await self.inner.set_inventory(writes, key)
        except PlatformDown:
            return [WriteResult(write.ref.external_id, WriteOutcome.APPLIED) for write in writes]


@behaves("a_lost_reply_to_a_write_is_reported_truly", says=ADJUST, sends=ADJUST)
class SendsAgain(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        try:
            return await self.inner.set_inventory(writes, key)
        except Timeout:
            return await self.inner.set_inventory(writes, key)


@behaves("a_slow_reply_to_a_write_is_reported_truly")
class TakesSlowForRefused(Delegating):
    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        try:
            return await self.inner.set_inventory(writes, key)
        except Timeout as error:
            raise PlatformDown(error.message) from None


@behaves("a_refusal_for_load_is_throttled")
class CallsLoadAnOutage(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        try:
            async for page in self.inner.list_listings(cursor):
                yield page
        except Throttled as error:
            raise PlatformDown(error.message) from None


@behaves("maintenance_passes")
class StopsAtMaintenance(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        try:
            async for page in self.inner.list_listings(cursor):
                yield page
        except PlatformDown as error:
            raise ContractBroken(error.message) from None


@behaves("patience_is_the_hosts")
class NeverGivesUp(Delegating):
    async def check(self) -> Sequence[Finding]:
        for _ in range(50):
            try:
                return await self.inner.check()
            except Retry:
                await self.context.clock.sleep(10)
        return await self.inner.check()


@behaves("a_platform_that_cannot_be_reached_is_down")
class CallsItATimeout(Delegating):
    async def check(self) -> Sequence[Finding]:
        try:
            return await self.inner.check()
        except PlatformDown as error:
            raise Timeout(error.message, sent=None) from None
