"""The simulated shop with its API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute
from zaiko_sdk.testing.simulator import Simulator

from zaiko_example.simulator.api import routes_of
from zaiko_example.simulator.state import WEBHOOK_SECRET, ExampleShop


class ExampleSimulator(ExampleShop, Simulator):
    """One shop. ExampleShop documents its options and switches."""

    def routes(self) -> Sequence[BaseRoute]:
        return routes_of(self)

    def shop_settings(self, base_url: str) -> dict[str, Any]:
        return {
            "origin": base_url,
            "token": self.behaviour["token"],
            "webhook_secret": WEBHOOK_SECRET,
            "requests_per_second": self.quota.rate,
        }
