"""The catalogue: page by page, or by a bulk operation when it is large."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from zaiko_sdk import ContractBroken, Listing, ListingPage, PageTrail, PlatformDown, ReplyFields

from zaiko_shopify.client import Client
from zaiko_shopify.connections import connection
from zaiko_shopify.documents import (
    BULK_RUN,
    BULK_STATUS,
    LISTING_COUNT,
    LISTINGS,
    LISTINGS_PAGE,
    bulk_listings,
)
from zaiko_shopify.listings import listing_of
from zaiko_shopify.locations import Locations
from zaiko_shopify.replies import GraphqlRefused, TooDear
from zaiko_shopify.settings import ShopifySettings

_BULK_PAGE = 1_000
_POLL = 2.0
_POLLS_A_PAGE = 8
"""Seconds between the empty pages that are delivered while a bulk operation runs, so that no single
page takes long."""
_RUNNING = frozenset({"CREATED", "RUNNING", "CANCELING"})


class Catalogue:
    """Reads the listings of one shop."""

    def __init__(self, client: Client, settings: ShopifySettings, locations: Locations) -> None:
        self._client, self._settings, self._locations = client, settings, locations
        self._page = LISTINGS_PAGE

    async def pages(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """See Connector.list_listings."""
        position = _parse(cursor)
        if position is None:
            operation = await self._run_bulk() if await self._is_large() else None
            position = {"after": ""} if operation is None else {"bulk": operation, "line": 0}
        if "bulk" in position:
            async for page in self._bulk(position["bulk"], position["line"]):
                yield page
                if json.loads(page.cursor).get("after") == "":
                    break
            else:
                return
            # The operation failed or its file is gone: plain paging always works.
            position = {"after": ""}
        async for page in self._plain(position["after"]):
            yield page

    async def _plain(self, after: str) -> AsyncIterator[ListingPage]:
        location = await self._locations.chosen()
        position: str | None = after or None
        trail = PageTrail("Shopify's listings", start=position)
        while True:
            variables = {"first": self._page, "after": position, "location": location}
            try:
                page = connection(await self._client.query(LISTINGS, variables), "productVariants")
            except TooDear:
                if self._page == 1:
                    raise
                self._page //= 2
                continue
            listings = self._listings(page.rows)
            if page.after is None:
                yield ListingPage(listings, json.dumps({"after": position or ""}))
                return
            position = trail.follow(page.after)
            yield ListingPage(listings, json.dumps({"after": position}))

    async def _is_large(self) -> bool:
        if not self._settings.bulk_listings_above:
            return True
        count = (await self._client.query(LISTING_COUNT)).inner_or_none("productVariantsCount")
        return count is not None and count.whole("count") > self._settings.bulk_listings_above

    async def _run_bulk(self) -> str | None:
        """Start a bulk operation, and return it, or None when Shopify accepts none now."""
        query = bulk_listings(await self._locations.chosen())
        try:
            payload = (await self._client.mutate(BULK_RUN, {"query": query})).data.inner(
                "bulkOperationRunQuery"
            )
        except GraphqlRefused as error:
            self._client.log.warning("shopify_bulk_refused", problem=error.platform_message)
            return None
        errors = payload.rows("userErrors")
        if errors:
            self._client.log.warning("shopify_bulk_refused", problem=str(errors)[:300])
            return None
        return payload.inner("bulkOperation").text("id")

    async def _bulk(self, operation: str, line: int) -> AsyncIterator[ListingPage]:
        """Yield the pages of the operation's file, or a page with the cursor of plain paging when
        there will be no file."""
        give_up = ListingPage([], json.dumps({"after": ""}))
        polls = 0
        while True:
            status = await self._status(operation)
            state = "EXPIRED" if status is None else status.text("status")
            if state not in _RUNNING:
                break
            polls += 1
            if polls % _POLLS_A_PAGE == 0:
                yield ListingPage([], json.dumps({"bulk": operation, "line": line}))
            await self._client.clock.sleep(_POLL)
        if status is None or state != "COMPLETED":
            self._client.log.warning("shopify_bulk_failed", status=state)
            yield give_up
            return
        url = status.text_or_empty("url")
        if not url:
            # Nothing was found.
            yield ListingPage([], json.dumps({"bulk": operation, "line": line}))
            return
        if urlsplit(url).scheme not in ("http", "https"):
            raise ContractBroken("Shopify's bulk operation names a file that cannot be fetched")
        try:
            async for page in self._file(operation, url, line):
                yield page
        except PlatformDown as error:
            self._client.log.warning("shopify_bulk_failed", problem=error.message)
            yield give_up

    async def _status(self, operation: str) -> ReplyFields | None:
        return (await self._client.query(BULK_STATUS, {"id": operation})).inner_or_none(
            "bulkOperation"
        )

    async def _file(self, operation: str, url: str, skip: int) -> AsyncIterator[ListingPage]:
        rows: list[Any] = []
        number = 0
        async with self._client.download(url) as lines:
            async for text in lines:
                number += 1
                if number <= skip or not text:
                    continue
                rows.append(_json(text))
                if len(rows) == _BULK_PAGE:
                    yield ListingPage(
                        self._listings(rows), json.dumps({"bulk": operation, "line": number})
                    )
                    rows = []
        yield ListingPage(self._listings(rows), json.dumps({"bulk": operation, "line": number}))

    def _listings(self, rows: Sequence[Any]) -> list[Listing]:
        listings = []
        for index, row in enumerate(rows):
            try:
                listings.append(listing_of(ReplyFields(f"productVariants[{index}]", row)))
            except ContractBroken as error:
                identity = row.get("id") if isinstance(row, dict) else None
                self._client.log.error(
                    "shopify_listing_not_read", listing=str(identity)[:100], problem=error.message
                )
        return listings


def _parse(cursor: str | None) -> dict[str, Any] | None:
    try:
        position = json.loads(cursor or "")
    except ValueError:
        return None
    if not isinstance(position, dict):
        return None
    if isinstance(position.get("bulk"), str) and isinstance(position.get("line"), int):
        return position
    return position if isinstance(position.get("after"), str) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
