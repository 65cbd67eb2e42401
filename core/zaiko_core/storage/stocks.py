"""The journal and the balances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Executable,
    Row,
    Select,
    and_,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from zaiko_core.app.records import Page, StockRecord
from zaiko_core.domain.stock import Balance, Delta, Entry, Movement, MovementKind
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import (
    batch_params,
    batch_rows,
    insert_rows,
    lookup,
    param,
    params,
    typed_columns,
)
from zaiko_core.storage.scope import Scope, after

K = TypeVar("K")
_QUANTITIES = ("physical", "allocated", "ordered", "unallocated")


BALANCES = Codec(schema.stock, Balance)
_STOCK = Codec(schema.stock, StockRecord, derived={"warehouses": {}})
_DELTAS = Codec(schema.movements, Delta)
_MOVEMENTS = Codec(
    schema.movements,
    Movement,
    columns={"entry.demand.shop": "shop", "entry.demand.order": "order_id"},
)


_NUMBERED = (
    update(schema.merchants)
    .where(schema.merchants.c.merchant == param(schema.merchants.c.merchant))
    .values(
        last_movement=schema.merchants.c.last_movement + param(schema.merchants.c.last_movement)
    )
    .returning(schema.merchants.c.last_movement)
)


@lru_cache
def _added(dialect: str) -> Executable:
    """Return the statement that adds deltas to balances."""
    table = schema.stock
    batch = batch_rows(dialect, typed_columns(table, "product", *_QUANTITIES))
    values: dict[str, Any] = {name: table.c[name] + batch.c[name] for name in _QUANTITIES}
    values |= {name: param(table.c[name]) for name in ("updated_at", "revision")}
    return (
        update(table)
        .where(table.c.merchant == param(table.c.merchant), table.c.product == batch.c.product)
        .values(values)
    )


@lru_cache
def _added_to_warehouses(dialect: str) -> Executable:
    table = schema.warehouse_stock
    batch = batch_rows(
        dialect, typed_columns(table, "product", "warehouse", "physical", "allocated")
    )
    same = (
        table.c.merchant == param(table.c.merchant),
        table.c.product == batch.c.product,
        table.c.warehouse == batch.c.warehouse,
    )
    values = {
        "physical": table.c.physical + batch.c.physical,
        "allocated": table.c.allocated + batch.c.allocated,
    }
    return update(table).where(*same).values(values)


@lru_cache
def _scarce(dialect: str) -> Select[Any]:
    """Return the query for products in escrow."""
    table = schema.stock
    batch = batch_rows(dialect, typed_columns(table, "product"))
    scarce = table.c.physical - table.c.ordered - table.c.reserve <= table.c.escrow_below
    same = and_(table.c.merchant == param(table.c.merchant), table.c.product == batch.c.product)
    return (
        select(table.c.product)
        .join_from(table, batch, same)
        .where(table.c.escrow_below > 0, scarce)
    )


@lru_cache
def _exceeding(dialect: str) -> Select[Any]:
    """Return the query for products with more physical units than a given number."""
    table = schema.stock
    batch = batch_rows(dialect, {"product": table.c.product.type, "physical": BigInteger})
    same = and_(table.c.merchant == param(table.c.merchant), table.c.product == batch.c.product)
    return (
        select(table.c.product)
        .join_from(table, batch, same)
        .where(table.c.physical > batch.c.physical)
    )


@lru_cache
def _reserved(dialect: str) -> tuple[Executable, Executable]:
    """Return the statements that note the reserves before and after, and that update them."""
    table = schema.stock
    batch = batch_rows(dialect, typed_columns(table, "product", "reserve"))
    same = and_(table.c.merchant == param(table.c.merchant), table.c.product == batch.c.product)
    before = select(
        table.c.product,
        table.c.reserve,
        batch.c.reserve,
        table.c.escrow_below,
        table.c.escrow_below,
    )
    values = {
        "reserve": batch.c.reserve,
        "updated_at": param(table.c.updated_at),
        "revision": param(table.c.revision),
    }
    return _noting(dialect, before.join_from(table, batch, same)), update(table).where(same).values(
        values
    )


def _noting(dialect: str, changing: Select[Any]) -> Any:
    """Return the statement that notes what settings were before. `changing` selects product,
    reserve and escrow limit, each before and after."""
    table = schema.stock_settings
    words: Any = postgresql if dialect == "postgresql" else sqlite
    names = [
        "product",
        "reserve_before",
        "reserve",
        "escrow_before",
        "escrow_below",
        "merchant",
        "revision",
        "at",
    ]
    whole = changing.add_columns(*(param(table.c[name]) for name in ("merchant", "revision", "at")))
    statement = words.insert(table).from_select(names, whole.where(true()))
    again = {name: statement.excluded[name] for name in ("reserve", "escrow_below")}
    return statement.on_conflict_do_update(
        index_elements=[key.name for key in table.primary_key.columns], set_=again
    )


class StockRows(Scope):
    """The journal and the balances. Nothing else writes them."""

    def get(self, products: Collection[str]) -> dict[str, StockRecord]:
        if not products:
            return {}
        rows = [{"product": item} for item in set(products)]
        return self._records(
            lookup(self.connection, schema.stock, {"merchant": self.merchant}, rows)
        )

    def page(self, page: Page, *, products: Collection[str], oversold: bool) -> list[StockRecord]:
        """Return a page by product id."""
        table = schema.stock
        query = (
            select(table)
            .where(self.mine(table), after(page, table.c.product))
            .order_by(table.c.product)
        )
        if products:
            query = query.where(table.c.product.in_(list(products)))
        if oversold:
            query = query.where(table.c.physical < table.c.ordered)
        return list(self._records(list(self.execute(query.limit(page.size)))).values())

    def count_oversold(self) -> int:
        """Count products of which more is promised than exists."""
        table = schema.stock
        query = (
            select(func.count())
            .select_from(table)
            .where(self.mine(table), table.c.physical < table.c.ordered)
        )
        return self.execute(query).scalar() or 0

    def set_reserves(self, reserves: Mapping[str, int]) -> None:
        rows = [{"product": product, "reserve": reserve} for product, reserve in reserves.items()]
        note, change = _reserved(self.dialect)
        stamp = params(merchant=self.merchant, revision=self.revision)
        self.execute(note, batch_params(rows) | stamp | params(at=self.now))
        self.execute(change, batch_params(rows) | stamp | params(updated_at=self.now))

    def set_escrow(self, product: str, below: int) -> None:
        table = schema.stock
        mine = (self.mine(table), table.c.product == product)
        changing = select(
            table.c.product, table.c.reserve, table.c.reserve, table.c.escrow_below, literal(below)
        ).where(*mine)
        stamp = params(merchant=self.merchant, revision=self.revision, at=self.now)
        self.execute(_noting(self.dialect, changing), stamp)
        values = {"escrow_below": below, "updated_at": self.now, "revision": self.revision}
        self.execute(update(table).where(*mine).values(values))

    def in_escrow(self, products: Collection[str]) -> set[str]:
        """Return those of these products that are in escrow now
        (domain.stock.Balance.in_escrow)."""
        if not products:
            return set()
        rows = batch_params([{"product": product} for product in set(products)])
        found = self.execute(_scarce(self.dialect), rows | params(merchant=self.merchant))
        return {row.product for row in found}

    def exceeding(self, most: Mapping[str, int]) -> set[str]:
        """Return those of these products that have more physical units than the number given for
        each, which may be negative."""
        if not most:
            return set()
        rows = batch_params(
            [{"product": product, "physical": units} for product, units in most.items()]
        )
        return {
            row.product
            for row in self.execute(_exceeding(self.dialect), rows | params(merchant=self.merchant))
        }

    def post(self, entries: Sequence[Entry]) -> list[Movement]:
        """Write entries into the journal and add their deltas to the balances. The caller has
        checked that no cause is known."""
        if not entries:
            return []
        ((last,),) = self.execute(
            _NUMBERED, params(merchant=self.merchant, last_movement=len(entries))
        )
        first = last - len(entries) + 1
        movements = [
            Movement(first + place, entry, self.now, self.revision)
            for place, entry in enumerate(entries)
        ]
        same = {"merchant": self.merchant, "recorded_at": self.now, "revision": self.revision}
        insert_rows(
            self.connection,
            schema.movements,
            [self._row(movement) for movement in movements],
            same=same,
        )
        self._add(entries)
        return movements

    def by_cause(self, causes: Collection[str]) -> dict[str, Movement]:
        if not causes:
            return {}
        rows = [{"cause": cause} for cause in set(causes)]
        found = lookup(self.connection, schema.movements, {"merchant": self.merchant}, rows)
        return {row.cause: _MOVEMENTS.read(row) for row in found}

    def movements(
        self,
        page: Page,
        *,
        products: Collection[str],
        warehouse: str,
        kinds: Collection[MovementKind],
    ) -> list[Movement]:
        """Return a page, newest first; the key is (seq,)."""
        table = schema.movements
        query = select(table).where(self.mine(table)).order_by(table.c.seq.desc())
        if page.after is not None:
            query = query.where(table.c.seq < page.after[0])
        if products:
            query = query.where(table.c.product.in_(list(products)))
        if warehouse:
            query = query.where(table.c.warehouse == warehouse)
        if kinds:
            query = query.where(table.c.kind.in_([kind.value for kind in kinds]))
        return [_MOVEMENTS.read(row) for row in self.execute(query.limit(page.size))]

    def physical_at(self, product: str, warehouse: str, *, revision: int) -> int:
        """Return what a shelf had at a revision, by what was recorded until then and by counts that
        were as of a moment until then, whenever they were recorded."""
        table = schema.movements
        moment = func.coalesce(func.nullif(table.c.as_of, 0), table.c.revision)
        query = select(func.coalesce(func.sum(table.c.physical), 0)).where(
            self.mine(table),
            table.c.product == product,
            table.c.warehouse == warehouse,
            moment <= revision,
        )
        return int(self.execute(query).scalar() or 0)

    def revision_at(self, time: int) -> int:
        """Return the revision of the last movement that was recorded until a time (µs); 0 when
        there was none."""
        table = schema.movements
        query = (
            select(table.c.revision)
            .where(self.mine(table), table.c.recorded_at <= time)
            .order_by(table.c.seq.desc())
            .limit(1)
        )
        return int(self.execute(query).scalar() or 0)

    def recompute(self) -> dict[str, tuple[Delta, Balance]]:
        """Return the products whose journal does not add up to their balance, with both. There
        never are any."""
        table = schema.movements
        sums = [func.coalesce(func.sum(table.c[name]), 0).label(name) for name in _QUANTITIES]
        query = select(table.c.product, *sums).where(self.mine(table)).group_by(table.c.product)
        journal = {
            row.product: Delta(*(int(getattr(row, name)) for name in _QUANTITIES))
            for row in self.execute(query)
        }
        stock = schema.stock
        balances = {
            row.product: BALANCES.read(row)
            for row in self.execute(select(stock).where(self.mine(stock)))
        }
        wrong: dict[str, tuple[Delta, Balance]] = {}
        for product in journal.keys() | balances.keys():
            summed, kept = journal.get(product, Delta()), balances.get(product, Balance())
            if summed != Delta(kept.physical, kept.allocated, kept.ordered, kept.unallocated):
                wrong[product] = (summed, kept)
        return wrong

    def _add(self, entries: Sequence[Entry]) -> None:
        by_product: dict[str, Delta] = {}
        by_warehouse: dict[tuple[str, str], Delta] = {}
        for entry in entries:
            _sum(by_product, entry.product, entry.delta)
            if entry.warehouse:
                _sum(by_warehouse, (entry.product, entry.warehouse), entry.delta)
        rows = [
            {"product": product, **_DELTAS.write(delta)}
            for product, delta in sorted(by_product.items())
        ]
        stamp = params(merchant=self.merchant, updated_at=self.now, revision=self.revision)
        self.execute(_added(self.dialect), batch_params(rows) | stamp)
        if by_warehouse:
            self._add_to_warehouses(by_warehouse)

    def _add_to_warehouses(self, deltas: Mapping[tuple[str, str], Delta]) -> None:
        table, mine = schema.warehouse_stock, {"merchant": self.merchant}
        rows: list[dict[str, Any]] = [
            {"product": p, "warehouse": w, "physical": delta.physical, "allocated": delta.allocated}
            for (p, w), delta in sorted(deltas.items())
        ]
        keys = [{"product": row["product"], "warehouse": row["warehouse"]} for row in rows]
        insert_rows(self.connection, table, keys, same=mine, ignore=True)
        self.execute(_added_to_warehouses(self.dialect), batch_params(rows) | params(**mine))

    def _records(self, rows: Sequence[Row[Any]]) -> dict[str, StockRecord]:
        if not rows:
            return {}
        keys = [{"product": row.product} for row in rows]
        held = lookup(
            self.connection,
            schema.warehouse_stock,
            {"merchant": self.merchant},
            keys,
            order_by=("warehouse",),
        )
        per_warehouse: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for row in held:
            per_warehouse[row.product][row.warehouse] = (row.physical, row.allocated)
        return {
            row.product: _STOCK.read(row, warehouses=per_warehouse.get(row.product, {}))
            for row in rows
        }

    def _row(self, movement: Movement) -> dict[str, Any]:
        row = _MOVEMENTS.write(movement)
        row["occurred_at"] = row["occurred_at"] or self.now
        return {name: row[name] for name in row if name not in ("recorded_at", "revision")}


def _sum(sums: dict[K, Delta], key: K, delta: Delta) -> None:
    known = sums.get(key)
    sums[key] = delta if known is None else known + delta
