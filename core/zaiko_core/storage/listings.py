"""Listings of shops, as they were last read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Executable, and_, delete, exists, literal, select, update

from zaiko_core.app.records import ListingRecord, Page
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import (
    batch_params,
    batch_rows,
    insert_rows,
    param,
    params,
    typed_columns,
)
from zaiko_core.storage.scope import Scope, after

_FACTS = (
    "external_id",
    "data",
    "sku",
    "barcode",
    "title",
    "group_id",
    "quantity",
    "warnings",
    "vanished",
    "seen_at",
    "updated_at",
    "revision",
)

_LISTINGS = Codec(schema.listings, ListingRecord, derived={"linked": False})


class ListingRows(Scope):
    """Listings of shops, as they were last read."""

    def upsert(self, shop: str, records: Sequence[ListingRecord]) -> None:
        rows = [
            self.stamp(_LISTINGS.write(record) | {"shop": shop, "seen_at": self.now})
            for record in records
        ]
        insert_rows(self.connection, schema.listings, rows, update=_FACTS)

    def get(self, shop: str, listings: Collection[str]) -> dict[str, ListingRecord]:
        if not listings:
            return {}
        rows = batch_params([{"listing": item} for item in set(listings)])
        found = self.execute(
            _listings(self.dialect), rows | params(merchant=self.merchant, shop=shop)
        )
        return {row.listing: _LISTINGS.read(row, linked=row.linked) for row in found}

    def forget(self, shop: str) -> None:
        """Delete all listings of a shop without links."""
        table = schema.listings
        self.execute(delete(table).where(self.mine(table), table.c.shop == shop))

    def vanish(self, shop: str, *, not_seen_since: int) -> int:
        """Mark listings that a full reading did not deliver. Return how many."""
        table = schema.listings
        done = self.execute(
            update(table)
            .where(
                self.mine(table),
                table.c.shop == shop,
                table.c.seen_at < not_seen_since,
                ~table.c.vanished,
            )
            .values(vanished=True, updated_at=self.now, revision=self.revision)
        )
        return int(done.rowcount)

    def page(
        self, page: Page, *, shop: str, linked: bool | None, sku: str, vanished: bool | None
    ) -> list[ListingRecord]:
        """Return a page by (shop, listing); an empty shop means all."""
        table = schema.listings
        query = select(table, _is_linked().label("linked")).where(
            self.mine(table), after(page, table.c.shop, table.c.listing)
        )
        if shop:
            query = query.where(table.c.shop == shop)
        if linked is not None:
            query = query.where(_is_linked() == literal(linked))
        if sku:
            query = query.where(table.c.sku.startswith(sku, autoescape=True))
        if vanished is not None:
            query = query.where(table.c.vanished == vanished)
        query = query.order_by(table.c.shop, table.c.listing).limit(page.size)
        return [_LISTINGS.read(row, linked=row.linked) for row in self.execute(query)]


def _is_linked() -> Any:
    listings, links = schema.listings, schema.links
    return exists().where(
        links.c.merchant == listings.c.merchant,
        links.c.shop == listings.c.shop,
        links.c.listing == listings.c.listing,
    )


@lru_cache
def _listings(dialect: str) -> Executable:
    table = schema.listings
    batch = batch_rows(dialect, typed_columns(table, "listing"))
    mine = and_(
        table.c.merchant == param(table.c.merchant),
        table.c.shop == param(table.c.shop),
        table.c.listing == batch.c.listing,
    )
    return select(table, _is_linked().label("linked")).join_from(table, batch, mine)
