"""The simulated licence API: when a licence key ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_rakuten.simulator.gateway import endpoint, errors
from zaiko_rakuten.simulator.quotas import Served
from zaiko_rakuten.simulator.state import RakutenShop
from zaiko_rakuten.times import JAPAN


def routes_of(shop: RakutenShop) -> Sequence[BaseRoute]:
    """Return the one route of the API."""
    path = "/es/1.0/license-management/license-key/expiry-date"
    function = Served("licence.expiryDate", 1)
    return [Route(path, endpoint(shop, function, _expiry_date), methods=["GET"])]


def _expiry_date(shop: RakutenShop, request: Request, body: Any) -> Response:
    asked = request.query_params.get("licenseKey")
    if not asked:
        return errors(400, "IE0001", "licenseKey is required")  # UNCONFIRMED
    for key in shop.keys:
        if key.text == asked and shop.is_live(asked):
            return JSONResponse(
                {"expiryDate": key.dies_at.astimezone(JAPAN).strftime("%Y-%m-%dT%H:%M:%S")}
            )
    return errors(401, "GA0001", "Un-Authorised")
