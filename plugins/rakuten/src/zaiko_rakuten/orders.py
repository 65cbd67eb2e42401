"""Following the orders of a shop by the time at which they were placed: RMS has no filter by
change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from zaiko_sdk import ContractBroken, Order, OrderPage, ShopContext

from zaiko_rakuten.order_mapping import order_from, order_number
from zaiko_rakuten.order_source import CEILING, GET_AT_MOST, SEARCH_PAGE, SPLIT_AT, OrderApi, Window
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.times import moment

ORDER_VISIBILITY = timedelta(minutes=3)
"""UNCONFIRMED: how late a search finds an order after the number fell. Assumed to be seconds, with
room for a busy sale."""
_WINDOW, _HISTORY = timedelta(days=63) - timedelta(minutes=1), timedelta(days=729, hours=20)
_AHEAD = timedelta(hours=12)
"""How far a search reaches into the future, in case our clock is behind that of RMS."""
_SMALLEST = timedelta(minutes=1)
_GIVE_UP_MISSING = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Up to 100 order numbers found in `window`; `last` when they are the last of it."""

    numbers: Sequence[str]
    window: Window
    served_at: datetime | None
    last: bool


class Orders:
    """Orders of one shop."""

    def __init__(self, context: ShopContext, api: OrderApi, settings: RakutenSettings) -> None:
        self._clock, self._log, self._api = context.clock, context.log, api
        self._overlap = timedelta(minutes=settings.overlap_minutes)
        self._first = timedelta(days=settings.first_fetch_days)
        self._missing: dict[str, datetime] = {}

    async def shop_number(self) -> str | None:
        """Return the shop's number, with which its order numbers begin, or None while it has no
        order of the last nine weeks."""
        now = self._clock.now()
        found = await self._api.search(Window(now + _AHEAD - _WINDOW, now + _AHEAD), 1)
        number, separator, _ = (found.numbers[0] if found.numbers else "").partition("-")
        return number if separator and number.isdigit() else None

    async def read(self, numbers: Sequence[str]) -> list[Order]:
        """See Connector.read_orders."""
        read_at = self._clock.now()
        orders = []
        for first in range(0, len(numbers), GET_AT_MOST):
            orders += [
                self._order(row, read_at)
                for row in await self._api.get(numbers[first : first + GET_AT_MOST])
            ]
        return orders

    async def changed(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """Yield every order placed since `cursor`, oldest first; of those before the days of the
        first fetch only the ones that hold stock. Without a cursor, back to where RMS keeps orders.

        The cursor is the time up to which orders were searched. Within a window it follows the
        orders, as long as RMS sorts them as requested.
        """
        now = self._clock.now()
        since = self._since(cursor, now)
        pending: OrderPage | None = None
        reached = since
        recent = now - self._first
        old = [
            replace(window, holding=True) for window in _windows(since, recent) if since < recent
        ]
        for window in [*old, *_windows(max(since, recent), now + _AHEAD)]:
            ordered, times = True, [window.start]
            async for found in self._numbers(window):
                if window.holding and not found.numbers:
                    continue
                if pending is not None:
                    yield pending
                page = await self._page(found.numbers, missing_too=False)
                times = [times[-1], *(order.placed_at for order in page.orders)]
                ordered = ordered and times == sorted(times)
                if found.last:
                    searched = min(now, window.end, found.served_at or now)
                elif ordered:
                    searched = min(now, times[-1])
                else:
                    searched = reached
                reached = max(reached, searched)
                pending = replace(
                    page, cursor=_cursor(reached), complete_until=reached - ORDER_VISIBILITY
                )
        assert pending is not None
        yield pending
        self._forget(now)
        late_ones = [number for number, missed_at in self._missing.items() if missed_at < now][
            :GET_AT_MOST
        ]
        if late_ones:
            late = await self._page(late_ones, missing_too=True)
            if late.orders:
                yield replace(late, cursor=pending.cursor, complete_until=pending.complete_until)

    async def _numbers(self, window: Window) -> AsyncIterator[_Numbers]:
        """Yield the numbers in a window, a hundred at a time. A window with more than RMS can page
        through is halved."""
        windows = [window]
        while windows:
            part = windows.pop()
            found = await self._api.search(part, 1)
            if found.total > SPLIT_AT and part.end - part.start > _SMALLEST:
                middle = (part.start + (part.end - part.start) / 2).replace(microsecond=0)
                # Both ends of a search are included; otherwise an order in the second between would
                # be missed.
                windows += [replace(part, start=middle), replace(part, end=middle)]
                continue
            if found.total > CEILING:
                self._log.error(
                    "orders_beyond_reach",
                    total=found.total,
                    start=str(part.start),
                    end=str(part.end),
                )
            seen: set[str] = set()
            page = 1
            while True:
                numbers = [number for number in found.numbers if number not in seen]
                seen.update(numbers)
                more = page < min(found.pages, CEILING // SEARCH_PAGE) and bool(found.numbers)
                for chunk, ends_page in _chunks(numbers):
                    yield _Numbers(
                        chunk, part, found.served_at, ends_page and not more and not windows
                    )
                if not more:
                    break
                page += 1
                found = await self._api.search(part, page)

    async def _page(self, numbers: Sequence[str], *, missing_too: bool) -> OrderPage:
        read_at = self._clock.now()
        rows = await self._api.get(numbers) if numbers else []
        by_number: dict[str, Any] = {order_number(row): row for row in rows}
        orders = []
        for number in numbers:
            if number in by_number:
                self._missing.pop(number, None)
                orders.append(self._order(by_number[number], read_at))
        missing = [number for number in numbers if number not in by_number]
        if missing and not missing_too:
            # Requested again with every fetch: a search that shows a number before its order exists
            # must not lose the order.
            self._log.warning("orders_not_returned", orders=missing[:20], count=len(missing))
            for number in missing:
                self._missing.setdefault(number, read_at)
        return OrderPage(orders, "", read_at)

    def _order(self, row: Any, read_at: datetime) -> Order:
        try:
            return order_from(row, read_at=read_at)
        except ContractBroken as error:
            self._log.error("order_unreadable", order=order_number(row), problem=error.message)
            return Order.unreadable(order_number(row), read_at=read_at)

    def _forget(self, now: datetime) -> None:
        for number, since in list(self._missing.items()):
            if now - since > _GIVE_UP_MISSING:
                self._log.error("order_never_returned", order=number)
                del self._missing[number]

    def _since(self, cursor: str | None, now: datetime) -> datetime:
        reached = moment(cursor)
        if cursor is not None and reached is None:
            raise ContractBroken("the order cursor of this shop was not made by this connector")
        start = now - _HISTORY if reached is None else min(reached, now) - self._overlap
        return max(start, now - _HISTORY).replace(microsecond=0)


def _windows(start: datetime, end: datetime) -> list[Window]:
    windows = []
    while end - start > _WINDOW:
        windows.append(Window(start, start + _WINDOW))
        start += _WINDOW
    return [*windows, Window(start, end)]


def _chunks(numbers: Sequence[str]) -> list[tuple[Sequence[str], bool]]:
    """Return a hundred numbers at a time, each with whether it is the last; one empty chunk for a
    search without hits."""
    firsts = range(0, max(1, len(numbers)), GET_AT_MOST)
    return [
        (numbers[first : first + GET_AT_MOST], first + GET_AT_MOST >= len(numbers))
        for first in firsts
    ]


def _cursor(reached: datetime) -> str:
    return reached.astimezone(UTC).isoformat(timespec="seconds")
