"""What a product's numbers were made of at a revision, read from the journal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, case, delete, func, or_, select, update

from zaiko_core.app.records import Promise, Shelf, StockSettings
from zaiko_core.domain.stock import Delta, DemandRef, MovementKind
from zaiko_core.storage import schema
from zaiko_core.storage.scope import Scope


class LedgerRows(Scope):
    """What a product's numbers were made of at the revision `upto`, from the journal."""

    def known_from(self) -> int:
        """Return the oldest revision whose numbers can be explained."""
        table = schema.merchants
        return int(
            self.execute(select(table.c.explained_from).where(self.mine(table))).scalar() or 0
        )

    def shelves(self, product: str, *, upto: int) -> list[Shelf]:
        """Return the product's shelves, by warehouse."""
        table = schema.movements
        kinds = (
            MovementKind.RECEIVE,
            MovementKind.ADJUST,
            MovementKind.SHIP,
            MovementKind.TRANSFER,
        )
        sums = [
            func.sum(case((table.c.kind == kind.value, table.c.physical), else_=0))
            for kind in kinds
        ]
        query = (
            select(
                table.c.warehouse, *sums, func.sum(table.c.physical), func.sum(table.c.allocated)
            )
            .where(self._of(product, upto), table.c.warehouse != "")
            .group_by(table.c.warehouse)
            .order_by(table.c.warehouse)
        )
        return [Shelf(row[0], *(int(number) for number in row[1:])) for row in self.execute(query)]

    def promises(self, product: str, *, upto: int, limit: int) -> list[Promise]:
        """Return the demands that held units, largest first."""
        grouped, orders = self._demands(product, upto).subquery("demands"), schema.orders
        query = (
            select(grouped, orders.c.number, orders.c.placed_at)
            .outerjoin(
                orders,
                and_(
                    self.mine(orders),
                    orders.c.shop == grouped.c.shop,
                    orders.c.order_id == grouped.c.order_id,
                ),
            )
            .order_by(grouped.c.ordered.desc(), grouped.c.shop, grouped.c.order_id)
            .limit(limit)
        )
        return [
            Promise(
                demand=DemandRef(row.shop, row.order_id),
                number=row.number or "",
                delta=Delta(0, int(row.allocated), int(row.ordered), int(row.unallocated)),
                since=int(row.placed_at or row.since),
            )
            for row in self.execute(query)
        ]

    def promised(self, product: str, *, upto: int) -> tuple[int, Delta]:
        """Count the demands that held units, and those units."""
        grouped = self._demands(product, upto).subquery("demands")
        sums = [
            func.coalesce(func.sum(grouped.c[name]), 0)
            for name in ("allocated", "ordered", "unallocated")
        ]
        row = self.execute(select(func.count(), *sums).select_from(grouped)).one()
        return int(row[0]), Delta(0, int(row[1]), int(row[2]), int(row[3]))

    def settings(self, product: str, *, upto: int) -> StockSettings:
        table, stock = schema.stock_settings, schema.stock
        mine = and_(self.mine(table), table.c.product == product)
        before = (
            select(table)
            .where(mine, table.c.revision <= upto)
            .order_by(table.c.revision.desc())
            .limit(1)
        )
        row = self.execute(before).one_or_none()
        if row is not None:
            return StockSettings(row.reserve, row.escrow_below, row.at)
        after = (
            select(table).where(mine, table.c.revision > upto).order_by(table.c.revision).limit(1)
        )
        row = self.execute(after).one_or_none()
        if row is not None:
            return StockSettings(row.reserve_before, row.escrow_before)
        now = self.execute(select(stock).where(self.mine(stock), stock.c.product == product)).one()
        return StockSettings(now.reserve, now.escrow_below)

    def forget(self, *, older_than: int, known_from: int) -> None:
        """Delete changes of settings made before that time. From then on `known_from` is at least
        the revision that is given."""
        settings, merchants = schema.stock_settings, schema.merchants
        newest = select(func.max(settings.c.revision)).where(
            self.mine(settings), settings.c.at < older_than
        )
        mark = max(known_from, int(self.execute(newest).scalar() or 0))
        self.execute(delete(settings).where(self.mine(settings), settings.c.at < older_than))
        self.execute(
            update(merchants)
            .where(self.mine(merchants), merchants.c.explained_from < mark)
            .values(explained_from=mark)
        )

    def _of(self, product: str, upto: int) -> Any:
        table = schema.movements
        return and_(self.mine(table), table.c.product == product, table.c.revision <= upto)

    def _demands(self, product: str, upto: int) -> Any:
        """Return the query for what each demand adds to the balance: the sum of its movements."""
        table = schema.movements
        allocated, ordered, unallocated = (
            func.sum(table.c[name]) for name in ("allocated", "ordered", "unallocated")
        )
        return (
            select(
                table.c.shop,
                table.c.order_id,
                allocated.label("allocated"),
                ordered.label("ordered"),
                unallocated.label("unallocated"),
                func.min(table.c.occurred_at).label("since"),
            )
            .where(self._of(product, upto), table.c.order_id != "")
            .group_by(table.c.shop, table.c.order_id)
            .having(or_(allocated != 0, ordered != 0, unallocated != 0))
        )
