"""Orders that changed: the pages of `fetch_orders`, and orders by id.

One sequence of pages reads everything that was updated since a time. Its cursor says where in the
sequence the host is. The cursor after its last page says when the sequence began by Shopify's
clock; the next one starts there, less an overlap, because the search runs behind the orders.

Each page is read in two steps: first which orders changed and when, which costs very little (13
points for 250 orders), then, by id, those that the host does not have at that version. Whole orders
in the search would cost 331 points for 50, again and again within the overlap.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from zaiko_sdk import ContractBroken, Order, OrderPage, PageTrail, ReplyFields

from zaiko_shopify.client import Client
from zaiko_shopify.connections import connection
from zaiko_shopify.documents import (
    CHANGES_PAGE,
    LINES_PAGE,
    ORDER_CHANGES,
    ORDER_LINES,
    ORDERS_AT_ONCE,
    ORDERS_BY_ID,
)
from zaiko_shopify.order_versions import OrderVersions
from zaiko_shopify.orders import draft_of, is_test, order_of
from zaiko_shopify.replies import Garbled, GraphqlRefused, TooDear
from zaiko_shopify.settings import ShopifySettings

SEARCH_LAG = timedelta(seconds=120)
"""The longest expected time until the search finds an order. Shopify names no bound
(UNCONFIRMED)."""
_LONGEST_SEQUENCE = 20_000
"""After so many orders a new sequence begins: Shopify stops paging at 25,000."""
_MOST_LINE_PAGES = 200


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading continues. Between sequences: `since` is when the last one began. Within one:
    its `since`, when it `began`, the page `after`, and how many orders were `seen`. `mark` is of
    this page only, so the host proves that it has the page when it comes back with it."""

    since: str
    began: str = ""
    after: str = ""
    seen: int = 0
    mark: str = ""

    @property
    def within(self) -> bool:
        """Whether a sequence is under way."""
        return bool(self.began)

    def cursor(self) -> str:
        """Return the position as the host stores it."""
        return json.dumps(asdict(self))

    @staticmethod
    def parse(cursor: str) -> Position | None:
        """Return the position that the host stored, or None when it is not one of ours."""
        try:
            position = Position(**json.loads(cursor))
            for moment in (position.since, position.began or position.since):
                if datetime.fromisoformat(moment).tzinfo is None:
                    return None
        except (ValueError, TypeError, AttributeError):
            return None
        return position


@dataclass(frozen=True, slots=True)
class Change:
    """An order that changed: its id, and when, if Shopify says so."""

    order: str
    at: datetime | None


