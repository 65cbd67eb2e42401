"""The simulated shop on Rakuten Ichiba with the RMS WEB SERVICE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute
from zaiko_sdk.testing.simulator import Simulator

from zaiko_rakuten.simulator import item_api, licence_api, order_api, stock_api
from zaiko_rakuten.simulator.notices import AUTH_KEY
from zaiko_rakuten.simulator.state import RakutenShop


class RakutenSimulator(RakutenShop, Simulator):
    """One shop on Rakuten Ichiba. RakutenShop documents its options and switches."""

    def routes(self) -> Sequence[BaseRoute]:
        return [
            *licence_api.routes_of(self),
            *stock_api.routes_of(self),
            *item_api.routes_of(self),
            *order_api.routes_of(self),
        ]

    def shop_settings(self, base_url: str) -> dict[str, Any]:
        return {
            "origin": base_url,
            "service_secret": self.service_secret,
            "license_key": self.keys[-1].text,
            "notice_auth_key": AUTH_KEY,
        }
