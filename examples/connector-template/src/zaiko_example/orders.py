"""Orders that changed since a time, and chosen orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from zaiko_sdk import ContractBroken, Order, OrderPage, PageTrail, read_row

from zaiko_example.client import Client
from zaiko_example.mapping import order_from
from zaiko_example.rows import OrderRow, Rows

_PATH = "/api/orders"
OVERLAP = timedelta(minutes=5)
"""How far a fetch reaches back behind the last one. UNCONFIRMED: the platform's search shows a
change within a minute."""
FIRST_FETCH = timedelta(days=60)
"""How far back the first fetch looks (Connector.order_reach). UNCONFIRMED: the platform cannot be
asked for open orders alone. Where it can, ask it, and no open order is too old."""


class Orders:
    """The orders of one shop."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def changed(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """See Connector.fetch_orders. The cursor is the newest `updated_at` seen: a time of the
        platform's own clock, so a wrong clock on either side loses nothing. Pages continue after
        the last row rather than by number, so an order that changes meanwhile moves to the end and
        hides no other one."""
        reached = self._reached(cursor)
        since, after, trail = (reached - OVERLAP).isoformat(), "", PageTrail(_PATH)
        while True:
            read_at = self._client.clock.now()
            reply = read_row(
                Rows, await self._client.get(_PATH, updated_since=since, after=after), what=_PATH
            )
            orders = self._readings(reply.rows, read_at)
            # Never beyond our own clock: one order dated in the future would hide all later ones.
            reached = max(
                [reached, *(min(order.version, read_at) for order in orders if order.version)]
            )
            yield OrderPage(
                orders, reached.isoformat(), read_at, complete_until=None if reply.next else read_at
            )
            if not reply.next:
                return
            after = trail.follow(reply.next)

    async def read(self, external_ids: Sequence[str]) -> list[Order]:
        """See Connector.read_orders."""
        if not external_ids:
            return []
        read_at = self._client.clock.now()
        reply = read_row(
            Rows, await self._client.get(_PATH, ids=",".join(external_ids)), what=_PATH
        )
        orders = self._readings(reply.rows, read_at)
        if len(orders) < len(reply.rows):
            raise ContractBroken(
                f"{_PATH} answers with orders without an id; a missing one would be taken "
                "for vanished"
            )
        return orders

    def _readings(self, rows: Sequence[Any], read_at: datetime) -> list[Order]:
        """Return the orders of a page. One bad order never stops the page, and its lines are never
        guessed: both would move stock wrongly."""
        orders = []
        for row in rows:
            try:
                orders.append(order_from(read_row(OrderRow, row, what="an order")))
            except ContractBroken as error:
                identifier = row.get("id") if isinstance(row, dict) else None
                self._client.log.error("order_not_understood", order=identifier, problem=str(error))
                if isinstance(identifier, str) and identifier:
                    orders.append(Order.unreadable(identifier, read_at=read_at))
        return orders

    def _reached(self, cursor: str | None) -> datetime:
        if cursor is not None:
            try:
                return datetime.fromisoformat(cursor).astimezone(UTC)
            except ValueError:
                self._client.log.error("order_cursor_not_understood", cursor=cursor)
        return self._client.clock.now() - FIRST_FETCH
