"""HTTP to BASE for one shop: with a valid token, within the quotas, and with every refusal turned
into an error.

Only a call whose token was refused is repeated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from zaiko_sdk import (
    ContractBroken,
    PlatformDown,
    RateLimiter,
    ShopContext,
    Timeout,
    read_json,
    transport_errors,
)

from zaiko_base.budget import Budget
from zaiko_base.refusals import INVALID, grant_refusal, refusal, reported
from zaiko_base.settings import BaseSettings
from zaiko_base.tokens import TokenKeeper

_BURST = 5
_TOKEN = "/1/oauth/token"  # noqa: S105 - a path


class Client:
    """Requests to one shop's API. Safe for several tasks at once."""

    def __init__(self, context: ShopContext, settings: BaseSettings) -> None:
        self.clock, self.log = context.clock, context.log
        self._http = context.http()
        self._origin = settings.api_origin
        self._pace = RateLimiter(context.clock, rate=settings.requests_per_second, burst=_BURST)
        self._budget = Budget(
            context.clock, per_hour=settings.calls_per_hour, per_day=settings.calls_per_day
        )
        self.tokens = TokenKeeper(context, settings, self._ask_for_tokens)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.tokens.aclose()
        await self._http.aclose()

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, for_orders: bool = False
    ) -> Any:
        """Return the JSON of a reply to a read. Raises Retry, Skip, Pause and Stop."""
        reply = await self._authorised("GET", path, params or {}, for_orders=for_orders)
        try:
            return read_json(reply.content)
        except ValueError:
            raise ContractBroken(f"BASE answered {path} with something that is not JSON") from None

    async def post(self, path: str, form: Mapping[str, str]) -> Any:
        """Send a write and return the JSON of the reply, or None when it cannot be read. Raises
        Timeout whenever it is not certain whether the write was applied."""
        reply = await self._authorised("POST", path, form)
        try:
            return read_json(reply.content)
        except ValueError:
            return None

    async def _authorised(
        self, method: str, path: str, values: Mapping[str, str], *, for_orders: bool = False
    ) -> httpx.Response:
        tokens = await self.tokens.current()
        reply = await self._send(method, path, values, tokens.access, for_orders=for_orders)
        error = reported(reply)
        if error.code == INVALID or reply.status_code == 401:
            # The code means both "this token has ended" and "these parameters are wrong"; with a
            # new token it can only mean the latter.
            tokens = await self.tokens.renewed(tokens.access)
            reply = await self._send(method, path, values, tokens.access, for_orders=for_orders)
            error = reported(reply)
        problem = refusal(reply, error, path=path, writing=method == "POST", budget=self._budget)
        if problem is not None:
            raise problem
        return reply

    async def _ask_for_tokens(self, form: Mapping[str, str]) -> Any:
        try:
            reply = await self._send("POST", _TOKEN, form, "", for_orders=True)
        except Timeout as error:
            # The call that wanted the token was not sent, so its outcome is not open.
            raise PlatformDown(
                f"BASE did not answer when asked for a token: {error.message}"
            ) from None
        problem = grant_refusal(reply, budget=self._budget)
        if problem is not None:
            raise problem
        try:
            return read_json(reply.content)
        except ValueError:
            raise PlatformDown("BASE's reply with tokens cannot be read") from None

    async def _send(
        self, method: str, path: str, values: Mapping[str, str], token: str, *, for_orders: bool
    ) -> httpx.Response:
        self._budget.take(for_orders=for_orders)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        with transport_errors(self._origin, path):
            async with self._pace:
                if method == "GET":
                    return await self._http.get(self._origin + path, params=values, headers=headers)
                return await self._http.post(
                    self._origin + path, data=dict(values), headers=headers
                )
