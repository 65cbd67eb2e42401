"""Every number that was sent to a shop, with what it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Row, Text, and_, delete, select, true

from zaiko_core.app.records import PushRecord, PushResult
from zaiko_core.domain.push import PushOutcome
from zaiko_core.storage import schema
from zaiko_core.storage.codec import TERMS, Codec
from zaiko_core.storage.rowset import insert_rows, rowset, update_rows
from zaiko_core.storage.scope import Scope

_LINK = ("shop", "listing")

_PUSHES = Codec(
    schema.pushes,
    PushRecord,
    conversions={"terms": TERMS},
)


class PushRows(Scope):
    """Numbers that were sent to shops."""

    def insert(self, records: Sequence[PushRecord]) -> None:
        rows = [
            _PUSHES.write(record) | {"merchant": self.merchant, "revision": self.revision}
            for record in records
        ]
        insert_rows(self.connection, schema.pushes, rows, ignore=True)

    def settle(self, shop: str, results: Sequence[PushResult]) -> None:
        """Record outcomes, with this unit of work's time and revision. Pushes that do not exist are
        left out."""
        rows = [
            {
                "merchant": self.merchant,
                "shop": shop,
                "listing": result.listing,
                "at": result.at,
                "key": result.key,
                "outcome": result.outcome.value,
                "shown": result.shown,
                "settled_at": self.now,
                "settled_revision": self.revision,
            }
            for result in results
        ]
        update_rows(
            self.connection, schema.pushes, rows, keys=("merchant", "shop", "listing", "at", "key")
        )

    def newest(
        self, links: Mapping[tuple[str, str], int], *, upto: int, acknowledged: bool = False
    ) -> dict[tuple[str, str], PushRecord]:
        """Return the last push of each link (shop, listing) since the given time that was recorded
        up to revision `upto`, as it was known then. `acknowledged`: of those that had been
        acknowledged by then."""
        if not links:
            return {}
        table, other = schema.pushes, schema.pushes.alias("other")
        keys = [
            {"shop": shop, "listing": listing, "since": since}
            for (shop, listing), since in links.items()
        ]
        batch = rowset(self.connection, {"shop": Text, "listing": Text, "since": BigInteger}, keys)
        if acknowledged:
            known = and_(
                other.c.outcome == PushOutcome.ACKNOWLEDGED.value, other.c.settled_revision <= upto
            )
        else:
            known = true()
        # For each link, one step back in the primary key.
        last = (
            select(other.c.at)
            .where(
                other.c.merchant == self.merchant,
                other.c.shop == batch.c.shop,
                other.c.listing == batch.c.listing,
                other.c.at >= batch.c.since,
                other.c.revision <= upto,
                known,
            )
            .order_by(other.c.at.desc())
            .limit(1)
            .correlate(batch)
            .scalar_subquery()
        )
        query = (
            select(table)
            .join(
                batch, and_(self.mine(table), *(table.c[name] == batch.c[name] for name in _LINK))
            )
            .where(table.c.at == last, table.c.revision <= upto)
            .order_by(table.c.revision)
        )
        if acknowledged:
            query = query.where(table.c.outcome == PushOutcome.ACKNOWLEDGED.value)
        return {(row.shop, row.listing): _push(row, upto) for row in self.execute(query)}

    def forget(self, *, older_than: int) -> int:
        """Delete pushes recorded before that time, except the last acknowledged push of each link
        and what followed it. Return the newest revision that this may concern, or 0."""
        table = schema.pushes
        newest = (
            select(table.c.revision)
            .where(self.mine(table), table.c.at < older_than)
            .order_by(table.c.at.desc())
            .limit(1)
        )
        mark = int(self.execute(newest).scalar() or 0)
        if mark:
            # The last push of each link is what the shop still shows.
            other = schema.pushes.alias("other")
            followed = select(other.c.key).where(
                other.c.merchant == table.c.merchant,
                other.c.shop == table.c.shop,
                other.c.listing == table.c.listing,
                other.c.outcome == PushOutcome.ACKNOWLEDGED.value,
                other.c.at > table.c.at,
                other.c.at < older_than,
            )
            self.execute(
                delete(table).where(self.mine(table), table.c.at < older_than, followed.exists())
            )
        return mark


def _push(row: Row[Any], upto: int) -> PushRecord:
    record = _PUSHES.read(row)
    if row.settled_revision is not None and row.settled_revision <= upto:
        return record
    return replace(record, outcome=PushOutcome.SENT, settled_at=None, shown=None)
