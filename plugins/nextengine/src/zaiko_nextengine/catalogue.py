"""The listings of the shop: its goods, and then its sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from zaiko_sdk import ContractBroken, Listing, ListingPage, read_row

from zaiko_nextengine.client import Client
from zaiko_nextengine.mapping import listing_from, set_from
from zaiko_nextengine.paging import pages_of
from zaiko_nextengine.rows import GoodsRow, SetRow, fields_of
from zaiko_nextengine.settings import NextEngineSettings

_GOODS, _SETS = "/api_v1_master_goods/search", "/api_v1_master_setgoods/search"


class Catalogue:
    """The catalogue of one shop."""

    def __init__(self, client: Client, settings: NextEngineSettings) -> None:
        self._client, self._limit = client, settings.rows_per_call

    async def pages(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """See Connector.list_listings. The cursor is `goods:` or `sets:`, and the last code
        seen."""
        part, _, after = (cursor or "").partition(":")
        if part != "sets":
            form = {"fields": fields_of(GoodsRow)}
            begin = after if part == "goods" else ""
            async for rows, last in pages_of(
                self._client, _GOODS, form, "goods_id", limit=self._limit, after=begin
            ):
                yield ListingPage(
                    [listing for row in rows for listing in self._goods(row)], f"goods:{last}"
                )
        form = {"fields": fields_of(SetRow)}
        begin = after if part == "sets" else ""
        async for rows, last in pages_of(
            self._client, _SETS, form, "set_goods_id", limit=self._limit, after=begin
        ):
            # One row per component: the set is named by each.
            sets = {listing.ref.external_id: listing for row in rows for listing in self._set(row)}
            yield ListingPage(list(sets.values()), f"sets:{last}")

    def _goods(self, row: Any) -> list[Listing]:
        try:
            return [listing_from(read_row(GoodsRow, row, what="a goods row"))]
        except ContractBroken as error:
            self._client.log.error("goods_not_understood", problem=str(error))
            return []

    def _set(self, row: Any) -> list[Listing]:
        try:
            return [set_from(read_row(SetRow, row, what="a set"))]
        except ContractBroken as error:
            self._client.log.error("set_not_understood", problem=str(error))
            return []
