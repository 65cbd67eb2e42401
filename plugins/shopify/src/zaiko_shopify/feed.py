"""Orders that changed: the pages of `fetch_orders`, and orders by id.

One sequence of pages reads everything that was updated since a moment. Its cursor tells where in the sequence the host is; the
cursor after its last page tells when the sequence began by Shopify's clock, and the next one starts there, less an
overlap, because the search runs behind the orders.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from zaiko_sdk import ContractBroken, Order, OrderPage

from zaiko_shopify.client import Client
from zaiko_shopify.documents import LINES_PAGE, ORDER_LINES, ORDERS, ORDERS_BY_ID, ORDERS_PAGE
from zaiko_shopify.fields import connection
from zaiko_shopify.orders import draft_of, is_test, order_of
from zaiko_shopify.replies import Garbled, GraphqlRefused, TooDear
from zaiko_shopify.settings import ShopifySettings

SEARCH_LAG = timedelta(seconds=120)
"""How late, at the latest expected, the search knows an order. Shopify names no bound (UNCONFIRMED)."""
_LONGEST_SEQUENCE = 20_000
"""Orders after which a new sequence is begun: Shopify stops paging at 25,000."""
_MOST_LINE_PAGES = 200


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on. Between sequences: `since` is when the last one began. Within one: its `since`, when it `began`,
    the page `after`, and how many orders were `seen`."""

    since: str
    began: str = ""
    after: str = ""
    seen: int = 0

    @property
    def within(self) -> bool:
        """Whether a sequence is under way."""
        return bool(self.began)

    def cursor(self) -> str:
        """As the host stores it."""
        return json.dumps(asdict(self))

    @staticmethod
    def parse(cursor: str) -> Position | None:
        """From what the host stored; None when it is not ours."""
        try:
            position = Position(**json.loads(cursor))
            for moment in (position.since, position.began or position.since):
                if datetime.fromisoformat(moment).tzinfo is None:
                    return None
        except (ValueError, TypeError, AttributeError):
            return None
        return position


class OrderFeed:
    """Reads orders of one shop."""

    def __init__(self, client: Client, settings: ShopifySettings) -> None:
        self._client, self._settings = client, settings
        self._page = ORDERS_PAGE

    async def pages(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """See Connector.fetch_orders."""
        position = self._start(cursor)
        while True:
            read_at = self._client.clock.now()
            try:
                rows, after = await self._read(position)
            except GraphqlRefused as error:
                if position.after and "cursor" in error.platform_message.lower():
                    self._client.log.warning("shopify_order_cursor_refused", since=position.since)
                    position = replace(position, after="", seen=0)
                    continue
                raise
            began = position.began or _text(self._client.served_at or read_at)
            orders, oldest = await self._orders(rows)
            seen = position.seen + len(rows)
            if after is None:
                done = Position(since=began)
                yield OrderPage(orders, done.cursor(), read_at, datetime.fromisoformat(began) - SEARCH_LAG)
                return
            position = replace(position, began=began, after=after, seen=seen)
            if seen >= _LONGEST_SEQUENCE and oldest is not None and _text(oldest) > position.since:
                position = Position(since=_text(oldest), began=began)
            yield OrderPage(orders, position.cursor(), read_at)

    async def by_id(self, external_ids: Sequence[str]) -> list[Order]:
        """The orders with these ids; those that Shopify does not know are left out."""
        data = await self._client.query(ORDERS_BY_ID, {"ids": list(external_ids)})
        found = data.rows("nodes")
        if len(found) != len(external_ids):
            raise ContractBroken(f"Shopify answered {len(found)} rows for {len(external_ids)} orders")
        # An id of something else than an order comes back as an empty object.
        orders, _ = await self._orders([row for row in found if row], keep_tests=True)
        return orders

    def _start(self, cursor: str | None) -> Position:
        first = self._client.clock.now() - timedelta(days=self._settings.first_fetch_days)
        if cursor is None:
            return Position(since=_text(first))
        position = Position.parse(cursor)
        if position is None:
            self._client.log.warning("shopify_order_cursor_unreadable", starting_at=_text(first))
            return Position(since=_text(first))
        if position.within:
            return position
        overlap = timedelta(minutes=self._settings.order_overlap_minutes)
        return Position(since=_text(datetime.fromisoformat(position.since) - overlap))

    async def _read(self, position: Position) -> tuple[Sequence[Any], str | None]:
        while True:
            variables = {"first": self._page, "after": position.after or None, "q": f"updated_at:>='{position.since}'"}
            try:
                data = await self._client.query(ORDERS, variables)
            except TooDear:
                if self._page == 1:
                    raise
                self._page //= 2
                continue
            page = connection(data, "orders")
            if page.after is not None and page.after == position.after:
                raise ContractBroken("Shopify's orders page leads to itself")
            return page.rows, page.after

    async def _orders(self, rows: Sequence[Any], *, keep_tests: bool = False) -> tuple[list[Order], datetime | None]:
        """The orders of a page, and the oldest change among them. What cannot be read is logged and left out: told without
        its lines it would release its stock."""
        orders: list[Order] = []
        log = self._client.log
        for index, row in enumerate(rows):
            try:
                draft = draft_of(row, f"orders[{index}]")
                if is_test(draft) and not keep_tests and self._settings.test_orders == "ignore":
                    continue
                more = await self._more_lines(draft.external_id, draft.more_lines)
                if more is None:
                    continue
                order = order_of(draft, more)
            except (GraphqlRefused, TooDear, Garbled):
                # Not this order's fault.
                raise
            except ContractBroken as error:
                identity = row.get("id") if isinstance(row, dict) else None
                log.error("shopify_order_not_read", order=str(identity)[:100], problem=error.message)
                continue
            if draft.problems:
                log.error("shopify_order_partly_read", order=order.external_id, problems=draft.problems[:5])
            orders.append(order)
        return orders, min((order.version for order in orders if order.version), default=None)

    async def _more_lines(self, order: str, after: str | None) -> list[Any] | None:
        """The lines after the first page; None when the order has vanished meanwhile."""
        found: list[Any] = []
        for _ in range(_MOST_LINE_PAGES):
            if after is None:
                return found
            variables = {"order": order, "first": LINES_PAGE, "after": after}
            node = (await self._client.query(ORDER_LINES, variables)).node_or_none("order")
            if node is None:
                return None
            page = connection(node, "lineItems")
            found.extend(page.rows)
            after = page.after
        raise ContractBroken(f"order {order} has no end of lines")


def _text(moment: datetime) -> str:
    """As Shopify's search takes it: UTC, whole seconds, rounded down so that a lower bound never moves up."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
