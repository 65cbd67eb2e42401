"""Connectors that read the catalogue or the numbers wrongly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import count

from contract.broken.delegating import Delegating, behaves
from zaiko_sdk import (
    InventoryLevel,
    Listing,
    ListingPage,
    ListingRef,
)


@behaves("the_catalogue_is_whole")
class ReadsOnePage(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        yield await anext(self.inner.list_listings(cursor))


@behaves("the_catalogue_continues_after_any_page")
class RemembersItsPages(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        async for page in self.inner.list_listings(getattr(self, "next", None)):
            self.next = page.cursor
            yield replace(page, cursor="next" if cursor is None else "end")
            if cursor is not None:
                return


@behaves("a_listing_keeps_its_id")
class NumbersItsListings(Delegating):
    numbers = count()

    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        async for page in self.inner.list_listings(cursor):
            yield replace(
                page,
                listings=[
                    replace(row, ref=ListingRef(str(next(self.numbers)))) for row in page.listings
                ],
            )


@behaves("a_code_used_twice_hides_no_listing")
class KeysByCode(Delegating):
    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        async for page in self.inner.list_listings(cursor):
            rows: dict[str, Listing] = {row.sku: row for row in page.listings}
            yield replace(page, listings=list(rows.values()))


@behaves("levels_are_read_now")
class Caches(Delegating):
    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        known = getattr(self, "known", None)
        self.known: Sequence[InventoryLevel] = known or await self.inner.read_inventory(refs)
        return self.known


@behaves("a_full_batch_is_read")
class ReadsFifty(Delegating):
    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return await self.inner.read_inventory(refs[:50])


@behaves("a_listing_that_is_gone_is_reported")
class CallsItZero(Delegating):
    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return [
            replace(level, quantity=level.quantity or 0, error=None)
            for level in await self.inner.read_inventory(refs)
        ]
