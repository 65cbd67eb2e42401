"""Reading and setting what the shop shows (FACTS.md §4 and §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    Skip,
    WriteOutcome,
    WriteResult,
    read_row,
)

from zaiko_base.catalogue import PARAMS, PATH, item_key
from zaiko_base.client import Client
from zaiko_base.mapping import numbers_of, parts_of
from zaiko_base.paging import pages_of
from zaiko_base.rows import ItemRow, part_of

_DETAIL, _EDIT = "/1/items/detail/", "/1/items/edit_stock"
_FEW = 3
"""Up to this many items are read one by one, without a search of the list."""


class Stock:
    """The numbers of one shop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pages = 0
        """How many pages the list of items has, if known."""

    async def read(self, refs: Sequence[ListingRef]) -> list[InventoryLevel]:
        """See Connector.read_inventory. Many items are cheaper to find in the list, 100 a call; a
        few are cheaper one by one."""
        wanted = dict.fromkeys(parts_of(ref.external_id)[0] for ref in refs)
        found = await self._in_list(wanted) if len(wanted) > max(_FEW, self._pages) else {}
        for item in wanted:
            if item not in found:
                found[item] = await self._alone(item)
        return [_level(ref.external_id, found[parts_of(ref.external_id)[0]]) for ref in refs]

    async def write(self, writes: Sequence[InventoryWrite]) -> list[WriteResult]:
        """See Connector.set_inventory. One number is one call, so `Limits.write_batch` is 1. If
        there are more, those after a failure are UNKNOWN, because a raised error would say that
        nothing was applied."""
        results: list[WriteResult] = []
        for write in writes:
            try:
                results.append(await self._write(write))
            except ConnectorError as error:
                if not results:
                    raise
                self._client.log.warning("stock_write_stopped", reason=error.reason)
                rest = writes[len(results) :]
                return results + [
                    WriteResult(left.ref.external_id, WriteOutcome.UNKNOWN) for left in rest
                ]
        return results

    async def _in_list(self, wanted: dict[str, None]) -> dict[str, dict[str, int] | Skip]:
        """Return what the list shows of these items. Stops when all are found, or when it has taken
        as many calls as reading them one by one would."""
        found: dict[str, dict[str, int] | Skip] = {}
        number = 0
        async for rows, following in pages_of(self._client, PATH, "items", PARAMS, item_key):
            number += 1
            found |= {item_key(row): self._numbers(row) for row in rows if item_key(row) in wanted}
            self._pages = max(number, self._pages) if following is not None else number
            if len(found) == len(wanted) or number >= len(wanted) - len(found):
                break
        return found

    async def _alone(self, item: str) -> dict[str, int] | Skip:
        try:
            body = await self._client.get(_DETAIL + item)
        except ListingGone as error:
            return error
        row = part_of(body, "item", what="an item")
        if item_key(row) != item:
            raise ContractBroken("BASE sent another item than the one asked for")
        return self._numbers(row)

    def _numbers(self, row: Any) -> dict[str, int] | Skip:
        try:
            return numbers_of(read_row(ItemRow, row, what="an item"))
        except ContractBroken as error:
            self._client.log.error("item_not_understood", item=item_key(row), problem=str(error))
            return ItemRefused(f"BASE's data of this item cannot be understood: {error}")

    async def _write(self, write: InventoryWrite) -> WriteResult:
        listing = write.ref.external_id
        item, variation = parts_of(listing)
        form = {"item_id": item}
        # `stock` is never sent for an item with variations: BASE computes it.
        form |= (
            {"variation_id": variation, "variation_stock": str(write.quantity)}
            if variation
            else {"stock": str(write.quantity)}
        )
        try:
            body = await self._client.post(_EDIT, form)
        except Skip as error:
            return WriteResult(listing, WriteOutcome.REFUSED, error=error)
        shown = self._echoed(body, listing)
        # A 200 with another number: an order came in between, or the write was not accepted.
        # Reading decides.
        outcome = WriteOutcome.APPLIED if shown == write.quantity else WriteOutcome.UNKNOWN
        return WriteResult(listing, outcome, shown)

    def _echoed(self, body: Any, listing: str) -> int | None:
        """Return the number that the reply shows for this listing, or None."""
        try:
            row = read_row(
                ItemRow, part_of(body, "item", what="a reply to a write"), what="a reply to a write"
            )
        except ContractBroken as error:
            self._client.log.error("write_reply_not_understood", problem=str(error))
            return None
        return numbers_of(row).get(listing)


def _level(listing: str, found: dict[str, int] | Skip) -> InventoryLevel:
    if isinstance(found, Skip):
        return InventoryLevel(listing, None, found)
    if listing in found:
        return InventoryLevel(listing, found[listing])
    return InventoryLevel(
        listing,
        None,
        ListingGone("The item is there, but this variation of it is not; refresh the listings."),
    )
