"""HTTP to one shop: at the pace that it allows, with every failure turned into an error of
zaiko_sdk.

Nothing is repeated here. zaiko repeats a whole call with growing delays, shows the reason
meanwhile, and settles a write whose outcome is unknown first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from zaiko_sdk import (
    ContractBroken,
    RateLimiter,
    ShopContext,
    Throttled,
    Timeout,
    read_json,
    transport_errors,
)

from zaiko_example.refusals import refusal
from zaiko_example.settings import ExampleSettings

_BURST = 8
"""Requests sent at once after a pause. The platform allows 10 (its documentation, «Rate limits»);
two are left for requests that the network delays and then delivers together."""

Params = Mapping[str, str] | None


class Client:
    """Requests to one shop. Safe for several tasks at once: the host may check a shop while it
    runs."""

    def __init__(self, context: ShopContext, settings: ExampleSettings) -> None:
        self.clock, self.log = context.clock, context.log
        self._http = context.http()
        self._origin = settings.origin
        self._headers = {"authorization": f"Bearer {settings.token.get_secret_value()}"}
        self._pace = RateLimiter(context.clock, rate=settings.requests_per_second, burst=_BURST)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, **params: str) -> Any:
        """Return the JSON of a reply to a read. Raises Throttled, PlatformDown, Timeout, Pause and
        Stop."""
        reply = await self._exchange("GET", path, params=params)
        try:
            return read_json(reply.content)
        except ValueError:
            raise ContractBroken(
                f"Example Shop answered {path} with something that is not JSON"
            ) from None

    async def post(self, path: str, body: Any) -> Any:
        """Send a write once and return the JSON of the reply. Raises Timeout(sent=True) whenever it
        is not certain whether the write was applied."""
        reply = await self._exchange("POST", path, body=body)
        try:
            return read_json(reply.content)
        except ValueError:
            raise Timeout(
                f"Example Shop took the change at {path}, but its reply cannot be read", sent=True
            ) from None

    async def _exchange(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> httpx.Response:
        async with self._pace:
            reply = await self._send(method, path, params, body)
        error = refusal(reply, path=path, writing=method != "GET")
        if isinstance(error, Throttled):
            self._pace.penalise(error.retry_after)
        if error is not None:
            raise error
        return reply

    async def _send(self, method: str, path: str, params: Params, body: Any) -> httpx.Response:
        with transport_errors(self._origin, path):
            return await self._http.request(
                method, self._origin + path, params=params, json=body, headers=self._headers
            )
