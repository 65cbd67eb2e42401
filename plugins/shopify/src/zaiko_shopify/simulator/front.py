"""The simulated shop on the wire: routes, tokens, refusals of the whole shop, files."""

from __future__ import annotations

import json
import secrets
import threading
import uuid
from collections.abc import Sequence
from email.utils import format_datetime
from urllib.parse import parse_qs

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_shopify.documents import API_VERSION
from zaiko_shopify.simulator.platform import Platform, internal_error
from zaiko_shopify.simulator.state import Shop

STATIC_TOKEN, CLIENT_ID, CLIENT_SECRET = (
    "shpat_simulated_0a1b2c",
    "simulated-client",
    "shpss_simulated_3d4e5f",
)
_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10", "2027-01")
STATES = {
    "active": None,
    "inactive": None,
    "frozen": (402, "Unavailable Shop"),
    "banned": (403, "User does not have access"),
    "missing": (404, "Not Found"),
    "locked": (423, "This shop is unavailable"),
    "maintenance": (
        503,
        "<html><head><title>503 Service Unavailable</title></head><body></body></html>",
    ),
}
"""The states a shop can be in, and how it then refuses everything. Only `inactive` is reported by
GraphQL."""


class Front:
    """Answers HTTP for one shop."""

    def __init__(self, shop: Shop, platform: Platform, lock: threading.RLock) -> None:
        self.shop, self.platform, self.lock = shop, platform, lock
        self.grants: dict[str, float] = {}
        """Granted tokens, and when each ends."""
        self.token_life = 86_399
        self.grant_refusal = ""
        self.state = "active"
        self.served_version = ""
        self.internal_errors = 0

    def routes(self) -> Sequence[BaseRoute]:
        """Return the platform's paths."""
        return [
            Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
            Route("/admin/oauth/access_token", self._grant, methods=["POST"]),
            Route("/bulk/{name}.jsonl", self._file, methods=["GET"]),
        ]

    async def _graphql(self, request: Request) -> Response:
        raw = await request.body()
        # On a worker thread, so that a long query does not hold up other shops' requests.
        return await anyio.to_thread.run_sync(self._answer, request, raw)

    def _answer(self, request: Request, raw: bytes) -> Response:
        with self.lock:
            served_at = format_datetime(self.shop.now(), usegmt=True)
            headers = {
                "Date": served_at,
                "X-Request-Id": str(uuid.uuid4()),
                "X-Shopify-API-Version": self._version(request),
            }
            refused = STATES[self.state]
            if refused is not None:
                status, words = refused
                return (
                    HTMLResponse(words, status)
                    if words.startswith("<")
                    else JSONResponse({"errors": words}, status, headers)
                )
            if not self._knows(request.headers.get("x-shopify-access-token", "")):
                text = (
                    "[API] Invalid API key or access token (unrecognized login or wrong password)"
                )
                return JSONResponse({"errors": text}, 401, headers)
            try:
                body = json.loads(raw)
            except ValueError:
                body = None
            if not isinstance(body, dict) or not isinstance(body.get("query"), str):
                return JSONResponse(
                    {"errors": {"query": "Required parameter missing or invalid"}}, 400, headers
                )
            if self.internal_errors > 0:
                self.internal_errors -= 1
                return JSONResponse(internal_error(), 200, headers)
            if self.state == "inactive":
                error = {"message": "Shop is not active.", "extensions": {"code": "SHOP_INACTIVE"}}
                return JSONResponse({"errors": [error]}, 200, headers)
            debug = request.headers.get("shopify-search-query-debug") == "1"
            return JSONResponse(self.platform.answer(body, debug=debug), 200, headers)

    async def _grant(self, request: Request) -> Response:
        raw = await request.body()
        with self.lock:
            self.platform.counts["access_token"] += 1
            form = {
                name: values[0] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()
            }
            if self.grant_refusal:
                return PlainTextResponse(
                    f"<html><body>Oauth error {self.grant_refusal}</body></html>",
                    400,
                    media_type="text/html",
                )
            if form.get("grant_type") != "client_credentials":
                return JSONResponse({"error": "unsupported_grant_type"}, 400)
            if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
                return JSONResponse({"error": "invalid_client"}, 401)
            token = f"shpat_{secrets.token_hex(16)}"
            self.grants[token] = self.shop.monotonic() + self.token_life
            scope = ",".join(sorted(self.platform.scopes))
            return JSONResponse(
                {"access_token": token, "scope": scope, "expires_in": self.token_life}
            )

    async def _file(self, request: Request) -> Response:
        with self.lock:
            text = self.platform.bulk.files.get(request.path_params["name"])
            if text is None or "x-shopify-access-token" in request.headers:
                return PlainTextResponse("AccessDenied", 403)
            return PlainTextResponse(text, media_type="application/jsonl")

    def _knows(self, token: str) -> bool:
        if token == STATIC_TOKEN:
            return True
        ends = self.grants.get(token)
        return ends is not None and self.shop.monotonic() < ends

    def _version(self, request: Request) -> str:
        """Return the version that serves a request. An unknown or ended version is served by the
        oldest supported one."""
        asked = str(request.path_params.get("version", API_VERSION))
        return self.served_version or (asked if asked in _VERSIONS else _VERSIONS[0])
