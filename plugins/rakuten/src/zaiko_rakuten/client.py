"""HTTP to RMS: signed, at the pace of each function's limit, with the short repeats that are
safe."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import httpx
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    PermissionMissing,
    PlatformDown,
    Repeats,
    SettingsInvalid,
    ShopContext,
    Throttled,
    Timeout,
)

from zaiko_rakuten.function_queue import FunctionQueue, queues_of
from zaiko_rakuten.functions import LICENCE_EXPIRY, Function
from zaiko_rakuten.refusals import (
    MAINTENANCE_WAIT,
    is_access_refused,
    is_down,
    is_throttled,
    refusal,
)
from zaiko_rakuten.replies import Reply, problems_in
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.times import moment, served_at

KEY_GRACE = 40 * 60.0
"""Seconds in which a key that never worked here may still be too new: RMS needs up to 30 minutes to
accept a new one."""
_KEY_RETRY = 120.0
_JUST_NOW = 60.0
_DELAYS = (1.0, 3.0)
"""Seconds before the repeats of a read."""
_REPEATING = 20.0
"""Seconds after which a read that keeps failing is left to the host."""
_PATIENCE = 10.0
"""The longest wait that the connector waits. The host waits longer ones."""
_KEY_HELP = (
    "Check in RMS (WEB APIサービス) that the licence key has not expired and that it and the "
    "service secret were entered as shown; enter a new key here when there is one"
)


class KeyNotLiveYet(PlatformDown):
    """RMS refuses the keys, but they may be too new."""


class _HiddenUrl(httpx.URL):
    """A URL whose query never shows in a log line or a trace: it contains the licence key."""

    def __str__(self) -> str:
        return (
            str(httpx.URL(self, query=b"licenseKey=hidden"))
            if b"licenseKey" in self.query
            else super().__str__()
        )

    def __repr__(self) -> str:
        return f"URL({str(self)!r})"


class Client:
    """Calls to the functions of one shop."""

    def __init__(self, context: ShopContext, settings: RakutenSettings) -> None:
        self.clock, self.log = context.clock, context.log
        self._http = context.http()
        self._origin, self._queues = settings.origin, queues_of(settings, context.clock)
        self._settings, self._key = settings, settings.license_key
        pair = ":".join(
            key.get_secret_value() for key in (settings.service_secret, settings.license_key)
        )
        self._authorization = "ESA " + base64.b64encode(pair.encode()).decode()
        self._opened_at = self.clock.monotonic()
        self._key_worked_at, self._licence_told = float("-inf"), False
        self._busy_in_a_row = 0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self,
        function: Function,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Reply:
        """Return a successful reply, or one with a status in `accept`. Raises ConnectorError for
        any other."""
        reply = await self.ask(function, body=body, query=query, accept=accept)
        if reply is None:
            raise await self._access_error(function)
        return reply

    async def ask(
        self,
        function: Function,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Reply | None:
        """Return the reply of `call`, or None when RMS refuses access to this function, for a
        caller that has another way."""
        reply = await self._repeated(function, body, query, accept)
        if is_access_refused(reply):
            return None
        if 200 <= reply.status < 300:
            self._key_worked_at, self._busy_in_a_row = self.clock.monotonic(), 0
            if not reply.problems:
                return reply
        if reply.status in accept:
            return reply
        if reply.status == 503:
            self._busy_in_a_row += 1
        raise self._discreet(
            refusal(
                reply,
                function,
                busy_wait=min(30.0 * 2 ** min(self._busy_in_a_row, 4), MAINTENANCE_WAIT),
            )
        )

    def _discreet(self, error: ConnectorError) -> ConnectorError:
        """Return the error without the keys, in case RMS quotes what it received."""
        words = self._settings.redact(error.platform_message)
        error.platform_message = words.replace(self._authorization.removeprefix("ESA "), "[secret]")
        return error

    async def licence_expiry(self) -> datetime | None:
        """Return when the licence key ends, or None when RMS refuses to say, as it does for an
        invalid key. Raises ConnectorError."""
        reply = await self.ask(LICENCE_EXPIRY, query={"licenseKey": self._key.get_secret_value()})
        if reply is None:
            return None
        document = reply.document(LICENCE_EXPIRY.name)
        expiry = moment(document.get("expiryDate")) if isinstance(document, dict) else None
        if expiry is None:
            raise ContractBroken(f"{LICENCE_EXPIRY.name} returned no date")
        self._licence_told = True
        return expiry

    async def _access_error(self, function: Function) -> ConnectorError:
        """Return what a refused access means. RMS answers the same for an invalid key and for a
        function that is not enabled, so the licence API is asked about the key."""
        now = self.clock.monotonic()
        # The licence API itself may not be enabled: then the latest reply of another function
        # decides.
        key_is_good = not self._licence_told and now - self._key_worked_at < _JUST_NOW
        with contextlib.suppress(ConnectorError):
            key_is_good = await self.licence_expiry() is not None or key_is_good
        if key_is_good:
            return PermissionMissing(
                f"the function {function.name} ({function.api}) is not enabled for the "
                "licence key. Enable it in RMS: WEB APIサービス > 利用機能編集"
            )
        if self._key_worked_at < self._opened_at and now - self._opened_at < KEY_GRACE:
            return KeyNotLiveYet(
                (
                    "RMS does not accept the keys yet. A new licence key takes up to 30 minutes "
                    "to work. If this one is older: "
                )
                + _KEY_HELP,
                retry_after=_KEY_RETRY,
            )
        return CredentialsRejected(f"RMS does not accept the keys. {_KEY_HELP}")

    async def _repeated(
        self,
        function: Function,
        body: Any,
        query: Mapping[str, str] | None,
        accept: Collection[int],
    ) -> Reply:
        queue = self._queues.to(function)
        repeats = Repeats(self.clock, _DELAYS)
        while True:
            try:
                reply = await self._send(queue, function, body, query)
            except Timeout:
                delay = repeats.after_failure()
                if delay is None or function.writes or repeats.age > _REPEATING:
                    raise
                await self.clock.sleep(delay)
                continue
            down = not function.writes and (is_down(reply) or reply.is_cut)
            if not is_throttled(reply) and (not down or reply.status in accept):
                return reply
            wait = repeats.after_failure(reply.retry_after)
            if wait is None:
                return reply
            if is_throttled(reply):
                await self._hold(queue, function, reply, max(1.0, wait))
            elif wait > _PATIENCE or repeats.age > _REPEATING:
                return reply
            else:
                await self.clock.sleep(wait)

    async def _hold(
        self, queue: FunctionQueue, function: Function, reply: Reply, wait: float
    ) -> None:
        """Let no call to this function through for `wait` seconds. Raises Throttled when that is
        too long to wait here."""
        queue.hold(wait)
        if wait > _PATIENCE:
            raise self._discreet(
                Throttled(
                    f"RMS limits {function.name}", retry_after=wait, platform_message=reply.words()
                )
            )
        self.log.info("throttled", function=function.name, wait=wait)

    async def _send(
        self, queue: FunctionQueue, function: Function, body: Any, query: Mapping[str, str] | None
    ) -> Reply:
        headers = {"authorization": self._authorization, "accept": "application/json"}
        request = self._http.build_request(
            function.method, self._origin + function.path, params=query, json=body, headers=headers
        )
        if body is not None:
            # The order API answers 415 without the charset.
            request.headers["content-type"] = "application/json; charset=utf-8"
        request.url = _HiddenUrl(request.url)
        try:
            async with queue:
                response = await self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise PlatformDown(
                f"could not connect to {self._origin} ({type(error).__name__})"
            ) from None
        except httpx.TimeoutException as error:
            raise Timeout(
                f"{function.name} was not answered in time ({type(error).__name__})", sent=None
            ) from None
        except httpx.UnsupportedProtocol:
            raise SettingsInvalid(
                f"the origin {self._origin} is not an address that can be called"
            ) from None
        except httpx.HTTPError as error:
            raise Timeout(
                f"the connection broke during {function.name} ({type(error).__name__})", sent=None
            ) from None
        return _reply(response)


def _reply(response: httpx.Response) -> Reply:
    headers = response.headers
    wait = headers.get("retry-after", "")
    return Reply(
        status=response.status_code,
        body=response.content,
        request_id=headers.get("requestid", ""),
        retry_after=float(wait) if wait.isascii() and wait.isdigit() else None,
        served_at=served_at(headers.get("timestamp")),
        problems=problems_in(response.status_code, response.content),
    )
