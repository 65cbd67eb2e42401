"""The listings of the shop: its items, or their variations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from zaiko_sdk import ContractBroken, Listing, ListingPage, ListingWarning, read_row

from zaiko_base.client import Client
from zaiko_base.mapping import listings_from
from zaiko_base.paging import pages_of
from zaiko_base.rows import ItemRow

PATH = "/1/items"
# The oldest first, so that new items come at the end. One picture each, because asking for none is
# not possible.
PARAMS = {"order": "created", "sort": "asc", "max_image_no": "1"}


class Catalogue:
    """The catalogue of one shop."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def pages(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """See Connector.list_listings. The cursor is the offset of the next page."""
        offset = int(cursor) if cursor and cursor.isascii() and cursor.isdigit() else 0
        codes: dict[str, str] = {}
        async for rows, following in pages_of(
            self._client, PATH, "items", PARAMS, item_key, offset=offset
        ):
            offset = offset + len(rows) if following is None else following
            yield ListingPage(
                [self._warned(listing, codes) for row in rows for listing in self._listings(row)],
                str(offset),
            )

    def _listings(self, row: Any) -> list[Listing]:
        try:
            return list(listings_from(read_row(ItemRow, row, what="an item")))
        except ContractBroken as error:
            self._client.log.error("item_not_understood", item=item_key(row), problem=str(error))
            return []

    def _warned(self, listing: Listing, codes: dict[str, str]) -> Listing:
        """Add a warning to listings whose code another listing of this pass has: BASE lets two have
        the same."""
        identifier = listing.ref.external_id
        if not listing.sku or codes.setdefault(listing.sku, identifier) == identifier:
            return listing
        warnings = listing.warnings | {ListingWarning.DUPLICATE_SKU}
        return Listing(
            listing.ref,
            listing.title,
            listing.sku,
            listing.barcode,
            listing.group_id,
            listing.quantity,
            warnings,
        )


def item_key(row: Any) -> str:
    """Return the item's id as text, or an empty text."""
    value = row.get("item_id") if isinstance(row, dict) else None
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
