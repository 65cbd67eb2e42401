"""The simulated item API 2.0: search, get and bulk get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_rakuten.simulator.gateway import endpoint, errors
from zaiko_rakuten.simulator.quotas import Served
from zaiko_rakuten.simulator.state import RakutenShop

_KNOWN = frozenset(
    {
        "title",
        "tagline",
        "manageNumber",
        "itemNumber",
        "articleNumber",
        "variantId",
        "merchantDefinedSkuId",
        "genreId",
        "itemType",
    }
    | {
        "standardPriceFrom",
        "standardPriceTo",
        "isItemStockout",
        "isVariantStockout",
        "isHiddenItem",
        "isHiddenVariant",
    }
    | {
        "isBackOrder",
        "createdFrom",
        "createdTo",
        "updatedFrom",
        "updatedTo",
        "sortKey",
        "sortOrder",
        "offset",
        "hits",
    }
    | {"cursorMark", "isCategoryIncluded", "isReviewIncluded", "isInventoryIncluded"}
)


def routes_of(shop: RakutenShop) -> Sequence[BaseRoute]:
    """Return the routes of the API's reads."""
    table: list[tuple[str, str, Served, Any]] = [
        ("GET", "/es/2.0/items/search", Served("items.search", 5), _search),
        ("POST", "/es/2.0/items/bulk-get", Served("items.bulk.get", 1), _bulk_get),
        ("GET", "/es/2.0/items/manage-numbers/{manage_number}", Served("items.get", 5), _get),
    ]
    return [
        Route(path, endpoint(shop, function, handler), methods=[method])
        for method, path, function, handler in table
    ]


def _search(shop: RakutenShop, request: Request, body: Any) -> Response:
    query = request.query_params
    unknown = set(query) - _KNOWN
    if unknown:
        return errors(400, "IE1005", f"unknown parameter {sorted(unknown)[0]}")
    mark = query.get("cursorMark")
    if mark is not None and "offset" in query:
        return errors(400, "IE1003", "offset with cursorMark")
    if mark is not None and ("sortKey" in query or "sortOrder" in query):
        return errors(400, "IE1004", "sortKey with cursorMark")
    try:
        hits, offset = int(query.get("hits", 10)), int(query.get("offset", 0))
        first = 0 if mark in (None, "*") else int(str(mark).removeprefix("AoE"))
    except ValueError:
        return errors(400, "IE0002", "wrong value")
    if not 1 <= hits <= 100 or not 0 <= offset <= 10_000:
        return errors(400, "IE0003", "out of range")
    part = query.get("manageNumber", "").lower()
    found = [item for item in shop.searchable() if part in item.manage_number]
    start = first if mark is not None else offset
    if start:
        start = max(0, start + {"duplicate": -1, "missing": 1}.get(shop.behaviour["pages"], 0))
    page = found[start : start + hits]
    reply: dict[str, Any] = {
        "numFound": len(found),
        "offset": offset,
        "results": [{"item": item.as_json()} for item in page],
    }
    if mark is not None:
        # The mark of the last page is the one that was sent, with no rows (UNCONFIRMED).
        reply["nextCursorMark"] = f"AoE{start + len(page)}" if page else mark
        if shop.behaviour["last_cursor"] == "missing" and start + len(page) >= len(found):
            del reply["nextCursorMark"]
    return JSONResponse(reply)


def _bulk_get(shop: RakutenShop, request: Request, body: Any) -> Response:
    names = body.get("manageNumbers") if isinstance(body, dict) else None
    if not isinstance(names, list) or not names:
        return errors(400, "IE0001", "manageNumbers is required")
    if len(names) > 50:
        return errors(400, "IE1101", "at most 50")
    if len(set(names)) < len(names):
        return errors(400, "IE1106", "duplicate")
    items = [shop.items.get(str(name).lower()) for name in names]
    return JSONResponse(
        {"results": [item.as_json() for item in items if item is not None and not item.deleted]}
    )


def _get(shop: RakutenShop, request: Request, body: Any) -> Response:
    item = shop.items.get(request.path_params["manage_number"].lower())
    if item is None or item.deleted:
        return errors(404, "GE0014", "no such item")
    return JSONResponse(item.as_json())
