"""Orders with their lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Executable,
    Row,
    and_,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    union,
)

from zaiko_core.app.records import Page, StoredOrder
from zaiko_core.domain.demand import DemandLine, OrderRecord
from zaiko_core.domain.links import Part
from zaiko_core.domain.suspicion import DAY, UNPAID_AFTER
from zaiko_core.domain.unknown_orders import UnknownOrders
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.demands import is_unshipped
from zaiko_core.storage.rowset import (
    batch_params,
    batch_rows,
    insert_rows,
    lookup,
    param,
    params,
    rowset,
    typed_columns,
    update_rows,
)
from zaiko_core.storage.scope import Scope, after

_FACTS = (
    "number",
    "version",
    "read_at",
    "state",
    "state_known",
    "platform_state",
    "archived",
    "paid",
    "placed_at",
    "vanished_at",
    "archived_at",
    "released_at",
    "released_for",
    "kept",
    "unreadable_at",
    "lines_missing_at",
    "applied",
    "holds",
    "uncounted",
    "doubtful",
    "updated_at",
    "revision",
)


@lru_cache
def _lines_of(dialect: str) -> Executable:
    """Return the statement that deletes the lines of orders."""
    table = schema.order_lines
    batch = batch_rows(dialect, typed_columns(table, "order_id"))
    mine = (table.c[name] == param(table.c[name]) for name in ("merchant", "shop"))
    return delete(table).where(*mine, table.c.order_id.in_(select(batch.c.order_id)))


_ORDERS = Codec(
    schema.orders,
    OrderRecord,
    derived={"lines": (), "lines_known": True, "edited": None},
    columns={"order": "order_id"},
)
_LINES = Codec(
    schema.order_lines,
    DemandLine,
    conversions={
        "parts": (
            lambda document: tuple(Part(product, count) for product, count in document),
            lambda parts: [[part.product, part.count] for part in parts],
        )
    },
)


class OrderRows(Scope):
    """Orders of shops, with their lines."""

    def get(self, shop: str, orders: Collection[str]) -> dict[str, OrderRecord]:
        return {order: stored.record for order, stored in self.stored(shop, orders).items()}

    def stored(self, shop: str, orders: Collection[str]) -> dict[str, StoredOrder]:
        """Return orders with what people are shown of them."""
        if not orders:
            return {}
        wanted = [{"order_id": order} for order in set(orders)]
        rows = lookup(
            self.connection, schema.orders, {"merchant": self.merchant, "shop": shop}, wanted
        )
        lines = self._lines((shop, row.order_id) for row in rows)
        return {row.order_id: _stored(row, lines.get((shop, row.order_id), ())) for row in rows}

    def put(self, shop: str, records: Sequence[OrderRecord], *, known: Collection[str]) -> None:
        """Insert or replace orders with all their lines. `known`: those that are stored already."""
        if not records:
            return
        insert_rows(
            self.connection,
            schema.orders,
            [self._row(shop, record) for record in records],
            update=_FACTS,
        )
        if replaced := [{"order_id": record.order} for record in records if record.order in known]:
            mine = params(merchant=self.merchant, shop=shop)
            self.execute(_lines_of(self.dialect), mine | batch_params(replaced))
        lines = [
            self._line_row(shop, record.order, line) for record in records for line in record.lines
        ]
        insert_rows(self.connection, schema.order_lines, lines)

    def seen(self, shop: str, records: Sequence[OrderRecord]) -> None:
        """Note a newer version and reading of orders that did not change otherwise."""
        rows = [
            {
                "merchant": self.merchant,
                "shop": shop,
                "order_id": record.order,
                "version": record.version,
                "read_at": record.read_at,
            }
            for record in records
        ]
        update_rows(self.connection, schema.orders, rows, keys=("merchant", "shop", "order_id"))

    def with_listings(
        self, shop: str, listings: Collection[str], *, counted: bool, limit: int, after: str
    ) -> list[str]:
        """Return the ids of orders that have a line of one of these listings which is (not)
        counted, by id, after `after`."""
        table = schema.order_lines
        batch = rowset(
            self.connection,
            typed_columns(table, "listing"),
            [{"listing": item} for item in set(listings)],
        )
        is_counted = table.c.parts.is_not(None)
        query = (
            select(table.c.order_id)
            .where(
                self.mine(table), table.c.shop == shop, table.c.listing.in_(select(batch.c.listing))
            )
            .where(is_counted if counted else ~is_counted, table.c.order_id > after)
            .distinct()
            .order_by(table.c.order_id)
            .limit(limit)
        )
        return list(self.execute(query).scalars())

    def holding(self, shop: str, *, limit: int, after: str) -> list[str]:
        """Return the ids of orders that hold units by the shop's account, or that may because they
        cannot be read, by id."""
        table = schema.orders
        mine = (self.mine(table), table.c.shop == shop, table.c.order_id > after)
        # Two indexes, each of few orders.
        found = union(
            *(
                select(table.c.order_id).where(*mine, are)
                for are in (table.c.holds > 0, table.c.unreadable_at.is_not(None))
            )
        )
        return list(self.execute(found.order_by("order_id").limit(limit)).scalars())

    def unreadable(self, shop: str, *, limit: int, after: str) -> list[str]:
        """Return the ids of orders that may hold units and cannot be read, by id."""
        table = schema.orders
        mine = (self.mine(table), table.c.shop == shop, table.c.order_id > after)
        query = select(table.c.order_id).where(*mine, self._is_unreadable())
        return list(self.execute(query.order_by(table.c.order_id).limit(limit)).scalars())

    def any_of(self, shop: str) -> bool:
        """Return whether the shop has an order."""
        table = schema.orders
        query = select(table.c.order_id).where(self.mine(table), table.c.shop == shop)
        return self.execute(query.limit(1)).scalar() is not None

    def open_units(self, shop: str, listings: Collection[str]) -> dict[str, int]:
        """Return the units of these listings in open orders, by the shop's account. Listings
        without any are left out."""
        lines, table = schema.order_lines, schema.orders
        batch = rowset(
            self.connection,
            typed_columns(lines, "listing"),
            [{"listing": item} for item in set(listings)],
        )
        left = lines.c.ordered - lines.c.cancelled - lines.c.fulfilled
        same = and_(*(table.c[key] == lines.c[key] for key in ("merchant", "shop", "order_id")))
        query = (
            select(lines.c.listing, func.sum(left))
            .join(table, same)
            .where(
                self.mine(lines),
                lines.c.shop == shop,
                lines.c.listing.in_(select(batch.c.listing)),
                table.c.holds > 0,
                table.c.vanished_at.is_(None),
                left > 0,
            )
            .group_by(lines.c.listing)
        )
        return {row[0]: int(row[1]) for row in self.execute(query)}

    def numbered(self, shop: str, numbers: Collection[str]) -> list[str]:
        """Return the ids of the orders that people know by one of these numbers, by id."""
        table = schema.orders
        query = select(table.c.order_id).where(
            self.mine(table), table.c.shop == shop, table.c.number.in_(list(numbers))
        )
        return list(self.execute(query.order_by(table.c.order_id)).scalars())

    def doubtful(self, shop: str) -> list[str]:
        """Return the ids of orders with units refunded without restocking, with which nobody has
        dealt."""
        table = schema.orders
        query = select(table.c.order_id).where(
            self.mine(table), table.c.shop == shop, table.c.doubtful > 0
        )
        return list(self.execute(query.order_by(table.c.order_id)).scalars())

    def count_doubtful(self) -> int:
        """Count the orders with such units."""
        table = schema.orders
        query = select(func.count()).select_from(table)
        return self.execute(query.where(self.mine(table), table.c.doubtful > 0)).scalar() or 0

    def sold_unlinked(self, shop: str, *, since: int) -> bool:
        """Return whether an order of the shop that was placed at or after `since` has a line that
        is counted for no product."""
        table = schema.orders
        query = select(table.c.order_id).where(
            self.mine(table), table.c.shop == shop, table.c.uncounted, table.c.placed_at >= since
        )
        return self.execute(query.limit(1)).scalar() is not None

    def unknown(self, shops: Collection[str]) -> dict[str, UnknownOrders]:
        """Return the open orders of unknown content of each of these shops."""
        table, owners = schema.orders, schema.shops
        unreadable = select(owners.c.shop, owners.c.unreadable_orders).where(
            self.mine(owners), owners.c.shop.in_(list(shops))
        )
        uncounted = select(table.c.shop, table.c.placed_at, table.c.created_at).where(
            self.mine(table),
            table.c.shop.in_(list(shops)),
            table.c.holds > 0,
            table.c.uncounted,
            table.c.released_at.is_(None),
        )
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for row in self.execute(uncounted):
            found[row.shop].append((row.placed_at, row.created_at))
        counts = {row.shop: row.unreadable_orders for row in self.execute(unreadable)}
        return {
            shop: UnknownOrders(counts.get(shop, 0), tuple(found.get(shop, ()))) for shop in shops
        }

    def page(
        self,
        page: Page,
        *,
        shop: str,
        states: Collection[str],
        suspect: bool,
        uncounted: bool,
        unshipped: bool = False,
        doubtful: bool = False,
        orders: Collection[str] = (),
        numbers: Collection[str] = (),
    ) -> list[StoredOrder]:
        """Return a page by (shop, order). `suspect`: only orders that a person should check
        (`domain.suspicion.suspicions`). `unshipped`: only those whose shipment the warehouse has
        owed for long. `doubtful`: only those with units refunded without restocking. `orders`,
        `numbers`: only those with one of these ids or numbers; none: all."""
        table = schema.orders
        query = select(table).where(self.mine(table), after(page, table.c.shop, table.c.order_id))
        if shop:
            query = query.where(table.c.shop == shop)
        if states:
            query = query.where(table.c.state.in_(list(states)))
        if suspect:
            query = query.where(self._is_suspect())
        if uncounted:
            query = query.where(table.c.uncounted, table.c.holds > 0)
        if unshipped:
            demands = schema.demands
            same = and_(
                demands.c.merchant == table.c.merchant,
                demands.c.shop == table.c.shop,
                demands.c.order_id == table.c.order_id,
            )
            query = query.where(exists().where(same, is_unshipped(self.now)))
        if doubtful:
            query = query.where(table.c.doubtful > 0)
        if orders:
            query = query.where(table.c.order_id.in_(list(orders)))
        if numbers:
            query = query.where(table.c.number.in_(list(numbers)))
        rows = list(self.execute(query.order_by(table.c.shop, table.c.order_id).limit(page.size)))
        lines = self._lines((row.shop, row.order_id) for row in rows)
        return [_stored(row, lines.get((row.shop, row.order_id), ())) for row in rows]

    def count(self, *, suspect: bool = False, uncounted: bool = False) -> int:
        """Count orders with open units, filtered as in `page`."""
        table = schema.orders
        counted = select(func.count()).select_from(table)
        query = counted.where(self.mine(table), table.c.holds > 0)
        if uncounted:
            query = query.where(table.c.uncounted)
        if not suspect:
            return self.execute(query).scalar() or 0
        found = self.execute(query.where(self._is_suspect())).scalar() or 0
        if not uncounted:
            others = counted.where(self.mine(table), table.c.holds == 0, self._is_unreadable())
            found += self.execute(others).scalar() or 0
        return found

    def _is_suspect(self) -> Any:
        """Return the condition of `domain.suspicion.suspicions`."""
        table, shops = schema.orders, schema.shops
        after = (
            select(shops.c.unpaid_after)
            .where(shops.c.merchant == table.c.merchant, shops.c.shop == table.c.shop)
            .correlate(table)
            .scalar_subquery()
        )
        patience = cast(func.coalesce(after, UNPAID_AFTER), BigInteger) * DAY
        unpaid = and_(table.c.paid.is_(False), table.c.placed_at + patience <= self.now)
        doubtful = or_(
            table.c.archived,
            table.c.vanished_at.is_not(None),
            unpaid,
            ~table.c.state_known,
            table.c.lines_missing_at.is_not(None),
        )
        held = and_(table.c.holds > 0, table.c.released_at.is_(None), doubtful)
        return or_(held, self._is_unreadable())

    def _is_unreadable(self) -> Any:
        table = schema.orders
        return and_(table.c.unreadable_at.is_not(None), table.c.released_at.is_(None))

    def suspect(self, shop: str, *, limit: int, after: str) -> list[StoredOrder]:
        """Return orders of the shop that are suspect (`domain.suspicion`), by id."""
        return self.page(
            Page(limit, (shop, after)), shop=shop, states=(), suspect=True, uncounted=False
        )

    def _lines(
        self, orders: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[DemandLine, ...]]:
        keys = [{"shop": shop, "order_id": order} for shop, order in orders]
        found: dict[tuple[str, str], list[DemandLine]] = defaultdict(list)
        for row in lookup(
            self.connection,
            schema.order_lines,
            {"merchant": self.merchant},
            keys,
            order_by=("line",),
        ):
            found[row.shop, row.order_id].append(_LINES.read(row))
        return {key: tuple(lines) for key, lines in found.items()}

    def _row(self, shop: str, record: OrderRecord) -> dict[str, Any]:
        return self.stamp(
            _ORDERS.write(record)
            | {
                "shop": shop,
                "holds": record.holds,
                "uncounted": any(line.parts is None for line in record.lines),
                "doubtful": record.doubtful,
            }
        )

    def _line_row(self, shop: str, order: str, line: DemandLine) -> dict[str, Any]:
        return _LINES.write(line) | {"merchant": self.merchant, "shop": shop, "order_id": order}


def _stored(row: Row[Any], lines: Sequence[DemandLine]) -> StoredOrder:
    return StoredOrder(
        row.shop,
        _ORDERS.read(row, lines=tuple(lines)),
        row.holds,
        row.uncounted,
        row.created_at,
        row.updated_at,
        row.revision,
    )
