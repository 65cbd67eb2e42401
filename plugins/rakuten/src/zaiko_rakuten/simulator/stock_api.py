"""The simulated inventory API 2.0 and 2.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_rakuten.simulator.gateway import endpoint, errors
from zaiko_rakuten.simulator.quotas import Served
from zaiko_rakuten.simulator.records import Pair
from zaiko_rakuten.simulator.state import MOST, RakutenShop

READ_AT_MOST, WRITE_AT_MOST, SKUS_OF_AN_ITEM, RANGE_AT_MOST = 1000, 400, 400, 1000


class Wrong(Exception):
    """A refusal of the stock API, about entry `index` of the call if that is not None."""

    def __init__(self, code: str, message: str, index: int | None = None, member: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.index, self.member = code, message, index, member

    def response(self, *, with_path: bool) -> Response:
        """Return the refusal as RMS sends it."""
        path = f"inventories[{self.index}]" + (f".{self.member}" if self.member else "")
        return errors(
            400, self.code, self.message, path if with_path and self.index is not None else None
        )


@dataclass(frozen=True, slots=True)
class _Change:
    pair: Pair
    mode: str
    quantity: int
    lead_time: dict[str, int] | None


def routes_of(shop: RakutenShop) -> Sequence[BaseRoute]:
    """Return the routes of both versions, which are assumed to share their limits."""
    routes: list[BaseRoute] = []
    for version in ("2.0", "2.1"):
        base = f"/es/{version}/inventories"
        one = f"{base}/manage-numbers/{{manage_number}}/variants/{{variant_id}}"
        table: list[tuple[str, str, Served, Any]] = [
            ("POST", f"{base}/bulk-get", Served("inventories.bulk.get", 5), _bulk_get),
            ("GET", f"{base}/bulk-get/range", Served("inventories.bulk.get.range", 5), _range),
            (
                "POST",
                f"{base}/bulk-upsert",
                Served("inventories.bulk.upsert", 1, writes=True),
                _bulk_upsert,
            ),
            ("GET", one, Served("inventories.variants.get", 1), _get),
            ("PUT", one, Served("inventories.variants.upsert", 1, writes=True), _upsert),
            ("DELETE", one, Served("inventories.variants.delete", 1, writes=True), _delete),
        ]
        for method, path, function, handler in table:
            routes.append(Route(path, endpoint(shop, function, handler), methods=[method]))
    lists = Served("inventories.variant-lists.get", 1)
    path = "/es/2.1/inventories/variant-lists/manage-numbers/{manage_number}"
    routes.append(Route(path, endpoint(shop, lists, _variant_lists), methods=["GET"]))
    return routes


def _bulk_get(shop: RakutenShop, request: Request, body: Any) -> Response:
    if not shop.behaviour["migrated"]:
        return errors(400, "IE1105", "the shop has not been migrated to SKU")
    try:
        pairs = [_pair(row, index) for index, row in enumerate(_rows(body, READ_AT_MOST))]
        _unique(pairs)
    except Wrong as wrong:
        return wrong.response(with_path=True)
    shop.purge_orphans()
    found = [shop.stock_rows[pair].as_json(pair) for pair in pairs if pair in shop.stock_rows]
    # UNCONFIRMED: the order of the rows. Reversed, so that no connector relies on it.
    return JSONResponse({"inventories": found[::-1]})


def _bulk_upsert(shop: RakutenShop, request: Request, body: Any) -> Response:
    if not shop.behaviour["migrated"]:
        return errors(400, "IE1105", "the shop has not been migrated to SKU")
    try:
        rows = _rows(body, WRITE_AT_MOST)
        newer = "/es/2.1/" in request.url.path
        changes = [
            _change(row, _pair(row, index), index, newer=newer) for index, row in enumerate(rows)
        ]
        _unique([change.pair for change in changes])
    except Wrong as wrong:
        return wrong.response(with_path=True)
    shop.purge_orphans()
    before = {change.pair: shop.stock_rows.get(change.pair) for change in changes}
    quantities = {pair: row.quantity for pair, row in before.items() if row is not None}
    for index, change in enumerate(changes):
        try:
            _apply(shop, change, index, newer=newer)
        except Wrong as wrong:
            if shop.behaviour["bulk_upsert_atomic"]:
                for pair, row in before.items():
                    if row is None:
                        shop.drop_stock(pair)
                    else:
                        row.quantity = quantities[pair]
            return wrong.response(with_path=shop.behaviour["property_path"])
    return Response(status_code=204)


def _range(shop: RakutenShop, request: Request, body: Any) -> Response:
    low, high = request.query_params.get("minQuantity"), request.query_params.get("maxQuantity")
    if low is None and high is None:
        return errors(400, "IE0105", "minQuantity or maxQuantity is required")
    try:
        bounds = int(low or 0), int(high or MOST)
    except ValueError:
        return errors(400, "IE0002", "not a number")
    if not all(0 <= bound <= MOST for bound in bounds):
        return errors(400, "IE0003", "out of range")
    if bounds[0] > bounds[1]:
        return errors(400, "IE0113", "minQuantity is larger than maxQuantity")
    shop.purge_orphans()
    found = [
        (row.updated, pair)
        for pair, row in shop.stock_rows.items()
        if bounds[0] <= row.quantity <= bounds[1]
    ]
    if len(found) > RANGE_AT_MOST:
        return errors(400, "IE0116", "more than 1000 hits")
    newest = [pair for _, pair in sorted(found, reverse=True)]
    return JSONResponse({"inventories": [shop.stock_rows[pair].as_json(pair) for pair in newest]})


def _get(shop: RakutenShop, request: Request, body: Any) -> Response:
    pair = _path_pair(request)
    shop.purge_orphans()
    row = shop.stock_rows.get(pair)
    if row is None:
        return errors(404, "GE0014", f"not found: manageNumber={pair[0]}, variantId={pair[1]}")
    return JSONResponse(row.as_json(pair))


def _upsert(shop: RakutenShop, request: Request, body: Any) -> Response:
    try:
        newer = "/es/2.1/" in request.url.path
        _apply(shop, _change(body, _path_pair(request), None, newer=newer), None, newer=newer)
    except Wrong as wrong:
        return wrong.response(with_path=False)
    return Response(status_code=204)


def _delete(shop: RakutenShop, request: Request, body: Any) -> Response:
    if not shop.drop_stock(_path_pair(request)):
        return errors(404, "GE0014", "not found")
    return Response(status_code=204)


def _variant_lists(shop: RakutenShop, request: Request, body: Any) -> Response:
    manage_number = request.path_params["manage_number"].lower()
    shop.purge_orphans()
    found = {
        pair[1]: row.as_json(pair)
        for pair, row in shop.stock_rows.items()
        if pair[0] == manage_number
    }
    if not found:
        return errors(404, "GE0014", f"not found: manageNumber={manage_number}")
    times = {
        "created": min(row["created"] for row in found.values()),
        "updated": max(row["updated"] for row in found.values()),
    }
    return JSONResponse({"manageNumber": manage_number, "variantList": list(found), **times})


def _rows(body: Any, most: int) -> list[Any]:
    rows = body.get("inventories") if isinstance(body, dict) else None
    if rows is None or (isinstance(rows, list) and not rows):
        raise Wrong("IE0001", "inventories is required")
    if not isinstance(rows, list):
        raise Wrong("IE0002", "inventories must be a list")
    if len(rows) > most:
        raise Wrong("IE1101", f"at most {most} entries")
    return rows


def _pair(row: Any, index: int) -> Pair:
    found = []
    for name in ("manageNumber", "variantId"):
        value = row.get(name) if isinstance(row, dict) else None
        if value is None:
            raise Wrong("IE0001", f"{name} is required", index, name)
        if (
            not isinstance(value, str)
            or not value
            or not value.replace("-", "").replace("_", "").isalnum()
        ):
            raise Wrong("IE0002", f"{name} has a wrong form", index, name)
        if len(value.encode()) > 32:
            raise Wrong("IE0004", f"{name} is too long", index, name)
        found.append(value)
    return found[0].lower(), found[1]


def _change(row: Any, pair: Pair, index: int | None, *, newer: bool) -> _Change:
    known = {"manageNumber", "variantId", "mode", "quantity"} | (
        {"operationLeadTime", "shipFromIds"} if newer else set()
    )
    for name in row:
        if name not in known:
            raise Wrong("IE0002", f"unknown field {name}", index, name)
    mode, quantity = row.get("mode"), row.get("quantity")
    for name in ("mode", "quantity"):
        if row.get(name) is None:
            raise Wrong("IE0001", f"{name} is required", index, name)
    if mode not in ("ABSOLUTE", "RELATIVE"):
        raise Wrong("IE0002", "mode is wrong", index, "mode")
    if not isinstance(quantity, int) or isinstance(quantity, bool):
        raise Wrong("IE0002", "quantity must be a whole number", index, "quantity")
    # UNCONFIRMED: the size of a relative number.
    if not (0 if mode == "ABSOLUTE" else -MOST) <= quantity <= MOST:
        raise Wrong("IE0003", "quantity is out of range", index, "quantity")
    return _Change(pair, mode, quantity, row.get("operationLeadTime"))


def _unique(pairs: Sequence[Pair]) -> None:
    for index, pair in enumerate(pairs):
        if pair in pairs[:index] if len(pairs) < 50 else len(set(pairs)) < len(pairs):
            raise Wrong("IE1102", "the same SKU twice", index if len(pairs) < 50 else None)


def _apply(shop: RakutenShop, change: _Change, index: int | None, *, newer: bool) -> None:
    row = shop.stock_rows.get(change.pair)
    if change.mode == "RELATIVE":
        if row is None:
            raise Wrong("IE0500", "no stock data", index)
        if not 0 <= row.quantity + change.quantity <= MOST:
            raise Wrong("IE0117", "the result is out of range", index, "quantity")
    elif row is None and shop.registered(change.pair[0]) >= SKUS_OF_AN_ITEM:
        raise Wrong("IE0121", "more than 400 SKUs", index)
    if row is None:
        # Silently, also when there is no such item: such a row is an orphan.
        row = shop.new_stock(change.pair, 0)
    row.quantity = row.quantity + change.quantity if change.mode == "RELATIVE" else change.quantity
    row.updated = shop.now()
    if newer:
        row.lead_time = change.lead_time  # 2.1 replaces; 2.0 leaves alone (UNCONFIRMED)


def _path_pair(request: Request) -> Pair:
    return request.path_params["manage_number"].lower(), request.path_params["variant_id"]
