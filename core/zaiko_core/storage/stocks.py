"""The journal, the balances, and the demands behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, Select, and_, func, literal, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from zaiko_core.app.records import Page, StockRecord
from zaiko_core.domain.demand import Demand
from zaiko_core.domain.stock import Balance, Delta, DemandRef, Entry, Movement, MovementKind, total
from zaiko_core.storage import schema
from zaiko_core.storage.rowset import insert_rows, rowset, typed
from zaiko_core.storage.scope import Scope, after

_QUANTITIES = ("physical", "allocated", "ordered", "unallocated")


def balance_from(row: Row[Any]) -> Balance:
    """The balance in a row that has the columns of `stock`."""
    return Balance(row.physical, row.allocated, row.ordered, row.unallocated, row.reserve, row.escrow_below)


class StockRows(Scope):
    """See ports.Stocks."""

    def get(self, products: Collection[str]) -> dict[str, StockRecord]:
        if not products:
            return {}
        table = schema.stock
        batch = rowset(self.connection, typed(table, "product"), [{"product": item} for item in set(products)])
        query = select(table).join(batch, and_(self.mine(table), table.c.product == batch.c.product))
        return self._records(list(self.connection.execute(query)))

    def page(self, page: Page, *, products: Collection[str], oversold: bool) -> list[StockRecord]:
        table = schema.stock
        query = select(table).where(self.mine(table), after(page, table.c.product)).order_by(table.c.product)
        if products:
            query = query.where(table.c.product.in_(list(products)))
        if oversold:
            query = query.where(table.c.physical < table.c.ordered)
        return list(self._records(list(self.connection.execute(query.limit(page.size)))).values())

    def count_oversold(self) -> int:
        table = schema.stock
        query = select(func.count()).select_from(table).where(self.mine(table), table.c.physical < table.c.ordered)
        return self.connection.scalar(query) or 0

    def set_reserves(self, reserves: Mapping[str, int]) -> None:
        table = schema.stock
        rows = [{"product": product, "reserve": reserve} for product, reserve in reserves.items()]
        batch = rowset(self.connection, typed(table, "product", "reserve"), rows)
        changing = select(table.c.product, table.c.reserve, batch.c.reserve, table.c.escrow_below, table.c.escrow_below).join_from(
            table, batch, and_(self.mine(table), table.c.product == batch.c.product)
        )
        self._note_settings(changing)
        values = {"reserve": batch.c.reserve, "updated_at": self.now, "revision": self.revision}
        self.connection.execute(update(table).where(self.mine(table), table.c.product == batch.c.product).values(values))

    def set_escrow(self, product: str, below: int) -> None:
        table = schema.stock
        changing = select(table.c.product, table.c.reserve, table.c.reserve, table.c.escrow_below, literal(below))
        self._note_settings(changing.where(self.mine(table), table.c.product == product))
        values = {"escrow_below": below, "updated_at": self.now, "revision": self.revision}
        self.connection.execute(update(table).where(self.mine(table), table.c.product == product).values(values))

    def _note_settings(self, changing: Select[Any]) -> None:
        """Write down how it was before; `changing` selects product, reserve and escrow limit, each before and after."""
        table = schema.stock_settings
        dialect: Any = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        names = ["product", "reserve_before", "reserve", "escrow_before", "escrow_below", "merchant", "revision", "at"]
        whole = changing.add_columns(literal(self.merchant), literal(self.revision, BigInteger), literal(self.now, BigInteger))
        statement = dialect.insert(table).from_select(names, whole.where(true()))
        again = {name: statement.excluded[name] for name in ("reserve", "escrow_below")}
        keys = [key.name for key in table.primary_key.columns]
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=again))

    def in_escrow(self, products: Collection[str]) -> set[str]:
        table = schema.stock
        batch = rowset(self.connection, typed(table, "product"), [{"product": product} for product in set(products)])
        scarce = table.c.physical - table.c.ordered - table.c.reserve <= table.c.escrow_below
        query = select(table.c.product).join(batch, and_(self.mine(table), table.c.product == batch.c.product))
        return set(self.connection.scalars(query.where(table.c.escrow_below > 0, scarce)))

    def post(self, entries: Sequence[Entry]) -> list[Movement]:
        if not entries:
            return []
        merchants = schema.merchants
        last = self.connection.scalar(
            update(merchants)
            .where(self.mine(merchants))
            .values(last_movement=merchants.c.last_movement + len(entries))
            .returning(merchants.c.last_movement)
        )
        assert isinstance(last, int)
        first = last - len(entries) + 1
        movements = [Movement(first + place, entry, self.now, self.revision) for place, entry in enumerate(entries)]
        insert_rows(self.connection, schema.movements, [self._row(movement) for movement in movements])
        self._add(entries)
        return movements

    def by_cause(self, causes: Collection[str]) -> dict[str, Movement]:
        if not causes:
            return {}
        table = schema.movements
        batch = rowset(self.connection, typed(table, "cause"), [{"cause": cause} for cause in set(causes)])
        query = select(table).join(batch, and_(self.mine(table), table.c.cause == batch.c.cause))
        return {row.cause: _movement(row) for row in self.connection.execute(query)}

    def movements(
        self, page: Page, *, products: Collection[str], warehouse: str, kinds: Collection[MovementKind]
    ) -> list[Movement]:
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
        return [_movement(row) for row in self.connection.execute(query.limit(page.size))]

    def recompute(self) -> dict[str, tuple[Delta, Balance]]:
        table = schema.movements
        sums = [func.coalesce(func.sum(table.c[name]), 0).label(name) for name in _QUANTITIES]
        query = select(table.c.product, *sums).where(self.mine(table)).group_by(table.c.product)
        journal = {row.product: Delta(*(int(getattr(row, name)) for name in _QUANTITIES)) for row in self.connection.execute(query)}
        stock = schema.stock
        balances = {row.product: balance_from(row) for row in self.connection.execute(select(stock).where(self.mine(stock)))}
        wrong: dict[str, tuple[Delta, Balance]] = {}
        for product in journal.keys() | balances.keys():
            summed, kept = journal.get(product, Delta()), balances.get(product, Balance())
            if summed != Delta(kept.physical, kept.allocated, kept.ordered, kept.unallocated):
                wrong[product] = (summed, kept)
        return wrong

    def _add(self, entries: Sequence[Entry]) -> None:
        by_product: dict[str, list[Delta]] = defaultdict(list)
        by_warehouse: dict[tuple[str, str], list[Delta]] = defaultdict(list)
        for entry in entries:
            by_product[entry.product].append(entry.delta)
            if entry.warehouse:
                by_warehouse[entry.product, entry.warehouse].append(entry.delta)
        table = schema.stock
        rows = [_delta_row(total(deltas)) | {"product": product} for product, deltas in sorted(by_product.items())]
        batch = rowset(self.connection, typed(table, "product", *_QUANTITIES), rows)
        values: dict[str, Any] = {name: table.c[name] + batch.c[name] for name in _QUANTITIES}
        values |= {"updated_at": self.now, "revision": self.revision}
        self.connection.execute(update(table).where(self.mine(table), table.c.product == batch.c.product).values(values))
        if by_warehouse:
            self._add_to_warehouses({key: total(deltas) for key, deltas in by_warehouse.items()})

    def _add_to_warehouses(self, deltas: Mapping[tuple[str, str], Delta]) -> None:
        table = schema.warehouse_stock
        rows: list[dict[str, Any]] = [
            {"product": p, "warehouse": w, "physical": delta.physical, "allocated": delta.allocated}
            for (p, w), delta in sorted(deltas.items())
        ]
        keys = [{"merchant": self.merchant, "product": row["product"], "warehouse": row["warehouse"]} for row in rows]
        insert_rows(self.connection, table, keys, ignore=True)
        batch = rowset(self.connection, typed(table, "product", "warehouse", "physical", "allocated"), rows)
        self.connection.execute(
            update(table)
            .where(self.mine(table), table.c.product == batch.c.product, table.c.warehouse == batch.c.warehouse)
            .values(physical=table.c.physical + batch.c.physical, allocated=table.c.allocated + batch.c.allocated)
        )

    def _records(self, rows: Sequence[Row[Any]]) -> dict[str, StockRecord]:
        if not rows:
            return {}
        table = schema.warehouse_stock
        batch = rowset(self.connection, typed(table, "product"), [{"product": row.product} for row in rows])
        query = select(table).join(batch, and_(self.mine(table), table.c.product == batch.c.product))
        per_warehouse: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for row in self.connection.execute(query.order_by(table.c.warehouse)):
            per_warehouse[row.product][row.warehouse] = (row.physical, row.allocated)
        return {
            row.product: StockRecord(
                row.product, balance_from(row), per_warehouse.get(row.product, {}), row.updated_at, row.revision
            )
            for row in rows
        }

    def _row(self, movement: Movement) -> dict[str, Any]:
        entry = movement.entry
        return _delta_row(entry.delta) | {
            "merchant": self.merchant,
            "seq": movement.seq,
            "product": entry.product,
            "warehouse": entry.warehouse,
            "kind": entry.kind.value,
            "shop": entry.demand.shop if entry.demand else "",
            "order_id": entry.demand.order if entry.demand else "",
            "cause": entry.cause,
            "note": entry.note,
            "occurred_at": entry.occurred_at or self.now,
            "recorded_at": self.now,
            "revision": self.revision,
        }


class DemandRows(Scope):
    """See ports.Demands."""

    def get(self, shop: str, orders: Collection[str]) -> dict[tuple[str, str], Demand]:
        if not orders:
            return {}
        table = schema.demands
        batch = rowset(self.connection, typed(table, "order_id"), [{"order_id": order} for order in set(orders)])
        query = select(table).join(batch, and_(self.mine(table), table.c.shop == shop, table.c.order_id == batch.c.order_id))
        return {
            (row.order_id, row.product): Demand(row.wanted, row.fulfilled, row.shipped, row.alloc)
            for row in self.connection.execute(query)
        }

    def put(self, shop: str, demands: Mapping[tuple[str, str], Demand]) -> None:
        rows = [
            {
                "merchant": self.merchant,
                "shop": shop,
                "order_id": order,
                "product": product,
                "wanted": demand.wanted,
                "fulfilled": demand.fulfilled,
                "shipped": demand.shipped,
                "alloc": demand.alloc,
            }
            for (order, product), demand in demands.items()
        ]
        insert_rows(self.connection, schema.demands, rows, update=("wanted", "fulfilled", "shipped", "alloc"))

    def allocated(self, ref: DemandRef, product: str) -> dict[str, int]:
        table = schema.allocations
        query = select(table).where(
            self.mine(table), table.c.shop == ref.shop, table.c.order_id == ref.order, table.c.product == product
        )
        return {row.warehouse: row.alloc for row in self.connection.execute(query)}

    def set_allocated(self, ref: DemandRef, product: str, warehouse: str, units: int) -> None:
        row = {
            "merchant": self.merchant,
            "shop": ref.shop,
            "order_id": ref.order,
            "product": product,
            "warehouse": warehouse,
            "alloc": units,
        }
        insert_rows(self.connection, schema.allocations, [row], update=("alloc",))


def _delta_row(delta: Delta) -> dict[str, Any]:
    return {name: getattr(delta, name) for name in _QUANTITIES}


def _movement(row: Row[Any]) -> Movement:
    demand = DemandRef(row.shop, row.order_id) if row.order_id else None
    entry = Entry(
        product=row.product,
        kind=MovementKind(row.kind),
        cause=row.cause,
        delta=Delta(row.physical, row.allocated, row.ordered, row.unallocated),
        warehouse=row.warehouse,
        demand=demand,
        note=row.note,
        occurred_at=row.occurred_at,
    )
    return Movement(row.seq, entry, row.recorded_at, row.revision)
