"""The two order APIs of RMS, which have the same replies: the purchased-item API without buyer
data, and the order API with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zaiko_sdk import ContractBroken, ShopContext

from zaiko_rakuten.client import Client
from zaiko_rakuten.fields import RmsFields
from zaiko_rakuten.functions import (
    GET_ORDERS,
    GET_PURCHASES,
    SEARCH_ORDERS,
    SEARCH_PURCHASES,
    Function,
)
from zaiko_rakuten.order_mapping import HOLDING, STATES, order_number
from zaiko_rakuten.replies import Reply
from zaiko_rakuten.settings import OrderSource, RakutenSettings
from zaiko_rakuten.times import order_time

SEARCH_PAGE, CEILING, SPLIT_AT = 1000, 15_000, 14_000
GET_AT_MOST = 100
_TRY_AGAIN = 24 * 3600.0
"""Seconds after which a refused purchased-item API is tried again."""


@dataclass(frozen=True, slots=True)
class Window:
    """Order times to search, both ends included. `holding`: only orders that hold stock."""

    start: datetime
    end: datetime
    holding: bool = False


@dataclass(frozen=True, slots=True)
class NumberPage:
    """A page of a search. `served_at` is its time by the clock of RMS, if the reply contains it."""

    numbers: Sequence[str]
    total: int
    pages: int
    served_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Api:
    search: Function
    get: Function
    versioned: bool


_PURCHASES = _Api(SEARCH_PURCHASES, GET_PURCHASES, versioned=False)
_ORDERS = _Api(SEARCH_ORDERS, GET_ORDERS, versioned=True)


class OrderApi:
    """Searches and reads orders through the API that the settings name; with `auto` through the
    first that is enabled for the key."""

    def __init__(self, context: ShopContext, client: Client, settings: RakutenSettings) -> None:
        self._clock, self._log, self._client = context.clock, context.log, client
        self._setting, self._version = settings.order_source, settings.order_version
        self._purchases_refused_until = float("-inf")

    async def search(self, window: Window, page: int) -> NumberPage:
        """Return the numbers of the orders placed in `window`, oldest first, one page. Raises
        ConnectorError."""
        body = {
            "dateType": 1,
            "startDatetime": order_time(window.start),
            "endDatetime": order_time(window.end),
            # Always all: UNCONFIRMED whether a search without states finds cancelled orders.
            "orderProgressList": sorted(HOLDING if window.holding else STATES),
            "PaginationRequestModel": {
                "requestRecordsAmount": SEARCH_PAGE,
                "requestPage": page,
                "SortModelList": [{"sortColumn": 1, "sortDirection": 1}],
            },
        }
        reply, api = await self._ask("search", body)
        fields = RmsFields(api.search.name, reply.document(api.search.name))
        if "orderNumberList" not in fields:
            raise ContractBroken(f"{api.search.name} answered without orderNumberList")
        numbers = fields.rows_or_empty("orderNumberList")
        if not all(isinstance(number, str) and number for number in numbers):
            raise ContractBroken(f"{api.search.name} answered with order numbers that are not text")
        # Without hits the three numbers of the pagination are null.
        pagination = fields.inner_or_none("PaginationResponseModel") or RmsFields(
            api.search.name, {}
        )
        total = pagination.whole_or_none("totalRecordsAmount") or len(numbers)
        return NumberPage(
            numbers, total, pagination.whole_or_none("totalPages") or 1, reply.served_at
        )

    async def get(self, numbers: Sequence[str]) -> list[Any]:
        """Return the rows of these orders (at most 100) as RMS sent them, in any order. Unknown
        numbers are missing."""
        rows, refused = await self._get(numbers)
        if refused:
            # UNCONFIRMED: unknown numbers are most plausibly left out. Should RMS refuse the whole
            # call for them, it names them.
            rest = [number for number in numbers if number not in refused]
            rows = (await self._get(rest))[0] if rest else []
        return rows

    async def _get(self, numbers: Sequence[str]) -> tuple[list[Any], set[str]]:
        reply, api = await self._ask("get", {"orderNumberList": list(numbers)}, accept=(400,))
        if reply.status == 400:
            refused = {problem.order for problem in reply.problems} & set(numbers)
            if not refused:
                raise ContractBroken(
                    f"{api.get.name} was answered with status 400", platform_message=reply.words()
                )
            return [], refused
        fields = RmsFields(api.get.name, reply.document(api.get.name))
        if "OrderModelList" not in fields and numbers:
            # An empty list is a valid reply, a missing list is not: every requested order would
            # seem to have vanished.
            raise ContractBroken(f"{api.get.name} answered without OrderModelList")
        asked = set(numbers)
        rows = []
        for row in fields.rows_or_empty("OrderModelList"):
            if order_number(row) in asked:
                rows.append(row)
            else:
                self._log.error("order_without_number", function=api.get.name)
        return rows, set()

    async def _ask(
        self, what: str, body: dict[str, Any], accept: Sequence[int] = ()
    ) -> tuple[Reply, _Api]:
        apis = self._apis()
        for api in apis:
            function = api.search if what == "search" else api.get
            sent = body | ({"version": self._version} if api.versioned and what == "get" else {})
            if api is not apis[-1]:
                reply = await self._client.ask(function, body=sent, accept=accept)
                if reply is None:
                    continue
            else:
                reply = await self._client.call(function, body=sent, accept=accept)
                if len(apis) > 1:
                    self._purchases_refused_until = self._clock.monotonic() + _TRY_AGAIN
                    self._log.info("purchased_item_api_refused", instead=function.api)
            return reply, api
        raise AssertionError("one API is always asked")

    def _apis(self) -> list[_Api]:
        if self._setting is OrderSource.PURCHASED_ITEMS:
            return [_PURCHASES]
        if (
            self._setting is OrderSource.ORDERS
            or self._clock.monotonic() < self._purchases_refused_until
        ):
            return [_ORDERS]
        return [_PURCHASES, _ORDERS]
