"""HTTP to one shop: one request at a time, at the pace of the settings, repeated briefly where that
is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from zaiko_sdk import ContractBroken, PlatformDown, Repeats, SettingsInvalid, ShopContext, Timeout

from zaiko_ecforce.auth import Credentials
from zaiko_ecforce.documents import Document, read_document
from zaiko_ecforce.replies import announced_wait, body_of, refusal
from zaiko_ecforce.request_queue import queue_of
from zaiko_ecforce.settings import EcforceSettings

PER = 100
"""Rows per page: the platform's maximum."""
_DELAYS = (3.0, 5.0)
"""Seconds before the repeats of a request that was certainly not applied."""
_PATIENCE = 10.0
"""The longest announced wait that the connector waits. The host waits longer ones."""

Params = Sequence[tuple[str, str]]


class Client:
    """Requests to one shop's admin API. They go through the shop's queue, because the platform
    punishes parallel requests."""

    def __init__(self, context: ShopContext, settings: EcforceSettings) -> None:
        self.clock, self.log = context.clock, context.log
        self._http = context.http()
        self._origin, self._settings = settings.origin, settings
        self._queue = queue_of(settings, context.clock)
        self._credentials = Credentials(settings, context.clock, self._post_login)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def list(
        self,
        resource: str,
        params: Params,
        *,
        page: int,
        sort: str,
        include: str = "",
        per: int = PER,
    ) -> Document:
        """Return one page of a list. Sends `lighter=0` always: without it the shop's default
        decides which attributes come."""
        path = f"/api/v2/admin/{resource}.json"
        common = [("page", str(page)), ("per", str(per)), ("sort", sort), ("lighter", "0")]
        if include:
            common.append(("include", include))
        body = await self._read(path, [*common, *params])
        if isinstance(body, dict) and "data" in body and body["data"] is None:
            # When a list is empty, ecforce sends [] or leaves the key out. Null must not be read as
            # an empty list.
            raise ContractBroken(f"the reply for {path} has no list in `data`")
        document = read_document(body, what=path)
        if document.malformed:
            self.log.error("rows_without_id", resource=resource, rows=document.malformed)
        return document

    async def one(self, resource: str, identifier: str, *, include: str = "") -> Document | None:
        """Return one resource by id, or None when the platform says that there is none."""
        path = f"/api/v2/admin/{resource}/{identifier}.json"
        response = await self._exchange(
            "GET", path, params=[("lighter", "0"), ("include", include)]
        )
        if response.status_code == 404:
            return None
        self._raise(response, path, writing=False)
        return read_document(body_of(response), what=path)

    async def put(self, resource: str, body: Any) -> httpx.Response:
        """Send a change once; it is repeated only after replies that say that it was not accepted
        (401, 429). Returns replies of any status. Raises Timeout(sent=…) when no reply came."""
        return await self._exchange("PUT", f"/api/v2/admin/{resource}.json", body=body)

    async def _read(self, path: str, params: Params) -> Any:
        response = await self._exchange("GET", path, params=params)
        self._raise(response, path, writing=False)
        body = body_of(response)
        if body is None:
            raise ContractBroken(f"ecforce answered {path} with something that is not JSON")
        return body

    def _raise(self, response: httpx.Response, path: str, *, writing: bool) -> None:
        error = refusal(response, path=path, writing=writing, clock=self.clock)
        if error is not None:
            error.platform_message = self._settings.redact(error.platform_message)
            raise error

    async def _exchange(
        self, method: str, path: str, *, params: Params = (), body: Any = None
    ) -> httpx.Response:
        reading = method == "GET"
        async with self._queue.turn:
            repeats = Repeats(self.clock, _DELAYS, longest_wait=_PATIENCE)
            while True:
                try:
                    response = await self._authorised(method, path, params, body)
                except (PlatformDown, Timeout) as error:
                    # A read may be repeated when the connection broke.
                    is_safe = isinstance(error, PlatformDown) or (reading and error.sent is None)
                    delay = repeats.after_failure() if is_safe else None
                    if delay is None:
                        raise
                else:
                    if response.status_code != 429 and not (reading and _is_trouble(response)):
                        return response
                    delay = repeats.after_failure(announced_wait(response, self.clock))
                    if delay is None:
                        return response
                await self.clock.sleep(delay)

    async def _authorised(
        self, method: str, path: str, params: Params, body: Any
    ) -> httpx.Response:
        token = await self._credentials.token()
        response = await self._send(method, path, params, body, token)
        if response.status_code == 401:
            renewed = await self._credentials.renew(token)
            if renewed is not None:
                response = await self._send(method, path, params, body, renewed)
        return response

    async def _post_login(self, path: str, body: Any) -> httpx.Response:
        return await self._send("POST", path, (), body, None)

    async def _send(
        self, method: str, path: str, params: Params, body: Any, token: str | None
    ) -> httpx.Response:
        headers = {"accept": "application/json", "cache-control": "no-cache"}
        if token is not None:
            headers["authorization"] = f'Token token="{token}"'
        query = list(params) or None
        try:
            async with self._queue.pace:
                return await self._http.request(
                    method,
                    self._origin + path,
                    params=query,  # type: ignore[arg-type]
                    json=body,
                    headers=headers,
                )
        except (httpx.ConnectError, httpx.PoolTimeout) as error:
            raise PlatformDown(
                f"could not connect to {self._origin} ({type(error).__name__})"
            ) from None
        except httpx.ConnectTimeout:
            raise Timeout(
                f"{self._origin} did not accept the connection in time", sent=False
            ) from None
        except httpx.TimeoutException as error:
            raise Timeout(
                f"ecforce did not answer {path} in time ({type(error).__name__})", sent=True
            ) from None
        except httpx.TransportError as error:
            if isinstance(error, httpx.UnsupportedProtocol):
                raise SettingsInvalid(
                    f"the origin {self._origin} is not an address that can be called"
                ) from None
            raise Timeout(
                f"the connection broke while calling {path} ({type(error).__name__})", sent=None
            ) from None
        except httpx.HTTPError as error:
            raise Timeout(
                f"the reply to {path} could not be read ({type(error).__name__})", sent=None
            ) from None


def _is_trouble(response: httpx.Response) -> bool:
    """Return whether a reply to a read may be better next time: the platform failed, the body was
    cut, or it is an HTML page."""
    return response.status_code >= 500 or (response.is_success and body_of(response) is None)
