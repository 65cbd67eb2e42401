"""Orders that are new or changed, and chosen orders (FACTS.md §6).

BASE filters its list by the time of placing only, and the list contains no lines. So the connector
looks through the list for headers whose `modified` changed, and reads each of those orders with a
request of its own. New orders are one page. Looking for changes to older ones takes the whole
window, which is many pages in a large shop, so it happens less often there: these sweeps may use a
tenth of the quota.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from zaiko_sdk import ContractBroken, Order, OrderPage, read_row

from zaiko_base.budget import JAPAN
from zaiko_base.client import Client
from zaiko_base.mapping import CANCELLED, DISPATCHED, order_from
from zaiko_base.order_cursor import OrderCursor, read_cursor
from zaiko_base.paging import pages_of
from zaiko_base.refusals import NoOrder
from zaiko_base.rows import OrderHeader, OrderRow, part_of
from zaiko_base.settings import BaseSettings

_LIST, _DETAIL = "/1/orders", "/1/orders/detail/"
OVERLAP = 600
"""How many seconds each search reaches back behind the last one. UNCONFIRMED: an order is listed
within a minute of being placed."""
_SWEEPS = 0.1
"""Share of the hourly quota that sweeps may use."""
_PART = 25
"""Orders per delivered page. Each costs a call, and a delivered order is not read again after a
failure."""
_SETTLED = 10
"""Seconds after which no further change can have the same `modified`, which has whole seconds."""

_PATIENCE = 100
"""After this many pages of the list, an empty page shows the host that the search goes on."""

Signature = tuple[int, str]


@dataclass(slots=True)
class _Found:
    """What a search of the list has found so far."""

    headers: dict[str, OrderHeader] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    pages: int = 0


class Orders:
    """The orders of one shop."""

    def __init__(self, client: Client, settings: BaseSettings) -> None:
        self._client = client
        self._window = timedelta(days=settings.window_days)
        self._seconds_per_page = 3600 / (settings.calls_per_hour * _SWEEPS)
        self._delivered: dict[str, Signature] = {}
        """The orders that the host has, by header: they are not read again within the overlap.
        Valid for `_cursor` only."""
        self._cursor: str | None = None

    async def changed(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """See Connector.fetch_orders."""
        start = read_cursor(cursor)
        if start is None:
            self._client.log.error("order_cursor_not_understood", cursor=cursor)
            start = OrderCursor()
        if cursor is None or cursor != self._cursor:
            # Not what we delivered last: the host may have less than we remember.
            self._delivered.clear()
        began = self._client.clock.now()
        sweeping = (
            start.first
            or start.pages <= 1
            or began.timestamp() - start.swept_at >= start.pages * self._seconds_per_page
        )
        since = began - self._window if sweeping else _time(start.ordered - OVERLAP)
        found = _Found()
        async for _ in self._look(since, found):
            if found.pages % _PATIENCE == 0:
                # A sign of life: the host gives each page of ours two minutes.
                yield OrderPage([], start.text(), began)
        headers = found.headers.values()
        due = sorted(
            (h for h in headers if self._is_due(h, start, sweeping=sweeping)),
            key=lambda h: (h.modified, h.unique_key),
        )
        ended = self._ended(start, found, began, sweeping=sweeping)
        position = start
        for first in range(0, max(1, len(due)), _PART):
            part, read_at = due[first : first + _PART], self._client.clock.now()
            orders = [order for header in part for order in await self._read(header.unique_key)]
            last = first + _PART >= len(due)
            if last:
                orders += [
                    Order.unreadable(key, read_at=read_at)
                    for key in found.unreadable - found.headers.keys()
                ]
                position = ended
            elif sweeping:
                position = position.at(
                    modified=min(_seconds(part[-1].modified), int(began.timestamp()))
                )
            self._cursor = position.text()
            yield OrderPage(
                orders, self._cursor, read_at, complete_until=began if last and sweeping else None
            )
            # Only now: the host has stored the page when it asks for the next one.
            self._remember(part, read_at)
        self._forget(ended)

    async def read(self, external_ids: Sequence[str]) -> list[Order]:
        """See Connector.read_orders."""
        return [order for key in external_ids for order in await self._read(key)]

    async def _look(self, since: datetime, found: _Found) -> AsyncIterator[None]:
        """Find all orders placed since then, page by page."""
        params = {"start_ordered": since.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S")}
        async for rows, _ in pages_of(self._client, _LIST, "orders", params, _key, for_orders=True):
            found.pages += 1
            for row in rows:
                try:
                    header = read_row(OrderHeader, row, what="an order in the list")
                except ContractBroken as error:
                    key = _key(row)
                    self._client.log.error("order_not_understood", order=key, problem=str(error))
                    found.unreadable |= {key} - {""}
                    continue
                found.headers[header.unique_key] = header
            yield

    def _is_due(self, header: OrderHeader, start: OrderCursor, *, sweeping: bool) -> bool:
        if self._delivered.get(header.unique_key) == _signature(header):
            return False
        if start.first and header.dispatch_status in (DISPATCHED, CANCELLED):
            return False
        return not sweeping or _seconds(header.modified) >= start.modified - OVERLAP

    def _ended(
        self, start: OrderCursor, found: _Found, began: datetime, *, sweeping: bool
    ) -> OrderCursor:
        """Return the cursor after everything that was found. It never passes our own clock: one
        order dated in the future would hide all later ones."""
        now = int(began.timestamp())
        ordered = min(
            now,
            max([start.ordered, *(_seconds(header.ordered) for header in found.headers.values())]),
        )
        if not sweeping:
            return start.at(ordered=ordered)
        modified = min(
            now,
            max(
                [start.modified, *(_seconds(header.modified) for header in found.headers.values())]
            ),
        )
        return OrderCursor(ordered or now, modified, began.timestamp(), found.pages, first=False)

    async def _read(self, key: str) -> list[Order]:
        """Return a list with the order of this key, or an empty one when BASE has none."""
        read_at = self._client.clock.now()
        try:
            body = await self._client.get(_DETAIL + key, for_orders=True)
        except NoOrder:
            return []
        try:
            row = read_row(OrderRow, part_of(body, "order", what="an order"), what="an order")
            if row.unique_key != key:
                raise ContractBroken("another order was sent than the one asked for")
        except ContractBroken as error:
            self._client.log.error("order_not_understood", order=key, problem=str(error))
            return [Order.unreadable(key, read_at=read_at)]
        return [order_from(row)]

    def _remember(self, part: Sequence[OrderHeader], read_at: datetime) -> None:
        settled = read_at.timestamp() - _SETTLED
        self._delivered |= {
            header.unique_key: _signature(header)
            for header in part
            if _seconds(header.modified) <= settled
        }

    def _forget(self, ended: OrderCursor) -> None:
        """Forget the orders that no later search would find again."""
        oldest = min(ended.modified, ended.ordered) - OVERLAP
        self._delivered = {key: seen for key, seen in self._delivered.items() if seen[0] >= oldest}


def _key(row: Any) -> str:
    key = row.get("unique_key") if isinstance(row, dict) else None
    return key if isinstance(key, str) and key.isascii() and key.isalnum() else ""


def _signature(header: OrderHeader) -> Signature:
    return _seconds(header.modified), header.dispatch_status


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(max(0, seconds), UTC)
