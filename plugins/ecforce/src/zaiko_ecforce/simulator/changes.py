"""Requests of the simulated admin API that change something."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from zaiko_sdk.testing.simulator import SimulationError

from zaiko_ecforce.fields import moment
from zaiko_ecforce.simulator.records import SimOrder
from zaiko_ecforce.simulator.state import EcforceShop


def put_stock_items(shop: EcforceShop, request: Request, body: Any) -> Response:
    """Set numbers (absolute by default); each row fails on its own. A body that is nested wrongly
    is ignored, with a 200."""
    rows = _rows(body, "stock_items")
    most = shop.behaviour["most_write_rows"]
    if most and len(rows) > most:
        return JSONResponse(
            {"errors": [{"code": "ASI3001", "message": "件数が上限を超えています"}]}, 422
        )
    success, failed, errors = [], [], []
    for row in rows:
        sku, location, stock = (
            row.get("variant_sku"),
            row.get("stock_location_code"),
            row.get("stock"),
        )
        code = _write(shop, sku, location, stock)
        echo = {"variant_sku": sku, "stock_location_code": location}
        if code is None:
            success.append(echo | {"stock": str(stock)})
        else:
            failed.append(echo | {"stock": stock})
            cause = {"code": code, "message": "在庫を更新できませんでした"}
            errors.append(
                {"id": sku, "code": "ASI0000", "message": "更新に失敗しました", "errors": [cause]}
            )
    status = shop.behaviour["all_failed_status"] if failed and not success else 200
    return JSONResponse(_filled(shop, success=success, failure=failed, errors=errors), status)


def put_shipping(shop: EcforceShop, request: Request, body: Any) -> Response:
    """Report shipments. UNCONFIRMED whether that sets the state; the simulator sets it."""
    success, failed, errors = [], [], []
    for row in _rows(body, "orders"):
        order = _order(shop, row.get("id"))
        if order is None:
            failed.append(row.get("id"))
            errors.append(_order_error(row.get("id"), "AOR2001"))
        else:
            shop.ship(order, moment(row.get("shipped_at")) or shop.now())
            success.append(order.id)
    if isinstance(body, dict) and body.get("with_async"):
        return JSONResponse({"job_id": f"job-{shop.new_id('session')}"})
    return JSONResponse(_filled(shop, success=success, failure=failed, errors=errors))


def put_order(shop: EcforceShop, request: Request, body: Any) -> Response:
    """Change one order. Only `state` has an effect; other keys are dropped silently."""
    order = _order(shop, request.path_params["id"])
    if order is None:
        return JSONResponse(
            {"errors": [{"code": "AOR2001", "message": "受注が見つかりません"}]}, 404
        )
    change = body.get("order") if isinstance(body, dict) else None
    if isinstance(change, dict):
        _change(shop, order, change)
    return JSONResponse(
        {
            "data": {
                "id": str(order.id),
                "type": "order",
                "attributes": {"id": order.id, "state": order.state},
            }
        }
    )


def bulk_update_orders(shop: EcforceShop, request: Request, body: Any) -> Response:
    """Change many orders as `put_order` changes one."""
    success, failed, errors = [], [], []
    for row in _rows(body, "orders"):
        order = _order(shop, row.get("id"))
        if order is None:
            failed.append(row.get("id"))
            errors.append(_order_error(row.get("id"), "AOR2001"))
        else:
            _change(shop, order, row)
            success.append(order.id)
    return JSONResponse(_filled(shop, success=success, failure=failed, errors=errors))


def bulk_destroy_orders(shop: EcforceShop, request: Request, body: Any) -> Response:
    """Delete orders, as far as their payment was cancelled."""
    success, failed, errors = [], [], []
    for identifier in body.get("order_ids", []) if isinstance(body, dict) else []:
        order = _order(shop, identifier)
        try:
            if order is None:
                raise SimulationError("no such order")
            shop.delete(order)
            success.append(order.id)
        except SimulationError:
            failed.append(identifier)
            errors.append(_order_error(identifier, "AOR2001" if order is None else "AOR3002"))
    return JSONResponse(_filled(shop, success=success, failure=failed, errors=errors))


def bulk_update_payments(shop: EcforceShop, request: Request, body: Any) -> Response:
    """Cancel or capture payments. The platform does it some seconds later, in a job; the simulator
    does it at once."""
    content = body if isinstance(body, dict) else {}
    for identifier in content.get("order_ids", []):
        order = _order(shop, identifier)
        if order is not None and content.get("method") in ("void", "force_void"):
            shop.void(order)
        elif order is not None and content.get("method") == "sales":
            order.payment_state, order.updated_at = "completed", shop.now()
    return JSONResponse({"id": shop.new_id("session"), "job_id": f"job-{shop.new_id('session')}"})


def _write(shop: EcforceShop, sku: Any, location: Any, stock: Any) -> str | None:
    """Write one row, and return its error code, or None when it is accepted."""
    items = shop.items_by_sku.get(sku, []) if isinstance(sku, str) else []
    known = bool(items) or any(
        variant.sku == sku for product in shop.products for variant in product.variants
    )
    here = [item for item in items if item.stock_location_code == location]
    if not known:
        return "ASI2001"
    if not here:
        return "ASI2002"
    if isinstance(stock, bool) or not isinstance(stock, int) or stock < 0:
        return "ASI3002"
    item, meaning = here[0], shop.behaviour["put_is"]
    if meaning == "ignored":
        return None
    # Stored on an unlimited record as well, where it has no effect (UNCONFIRMED).
    item.stock = item.stock + stock if meaning == "relative" else stock
    item.updated_at = shop.now()
    return None


def _change(shop: EcforceShop, order: SimOrder, change: dict[str, Any]) -> None:
    if isinstance(change.get("state"), str):
        order.state, order.updated_at = change["state"], shop.now()


def _order(shop: EcforceShop, identifier: Any) -> SimOrder | None:
    order = shop.orders.get(int(identifier)) if str(identifier).isdigit() else None
    return None if order is None or order.deleted_at is not None else order


def _order_error(identifier: Any, code: str) -> dict[str, Any]:
    cause = {"code": code, "message": "受注を更新できませんでした"}
    return {"id": identifier, "code": "AOR0000", "message": "更新に失敗しました", "errors": [cause]}


def _rows(body: Any, key: str) -> list[dict[str, Any]]:
    rows = body.get(key) if isinstance(body, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _filled(shop: EcforceShop, **parts: list[Any]) -> dict[str, Any]:
    """Return the non-empty keys only, as sibling endpoints do."""
    keep_empty = shop.behaviour["empty_keys"] == "present"
    return {key: rows for key, rows in parts.items() if rows or keep_empty}
