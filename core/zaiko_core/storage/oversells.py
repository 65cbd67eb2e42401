"""Movements that sold what is not there, with what was known when they happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Executable, Row, Text, and_, delete, func, or_, select, update

from zaiko_core.app.records import OversellRecord, Page, ShownLink
from zaiko_core.domain.oversell import Consumption, LinkSnapshot, OversellCause, RootCause, Setting
from zaiko_core.domain.problem import problem_from
from zaiko_core.domain.stock import Balance, MovementKind
from zaiko_core.storage import schema
from zaiko_core.storage.links import LINKS
from zaiko_core.storage.rowset import (
    batch_params,
    batch_rows,
    insert_rows,
    param,
    params,
    rowset,
    typed_columns,
)
from zaiko_core.storage.scope import Scope
from zaiko_core.storage.stocks import BALANCES

_KEYS = ("merchant", "shop", "listing")
_BELOW_ZERO = frozenset({"SELLS_BELOW_ZERO", "UNTRACKED"})
"""Warnings of a listing (`ListingWarning`) that is sold whatever its number says."""


@lru_cache
def _concerned(dialect: str) -> Executable:
    table, stock = schema.oversells, schema.stock
    batch = batch_rows(dialect, typed_columns(stock, "product"))
    is_open = (
        select(table.c.seq)
        .where(
            table.c.merchant == stock.c.merchant,
            table.c.product == stock.c.product,
            table.c.cleared_at.is_(None),
        )
        .exists()
    )
    same = and_(stock.c.merchant == param(stock.c.merchant), stock.c.product == batch.c.product)
    return (
        select(stock)
        .join_from(stock, batch, same)
        .where(or_(stock.c.physical < stock.c.ordered, is_open))
    )


class OversellRows(Scope):
    """Movements that sold what is not there."""

    def concerned(self, products: Collection[str]) -> dict[str, Balance]:
        """Return the balances of those of these products that are oversold, or that have an
        oversell which is not cleared."""
        rows = batch_params([{"product": product} for product in set(products)])
        found = self.execute(_concerned(self.dialect), rows | params(merchant=self.merchant))
        return {row.product: BALANCES.read(row) for row in found}

    def snapshot(self, products: Collection[str]) -> list[ShownLink]:
        """Return every link of these products, once per product."""
        links, parts, shops = schema.links, schema.link_parts, schema.shops
        batch = rowset(
            self.connection,
            typed_columns(parts, "product"),
            [{"product": product} for product in set(products)],
        )
        shop_facts = [
            shops.c.problem.label("shop_problem"),
            func.coalesce(shops.c.orders_read_at, shops.c.last_success_at).label("shop_read_at"),
            shops.c.interval,
        ]
        listings = schema.listings
        query = (
            select(links, parts.c.product, parts.c.units, listings.c.warnings, *shop_facts)
            .select_from(parts)
            .join(links, and_(*(links.c[key] == parts.c[key] for key in _KEYS)))
            .outerjoin(listings, and_(*(listings.c[key] == parts.c[key] for key in _KEYS)))
            .join(shops, and_(shops.c.merchant == links.c.merchant, shops.c.shop == links.c.shop))
            .where(self.mine(parts), parts.c.product.in_(select(batch.c.product)))
            .order_by(links.c.shop, links.c.listing)
        )
        found = []
        for row in self.execute(query):
            trouble = problem_from(row.shop_problem)
            found.append(
                ShownLink(
                    row.product,
                    row.units,
                    LINKS.read(row),
                    trouble.reason if trouble else "",
                    row.shop_read_at,
                    row.interval,
                    not _BELOW_ZERO.isdisjoint(row.warnings or ()),
                )
            )
        return found

    def taken(
        self, since: Mapping[str, int], *, limit: int
    ) -> dict[str, list[tuple[int, Consumption]]]:
        """Return per product the movements after the given revision that took free units, newest
        first, at most `limit` of each product."""
        table, orders = schema.movements, schema.orders
        rows = [{"product": product, "since": revision} for product, revision in since.items()]
        if not rows:
            return {}
        batch = rowset(self.connection, {"product": Text, "since": BigInteger}, rows)
        place = (
            func.row_number()
            .over(partition_by=table.c.product, order_by=table.c.seq.desc())
            .label("place")
        )
        ranked = (
            select(table, place)
            .join(
                batch,
                and_(
                    self.mine(table),
                    table.c.product == batch.c.product,
                    table.c.revision > batch.c.since,
                ),
            )
            .where(table.c.physical < table.c.ordered)
            .subquery("ranked")
        )
        query = (
            select(ranked, orders.c.number, orders.c.placed_at)
            .outerjoin(
                orders,
                and_(
                    self.mine(orders),
                    orders.c.shop == ranked.c.shop,
                    orders.c.order_id == ranked.c.order_id,
                ),
            )
            .where(ranked.c.place <= limit)
            .order_by(ranked.c.seq.desc())
        )
        found: dict[str, list[tuple[int, Consumption]]] = defaultdict(list)
        for row in self.execute(query):
            other = Consumption(
                seq=row.seq,
                kind=MovementKind(row.kind),
                units=row.ordered - row.physical,
                shop=row.shop,
                order=row.order_id,
                number=row.number or "",
                at=row.placed_at or row.occurred_at,
            )
            found[row.product].append((row.revision, other))
        return found

    def orders(self, refs: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, int]]:
        """Return number and time of placing, by (shop, order)."""
        table = schema.orders
        rows = [{"shop": shop, "order_id": order} for shop, order in refs]
        if not rows:
            return {}
        batch = rowset(self.connection, typed_columns(table, "shop", "order_id"), rows)
        query = select(table).join(
            batch,
            and_(
                self.mine(table), table.c.shop == batch.c.shop, table.c.order_id == batch.c.order_id
            ),
        )
        return {
            (row.shop, row.order_id): (row.number, row.placed_at) for row in self.execute(query)
        }

    def insert(self, records: Sequence[OversellRecord]) -> None:
        rows = [
            {
                "merchant": self.merchant,
                "seq": record.by.seq,
                "product": record.product,
                "at": record.at,
                "units": record.units,
                "short": record.short,
                "cause": record.root_cause.cause.value,
                "evidence": {
                    "by": asdict(record.by),
                    "setting": record.root_cause.setting.value,
                    "value": record.root_cause.value,
                    "message": record.root_cause.message,
                    "showings": [asdict(snapshot) for snapshot in record.snapshots],
                    "taken": [asdict(other) for other in record.consumptions],
                },
                "revision": self.revision,
            }
            for record in records
        ]
        insert_rows(self.connection, schema.oversells, rows)

    def clear(self, products: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Clear the open oversells of these products by the movement with that number. Return them
        by product."""
        if not products:
            return {}
        table = schema.oversells
        rows = [{"product": product, "seq": seq} for product, seq in products.items()]
        batch = rowset(self.connection, typed_columns(table, "product", "seq"), rows)
        ended = self.execute(
            update(table)
            .where(
                self.mine(table), table.c.product == batch.c.product, table.c.cleared_at.is_(None)
            )
            .values(cleared_at=self.now, cleared_by=batch.c.seq, revision=self.revision)
            .returning(table.c.product, table.c.seq)
        )
        found: dict[str, list[int]] = {}
        for row in ended:
            found.setdefault(row.product, []).append(row.seq)
        return {product: tuple(sorted(numbers)) for product, numbers in found.items()}

    def get(self, seq: int) -> OversellRecord | None:
        table = schema.oversells
        row = self.execute(select(table).where(self.mine(table), table.c.seq == seq)).one_or_none()
        return None if row is None else _oversell(row)

    def page(
        self, page: Page, *, product: str, causes: Collection[str], open_only: bool
    ) -> list[OversellRecord]:
        """Return a page, newest first; the key is (seq,)."""
        table = schema.oversells
        query = select(table).where(self.mine(table)).order_by(table.c.seq.desc())
        if page.after is not None:
            query = query.where(table.c.seq < page.after[0])
        if product:
            query = query.where(table.c.product == product)
        if causes:
            query = query.where(table.c.cause.in_(list(causes)))
        if open_only:
            query = query.where(table.c.cleared_at.is_(None))
        return [_oversell(row) for row in self.execute(query.limit(page.size))]

    def forget(self, *, older_than: int) -> None:
        """Delete oversells that were cleared before that time."""
        table = schema.oversells
        self.execute(delete(table).where(self.mine(table), table.c.cleared_at < older_than))


def _oversell(row: Row[Any]) -> OversellRecord:
    evidence = row.evidence
    return OversellRecord(
        product=row.product,
        at=row.at,
        units=row.units,
        short=row.short,
        by=_consumption(evidence["by"]),
        root_cause=RootCause(
            OversellCause(row.cause),
            Setting(evidence["setting"]),
            evidence["value"],
            evidence["message"],
        ),
        snapshots=tuple(LinkSnapshot(**snapshot) for snapshot in evidence["showings"]),
        consumptions=tuple(_consumption(other) for other in evidence["taken"]),
        cleared_at=row.cleared_at,
        cleared_by=row.cleared_by,
        revision=row.revision,
    )


def _consumption(document: Mapping[str, Any]) -> Consumption:
    return Consumption(**(dict(document) | {"kind": MovementKind(document["kind"])}))
