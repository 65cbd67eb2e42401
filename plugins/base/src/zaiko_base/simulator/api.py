"""The simulated API of BASE (FACTS.md §2 to §8): every error is a 400 with a code, lists have no
total, lines come only with the single order, and one number is set per call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_base.simulator.records import SimItem, SimVariation
from zaiko_base.simulator.state import BaseShop

CLIENT_ID, CLIENT_SECRET = "sim-client-11", "sim-client-secret-5d"
REDIRECT_URI = "https://zaiko.test/callback"
SHOP_ID = "sim-shop"
_JAPAN = timezone(timedelta(hours=9))
_MOST = 100
_WORDS = {
    "invalid_request": "アクセストークンが不正です。",
    "hour_api_limit": "1時間のAPI利用上限を超えました。",
    "day_api_limit": "1日のAPI利用上限を超えました。",
    "no_item": "商品がありません。",
    "no_order": "注文がありません。",
}

Work = Callable[[Mapping[str, str]], Any]
"""Takes the parameters and returns the reply's body."""


class ApiError(Exception):
    """A refusal of BASE, with this code."""


def routes_of(shop: BaseShop) -> Sequence[BaseRoute]:
    """Return the routes of one shop's API."""

    def answer(name: str, work: Work, scope: str = "") -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            form = dict(
                parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
            )
            with shop.lock:
                shop.count(name)
                if shop.behaviour["maintenance"]:
                    return HTMLResponse("<html><body>メンテナンス中</body></html>", 503)
                try:
                    if scope:
                        _let_in(shop, request, scope)
                    return JSONResponse(
                        work({**request.query_params, **form, **request.path_params})
                    )
                except ApiError as refusal:
                    code = str(refusal)
                    return JSONResponse(
                        {
                            "error": code,
                            "error_description": _WORDS.get(code, "エラーが発生しました。"),
                        },
                        400,
                    )

        return endpoint

    def token(form: Mapping[str, str]) -> Any:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise ApiError("unauthorized_client")
        given = (
            shop.grants.exchange(form, shop.now())
            if form.get("redirect_uri") == REDIRECT_URI
            else None
        )
        if given is None:
            raise ApiError("invalid_request")
        return given

    def me(_: Mapping[str, str]) -> Any:
        user = {
            "shop_id": f"{SHOP_ID}-{shop.account}",
            "shop_name": "模擬ショップ",
            "shop_url": "https://sim-shop.thebase.test",
        }
        return {"user": user}

    def items(query: Mapping[str, str]) -> Any:
        by: dict[str, Callable[[SimItem], Any]] = {
            "list_order": lambda item: item.id,
            "created": lambda item: (item.created_at, item.id),
            "modified": lambda item: (item.modified_at, item.id),
        }
        order, sort = query.get("order", "list_order"), query.get("sort", "asc")
        if order not in by or sort not in ("asc", "desc"):
            raise ApiError("bad_params")
        found = sorted(shop.items.values(), key=by[order], reverse=sort == "desc")
        return {"items": [item.document() for item in _page(shop, found, query)]}

    def item(query: Mapping[str, str]) -> Any:
        return {"item": _item(shop, query).document()}

    def edit_stock(form: Mapping[str, str]) -> Any:
        found = _item(shop, form)
        if not found.editable:
            raise ApiError("invalid_request")
        if found.has_variations and not form.get("variation_id"):
            raise ApiError("bad_params")
        variation = _variation(found, form)
        text = form.get("variation_stock" if found.has_variations else "stock", "")
        if not re.fullmatch(r"-?\d{1,9}", text):
            raise ApiError("bad_params")
        if int(text) < 0:
            raise ApiError("validation_error")
        variation.stock, found.modified_at = int(text), shop.now()
        return {"item": found.document()}

    def orders(query: Mapping[str, str]) -> Any:
        first = _time(query.get("start_ordered"), datetime.min.replace(tzinfo=UTC))
        last = _time(query.get("end_ordered"), datetime.max.replace(tzinfo=UTC))
        now = shop.now()
        found = [
            order
            for order in shop.orders.values()
            if order.visible_at <= now and first <= order.ordered_at <= last
        ]
        found.sort(
            key=lambda order: (order.ordered_at, order.key),
            reverse=shop.behaviour["orders_sort"] == "newest",
        )
        return {"orders": [order.header() for order in _page(shop, found, query)]}

    def order(query: Mapping[str, str]) -> Any:
        found = shop.orders.get(query["key"])
        if found is None or found.visible_at > shop.now():
            raise ApiError("no_order")
        return {"order": found.document(shop.behaviour)}

    def refuse_get(_: Mapping[str, str]) -> Any:
        raise ApiError("not_post_method")

    return [
        Route("/1/oauth/token", answer("token", token), methods=["POST"]),
        Route("/1/users/me", answer("me", me, "read_users"), methods=["GET"]),
        Route("/1/items", answer("items", items, "read_items"), methods=["GET"]),
        Route("/1/items/detail/{item_id}", answer("item", item, "read_items"), methods=["GET"]),
        Route(
            "/1/items/edit_stock", answer("edit_stock", edit_stock, "write_items"), methods=["POST"]
        ),
        Route(
            "/1/items/edit_stock", answer("edit_stock", refuse_get, "write_items"), methods=["GET"]
        ),
        Route("/1/orders", answer("orders", orders, "read_orders"), methods=["GET"]),
        Route("/1/orders/detail/{key}", answer("order", order, "read_orders"), methods=["GET"]),
    ]


def _let_in(shop: BaseShop, request: Request, scope: str) -> None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    scopes = shop.grants.scopes_of(token, shop.now()) if kind == "Bearer" else None
    if scopes is None:
        raise ApiError("invalid_request")
    limit = shop.quotas.refuse(shop.now())
    if limit is not None:
        raise ApiError(limit)
    if scope not in scopes:
        raise ApiError("invalid_scope")


def _page(shop: BaseShop, rows: Sequence[Any], query: Mapping[str, str]) -> Sequence[Any]:
    limit, offset = query.get("limit", "20"), query.get("offset", "0")
    if not limit.isdigit() or not offset.isdigit() or int(limit) < 1:
        raise ApiError("bad_params")
    if int(limit) > _MOST and shop.behaviour["limit_above_100"] == "refuse":
        raise ApiError("bad_params")
    return rows[int(offset) : int(offset) + min(int(limit), _MOST)]


def _item(shop: BaseShop, query: Mapping[str, str]) -> SimItem:
    text = query.get("item_id", "")
    if not text:
        raise ApiError("no_item_id")
    if not text.isdigit():
        raise ApiError("bad_item_id")
    if int(text) not in shop.items:
        raise ApiError("no_item")
    return shop.items[int(text)]


def _variation(item: SimItem, form: Mapping[str, str]) -> SimVariation:
    if not item.has_variations:
        if form.get("variation_id"):
            raise ApiError("bad_variation_id")
        return item.variations[0]
    for variation in item.variations:
        if str(variation.id) == form.get("variation_id"):
            return variation
    raise ApiError("bad_variation_id")


def _time(text: str | None, default: datetime) -> datetime:
    if not text:
        return default
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=_JAPAN)
        except ValueError:
            continue
    raise ApiError("bad_params")
