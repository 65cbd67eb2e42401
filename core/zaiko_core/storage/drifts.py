"""Differences between what shops showed and what was expected."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import and_, delete, func, or_, select

from zaiko_core.app.records import DriftRecord, Page
from zaiko_core.domain.drift import DriftCause
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import insert_rows, rowset, typed_columns
from zaiko_core.storage.scope import Scope

_DRIFTS = Codec(schema.drifts, DriftRecord)
_EDITS = (DriftCause.EDITED_IN_SHOP, DriftCause.WRONG_LINK, DriftCause.UNKNOWN)
_DROPS = (DriftCause.DROPS_UNEXPLAINED, DriftCause.UNKNOWN)


class DriftRows(Scope):
    """Differences that were found between what shops showed and what was expected."""

    def insert(self, records: Sequence[DriftRecord]) -> None:
        rows = [
            _DRIFTS.write(record) | {"merchant": self.merchant, "revision": self.revision}
            for record in records
        ]
        insert_rows(self.connection, schema.drifts, rows, ignore=True)

    def edits(self, shop: str, listings: Collection[str], *, since: int) -> dict[str, int]:
        """Return how many unexplained edits each of these links has had since then. Links without
        any are left out."""
        table = schema.drifts
        batch = rowset(
            self.connection,
            typed_columns(table, "listing"),
            [{"listing": item} for item in set(listings)],
        )
        query = (
            select(table.c.listing, func.count())
            .join(
                batch,
                and_(self.mine(table), table.c.shop == shop, table.c.listing == batch.c.listing),
            )
            .where(
                table.c.at >= since,
                table.c.cause.in_([cause.value for cause in _EDITS]),
            )
            .group_by(table.c.listing)
        )
        return {row[0]: row[1] for row in self.execute(query)}

    def drops(self, shop: str, *, since: int) -> int:
        """Return how often a number of the shop fell unexplained since then."""
        table = schema.drifts
        query = select(func.count()).where(
            self.mine(table),
            table.c.shop == shop,
            table.c.at >= since,
            table.c.cause.in_([cause.value for cause in _DROPS]),
            table.c.shown < table.c.expected,
        )
        return int(self.execute(query).scalar() or 0)

    def counts(self, shop: str, *, since: int) -> dict[str, int]:
        """Count differences by cause; an empty shop means all."""
        table = schema.drifts
        query = (
            select(table.c.cause, func.count())
            .where(self.mine(table), table.c.at >= since)
            .group_by(table.c.cause)
        )
        if shop:
            query = query.where(table.c.shop == shop)
        return {row[0]: row[1] for row in self.execute(query)}

    def page(
        self, page: Page, *, shop: str, listing: str, causes: Collection[str]
    ) -> list[DriftRecord]:
        """Return a page, newest first; the key is (at, shop, listing)."""
        table = schema.drifts
        key = (table.c.at, table.c.shop, table.c.listing)
        query = (
            select(table)
            .where(self.mine(table))
            .order_by(*(column.desc() for column in key))
            .limit(page.size)
        )
        if page.after is not None:
            at, after_shop, after_listing = page.after
            same_time = and_(table.c.at == at, table.c.shop < after_shop)
            same_shop = and_(
                table.c.at == at, table.c.shop == after_shop, table.c.listing < after_listing
            )
            query = query.where(or_(table.c.at < at, same_time, same_shop))
        if shop:
            query = query.where(table.c.shop == shop)
        if listing:
            query = query.where(table.c.listing == listing)
        if causes:
            query = query.where(table.c.cause.in_(list(causes)))
        return [_DRIFTS.read(row) for row in self.execute(query)]

    def forget(self, *, older_than: int) -> None:
        table = schema.drifts
        self.execute(delete(table).where(self.mine(table), table.c.at < older_than))
