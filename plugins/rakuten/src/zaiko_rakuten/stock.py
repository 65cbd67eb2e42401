"""Reading the numbers that the shop shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zaiko_sdk import (
    ContractBroken,
    InventoryLevel,
    ItemRefused,
    ListingGone,
    ListingRef,
    ShopContext,
)

from zaiko_rakuten.catalogue import Pair
from zaiko_rakuten.client import Client
from zaiko_rakuten.fields import RmsFields
from zaiko_rakuten.functions import GET_STOCK
from zaiko_rakuten.order_mapping import listing_id

READ_AT_MOST = 1000


def pair_of(external_id: str) -> Pair | None:
    """Return the SKU behind a listing's id, or None when the id is not one of ours."""
    manage_number, slash, variant_id = external_id.partition("/")
    return (
        (manage_number, variant_id)
        if manage_number and slash and variant_id and "/" not in variant_id
        else None
    )


def not_ours(external_id: str) -> ListingGone:
    """Return the error for a ref that `pair_of` does not know."""
    return ListingGone(
        f"{external_id!r:.80} is not a listing of a Rakuten shop (商品管理番号/SKU管理番号)"
    )


class Stock:
    """The stock of one shop, by inventories.bulk.get 2.0."""

    def __init__(self, context: ShopContext, client: Client) -> None:
        self._log, self._client = context.log, client

    async def read(self, refs: Sequence[ListingRef]) -> list[InventoryLevel]:
        """Return one level per ref. A SKU for which RMS keeps no number was never registered
        (None)."""
        pairs = {ref.external_id: pair_of(ref.external_id) for ref in refs}
        known = [pair for pair in pairs.values() if pair is not None]
        shown = await self.numbers(known)
        return [_level(external_id, pair, shown) for external_id, pair in pairs.items()]

    async def numbers(self, pairs: Sequence[Pair]) -> dict[Pair, int | None]:
        """Return what RMS shows for these SKUs (no duplicates), without those that have no stock
        data. None stands for a number that cannot be read. Raises ConnectorError."""
        shown: dict[Pair, int | None] = {}
        for first in range(0, len(pairs), READ_AT_MOST):
            shown |= await self._read(pairs[first : first + READ_AT_MOST])
        return shown

    async def _read(self, pairs: Sequence[Pair]) -> dict[Pair, int | None]:
        body = {
            "inventories": [
                {"manageNumber": manage, "variantId": variant} for manage, variant in pairs
            ]
        }
        reply = await self._client.call(GET_STOCK, body=body)
        fields = RmsFields(GET_STOCK.name, reply.document(GET_STOCK.name))
        if "inventories" not in fields:
            # An empty list is a valid reply, a missing list is not: every SKU would seem never
            # registered.
            raise ContractBroken(f"{GET_STOCK.name} answered without inventories")
        asked, strange = set(pairs), 0
        shown: dict[Pair, int | None] = {}
        for row in fields.rows_or_empty("inventories"):
            pair, quantity = self._row(row)
            if pair not in asked:
                strange += 1
            elif shown.setdefault(pair, quantity) != quantity:
                shown[pair] = None
        if strange and len(shown) < len(asked):
            # A SKU whose row was not understood would look as if it were never registered, and
            # would be registered again.
            raise ContractBroken(
                f"{GET_STOCK.name} returned {strange} rows of SKUs that were not asked for"
            )
        return shown

    def _row(self, row: Any) -> tuple[Pair | None, int | None]:
        try:
            fields = RmsFields("a stock row", row)
            pair = fields.text_or_empty("manageNumber").lower(), fields.text_or_empty("variantId")
        except ContractBroken as error:
            self._log.error("stock_row_unreadable", problem=error.message)
            return None, None
        try:
            return pair, fields.units("quantity")
        except ContractBroken as error:
            self._log.error(
                "stock_row_unreadable", listing=listing_id(*pair), problem=error.message
            )
            return pair, None


def _level(external_id: str, pair: Pair | None, shown: Mapping[Pair, int | None]) -> InventoryLevel:
    if pair is None:
        return InventoryLevel(external_id, None, not_ours(external_id))
    if pair in shown and shown[pair] is None:
        return InventoryLevel(
            external_id,
            None,
            ItemRefused(f"RMS returned a stock number for {external_id} that cannot be read"),
        )
    return InventoryLevel(external_id, shown.get(pair))