class OrderFeed:
    """Reads orders of one shop."""

    def __init__(self, client: Client, settings: ShopifySettings, marks: Callable[[], str]) -> None:
        self._client, self._settings, self._marks = client, settings, marks
        self._page = CHANGES_PAGE
        self._delivered = OrderVersions()

    async def pages(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """See Connector.fetch_orders."""
        self._delivered.begin(cursor)
        position = self._start(cursor)
        trail = _trail(position)
        while True:
            read_at = self._client.clock.now()
            try:
                changes, after = await self._changes(position)
            except GraphqlRefused as error:
                if position.after and "cursor" in error.platform_message.lower():
                    self._client.log.warning("shopify_order_cursor_refused", since=position.since)
                    position = replace(position, after="", seen=0)
                    trail = _trail(position)
                    continue
                raise
            served_at = self._client.served_at or read_at
            began = position.began or _text(served_at)
            orders, versions = await self._news(changes)
            seen, oldest = (
                position.seen + len(changes),
                min((change.at for change in changes if change.at), default=None),
            )
            if after is None:
                position = Position(since=began, mark=self._marks())
                page = OrderPage(
                    orders, position.cursor(), read_at, datetime.fromisoformat(began) - SEARCH_LAG
                )
                self._delivered.forget_before(self._reached_from(position))
            else:
                trail.follow((position.since, after))
                position = replace(
                    position, began=began, after=after, seen=seen, mark=self._marks()
                )
                if (
                    seen >= _LONGEST_SEQUENCE
                    and oldest is not None
                    and _text(oldest) > position.since
                ):
                    position = Position(since=_text(oldest), began=began, mark=self._marks())
                page = OrderPage(orders, position.cursor(), read_at)
            self._delivered.delivered(page.cursor, versions, served_at=served_at)
            yield page
            if after is None:
                return

    async def by_id(self, external_ids: Sequence[str]) -> list[Order]:
        """Return the orders with these ids, without those that Shopify does not know."""
        return [order for order, _ in await self._whole(external_ids)]

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
        return Position(since=_text(self._reached_from(position)))

    def _reached_from(self, position: Position) -> datetime:
        """Return how far back the next sequence reaches."""
        return datetime.fromisoformat(position.since) - timedelta(
            minutes=self._settings.order_overlap_minutes
        )

    async def _changes(self, position: Position) -> tuple[list[Change], str | None]:
        while True:
            variables = {
                "first": self._page,
                "after": position.after or None,
                "q": f"updated_at:>='{position.since}'",
            }
            try:
                data = await self._client.query(ORDER_CHANGES, variables)
            except TooDear:
                if self._page == 1:
                    raise
                self._page //= 2
                continue
            page = connection(data, "orders")
            changes = [self._change(row, f"orders[{index}]") for index, row in enumerate(page.rows)]
            return [change for change in changes if change is not None], page.after

    def _change(self, row: object, where: str) -> Change | None:
        """Return the change of a row, or None for a row without an id, of which nothing can be
        known."""
        try:
            node = ReplyFields(where, row)
            identity = node.text("id")
        except ContractBroken as error:
            self._client.log.error("shopify_order_without_id", problem=error.message)
            return None
        try:
            return Change(identity, node.moment("updatedAt"))
        except ContractBroken:
            return Change(identity, None)

    async def _news(
        self, changes: Sequence[Change]
    ) -> tuple[list[Order], list[tuple[str, datetime]]]:
        """Return the orders among these that the host does not have at that version, and the
        versions of those that were understood."""
        wanted = [
            change.order
            for change in changes
            if change.at is None or not self._delivered.knows(change.order, change.at)
        ]
        wanted = list(dict.fromkeys(wanted))
        orders: list[Order] = []
        versions: list[tuple[str, datetime]] = []
        for first in range(0, len(wanted), ORDERS_AT_ONCE):
            for order, is_test_order in await self._whole(wanted[first : first + ORDERS_AT_ONCE]):
                if not (is_test_order and self._settings.test_orders == "ignore"):
                    orders.append(order)
                if order.lines_known and order.state_known and order.version is not None:
                    versions.append((order.external_id, order.version))
        return orders, versions

    async def _whole(self, ids: Sequence[str]) -> list[tuple[Order, bool]]:
        """Return these orders as they are now, each with whether it is a test.

        An order that Shopify does not know is left out. One that cannot be understood is
        unreadable: with too few lines it would release stock.
        """
        if not ids:
            return []
        read_at = self._client.clock.now()
        rows = (await self._client.query(ORDERS_BY_ID, {"ids": list(ids)})).rows("nodes")
        if len(rows) != len(ids):
            raise ContractBroken(f"Shopify answered {len(rows)} rows for {len(ids)} orders")
        found: list[tuple[Order, bool]] = []
        for identity, row in zip(ids, rows, strict=True):
            # An id that is not an order's comes back as an empty object.
            if row is None or row == {}:
                continue
            try:
                draft = draft_of(row, identity)
                if draft.external_id != identity:
                    raise ContractBroken(f"Shopify answered {draft.external_id} for {identity}")
                more = await self._more_lines(identity, draft.more_lines)
                if more is None:
                    continue
                order = order_of(draft, more)
            except (GraphqlRefused, TooDear, Garbled):
                # Not this order's fault.
                raise
            except ContractBroken as error:
                self._client.log.error(
                    "shopify_order_not_read", order=identity[:100], problem=error.message
                )
                found.append((Order.unreadable(identity, read_at=read_at), False))
                continue
            if draft.problems:
                self._client.log.error(
                    "shopify_order_partly_read",
                    order=order.external_id,
                    problems=draft.problems[:5],
                )
            found.append((order, is_test(draft)))
        return found

    async def _more_lines(self, order: str, after: str | None) -> list[Any] | None:
        """Return the lines after the first page, or None when the order has vanished meanwhile."""
        found: list[Any] = []
        trail = PageTrail(f"the lines of {order}", most=_MOST_LINE_PAGES)
        while after is not None:
            variables = {"order": order, "first": LINES_PAGE, "after": trail.follow(after)}
            node = (await self._client.query(ORDER_LINES, variables)).inner_or_none("order")
            if node is None:
                return None
            page = connection(node, "lineItems")
            found.extend(page.rows)
            after = page.after
        return found


def _trail(position: Position) -> PageTrail:
    return PageTrail("Shopify's orders", start=(position.since, position.after))


def _text(moment: datetime) -> str:
    """Return a time as Shopify's search takes it: UTC in whole seconds, rounded down, so that a
    lower bound never moves up."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
