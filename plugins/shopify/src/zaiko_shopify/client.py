"""GraphQL over HTTP to one shop: authentication, the cost bucket, and the repeats that are safe."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CostBucket,
    PlatformDown,
    Repeats,
    ReplyFields,
    ShopContext,
    Throttled,
    Timeout,
    transport_errors,
)

from zaiko_shopify.auth import Credentials
from zaiko_shopify.documents import API_VERSION, Document
from zaiko_shopify.replies import (
    Garbled,
    body_of,
    quota_of,
    refusal_by_errors,
    refusal_by_status,
    search_warnings,
)
from zaiko_shopify.settings import ShopifySettings

_DELAYS = (1.0, 2.0, 4.0)
"""Seconds before the repeats of a request that failed."""
_OF_THE_BODY = frozenset(
    {"content-length", "content-encoding", "content-type", "transfer-encoding"}
)
_PATIENCE = 25.0
"""For so many seconds one request is repeated or waits for its quota. The host waits longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` of a mutation's reply. `doubtful`: an earlier attempt at the same request had no
    usable reply and may have been applied, so a refusal now does not prove that nothing was
    applied."""

    data: ReplyFields
    doubtful: bool


class Client:
    """Requests to one shop. Many tasks may use it at once; they share the token and the cost
    bucket."""

    def __init__(self, context: ShopContext, settings: ShopifySettings) -> None:
        self.clock, self.log = context.clock, context.log
        self._http = context.http()
        self._url = settings.base_url
        self._endpoint = f"{settings.base_url}/admin/api/{API_VERSION}/graphql.json"
        self._credentials = Credentials(settings, context.clock, self._post_form)
        self._bucket = CostBucket(context.clock)
        self._costs: dict[str, float] = {}
        self._flying = 0.0
        self.served_version: str | None = None
        """The API version that answered last."""
        self.served_at: datetime | None = None
        """Shopify's own clock in its last reply."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def query(
        self, document: Document, variables: Mapping[str, Any] | None = None
    ) -> ReplyFields:
        """Send a read, and return `data`. Failures are repeated for a while."""
        return (await self._run(document, variables or {}, writing=False)).data

    async def mutate(self, document: Document, variables: Mapping[str, Any]) -> Answer:
        """Send a change. After a failure the very same bytes are sent again, so the document must
        have an idempotency key or have the same effect when repeated. Raises Timeout(sent=None)
        when it may have been applied; any other error promises that it was not."""
        return await self._run(document, variables, writing=True)

    @asynccontextmanager
    async def download(self, url: str) -> AsyncIterator[AsyncIterator[str]]:
        """Yield the lines of a bulk operation's file. Its URL is signed and must not receive the
        token."""
        try:
            async with self._http.stream("GET", url) as response:
                if response.status_code != 200:
                    raise PlatformDown(
                        f"Shopify answered {response.status_code} for the file of a bulk operation"
                    )
                yield response.aiter_lines()
        except httpx.HTTPError as error:
            raise PlatformDown(
                f"the file of a bulk operation could not be read ({type(error).__name__})"
            ) from None

    async def _run(
        self, document: Document, variables: Mapping[str, Any], *, writing: bool
    ) -> Answer:
        body = json.dumps(
            {"query": document.text, "variables": variables, "operationName": document.name}
        ).encode()
        repeats = Repeats(self.clock, _DELAYS, within=_PATIENCE)
        doubtful: ConnectorError | None = None
        while True:
            try:
                return Answer(
                    await self._once(document, body, writing=writing), doubtful is not None
                )
            except Throttled as error:
                failure: ConnectorError = error
                wait = repeats.after_throttling(error.retry_after)
            except (PlatformDown, Timeout, Garbled) as error:
                failure = error
                wait = repeats.after_failure()
                if writing and (
                    isinstance(error, Garbled)
                    or (isinstance(error, Timeout) and error.sent is not False)
                ):
                    doubtful = error
            except ConnectorError as error:
                failure, wait = error, None
            if wait is None:
                if doubtful is not None and not (
                    isinstance(failure, Timeout) and failure is doubtful
                ):
                    raise Timeout(
                        (
                            f"{doubtful.message}; asking again under the same key did not "
                            f"settle it ({failure.reason})"
                        ),
                        sent=None,
                        platform_message=failure.platform_message,
                    ) from failure
                raise failure
            self.log.info(
                "shopify_repeats",
                operation=document.name,
                reason=failure.reason,
                wait=round(wait, 2),
            )
            await self.clock.sleep(wait)

    async def _once(self, document: Document, body: bytes, *, writing: bool) -> ReplyFields:
        response = await self._paced(document, body)
        self._note(response)
        error = refusal_by_status(response, what=document.name, writing=writing)
        if error is not None:
            self._log_refusal(document, response, error)
            raise error
        reply = body_of(response)
        if not isinstance(reply, dict):
            raise Garbled(
                f"Shopify answered {document.name} with something that is not a JSON object"
            )
        quota = quota_of(reply)
        if quota is not None:
            # What other tasks have sent may not be in that number yet.
            available = quota.available - self._flying
            self._bucket.report(
                available=available, maximum=quota.maximum, restore_rate=quota.restore_rate
            )
            if quota.requested > 0:
                self._costs[document.name] = quota.requested
        error = refusal_by_errors(reply, what=document.name, writing=writing)
        if error is not None:
            self._log_refusal(document, response, error)
            raise error
        ignored = search_warnings(reply)
        if ignored:
            raise ContractBroken(
                f"Shopify's search ignored a filter of {document.name}", platform_message=ignored
            )
        if reply.get("data") is None:
            raise Garbled(f"Shopify's reply to {document.name} has no data and no errors")
        return ReplyFields(f"Shopify's {document.name}", reply["data"])

    async def _paced(self, document: Document, body: bytes) -> httpx.Response:
        token = await self._credentials.token()
        cost = self._costs.get(document.name, document.cost)
        await self._bucket.reserve(cost)
        self._flying += cost
        try:
            response = await self._post(document.name, body, token)
            if response.status_code == 401:
                renewed = await self._credentials.another(token)
                if renewed is not None:
                    response = await self._post(document.name, body, renewed)
        finally:
            self._flying -= cost
        return response

    def _note(self, response: httpx.Response) -> None:
        version = response.headers.get("x-shopify-api-version")
        if version and version != self.served_version:
            self.served_version = version
            if version != API_VERSION:
                self.log.warning("shopify_api_version_differs", asked=API_VERSION, served=version)
        try:
            self.served_at = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            self.served_at = None
        if self.served_at is not None and self.served_at.tzinfo is None:
            self.served_at = None

    def _log_refusal(
        self, document: Document, response: httpx.Response, error: ConnectorError
    ) -> None:
        request = response.headers.get("x-request-id", "")
        self.log.info(
            "shopify_refused",
            operation=document.name,
            reason=error.reason,
            status=response.status_code,
            request=request,
        )

    async def _post(self, what: str, body: bytes, token: str) -> httpx.Response:
        headers = {
            "x-shopify-access-token": token,
            "content-type": "application/json",
            "accept": "application/json",
        }
        return await self._send(what, self._endpoint, headers, content=body)

    async def _post_form(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        try:
            return await self._send(
                "the request for a token",
                self._url + path,
                {"accept": "application/json"},
                data=dict(form),
            )
        except Timeout as error:
            # Asking for a token changes nothing, and the request that needs it was not sent.
            raise PlatformDown(error.message) from None

    async def _send(
        self, what: str, url: str, headers: Mapping[str, str], **body: Any
    ) -> httpx.Response:
        with transport_errors(self._url, what):
            response = await self._http.post(url, headers=dict(headers), **body)
        return self._discreet(response)

    def _discreet(self, response: httpx.Response) -> httpx.Response:
        """Return the reply without the credentials, in case it quotes what was sent. This happens
        before any text is cut to length. A token that this reply grants is not known yet and
        stays."""
        said = response.text
        clean = self._credentials.redact(said)
        if clean == said:
            return response
        headers = {
            name: value for name, value in response.headers.items() if name not in _OF_THE_BODY
        }
        return httpx.Response(
            response.status_code, headers=headers, content=clean.encode(), request=response.request
        )
