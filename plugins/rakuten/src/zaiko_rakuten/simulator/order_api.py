"""The simulated order API and purchased-item API, which differ in the buyer data that they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_rakuten.simulator.gateway import endpoint
from zaiko_rakuten.simulator.quotas import Served
from zaiko_rakuten.simulator.state import RakutenShop

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0900")
_STATES = (100, 200, 300, 400, 500, 600, 700, 800, 900)
CEILING, WINDOW, HISTORY, GET_AT_MOST, PAGE = (
    15_000,
    timedelta(days=63),
    timedelta(days=730),
    100,
    1000,
)


def routes_of(shop: RakutenShop) -> Sequence[BaseRoute]:
    """Return each path with and without the slash at its end."""
    table: list[tuple[str, str, Any]] = [
        ("order", "searchOrder", _search),
        ("order", "getOrder", _get),
        ("purchaseItem", "searchOrderItem", _search),
        ("purchaseItem", "getOrderItem", _get),
    ]
    routes: list[BaseRoute] = []
    for api, name, handler in table:
        served = endpoint(shop, Served(f"{api}.{name}", 1, orders=True), handler)
        routes += [
            Route(f"/es/2.0/{api}/{name}{slash}", served, methods=["POST"]) for slash in ("/", "")
        ]
    return routes


def _search(shop: RakutenShop, request: Request, body: Any) -> Response:
    wrong = _faults(shop, body)
    if wrong:
        rows = [
            _message("ERROR", f"ORDER_EXT_API_SEARCH_ORDER_ERROR_{code}", words)
            for code, words in wrong
        ]
        return JSONResponse(
            {"orderNumberList": None, "MessageModelList": rows, "PaginationResponseModel": None},
            400,
        )
    start, end = _time(body["startDatetime"]), _time(body["endDatetime"])
    assert start is not None
    assert end is not None
    states = body.get("orderProgressList") or _STATES
    now = shop.now()
    found = [
        order
        for order in shop.orders.values()
        if start <= order.placed_at.replace(microsecond=0) <= end
        and order.visible_at <= now
        and order.progress in states
        and not order.deleted
    ]
    pagination = body.get("PaginationRequestModel") or {}
    amount, page = pagination.get("requestRecordsAmount", 30), pagination.get("requestPage", 1)
    sort = (pagination.get("SortModelList") or [{}])[0]
    found.sort(key=lambda order: order.placed_at, reverse=sort.get("sortDirection", 2) == 2)
    shift = {"duplicate": -1, "missing": 1}.get(shop.behaviour["pages"], 0) if page > 1 else 0
    shown = found[:CEILING][(page - 1) * amount + shift : page * amount + shift]
    code = "INFO_101" if found else "INFO_102"
    pages = -(-min(len(found), CEILING) // amount)
    numbers = (len(found), pages, page) if found else (None, None, None)
    return JSONResponse(
        {
            "orderNumberList": [order.number for order in shown],
            "MessageModelList": [
                _message("INFO", f"ORDER_EXT_API_SEARCH_ORDER_{code}", "注文検索に成功しました。")
            ],
            "PaginationResponseModel": dict(
                zip(("totalRecordsAmount", "totalPages", "requestPage"), numbers, strict=True)
            ),
        }
    )


def _get(shop: RakutenShop, request: Request, body: Any) -> Response:
    personal = "/order/" in request.url.path
    numbers = body.get("orderNumberList") if isinstance(body, dict) else None
    wrong = []
    if not isinstance(numbers, list) or not numbers:
        wrong.append(("009", "orderNumberList is required"))
    elif len(numbers) > GET_AT_MOST:
        wrong.append(("011", "at most 100 order numbers"))
    if personal:
        version = body.get("version")
        if version is None:
            wrong.append(("009", "version is required"))
        elif str(version) not in {str(number) for number in range(3, 11)}:
            wrong.append(("011", "version is wrong"))
    if wrong:
        rows = [
            _message("ERROR", f"ORDER_EXT_API_GET_ORDER_ERROR_{code}", words)
            for code, words in wrong
        ]
        return JSONResponse({"MessageModelList": rows, "OrderModelList": None}, 400)
    assert isinstance(numbers, list)
    now = shop.now()
    found, messages = [], []
    for number in numbers:
        order = shop.orders.get(number)
        if order is None or order.deleted or order.visible_at > now:
            messages.append(number)
        else:
            found.append(order.as_json(shop.variants, personal=personal))
            if personal and int(body["version"]) < 7:
                _without_skus(found[-1])
    rows = [
        _message(
            "INFO",
            "ORDER_EXT_API_GET_ORDER_INFO_101",
            f"受注情報取得に成功しました。(取得件数{len(found)}件)",
        )
    ]
    mode = shop.behaviour["unknown_orders"]
    if messages and mode == "error":
        rows = [
            _message("ERROR", "ORDER_EXT_API_GET_ORDER_ERROR_011", "no such order", number)
            for number in messages
        ]
        return JSONResponse({"MessageModelList": rows, "OrderModelList": None}, 400)
    if messages and mode == "warning":
        rows += [
            _message("WARNING", "ORDER_EXT_API_GET_ORDER_WARNING_101", "no such order", number)
            for number in messages
        ]
    reply: dict[str, Any] = {"MessageModelList": rows, "OrderModelList": found[::-1]}
    if personal:
        reply["version"] = int(body["version"])
    return JSONResponse(reply)


def _faults(shop: RakutenShop, body: Any) -> list[tuple[str, str]]:
    """Return code and words of everything that is wrong with a search."""
    if not isinstance(body, dict):
        return [("009", "dateType is required")]
    wrong = [
        ("009", f"{name} is required")
        for name in ("dateType", "startDatetime", "endDatetime")
        if name not in body
    ]
    if wrong:
        return wrong
    start, end = _time(body["startDatetime"]), _time(body["endDatetime"])
    if start is None or end is None:
        return [("011", "a time has a wrong form")]
    if body["dateType"] not in range(1, 7):
        wrong.append(("011", "dateType is wrong"))
    # UNCONFIRMED: the code for a window that is too long or too old.
    if start > end or end - start > WINDOW or start < shop.now() - HISTORY:
        wrong.append(("023", "the window is wrong"))
    pagination = body.get("PaginationRequestModel") or {}
    if (
        not 1 <= pagination.get("requestRecordsAmount", 30) <= PAGE
        or pagination.get("requestPage", 1) < 1
    ):
        wrong.append(("011", "the pagination is wrong"))
    if any(state not in _STATES for state in body.get("orderProgressList") or ()):
        wrong.append(("011", "orderProgressList is wrong"))
    return wrong


def _time(value: Any) -> datetime | None:
    return (
        datetime.fromisoformat(value) if isinstance(value, str) and _TIME.fullmatch(value) else None
    )


def _without_skus(order: dict[str, Any]) -> None:
    for package in order["PackageModelList"]:
        for item in package["ItemModelList"]:
            del item["SkuModelList"]


def _message(kind: str, code: str, words: str, number: str | None = None) -> dict[str, Any]:
    row = {"messageType": kind, "messageCode": code, "message": words}
    return row | ({"orderNumber": number} if number else {})
