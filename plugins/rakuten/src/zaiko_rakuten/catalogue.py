"""The whole catalogue by items/search, and the question whether a SKU exists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any

from zaiko_sdk import ContractBroken, Listing, ListingPage, ListingWarning, PageTrail, ShopContext

from zaiko_rakuten.client import Client
from zaiko_rakuten.fields import RmsFields
from zaiko_rakuten.functions import GET_ITEMS, SEARCH_ITEMS
from zaiko_rakuten.item_mapping import listings_from, variant_ids

FIRST_MARK = "*"
_HITS, _BULK, _PAGE = 100, 50, 1000
_SEARCH_PAGES = 10
"""Pages of a search by manage number, which matches parts: so many are searched for an exact
match."""
_REMEMBERED = 600.0
"""Seconds for which a SKU that was seen counts as existing."""
_TRY_AGAIN = 24 * 3600.0

Pair = tuple[str, str]
"""A SKU: manage number (lower case) and variant id."""


class Catalogue:
    """The items of one shop."""

    def __init__(self, context: ShopContext, client: Client) -> None:
        self._clock, self._log, self._client = context.clock, context.log, client
        self._seen: dict[Pair, float] = {}
        self._bulk_refused_until = float("-inf")

    async def pages(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """Yield every listing. An item has up to 400 SKUs, so one page of RMS may make several
        pages; all but the last of them have the cursor that repeats it."""
        mark = cursor or FIRST_MARK
        codes: dict[str, str] = {}
        trail = PageTrail(SEARCH_ITEMS.name, start=mark)
        while True:
            rows, following = await self._search({"cursorMark": mark})
            listings = [listing for row in rows for listing in self._listings(row)]
            listings = _mark_duplicates(listings, codes)
            ends = not rows or following is None or following == mark
            for first in range(0, max(1, len(listings)), _PAGE):
                done = first + _PAGE >= len(listings)
                page = ListingPage(
                    listings[first : first + _PAGE], following if done and following else mark
                )
                if page.listings or not done:
                    yield page
            if ends or following is None:
                return
            mark = trail.follow(following)

    async def which_exist(self, pairs: Iterable[Pair], *, until: float) -> dict[Pair, bool | None]:
        """Return which of these SKUs exist as items, according to RMS, and None for those where
        that could not be found out before `until` (of the monotonic clock). Raises
        ConnectorError."""
        now = self._clock.monotonic()
        wanted = set(pairs)
        answer: dict[Pair, bool | None] = {
            pair: True for pair in wanted if self._seen.get(pair, -_REMEMBERED) > now - _REMEMBERED
        }
        by_item: dict[str, set[Pair]] = {}
        for pair in sorted(wanted - answer.keys()):
            by_item.setdefault(pair[0], set()).add(pair)
        names = list(by_item)
        while names and self._clock.monotonic() < until:
            variants = await self._bulk(names[:_BULK])
            asked = names[:_BULK]
            if variants is None:
                asked = names[:1]
                variants = {asked[0]: await self._one(asked[0])}
            for name in asked:
                known = variants.get(name, frozenset())
                answer |= {
                    pair: None if known is None else pair[1] in known for pair in by_item[name]
                }
            names = names[len(asked) :]
        self._seen |= {pair: self._clock.monotonic() for pair, exists in answer.items() if exists}
        return {pair: answer.get(pair) for pair in wanted}

    async def _bulk(self, names: Sequence[str]) -> dict[str, frozenset[str] | None] | None:
        """Return the variants of these items; missing items do not exist. Returns None when the
        shop has not booked 商品一括編集."""
        if self._clock.monotonic() < self._bulk_refused_until:
            return None
        reply = await self._client.ask(GET_ITEMS, body={"manageNumbers": list(names)})
        if reply is None:
            self._bulk_refused_until = self._clock.monotonic() + _TRY_AGAIN
            return None
        fields = RmsFields(GET_ITEMS.name, reply.document(GET_ITEMS.name))
        if "results" not in fields:
            raise ContractBroken(f"{GET_ITEMS.name} answered without results")
        return dict(
            variant_ids(row.get("item", row) if isinstance(row, dict) else row)
            for row in fields.rows_or_empty("results")
        )

    async def _one(self, name: str) -> frozenset[str] | None:
        """Return the variants of one item, by search, or None when the numbers of too many items
        contain its number."""
        mark: str | None = FIRST_MARK
        for _ in range(_SEARCH_PAGES):
            rows, following = await self._search(
                {"manageNumber": name, "cursorMark": mark or FIRST_MARK}
            )
            for row in rows:
                found, variants = variant_ids(row)
                if found == name:
                    return variants
            if not rows or following is None or following == mark:
                return frozenset()
            mark = following
        return None

    async def _search(self, query: dict[str, str]) -> tuple[list[Any], str | None]:
        """Return the items of one page, and the cursor of the next."""
        reply = await self._client.call(SEARCH_ITEMS, query=query | {"hits": str(_HITS)})
        fields = RmsFields(SEARCH_ITEMS.name, reply.document(SEARCH_ITEMS.name))
        if "results" not in fields:
            raise ContractBroken(f"{SEARCH_ITEMS.name} answered without results")
        rows = []
        for row in fields.rows_or_empty("results"):
            item = row.get("item") if isinstance(row, dict) else None
            if isinstance(item, dict):
                rows.append(item)
            else:
                self._log.error("item_unreadable", problem="a result without an item")
        return rows, fields.text_or_empty("nextCursorMark") or None

    def _listings(self, row: Any) -> list[Listing]:
        try:
            return listings_from(row)
        except ContractBroken as error:
            self._log.error("item_unreadable", problem=error.message)
            return []


def _mark_duplicates(listings: Sequence[Listing], codes: dict[str, str]) -> list[Listing]:
    """Return `listings` with a warning on each whose code another listing has. `codes` are those
    seen so far."""
    owners = dict(codes)
    twice = set()
    for listing in listings:
        if (
            listing.sku
            and owners.setdefault(listing.sku, listing.ref.external_id) != listing.ref.external_id
        ):
            twice.add(listing.sku)
    codes |= owners
    duplicate = frozenset({ListingWarning.DUPLICATE_SKU})
    return [
        replace(item, warnings=item.warnings | duplicate) if item.sku in twice else item
        for item in listings
    ]
