"""The simulated ecforce shop with its admin API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute
from zaiko_sdk.testing.simulator import Simulator

from zaiko_ecforce.simulator.api import routes_of
from zaiko_ecforce.simulator.state import EMAIL, LOCATION, PASSWORD, WEBHOOK_SECRET, EcforceShop


class EcforceSimulator(EcforceShop, Simulator):
    """One ecforce shop. EcforceShop documents its options and switches."""

    def routes(self) -> Sequence[BaseRoute]:
        return routes_of(self)

    def shop_settings(self, base_url: str) -> dict[str, Any]:
        """Return settings with the token or the login that the switch `auth` names, and a faster
        pace than a real shop's while `quotas` is off."""
        login = (
            {"email": EMAIL, "password": PASSWORD}
            if self.behaviour["auth"] == "sign_in"
            else {"token": self.static_token}
        )
        pace = {} if self.quotas.enforced else {"requests_per_second": 100.0, "burst": 100}
        return {
            "origin": base_url,
            "location_code": LOCATION,
            "webhook_secret": WEBHOOK_SECRET,
            **login,
            **pace,
        }
