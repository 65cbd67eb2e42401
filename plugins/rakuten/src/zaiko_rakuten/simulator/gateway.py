"""The simulated gateway: keys, enabled functions, limits, and the forms of refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from zaiko_rakuten.simulator.quotas import Served
from zaiko_rakuten.simulator.state import RakutenShop

Handler = Callable[[RakutenShop, Request, Any], Response]


def errors(status: int, code: str, message: str, path: str | None = None) -> JSONResponse:
    """Return an error in the shape of items, stock and the gateway."""
    row: dict[str, Any] = {"code": code, "message": message}
    if path is not None:
        row["metadata"] = {"propertyPath": path}
    return JSONResponse({"errors": [row]}, status)


def endpoint(shop: RakutenShop, function: Served, handler: Handler) -> Callable[[Request], Any]:
    """Return a route's endpoint: what the gateway does before and after the function itself."""

    async def serve(request: Request) -> Response:
        raw = await request.body()
        with shop.lock:
            shop.count(function.name)
            response = _refused(shop, function, request) or _content(
                shop, function, request, raw, handler
            )
            response.headers["RequestId"] = str(uuid4())
            response.headers["Timestamp"] = shop.now().strftime("%Y-%m-%dT%H:%M:%S")
            response.headers["Cache-Control"] = "no-cache,no-store"
            return response

    return serve


def _refused(shop: RakutenShop, function: Served, request: Request) -> Response | None:
    maintenance = shop.behaviour["maintenance"]
    if maintenance == "html":
        return HTMLResponse(
            "<html><head><title>メンテナンス中</title></head><body>503</body></html>", 503
        )
    if maintenance == "json":
        return errors(503, "GE0001", "Service Unavailable")
    if maintenance == "read_only" and function.writes:
        return errors(400, "GE0017", "read-only mode")
    if shop.quotas.too_fast(function):
        wait = shop.behaviour["retry_after"]
        headers = {} if wait is None else {"Retry-After": str(wait)}
        if shop.behaviour["throttle_shape"] == "403":
            return Response(
                "<result><status><systemStatus>NG</systemStatus><message>QPSLimit</message></status></result>",
                403,
            )
        # UNCONFIRMED: the body; `errors[]` with a code of our own.
        refusal = errors(429, "GA0429", "Too Many Requests")
        refusal.headers.update(headers)
        return refusal
    if not _is_authorised(shop, request.headers.get("authorization", "")):
        return _unauthorised(shop, function, "ES01-01", "Un-Authorised")
    if function.name in shop.behaviour["disabled_functions"]:
        return _unauthorised(shop, function, "ES04-01", "Bad Request")
    return None


def _unauthorised(shop: RakutenShop, function: Served, old_code: str, old_words: str) -> Response:
    if shop.behaviour["auth_error_shape"] == "results" and function.orders:
        return JSONResponse(
            {"Results": {"errorCode": old_code, "message": old_words}},
            401 if old_code == "ES01-01" else 400,
        )
    return errors(401, "GA0001", "Un-Authorised")


def _is_authorised(shop: RakutenShop, header: str) -> bool:
    scheme, _, value = header.partition(" ")
    try:
        secret, _, key = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return False
    return scheme == "ESA" and secret == shop.service_secret and shop.is_live(key)


def _content(
    shop: RakutenShop, function: Served, request: Request, raw: bytes, handler: Handler
) -> Response:
    if request.method in ("GET", "DELETE"):
        return handler(shop, request, None)
    kind = request.headers.get("content-type", "").lower().replace(" ", "")
    if not kind.startswith("application/json"):
        return errors(415, "GE0012", "Unsupported Media Type")
    if (
        function.orders
        and shop.behaviour["orders_need_charset"]
        and kind != "application/json;charset=utf-8"
    ):
        return JSONResponse(
            {"Results": {"errorCode": "ES04-03", "message": "Unsupported Media Type"}}, 415
        )
    if not raw.strip():
        return errors(400, "GE0011", "request body is missing")
    try:
        body = json.loads(raw)
    except ValueError:
        return errors(400, "IE0002", "malformed JSON")
    return handler(shop, request, body)
