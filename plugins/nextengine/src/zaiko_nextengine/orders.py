"""Orders that are new or changed, and chosen orders (FACTS.md §7).

A search by the time of change finds lines, not whole orders, and is sorted by number. So the
connector first finds the changed slips, with few fields of each, and then reads them whole in the
order in which they changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from zaiko_sdk import ContractBroken, Order, OrderPage, read_row

from zaiko_nextengine.client import Client
from zaiko_nextengine.mapping import MERGED, NOT_CANCELLED, SHIPPED, order_from
from zaiko_nextengine.order_cursor import OrderCursor, read_cursor
from zaiko_nextengine.paging import pages_of
from zaiko_nextengine.rows import ChangedRow, OrderRow, fields_of, japanese
from zaiko_nextengine.settings import NextEngineSettings

_PATH = "/api_v1_receiveorder_row/search"
_SLIP, _CHANGED = (
    "receive_order_row_receive_order_id",
    "receive_order_row_last_modified_newest_date",
)
OVERLAP = 600
"""How many seconds each search reaches back behind the last one."""
_FIRST = timedelta(days=1)
"""How far back the second search reaches when the first found no open order, and so no time of Next
Engine's clock."""
_PART = 100
"""Orders per delivered page."""
_SETTLED = 10
"""Seconds after which no further change can have the same time, which has whole seconds."""
_PATIENCE = 50
"""After this many pages, an empty page shows the host that the search goes on."""


