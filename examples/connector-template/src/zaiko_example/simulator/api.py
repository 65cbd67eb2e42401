"""The simulated platform's HTTP API: authentication, quota, pages, and the three ways to change a
number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_example.simulator.state import ExampleShop, SimLine, SimListing, SimOrder

_MOST_IDS, _MOST_QUANTITY = 100, 999_999

Work = Callable[[Mapping[str, str], Any], Any]
"""Takes the query and the body, and returns the reply's body."""


class ApiError(Exception):
    """A refusal of the platform, with this status."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.reply = JSONResponse({"error": {"code": code, "message": message}}, status, headers)


def routes_of(shop: ExampleShop) -> Sequence[BaseRoute]:
    """Return the routes of one shop's API."""

    def answer(name: str, work: Work, scope: str = "") -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            content = await request.body()
            with shop.lock:
                try:
                    _let_in(shop, request, name, scope)
                    return JSONResponse(work(request.query_params, _body(content)))
                except ApiError as refusal:
                    return refusal.reply

        return endpoint

    def listings(query: Mapping[str, str], _: Any) -> Any:
        rows = sorted(shop.listings.values(), key=lambda row: row.id)
        return _page(shop, [(row.id, _listing(row)) for row in rows], query)

    def orders(query: Mapping[str, str], _: Any) -> Any:
        visible = [order for order in shop.orders.values() if order.visible_at <= shop.now()]
        if "ids" in query:
            ids = _ids(query)
            return {"rows": [_order(order) for order in visible if order.id in ids]}
        since = _moment(query.get("updated_since", ""))
        found = [
            (f"{order.updated_at.isoformat()} {order.id}", _order(order))
            for order in visible
            if order.updated_at >= since
        ]
        return _page(shop, sorted(found, key=lambda row: row[0]), query)

    def stock(query: Mapping[str, str], _: Any) -> Any:
        ids = _ids(query)
        return {
            "rows": [
                {"id": row.id, "quantity": row.stock}
                for row in shop.listings.values()
                if row.id in ids
            ]
        }

    def change(_: Mapping[str, str], body: Any) -> Any:
        changes = body.get("changes") if isinstance(body, dict) else None
        if not isinstance(changes, list) or not 1 <= len(changes) <= _MOST_IDS:
            raise ApiError(422, "invalid_changes", f"changes must be a list of 1 to {_MOST_IDS}")
        return {"rows": [_change(shop, item) for item in changes]}

    def about(_: Mapping[str, str], __: Any) -> Any:
        return {
            "id": shop.account,
            "name": "Simulated Example Shop",
            "scopes": shop.behaviour["scopes"],
            "token_expires_at": None,
        }

    return [
        Route("/api/shop", answer("shop", about), methods=["GET"]),
        Route("/api/listings", answer("listings", listings, "listings:read"), methods=["GET"]),
        Route("/api/orders", answer("orders", orders, "orders:read"), methods=["GET"]),
        Route("/api/stock", answer("stock_read", stock, "listings:read"), methods=["GET"]),
        Route("/api/stock", answer("stock_write", change, "stock:write"), methods=["POST"]),
    ]


def _let_in(shop: ExampleShop, request: Request, name: str, scope: str) -> None:
    """Check what every request must pass: maintenance, quota, token, scope. Raises ApiError."""
    behaviour = shop.behaviour
    shop.count(name)
    if behaviour["maintenance"]:
        raise ApiError(503, "maintenance", "We are back soon", {"retry-after": "600"})
    if not shop.quota.take():
        wait = {"retry-after": "1"} if behaviour["retry_after"] else None
        raise ApiError(429, "too_many_requests", "Slow down", wait)
    if request.headers.get("authorization") != f"Bearer {behaviour['token']}":
        raise ApiError(401, "invalid_token", "The token is not valid")
    if scope and scope not in behaviour["scopes"]:
        raise ApiError(403, "missing_scope", f"The token lacks {scope}")


def _change(shop: ExampleShop, item: Any) -> dict[str, Any]:
    identifier = item.get("id") if isinstance(item, dict) else None
    listing = shop.listings.get(identifier) if isinstance(identifier, str) else None
    if listing is None:
        return {"id": str(identifier), "status": "refused", "reason": "unknown_listing"}
    quantity = (listing.stock or 0) + item["change"] if "change" in item else item.get("quantity")
    if not isinstance(quantity, int) or quantity > _MOST_QUANTITY:
        return {"id": listing.id, "status": "refused", "reason": "out_of_range"}
    if ("if_quantity" in item and listing.stock != item["if_quantity"]) or quantity < 0:
        return {"id": listing.id, "status": "stale", "quantity": listing.stock}
    listing.stock = quantity
    return {"id": listing.id, "status": "applied", "quantity": quantity}


def _page(
    shop: ExampleShop, rows: Sequence[tuple[str, dict[str, Any]]], query: Mapping[str, str]
) -> dict[str, Any]:
    """Return the rows after the one named `after`, by their keys, and where the next page
    continues."""
    rest = [row for row in rows if row[0] > query.get("after", "")]
    page = rest[: shop.behaviour["page_size"]]
    return {
        "rows": [row for _, row in page],
        "next": page[-1][0] if len(page) < len(rest) else None,
    }


def _listing(row: SimListing) -> dict[str, Any]:
    return {
        "id": row.id,
        "product_id": row.product,
        "title": row.title,
        "sku": row.sku,
        "barcode": row.barcode or None,
        "stock": row.stock,
        "on_sale": row.on_sale,
        "added_lately": True,
    }


def _order(order: SimOrder) -> dict[str, Any]:
    return {
        "id": order.id,
        "number": f"#{order.id}",
        "status": order.status,
        "placed_at": order.placed_at.isoformat(),
        "updated_at": order.updated_at.isoformat(),
        "paid": order.paid,
        "lines": [_line(line) for line in order.lines],
    }


def _line(line: SimLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "listing_id": line.listing.id,
        "sku": line.listing.sku,
        "title": line.listing.title,
        "quantity": line.quantity,
        "cancelled": line.cancelled,
        "shipped": line.shipped,
    }


def _ids(query: Mapping[str, str]) -> Iterable[str]:
    ids = frozenset(query.get("ids", "").split(","))
    if len(ids) > _MOST_IDS:
        raise ApiError(422, "too_many_ids", f"at most {_MOST_IDS} ids")
    return ids


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise ApiError(422, "invalid_time", "updated_since must be ISO 8601") from None


def _body(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        raise ApiError(400, "invalid_json", "The body is not JSON") from None
