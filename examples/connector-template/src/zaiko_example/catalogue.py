"""The listings of the shop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from zaiko_sdk import ContractBroken, Listing, ListingPage, PageTrail, read_row

from zaiko_example.client import Client
from zaiko_example.mapping import listing_from
from zaiko_example.rows import ListingRow, Rows

_PATH = "/api/listings"


class Catalogue:
    """The catalogue of one shop."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def pages(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """See Connector.list_listings. The cursor is the platform's own `next`, which continues
        after the last id."""
        after = cursor or ""
        trail = PageTrail(_PATH, start=after)
        while True:
            reply = read_row(Rows, await self._client.get(_PATH, after=after), what=_PATH)
            yield ListingPage(self._listings(reply.rows), reply.next or after)
            if not reply.next:
                return
            after = trail.follow(reply.next)

    def _listings(self, rows: Sequence[Any]) -> list[Listing]:
        listings = []
        for row in rows:
            try:
                listings.append(listing_from(read_row(ListingRow, row, what="a listing")))
            except ContractBroken as error:
                self._client.log.error("listing_not_understood", problem=str(error))
        return listings
