"""Orders that changed since a time, and chosen orders.

Pages continue by `updated_at`, never by id (an id is given before checkout ends) and never by page
number alone: an order that changes during paging leaves its place, and everything behind it moves
up by one, past the page's edge.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from zaiko_sdk import ContractBroken, Order, OrderPage, OrderState, PageTrail, SettingsInvalid

from zaiko_ecforce.client import PER, Client, Params
from zaiko_ecforce.documents import Document
from zaiko_ecforce.fields import query_time
from zaiko_ecforce.order_mapping import LinesMissing, order_from
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.stock_items import StockItems

_INCLUDE = "order_items"
_WITH_DELETED = ("q[with_deleted]", "1")
_MOST_PAGES = 2_000


class Orders:
    """The orders of one shop."""

    def __init__(self, client: Client, settings: EcforceSettings) -> None:
        self._client, self._settings = client, settings
        self._overlap = timedelta(minutes=settings.overlap_minutes)
        self._filter_works = True
        self._items = StockItems(client)
        self._location_id: str | None = None

    async def changed(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """See Connector.fetch_orders. The cursor is the newest `updated_at` seen, a time of the
        shop's own clock, so a wrong clock on either side loses nothing."""
        reached = _parse(cursor)
        if reached is None:
            if cursor:
                self._client.log.error("order_cursor_not_understood", cursor=cursor)
            reached = since = self._client.clock.now() - timedelta(
                days=self._settings.first_fetch_days
            )
        else:
            since = reached - self._overlap
        since = since.replace(microsecond=0)
        await self._find_location()
        if self._filter_works:
            async for page in self._oldest_first(since, reached):
                yield page
        if not self._filter_works:
            async for page in self._newest_first(since, reached):
                yield page

    async def read(self, external_ids: Sequence[str]) -> list[Order]:
        """See Connector.read_orders. An order that is found only among the deleted ones is
        deleted."""
        ids = [
            identifier
            for identifier in external_ids
            if identifier.isascii() and identifier.isdigit()
        ]
        await self._find_location()
        found, shown = await self._by_id(ids, with_deleted=False)
        hidden, _ = await self._by_id(
            [identifier for identifier in ids if identifier not in shown], with_deleted=True
        )
        return [*found, *(replace(order, state=OrderState.DELETED) for order in hidden)]

    async def _find_location(self) -> None:
        """Find the location's id: orders name locations by id, people by code, stock records by
        both. Searched once. Raises SettingsInvalid when no stock record is at the location:
        counting no order would sell what is sold."""
        if self._settings.count_orders_of == "every_location" or self._location_id is not None:
            return
        code = self._settings.location_code
        found, _ = await self._items.first(code)
        ids = {item.location_id for item in found if item.location == code and item.location_id}
        if len(ids) != 1:
            raise SettingsInvalid(
                f"ecforce names no id of the stock location {code!r}, by which orders name "
                "theirs. Correct `location_code`, or let `count_orders_of` be every_location."
            )
        self._location_id = ids.pop()

    async def _oldest_first(self, since: datetime, reached: datetime) -> AsyncIterator[OrderPage]:
        position, number = since, 1
        delivered: dict[str, Order] = {}
        trail = PageTrail("ecforce's orders", most=_MOST_PAGES)
        while True:
            read_at = self._client.clock.now()
            filters = [("q[updated_at_gteq]", query_time(position)), _WITH_DELETED]
            document = await self._list(filters, page=number, sort="updated_at,id")
            times = _times(document)
            if not _is_sorted(times) or (times and times[0] < position):
                # This is usually detected on the first page. What was delivered before is right
                # nevertheless.
                self._client.log.warning("order_filter_ignored", since=query_time(position))
                self._filter_works = False
                return
            orders = await self._orders(document, read_at)
            fresh = [order for order in orders if delivered.get(order.external_id) != order]
            newest = times[-1] if times else position
            if document.rows and not times and not document.is_last(number, PER):
                raise ContractBroken(
                    "no order of a full page says when it was updated, so the next page cannot be "
                    "asked for"
                )
            reached = max(reached, min(newest, read_at))
            last = document.is_last(number, PER)
            yield OrderPage(
                fresh, reached.isoformat(), read_at, complete_until=read_at if last else None
            )
            if last:
                return
            # Continue at the last second seen; page numbers only serve seconds with more orders
            # than a page holds.
            second = newest.replace(microsecond=0)
            if second > position:
                delivered = {
                    order.external_id: order
                    for order in orders
                    if order.version and order.version >= second
                }
                following = (second, 1)
            else:
                delivered |= {order.external_id: order for order in orders}
                following = (position, number + 1)
            position, number = trail.follow(following)

    async def _newest_first(self, since: datetime, reached: datetime) -> AsyncIterator[OrderPage]:
        """Read a shop that ignores the filter: from the newest order down until orders are old
        enough. Only the last page moves the cursor, because only then nothing is missing in
        between."""
        newest: datetime | None = None
        for number in range(1, _MOST_PAGES + 1):
            read_at = self._client.clock.now()
            document = await self._list([_WITH_DELETED], page=number, sort="-updated_at,id")
            times = _times(document)
            if newest is None and (times or document.is_last(number, PER)):
                newest = min(max([reached, *times]), read_at)
            orders = [
                o
                for o in await self._orders(document, read_at)
                if o.version is None or o.version >= since
            ]
            sorted_down = _is_sorted(times[::-1])
            last = document.is_last(number, PER) or (
                sorted_down and bool(times) and times[-1] < since
            )
            cursor = max(reached, newest) if last and newest is not None else reached
            yield OrderPage(orders, cursor.isoformat(), read_at, complete_until=None)
            if last:
                return
        raise ContractBroken(
            f"ecforce ignores the filter on updated_at and has more than {_MOST_PAGES * PER} orders"
        )

    async def _list(self, filters: Params, *, page: int, sort: str) -> Document:
        return await self._client.list("orders", filters, page=page, sort=sort, include=_INCLUDE)

    async def _orders(self, document: Document, read_at: datetime) -> list[Order]:
        """Return the orders of a page, with the deleted ones marked."""
        orders = self._readings(document, read_at)
        rows = {row.id: row for row in document.rows}
        cancelled = [order.external_id for order in orders if order.state is OrderState.CANCELLED]
        gone = await self._deleted_among(
            [name for name in cancelled if not rows[name].fields.names("deleted_at")]
        )
        return [
            replace(order, state=OrderState.DELETED) if order.external_id in gone else order
            for order in orders
        ]

    async def _deleted_among(self, ids: Sequence[str]) -> set[str]:
        """Return which of these orders are shown only with `with_deleted`.

        Only cancelled orders are asked about: ecforce deletes no others, and a wrong reply about
        them releases nothing that was not released already.
        """
        if not ids:
            return set()
        document = await self._client.list("orders", _id_filter(ids), page=1, sort="id")
        shown = {row.id for row in document.rows}
        if document.malformed or not shown <= set(ids) or not document.is_last(1, PER):
            return set()
        return set(ids) - shown

    async def _by_id(
        self, ids: Sequence[str], *, with_deleted: bool
    ) -> tuple[list[Order], set[str]]:
        """Return the readings of these orders, and the ids of those that exist, understood or
        not."""
        if not ids:
            return [], set()
        read_at = self._client.clock.now()
        filters = [*_id_filter(ids), *([_WITH_DELETED] if with_deleted else [])]
        document = await self._list(filters, page=1, sort="id")
        shown = {row.id for row in document.rows}
        if document.malformed or not shown <= set(ids) or not document.is_last(1, PER):
            # A missing id would mean a vanished order, so an ignored filter must not make one
            # missing.
            return await self._one_by_one(ids, read_at)
        return self._readings(document, read_at), shown

    async def _one_by_one(
        self, ids: Sequence[str], read_at: datetime
    ) -> tuple[list[Order], set[str]]:
        found: list[Order] = []
        shown: set[str] = set()
        for identifier in ids:
            document = await self._client.one("orders", identifier, include=_INCLUDE)
            if document is not None:
                found += self._readings(document, read_at)
                shown.add(identifier)
        return found, shown

    def _readings(self, document: Document, read_at: datetime) -> list[Order]:
        """Return the orders of a page. An order that cannot be understood is delivered as
        unreadable, since guessed lines would return sold units to stock. Raises LinesMissing when
        no row has lines."""
        orders: list[Order] = []
        without_lines = 0
        for row in document.rows:
            try:
                location = self._location_id or ""
                orders.append(
                    order_from(document, row, self._settings, read_at=read_at, location_id=location)
                )
            except ContractBroken as error:
                without_lines += isinstance(error, LinesMissing)
                self._client.log.error("order_not_understood", order=row.id, problem=str(error))
                orders.append(Order.unreadable(row.id, read_at=read_at))
        if without_lines and without_lines == len(document.rows):
            raise LinesMissing(
                "ecforce sends orders without order_items although they were asked for"
            )
        return orders


def _id_filter(ids: Sequence[str]) -> list[tuple[str, str]]:
    return [("q[id_in][]", identifier) for identifier in ids]


def _times(document: Document) -> list[datetime]:
    """Return when the rows changed, in their order, without rows that do not say it."""
    times = (row.fields.moment_or_none("updated_at") for row in document.rows)
    return [time for time in times if time is not None]


def _is_sorted(times: Sequence[datetime]) -> bool:
    return all(one <= other for one, other in pairwise(times))


def _parse(cursor: str | None) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(cursor) if cursor else None
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed is not None and parsed.tzinfo else None
