"""The simulated account of Next Engine with its API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute
from zaiko_sdk.testing.simulator import Simulator

from zaiko_nextengine.simulator.api import CLIENT_ID, CLIENT_SECRET, routes_of
from zaiko_nextengine.simulator.state import NextEngineAccount

_SHARE = 0.8
"""The part of the quota that a connector uses."""


class NextEngineSimulator(NextEngineAccount, Simulator):
    """One account of Next Engine. NextEngineAccount documents its options and switches."""

    def routes(self) -> Sequence[BaseRoute]:
        return routes_of(self)

    def shop_settings(self, base_url: str) -> dict[str, Any]:
        """Return settings with the pair of tokens that is valid now, and a faster pace than the
        real platform's."""
        with self.lock:
            pair = self.grants.live or self.grants.log_in(self.now())
            pace = max(1.0, self.quotas.most * _SHARE) if self.quotas.enforced else 500.0
            return {
                "api_origin": base_url,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "access_token": pair.access,
                "refresh_token": pair.refresh,
                "requests_per_second": pace,
                "queue_poll_seconds": 0.1,
            }