class Orders:
    """The orders of one shop."""

    def __init__(self, client: Client, settings: NextEngineSettings) -> None:
        self._client, self._limit = client, settings.rows_per_call
        self._delivered: dict[str, datetime] = {}
        """The orders that the host has, by slip: they are not read again within the overlap. Valid
        for `_cursor` only."""
        self._cursor: str | None = None

    async def changed(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """See Connector.fetch_orders. The first fetch delivers all open orders, however old."""
        start = read_cursor(cursor)
        if start is None:
            self._client.log.error("order_cursor_not_understood", cursor=cursor)
            start = OrderCursor()
        if cursor is None or cursor != self._cursor:
            # Not what we delivered last: the host may have less than we remember.
            self._delivered.clear()
        began = self._client.clock.now()
        found: dict[str, datetime] = {}
        pages = 0
        async for _ in self._look(start, found, began):
            pages += 1
            if pages % _PATIENCE == 0:
                # A sign of life: the host gives each page of ours two minutes.
                yield OrderPage([], start.text(), began)
        due = sorted(
            (slip for slip in found if self._delivered.get(slip) != found[slip]),
            key=lambda slip: (found[slip], slip),
        )
        for first in range(0, max(1, len(due)), _PART):
            part, read_at = due[first : first + _PART], self._client.clock.now()
            orders = await self._whole(part)
            last = first + _PART >= len(due)
            reached = max(found.values(), default=None) if last else found[part[-1]]
            self._cursor = _moved(start, reached, began).text()
            yield OrderPage(orders, self._cursor, read_at, complete_until=began if last else None)
            # Only now: the host has stored the page when it asks for the next one.
            settled = read_at - timedelta(seconds=_SETTLED)
            self._delivered |= {slip: found[slip] for slip in part if found[slip] <= settled}
        self._delivered = {
            slip: changed for slip, changed in self._delivered.items() if slip in found
        }

    async def read(self, external_ids: Sequence[str]) -> list[Order]:
        """See Connector.read_orders."""
        return list((await self._read(external_ids)).values())

    async def _look(
        self, start: OrderCursor, found: dict[str, datetime], began: datetime
    ) -> AsyncIterator[None]:
        """Find the slips to read, with the time of their last change, page by page."""
        form = {"fields": fields_of(ChangedRow)}
        if start.changed is None:
            form |= {
                "receive_order_order_status_id-neq": SHIPPED,
                "receive_order_cancel_type_id-eq": NOT_CANCELLED,
            }
        else:
            form[f"{_CHANGED}-gte"] = japanese(
                datetime.fromtimestamp(max(0, start.changed - OVERLAP), UTC)
            )
        async for rows, _ in pages_of(self._client, _PATH, form, _SLIP, limit=self._limit):
            for value in rows:
                slip = _slip_of(value)
                try:
                    row = read_row(ChangedRow, value, what="a line of an order")
                except ContractBroken as error:
                    self._client.log.error(
                        "order_row_not_understood", order=slip, problem=str(error)
                    )
                    if slip:
                        # It exists. Reading it whole will show what is wrong with it.
                        found.setdefault(slip, began)
                    continue
                changed = row.receive_order_row_last_modified_newest_date or began
                found[slip] = max(changed, found.get(slip, changed))
            yield

    async def _whole(self, slips: Sequence[str]) -> list[Order]:
        """Return these orders, and those into which some of them were merged, so that their units
        are seen to move at once."""
        rows: dict[str, list[OrderRow]] = {}
        orders = await self._read(slips, rows)
        heirs = {
            row.receive_order_include_to_order_id
            for slip in rows.values()
            for row in slip
            if row.receive_order_cancel_type_id == MERGED
            and row.receive_order_include_to_order_id.strip("0")
        }
        missing = sorted(heirs - orders.keys())
        # The orders that took over units come first: until their units count, those of the merged
        # order must.
        return [*(await self._read(missing)).values(), *orders.values()]

    async def _read(
        self, slips: Sequence[str], kept: dict[str, list[OrderRow]] | None = None
    ) -> dict[str, Order]:
        """Return the orders by slip, without those that Next Engine does not know. `kept` receives
        the rows of those that were understood."""
        asked = dict.fromkeys(slip for slip in slips if slip.isascii() and slip.isdigit())
        if not asked:
            return {}
        read_at = self._client.clock.now()
        values: dict[str, dict[str, object]] = {}
        strange = 0
        form = {"fields": fields_of(OrderRow), f"{_SLIP}-in": ",".join(asked)}
        async for rows, _ in pages_of(self._client, _PATH, form, _SLIP, limit=self._limit):
            for value in rows:
                slip = _slip_of(value)
                if slip not in asked:
                    strange += 1
                    continue
                number = value.get("receive_order_row_no")
                values.setdefault(slip, {})[number if isinstance(number, str) else repr(number)] = (
                    value
                )
        if strange and len(values) < len(asked):
            # An order whose rows were not understood would look as if it had vanished.
            raise ContractBroken(
                f"{_PATH} returned {strange} rows of orders that were not asked for"
            )
        return {
            slip: self._order(slip, values[slip], read_at, kept) for slip in asked if slip in values
        }

    def _order(
        self,
        slip: str,
        values: Mapping[str, object],
        read_at: datetime,
        kept: dict[str, list[OrderRow]] | None,
    ) -> Order:
        try:
            rows = [
                read_row(OrderRow, value, what="a line of an order") for value in values.values()
            ]
        except ContractBroken as error:
            self._client.log.error("order_not_understood", order=slip, problem=str(error))
            return Order.unreadable(slip, read_at=read_at)
        if kept is not None:
            kept[slip] = rows
        return order_from(rows, read_at=read_at)


def _moved(start: OrderCursor, reached: datetime | None, began: datetime) -> OrderCursor:
    """Return the cursor after what was delivered. It never passes our own clock: one order dated in
    the future would hide all later ones."""
    if reached is None and start.changed is None:
        return OrderCursor(int((began - _FIRST).timestamp()))
    known = start.changed or 0
    return OrderCursor(
        max(known, min(int(reached.timestamp()), int(began.timestamp()))) if reached else known
    )


def _slip_of(value: object) -> str:
    slip = value.get(_SLIP) if isinstance(value, dict) else None
    text = str(slip) if isinstance(slip, str | int) and not isinstance(slip, bool) else ""
    return text if text.isascii() and text.isdigit() else ""
