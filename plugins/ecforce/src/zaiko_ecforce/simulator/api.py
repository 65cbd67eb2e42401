"""The simulated admin API: paths, credentials, lists and changes, with the platform's habits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_ecforce.simulator import changes
from zaiko_ecforce.simulator.quotas import TooMany
from zaiko_ecforce.simulator.ransack import apply_filters, apply_sort, filters_of
from zaiko_ecforce.simulator.records import Record, SimOrder, SimProduct, SimStockItem
from zaiko_ecforce.simulator.state import EMAIL, PASSWORD, EcforceShop

_MOST_PER, _DEFAULT_PER = 100, 25
_TOO_MANY = (
    "<html><head><title>429 Too Many Requests</title></head>"
    "<body><center><h1>429</h1></center></body></html>"
)
_SORTS = ("id", "created_at", "updated_at")
_FILTERS = {
    "stock_items": ("variant_sku", "stock_location_code", "stock"),
    "products": ("id", "number", "name", "created_at", "updated_at"),
    "orders": ("id", "number", "subs_order_id", "state", "payment_state", "times"),
}

Handler = Callable[[EcforceShop, Request, Any], Response]


def routes_of(shop: EcforceShop) -> Sequence[BaseRoute]:
    """Return every path with and without the suffix `.json`."""
    table: list[tuple[str, str, str, Handler]] = [
        ("GET", "/admins/sign_out", "sign_out", _sign_out),
        ("GET", "/admin/stock_items", "list_stock_items", _list_stock_items),
        ("PUT", "/admin/stock_items", "put_stock_items", changes.put_stock_items),
        ("GET", "/admin/products", "list_products", _list_products),
        ("GET", "/admin/orders", "list_orders", _list_orders),
        ("PUT", "/admin/orders/shipping", "put_shipping", changes.put_shipping),
        ("PUT", "/admin/orders/bulk_update", "bulk_update_orders", changes.bulk_update_orders),
        (
            "DELETE",
            "/admin/orders/bulk_destroy",
            "bulk_destroy_orders",
            changes.bulk_destroy_orders,
        ),
        (
            "POST",
            "/admin/orders/payment_status/bulk_update",
            "bulk_update_payments",
            changes.bulk_update_payments,
        ),
        ("GET", "/admin/orders/{id:int}", "get_order", _get_order),
        ("PUT", "/admin/orders/{id:int}", "put_order", changes.put_order),
    ]
    routes: list[BaseRoute] = []
    for suffix in (".json", ""):
        path = f"/api/v2/admins/sign_in{suffix}"
        routes.append(
            Route(path, _endpoint(shop, "sign_in", _sign_in, public=True), methods=["POST"])
        )
        for method, path, name, handler in table:
            routes.append(
                Route(f"/api/v2{path}{suffix}", _endpoint(shop, name, handler), methods=[method])
            )
    return routes


def failure(status: int, code: str, message: str) -> JSONResponse:
    """Return a reply with the error envelope."""
    return JSONResponse({"errors": [{"code": code, "message": message}]}, status)


def _endpoint(
    shop: EcforceShop, name: str, handler: Handler, *, public: bool = False
) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        if not request.headers.get("user-agent"):
            return HTMLResponse(
                "<html><title>Access denied</title><body>error code: 1020</body></html>", 403
            )
        try:
            body = await request.json() if await request.body() else {}
        except ValueError:
            return failure(400, "AOR3001", "パラメータが不正です")
        with shop.lock:
            shop.count(name)
            if shop.behaviour["maintenance"]:
                return HTMLResponse("<html><body>ただいまメンテナンス中です</body></html>", 503)
            refused = shop.quotas.refuse()
            if refused is not None:
                return _too_many(refused)
            if not public and not _is_authorised(shop, request.headers.get("authorization", "")):
                return failure(401, "ASS1001", "認証に失敗しました")
            return handler(shop, request, body)

    return endpoint


def _too_many(refused: TooMany) -> Response:
    wait = refused.retry_after
    return HTMLResponse(_TOO_MANY, 429, None if wait is None else {"retry-after": str(wait)})


def _is_authorised(shop: EcforceShop, header: str) -> bool:
    scheme, _, value = header.partition(" ")
    name, _, token = value.strip().partition("=")
    given = token.strip().strip('"')
    return (
        scheme == "Token"
        and name == "token"
        and bool(given)
        and given in (shop.static_token, shop.session_token)
    )


def _sign_in(shop: EcforceShop, request: Request, body: Any) -> Response:
    refused = shop.quotas.refuse_sign_in()
    if refused is not None:
        return _too_many(refused)
    login = body.get("admin") if isinstance(body, dict) else None
    if login != {"email": EMAIL, "password": PASSWORD}:
        return failure(401, "ASS1001", "メールアドレスまたはパスワードが違います")
    return JSONResponse({"id": 1, "email": EMAIL, "authentication_token": shop.new_session()})


def _sign_out(shop: EcforceShop, request: Request, body: Any) -> Response:
    shop.session_token, shop.static_token = None, ""
    return Response(status_code=204)


def _list_stock_items(shop: EcforceShop, request: Request, body: Any) -> Response:
    filters = filters_of(request.query_params.multi_items())
    rows: Sequence[SimStockItem] = shop.items
    if "variant_sku_in" in filters and "variant_sku" in _known(shop, "stock_items"):
        # By index: a large shop is filtered a hundred SKUs at a time, thousands of times.
        rows = [
            item
            for sku in dict.fromkeys(filters["variant_sku_in"])
            for item in shop.items_by_sku.get(sku, ())
        ]
    page = _page(shop, request, "stock_items", rows)
    return JSONResponse(
        page.document([_resource("stock_item", item, item.attributes()) for item in page.rows], [])
    )


def _list_products(shop: EcforceShop, request: Request, body: Any) -> Response:
    page = _page(shop, request, "products", shop.products)
    with_variants = "variants" in request.query_params.get("include", "").split(",")
    rows, included = [], []
    for product in page.rows:
        assert isinstance(product, SimProduct)
        row = _resource("product", product, product.attributes())
        if with_variants:
            variants = [
                v
                for v in product.variants
                if shop.behaviour["master_in_variants"] or not v.is_master
            ]
            row["relationships"] = {
                "variants": {"data": [{"id": str(v.id), "type": "variant"} for v in variants]}
            }
            included += [_resource("variant", v, v.attributes()) for v in variants]
        rows.append(row)
    return JSONResponse(page.document(rows, included))


def _list_orders(shop: EcforceShop, request: Request, body: Any) -> Response:
    now = shop.now()
    page = _page(
        shop,
        request,
        "orders",
        [order for order in shop.orders.values() if order.visible_at <= now],
    )
    rows, included = _order_rows(shop, request, page.rows)
    return JSONResponse(page.document(rows, included))


def _get_order(shop: EcforceShop, request: Request, body: Any) -> Response:
    order = shop.orders.get(request.path_params["id"])
    if order is None or order.deleted_at is not None or order.visible_at > shop.now():
        return failure(404, "AOR2001", "受注が見つかりません")
    rows, included = _order_rows(shop, request, [order])
    return JSONResponse({"data": rows[0], "included": included})


def _order_rows(
    shop: EcforceShop, request: Request, orders: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    query = request.query_params
    lighter = (
        query["lighter"] == "1" if "lighter" in query else bool(shop.behaviour["lighter_default"])
    )
    with_items = "order_items" in query.get("include", "").split(",")
    rows, included = [], []
    for order in orders:
        assert isinstance(order, SimOrder)
        attributes = order.attributes(
            shows_deletion=shop.behaviour["deleted_at_on_orders"], lighter=lighter
        )
        row = _resource("order", order, attributes)
        if with_items:
            links = [
                {"id": str(line.id), "type": shop.behaviour["linkage_type"]} for line in order.lines
            ]
            row["relationships"] = {"order_items": {"data": links}}
            included += [
                _resource(shop.behaviour["included_type"], line, line.attributes())
                for line in order.lines
            ]
        rows.append(row)
    return rows, included


def _resource(kind: str, record: Record, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(record.id), "type": kind, "attributes": attributes}


def _known(shop: EcforceShop, resource: str) -> tuple[str, ...]:
    """Return the attributes that filters work on. UNCONFIRMED for `updated_at` of orders."""
    if shop.behaviour["unknown_filters"] == "all":
        return ()
    extra = (
        ("updated_at",)
        if resource == "orders" and shop.behaviour["orders_updated_at_filter"]
        else ()
    )
    return (*_FILTERS[resource], *extra)


class _Page:
    """One page of a list and the `meta` and `links` that go with it."""

    def __init__(
        self, rows: Sequence[Any], total: int, page: int, per: int, path: str, pages_form: str
    ) -> None:
        self.rows, self._total, self._page, self._per, self._path = rows, total, page, per, path
        self._pages_form = pages_form

    def document(self, rows: list[Any], included: list[Any]) -> dict[str, Any]:
        pages = max(1, -(-self._total // self._per))
        meta = {
            "total_count": self._total,
            "page": self._page,
            "per": self._per,
            "count": len(rows),
            "total_pages": pages,
        }
        if self._pages_form == "missing":
            del meta["total_pages"]
        elif self._pages_form == "zero":
            meta["total_pages"] = 0
        links = {
            "self": self._link(self._page),
            "prev": self._link(self._page - 1) if self._page > 1 else None,
            "first": self._link(1),
            "next": self._link(self._page + 1) if self._page < pages else None,
            "last": self._link(pages),
        }
        return {"data": rows, "meta": meta, "links": links} | (
            {"included": included} if included else {}
        )

    def _link(self, page: int) -> str:
        return f"{self._path}?page={page}"


def _page(shop: EcforceShop, request: Request, resource: str, rows: Sequence[Any]) -> _Page:
    query = request.query_params
    filters = filters_of(query.multi_items())
    if "1" not in filters.get("with_deleted", []):
        rows = [row for row in rows if row.deleted_at is None]
    kept = apply_sort(
        apply_filters(rows, filters, _known(shop, resource)), query.get("sort", ""), _SORTS
    )
    page = max(1, _number(query.get("page"), 1))
    per = min(_MOST_PER, max(1, _number(query.get("per"), _DEFAULT_PER)))
    shift = {"duplicate": -1, "missing": 1}.get(shop.behaviour["pages"], 0) if page > 1 else 0
    form = shop.behaviour["total_pages"]
    if form == "sometimes":
        shop.count("lists")
        form = ("given", "missing", "zero")[shop.calls["lists"] % 3]
    path = f"/api/v2/admin/{resource}"
    return _Page(
        kept[(page + shift - 1) * per : (page + shift) * per], len(kept), page, per, path, form
    )


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default
