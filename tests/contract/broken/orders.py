"""Connectors that lose orders or change them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import ClassVar

from contract.broken.delegating import ChangesLines, ChangesOrders, Delegating, behaves, later
from zaiko_example.simulator import ExampleSimulator
from zaiko_sdk import (
    ConnectorError,
    Order,
    OrderPage,
    OrderState,
)


@behaves("a_shop_without_orders_has_a_cursor")
class YieldsNothing(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        async for page in self.inner.fetch_orders(cursor):
            if page.orders:
                yield page


@behaves("a_new_order_is_delivered_whole")
class ReadsOneLine(ChangesOrders):
    def change(self, order: Order) -> Order:
        return replace(order, lines=order.lines[:1])


@behaves("an_open_order_is_delivered_however_old")
class HidesItsWindow(Delegating):
    @property
    def order_reach(self) -> timedelta | None:
        return None


@behaves("orders_over_several_pages_are_all_delivered")
class FetchesOnePage(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        yield replace(
            await anext(self.inner.fetch_orders(cursor)), cursor=later(self.context.clock.now())
        )


@behaves("a_crash_after_any_page_loses_no_order")
class MovesTheCursorAtOnce(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        async for page in self.inner.fetch_orders(cursor):
            yield replace(page, cursor=later(self.context.clock.now()))


@behaves("orders_that_move_while_paging_are_not_lost")
class PagesByNumber(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        for number in count():
            every = [
                order async for page in self.inner.fetch_orders(cursor) for order in page.orders
            ]
            now = self.context.clock.now()
            yield OrderPage(every[number * 5 : number * 5 + 5], later(now), now)
            if number * 5 + 5 >= len(every):
                return


@behaves("an_order_that_shows_late_is_delivered")
class DoesNotOverlap(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        async for page in self.inner.fetch_orders(cursor):
            versions = [order.version for order in page.orders if order.version]
            yield replace(page, cursor=later(max(versions)) if versions else page.cursor)


@behaves("a_wrong_clock_of_ours_hides_no_order")
class BelievesItsOwnClock(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        async for page in self.inner.fetch_orders(cursor):
            yield replace(page, cursor=self.context.clock.now().isoformat())


@behaves("a_wrong_clock_of_the_platform_hides_no_order")
class BelievesThePlatformsClock(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        async for page in self.inner.fetch_orders(cursor):
            versions = [order.version for order in page.orders if order.version]
            yield replace(page, cursor=max(versions).isoformat() if versions else page.cursor)


@behaves("a_fault_between_pages_loses_no_order")
class EndsAtAFault(Delegating):
    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        try:
            async for page in self.inner.fetch_orders(cursor):
                yield page
        except ConnectorError as error:
            self.context.log.warning("page_left_out", reason=error.reason)


@behaves("a_cancelled_order_releases_its_units")
class DoesNotSeeCancels(ChangesLines):
    without: ClassVar = {"cancelled": 0}


@behaves("shipped_units_have_left")
class DoesNotSeeShipments(ChangesLines):
    without: ClassVar = {"fulfilled": 0}


@behaves("an_edited_order_has_its_new_units")
class DoesNotSeeEdits(ChangesLines):
    without: ClassVar = {"cancelled": 0}


class Archiving(ExampleSimulator):
    """A platform that can put orders away."""

    def archive_order(self, order: str) -> None:
        found = self._order(order)
        found.status, found.updated_at = "archived", self.now()


@behaves("an_archived_order_keeps_its_units", simulator=Archiving)
class TakesArchivedForDone(ChangesOrders):
    def change(self, order: Order) -> Order:
        return (
            replace(order, state=OrderState.SHIPPED)
            if order.platform_state == "archived"
            else order
        )


@behaves("a_deleted_order_has_vanished")
class RemembersOrders(Delegating):
    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        found = {order.external_id: order for order in await self.inner.read_orders(external_ids)}
        known = [
            found.get(order) or Order.unreadable(order, read_at=self.context.clock.now())
            for order in external_ids
        ]
        return [replace(order, state=OrderState.OPEN) for order in known]


@behaves("a_full_batch_of_orders_is_read")
class ReadsFiftyOrders(Delegating):
    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        return await self.inner.read_orders(external_ids[:50])


@behaves("a_later_reading_has_no_older_version")
class VersionsByBirth(ChangesOrders):
    def change(self, order: Order) -> Order:
        return replace(order, version=order.placed_at)
