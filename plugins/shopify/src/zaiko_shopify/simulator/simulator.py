"""The simulator's face: HTTP routes for the connector, and what buyers and staff do for tests."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from zaiko_sdk.testing.simulator import NewListing, SimulationError, Simulator

from zaiko_shopify.documents import API_VERSION
from zaiko_shopify.simulator.platform import PLANS, Platform, internal_error
from zaiko_shopify.simulator.records import Order, Variant
from zaiko_shopify.simulator.run import gid, number_of
from zaiko_shopify.simulator.shop import Shop

_STATIC_TOKEN, _CLIENT_ID, _CLIENT_SECRET = "shpat_simulated_0a1b2c", "simulated-client", "shpss_simulated_3d4e5f"
_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10", "2027-01")
_STATES = {
    "active": None,
    "inactive": None,
    "frozen": (402, "Unavailable Shop"),
    "banned": (403, "User does not have access"),
    "missing": (404, "Not Found"),
    "locked": (423, "This shop is unavailable"),
}


class ShopifySimulator(Simulator):
    """One simulated shop. `extra` of a new listing: `stocked`, `tracked`, `policy`, `status`, `bundle`, `requires_shipping`,
    `variant_title`. Options of place_order beside `visible_after`: `test`, `financial`, `custom` (title → units of lines without
    a variant), `moves_stock` (False: created by API with default options)."""

    _SWITCHES: ClassVar[dict[str, str]] = {
        "quotas": "platform",
        "max_cost": "platform",
        "idempotency": "platform",
        "failed_keys_remembered": "platform",
        "busy_keys": "platform",
        "unfulfilled_includes_refunded": "platform",
        "protected_data_approved": "platform",
        "time_offset": "shop",
        "index_lag": "shop",
        "restock_on_delete": "shop",
        "refuse_sold_out": "shop",
    }

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop()
        self.platform = Platform(self.shop, _CLIENT_SECRET)
        self.grants: dict[str, float] = {}
        """Granted tokens, and when each ends."""
        self.token_life = 86_399
        self.grant_refusal = ""
        self.state = "active"
        self.served_version = ""
        self.internal_errors = 0

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
            Route("/admin/oauth/access_token", self._grant, methods=["POST"]),
            Route("/bulk/{name}.jsonl", self._file, methods=["GET"]),
        ]

    def shop_settings(self, base_url: str) -> dict[str, Any]:
        self.platform.bulk.base_url = base_url
        return {"shop": self.shop.domain, "origin": base_url, "client_id": _CLIENT_ID, "client_secret": _CLIENT_SECRET}

    def static_settings(self, base_url: str) -> dict[str, Any]:
        """Settings with a token that never ends."""
        self.platform.bulk.base_url = base_url
        return {"shop": self.shop.domain, "origin": base_url, "access_token": _STATIC_TOKEN}

    # Staff and buyers

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        with self.lock:
            return [gid("ProductVariant", self._add(listing).number) for listing in listings]

    def set_stock(self, sku: str, quantity: int) -> None:
        with self.lock:
            variant = self.shop.by_sku(sku)
            level = variant.levels.get(self.shop.main.number)
            if level is None:
                raise SimulationError(f"{sku} is not stocked")
            self.shop.set_available(level, quantity)
            self.platform.webhooks.level_changed(variant, level)

    def stock(self) -> dict[str, int]:
        with self.lock:
            return {variant.sku: self.shop.sellable(variant) for variant in self.shop.variants.values() if variant.sku}

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        with self.lock:
            order = self.shop.place(
                lines,
                visible_after=float(options.get("visible_after", 0)),
                test=bool(options.get("test", False)),
                financial=options.get("financial", "PAID"),
                custom=options.get("custom", {}),
                moves_stock=bool(options.get("moves_stock", True)),
            )
            self.platform.webhooks.order_changed(order, "ORDERS_CREATE")
            return gid("Order", order.number)

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.edit(found, lines)
            self.platform.webhooks.order_changed(found, "ORDERS_EDITED", "ORDERS_UPDATED")

    def refund_order(self, order: str, lines: Mapping[str, int], restock_type: str) -> None:
        """Refund units: CANCEL, RETURN or NO_RESTOCK."""
        with self.lock:
            found = self.order(order)
            self.shop.refund(found, lines, restock_type)
            self.platform.webhooks.order_changed(found, "REFUNDS_CREATE", "ORDERS_UPDATED")

    def cancel_order(self, order: str, *, restock: bool) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.cancel(found, restock=restock)
            self.platform.webhooks.order_changed(found, "ORDERS_CANCELLED", "ORDERS_UPDATED")

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.fulfil(found, lines)
            self.platform.webhooks.order_changed(found, "ORDERS_UPDATED")

    def archive_order(self, order: str) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.archive(found)
            self.platform.webhooks.order_changed(found, "ORDERS_UPDATED")

    def delete_order(self, order: str) -> None:
        with self.lock:
            found = self.order(order)
            self.shop.delete(found)
            self.platform.webhooks.order_changed(found, "ORDERS_DELETE")

    def order(self, identity: str) -> Order:
        """An order by the id that the connector reports."""
        found = self.shop.orders.get(number_of(identity, "Order") or 0)
        if found is None:
            raise SimulationError(f"there is no order {identity!r}")
        return found

    def switches(self) -> dict[str, Any]:
        values = {name: getattr(getattr(self, owner), name) for name, owner in self._SWITCHES.items()}
        own = {name: getattr(self, name) for name in ("token_life", "grant_refusal", "state", "served_version", "internal_errors")}
        bulk = self.platform.bulk
        return {
            **values,
            **own,
            "plan": self.platform.plan,
            "scopes": sorted(self.platform.scopes),
            "bulk_seconds": bulk.seconds,
            "bulk_outcome": bulk.outcome,
        }

    def switch(self, name: str, value: Any) -> None:
        with self.lock:
            known = self.switches()
            if name not in known:
                super().switch(name, value)
            if (name == "plan" and value not in PLANS) or (name == "state" and value not in _STATES):
                raise SimulationError(f"{name} cannot be {value!r}")
            match name:
                case "plan":
                    self.platform.use_plan(value)
                case "scopes":
                    self.platform.scopes = frozenset(value.split(",") if isinstance(value, str) else value)
                case "bulk_seconds":
                    self.platform.bulk.seconds = float(value)
                case "bulk_outcome":
                    self.platform.bulk.outcome = str(value)
                case _:
                    owner = getattr(self, self._SWITCHES[name]) if name in self._SWITCHES else self
                    setattr(owner, name, type(known[name])(value))

    def counters(self) -> dict[str, int]:
        with self.lock:
            return {"throttled": 0, **self.platform.counts}

    def _add(self, listing: NewListing) -> Variant:
        extra = listing.extra
        variant = self.shop.add_variant(
            listing.sku or None,
            listing.quantity,
            title=listing.title or listing.sku,
            barcode=listing.barcode or None,
            stocked=bool(extra.get("stocked", True)),
            status=str(extra.get("status", "ACTIVE")),
        )
        variant.tracked = bool(extra.get("tracked", True))
        variant.policy = str(extra.get("policy", "DENY"))
        variant.bundle = bool(extra.get("bundle", False))
        variant.requires_shipping = bool(extra.get("requires_shipping", True))
        variant.title = str(extra.get("variant_title", "Default Title"))
        return variant

    # HTTP

    async def _graphql(self, request: Request) -> Response:
        raw = await request.body()
        # On a worker thread, so that a long query does not hold up other shops' requests.
        return await anyio.to_thread.run_sync(self._answer, request, raw)

    def _answer(self, request: Request, raw: bytes) -> Response:
        with self.lock:
            served_at = format_datetime(self.shop.now(), usegmt=True)
            headers = {"Date": served_at, "X-Request-Id": str(uuid.uuid4()), "X-Shopify-API-Version": self._version(request)}
            refused = _STATES[self.state]
            if refused is not None:
                return JSONResponse({"errors": refused[1]}, refused[0], headers)
            if not self._knows(request.headers.get("x-shopify-access-token", "")):
                text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
                return JSONResponse({"errors": text}, 401, headers)
            try:
                body = json.loads(raw)
            except ValueError:
                body = None
            if not isinstance(body, dict) or not isinstance(body.get("query"), str):
                return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400, headers)
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
            form = {name: values[0] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}
            if self.grant_refusal:
                return PlainTextResponse(f"<html><body>Oauth error {self.grant_refusal}</body></html>", 400, media_type="text/html")
            if form.get("grant_type") != "client_credentials":
                return JSONResponse({"error": "unsupported_grant_type"}, 400)
            if (form.get("client_id"), form.get("client_secret")) != (_CLIENT_ID, _CLIENT_SECRET):
                return JSONResponse({"error": "invalid_client"}, 401)
            token = f"shpat_{secrets.token_hex(16)}"
            self.grants[token] = self.shop.monotonic() + self.token_life
            scope = ",".join(sorted(self.platform.scopes))
            return JSONResponse({"access_token": token, "scope": scope, "expires_in": self.token_life})

    async def _file(self, request: Request) -> Response:
        with self.lock:
            text = self.platform.bulk.files.get(request.path_params["name"])
            if text is None or "x-shopify-access-token" in request.headers:
                return PlainTextResponse("AccessDenied", 403)
            return PlainTextResponse(text, media_type="application/jsonl")

    def _knows(self, token: str) -> bool:
        if token == _STATIC_TOKEN:
            return True
        ends = self.grants.get(token)
        return ends is not None and self.shop.monotonic() < ends

    def _version(self, request: Request) -> str:
        """An unknown or ended version is served by the oldest one that is alive."""
        asked = str(request.path_params.get("version", API_VERSION))
        return self.served_version or (asked if asked in _VERSIONS else _VERSIONS[0])
