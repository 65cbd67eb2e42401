"""HTTP to Next Engine for one shop: one call at a time, with valid tokens, and with every refusal
turned into an error.

Only a call whose tokens were refused is repeated here: it was not done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

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

from zaiko_nextengine.memory import Memory
from zaiko_nextengine.refusals import refusal, reported
from zaiko_nextengine.settings import NextEngineSettings
from zaiko_nextengine.tokens import TokenKeeper

SHOPS = "/api_v1_master_shop/search"
_LOGIN = "/api_neauth"
_BURST = 3
T = TypeVar("T")


class Client:
    """Calls to one shop's API. Safe for several tasks at once: calls take turns, because the vendor
    advises against parallel calls for one user, and because two calls with tokens that have just
    ended would lose the new ones."""

    def __init__(self, context: ShopContext, settings: NextEngineSettings, memory: Memory) -> None:
        self.clock, self.log = context.clock, context.log
        self._http = context.http()
        self._origin = settings.api_origin
        self._pace = RateLimiter(context.clock, rate=settings.requests_per_second, burst=_BURST)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._tried = ""
        """The access token that was last assumed to have ended: when our clock is fast, this costs
        one call a day, not each call twice."""
        self.tokens = TokenKeeper(context, settings, memory, self._log_in)

    async def aclose(self) -> None:
        """Wait for the call that is running, whose reply may hold the only copy of new tokens, and
        close the connections."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def search(self, path: str, form: Mapping[str, str]) -> tuple[list[Any], int | None]:
        """Return the rows of a reply to a search, and its `count` where it is a number. Raises
        Retry, Pause and Stop."""
        body = await self._uninterrupted(self._call(path, form, writing=False))
        rows = (
            body.get("data") if isinstance(body, dict) and body.get("result") == "success" else None
        )
        if not isinstance(rows, list):
            raise ContractBroken(f"Next Engine answered {path} without result and data")
        count = body.get("count")
        return rows, int(count) if isinstance(
            count, str
        ) and count.isascii() and count.isdigit() else None

    async def upload(self, path: str, data: str) -> str:
        """Upload a CSV and return the id of its job in the queue. Raises Timeout whenever it may
        have been accepted."""
        form = {"data_type": "csv", "data": data, "wait_flag": "0"}
        body = await self._uninterrupted(self._call(path, form, writing=True))
        queue = (
            body.get("que_id")
            if isinstance(body, dict) and body.get("result") == "success"
            else None
        )
        if isinstance(queue, int) and not isinstance(queue, bool):
            queue = str(queue)
        if not isinstance(queue, str) or not queue.isascii() or not queue.isdigit():
            raise Timeout("Next Engine's reply to an upload names no job", sent=True)
        return queue

    async def _uninterrupted(self, work: Coroutine[Any, Any, T]) -> T:
        # A run that is cancelled between a reply and the saving of its tokens would lose the shop's
        # only valid pair.
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def _call(self, path: str, form: Mapping[str, str], *, writing: bool) -> Any:
        async with self._turn:
            tokens = await self.tokens.current()
            ended = tokens.access_ends is not None and tokens.access_ends <= self.clock.now()
            if ended and tokens.access != self._tried:
                await self._renew()
                self._tried = tokens.access
            return await self._exchange(path, form, writing=writing)

    async def _renew(self) -> None:
        """Make a small call without effect, so that the new pair comes with its reply, and not with
        one that may be lost: an upload's, or a thousand rows'."""
        try:
            await self._exchange(SHOPS, {"fields": "shop_id", "limit": "1"}, writing=False)
        except Timeout as error:
            # The actual call was not sent, so its outcome is not open.
            raise PlatformDown(
                f"Next Engine did not answer when tokens had ended: {error.message}"
            ) from None

    async def _exchange(self, path: str, form: Mapping[str, str], *, writing: bool) -> Any:
        tokens = await self.tokens.current()
        reply, body = await self._send(path, {**form, **tokens.form()})
        if reported(body).refused_tokens:
            newer = await self.tokens.newer_than(tokens)
            if newer is not None:
                reply, body = await self._send(path, {**form, **newer.form()})
        self._raise(reply, body, path=path, writing=writing)
        return body

    def _raise(self, reply: httpx.Response, body: Any, *, path: str, writing: bool) -> None:
        error = reported(body)
        words = self.tokens.hide(f"{error.code} {error.message}".strip())
        problem = refusal(reply, error, path=path, words=words, writing=writing)
        if problem is not None:
            raise problem

    async def _log_in(self, form: Mapping[str, str]) -> Any:
        try:
            reply, body = await self._send(_LOGIN, form)
        except Timeout as error:
            # The call that wanted tokens was not sent, so its outcome is not open.
            raise PlatformDown(f"Next Engine did not answer the login: {error.message}") from None
        self._raise(reply, body, path=_LOGIN, writing=False)
        return body

    async def _send(self, path: str, form: Mapping[str, str]) -> tuple[httpx.Response, Any]:
        """Return the reply, and its JSON or None when it has none. Keeps its tokens, no matter what
        else it says."""
        with transport_errors(self._origin, path):
            async with self._pace:
                reply = await self._http.post(self._origin + path, data=dict(form))
        try:
            body = read_json(reply.content)
        except ValueError:
            body = None
        if path != _LOGIN:
            await self.tokens.take(body)
        return reply, body
