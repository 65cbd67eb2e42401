"""The simulated BASE shop with its API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute
from zaiko_sdk.testing.simulator import Simulator

from zaiko_base.simulator.api import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SHOP_ID, routes_of
from zaiko_base.simulator.state import BaseShop


class BaseSimulator(BaseShop, Simulator):
    """One shop of BASE. BaseShop documents its options and switches."""

    def routes(self) -> Sequence[BaseRoute]:
        return routes_of(self)

    def shop_settings(self, base_url: str) -> dict[str, Any]:
        """Return settings with a refresh token of their own each time, since a token works once,
        and with a faster pace than a real shop's."""
        with self.lock:
            return {
                "api_origin": base_url,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uri": REDIRECT_URI,
                "refresh_token": self.grants.refresh_token(self.now()),
                "shop_id": f"{SHOP_ID}-{self.account}",
                "calls_per_hour": self.quotas.per_hour,
                "calls_per_day": self.quotas.per_day,
                "requests_per_second": 200.0,
            }
