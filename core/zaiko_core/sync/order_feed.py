"""A shop's orders: fetched page by page from where the last run came to, and the open ones read
again from time to time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from zaiko_sdk import Capability, Order

from zaiko_core.app import catalogue_reading, orders
from zaiko_core.app.orders import Ingested
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import Trigger
from zaiko_core.domain.demand import OrderRecord
from zaiko_core.sync import translation
from zaiko_core.sync.run_context import RunContext

_REREAD_FAST, _REREAD_SLOW = 300_000_000, 24 * 3_600_000_000
"""µs between readings of all open orders, where fetching does not report changes of older orders
and where it does."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far fetching came: the cursor after the last page, and until when (µs) orders are
    complete (None: as before)."""

    cursor: str
    complete_until: int | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one round fetched. `sold`: when the shop last sold a listing (µs, by its clock)."""

    sold: Mapping[str, int] = field(default_factory=dict)
    is_news: bool = False
    """Whether it brought something that may make links due."""
    complete_until: int | None = None
    """Until when (µs) orders are complete now; None: as stored."""


class OrderFeed:
    """The orders of one run. `unstored` is the progress through pages that brought nothing new: it
    is stored with the end of the run. `read_at`: when its last fetch began that was ingested
    whole."""

    def __init__(self, context: RunContext) -> None:
        self._context, self._shop = context, context.shop
        self._cursor = context.shop.order_cursor
        self.unstored: Progress | None = None
        self.read_at: int | None = None

    async def fetch(self, began_at: int) -> Fetched:
        """Fetch what changed and ingest it, page by page, each in a transaction with its cursor.
        `began_at` (µs) is before the first request, by the store's clock. Raises what the connector
        raises, RunCancelled between pages, LeaseLost."""
        context, counts = self._context, self._context.counts
        if Capability.FETCH_ORDERS not in context.kind.capabilities:
            return Fetched()
        context.may_end()
        sold: dict[str, int] = {}
        is_news, complete_until = False, None
        async for page in context.connector.fetch_orders(self._cursor):
            readings = self._understood(page.orders, page.read_at)
            until = page.complete_until
            progress = Progress(page.cursor, None if until is None else translation.micros(until))
            complete_until = progress.complete_until or complete_until
            counts.pages += 1
            counts.orders_fetched += len(page.orders)
            # A page that a webhook announced is news; whether another one is, is checked without
            # the merchant's lock.
            if context.run.claim.trigger is Trigger.WEBHOOK or await self._is_news(readings):
                done = await self._ingest(readings, progress)
                sold |= done.sold
                counts.orders_changed += done.changed
                counts.orders_outdated += done.outdated
                is_news = True
                self.unstored = None
            else:
                self.unstored = progress
            self._cursor = page.cursor
            context.may_end()
        if 0 < self._shop.catalogue_due_at <= context.now:
            await context.run.write(self._begin_catalogue)
        self.read_at = began_at
        context.run.note_orders_read(began_at)
        return Fetched(sold, is_news, complete_until)

    async def reread(self) -> None:
        """Read every open order again, where that is due: for edits and cancels that fetching does
        not report, and for orders that have vanished. Those that could not be read are read again
        in every run that no mere change of stock began. Raises as `fetch`."""
        context, shop = self._context, self._shop
        if not self._is_reread_due():
            if self._is_unreadable_due():
                await self._reread(self._unreadable)
            return
        await self._reread(self._open_orders)

        def done_rereading(uow: UnitOfWork) -> None:
            uow.hold_lease(shop.shop, context.run.claim.token)
            uow.shops.save_reread(shop.shop)

        await context.run.write(done_rereading)

    async def _reread(self, ids_after: Callable[[str], Awaitable[list[str]]]) -> None:
        context = self._context
        after = ""
        while True:
            context.may_end()
            ids = await ids_after(after)
            if not ids:
                break
            read_at = context.clock.now()
            found = await context.connector.read_orders(ids)
            readings = self._understood(found, read_at)
            missing = set(ids) - {order.external_id for order in found}
            done = await self._ingest_again(readings, missing)
            context.counts.orders_fetched += len(found)
            context.counts.orders_changed += done.changed
            after = ids[-1]

    def _understood(self, found: Sequence[Order], read_at: datetime) -> list[OrderRecord]:
        readings, bad = translation.orders_from(found, read_at=read_at)
        for text in bad:
            self._context.log.error("order_not_understood", order=text)
        return readings

    async def _is_news(self, readings: Sequence[OrderRecord]) -> bool:
        if not readings:
            return False
        shop = self._shop.shop
        return await self._context.run.read(lambda uow: orders.is_news(uow, shop, readings))

    async def _ingest(self, readings: Sequence[OrderRecord], progress: Progress) -> Ingested:
        shop, token = self._shop.shop, self._context.run.claim.token

        def work(uow: UnitOfWork) -> Ingested:
            uow.hold_lease(shop, token)
            done = orders.ingest(uow, shop, readings)
            self._read_catalogue(uow, readings)
            uow.shops.save_progress(
                shop,
                cursor=progress.cursor,
                complete_until=progress.complete_until,
                news=done.changed > 0,
            )
            return done

        return self._noted(await self._context.run.write(work))

    async def _ingest_again(
        self, readings: Sequence[OrderRecord], missing: Collection[str]
    ) -> Ingested:
        shop, token = self._shop.shop, self._context.run.claim.token

        def work(uow: UnitOfWork) -> Ingested:
            uow.hold_lease(shop, token)
            orders.vanish(uow, shop, missing)
            self._read_catalogue(uow, readings)
            return orders.ingest(uow, shop, readings)

        return self._noted(await self._context.run.write(work))

    def _noted(self, done: Ingested) -> Ingested:
        for order in done.unreadable:
            self._context.log.error("order_unreadable", order=order)
        return done

    def _read_catalogue(self, uow: UnitOfWork, readings: Sequence[OrderRecord]) -> None:
        """Ask for a reading of the catalogue where an open order names a listing that it lacks."""
        if Capability.LIST_LISTINGS in self._context.kind.capabilities:
            catalogue_reading.ask(
                uow,
                self._shop.shop,
                {line.listing for order in readings if order.holds for line in order.lines} - {""},
                self._context.run.claim.token,
            )

    def _begin_catalogue(self, uow: UnitOfWork) -> None:
        token = self._context.run.claim.token
        uow.hold_lease(self._shop.shop, token)
        catalogue_reading.begin(uow, self._shop.shop, token)

    def _is_reread_due(self) -> bool:
        capabilities, shop = self._context.kind.capabilities, self._shop
        if Capability.READ_ORDERS not in capabilities:
            return False
        every = (
            _REREAD_SLOW
            if Capability.ORDER_UPDATES in capabilities
            else min(_REREAD_FAST, shop.interval)
        )
        return self._context.now - (shop.reread_at or shop.created_at) >= every

    def _is_unreadable_due(self) -> bool:
        context = self._context
        is_readable = Capability.READ_ORDERS in context.kind.capabilities
        return (
            is_readable
            and self._shop.unreadable_orders > 0
            and context.run.claim.trigger is not Trigger.CHANGE
        )

    async def _unreadable(self, after: str) -> list[str]:
        shop, limit = self._shop.shop, self._context.kind.limits.order_batch
        return await self._context.run.read(
            lambda uow: uow.orders.unreadable(shop, limit=limit, after=after)
        )

    async def _open_orders(self, after: str) -> list[str]:
        shop, limit = self._shop.shop, self._context.kind.limits.order_batch
        return await self._context.run.read(
            lambda uow: uow.orders.holding(shop, limit=limit, after=after)
        )
