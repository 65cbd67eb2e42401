"""What orders want of products, and in which warehouses it is allocated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from zaiko_core.domain.demand import Demand
from zaiko_core.domain.shop_word import UNSHIPPED_AFTER
from zaiko_core.domain.stock import DemandRef
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import insert_rows, lookup
from zaiko_core.storage.scope import Scope

_DEMANDS = Codec(schema.demands, Demand)


class DemandRows(Scope):
    """What orders and shipments want of products."""

    def get(self, shop: str, orders: Collection[str]) -> dict[tuple[str, str], Demand]:
        """Return the demands of these orders, by (order, product)."""
        if not orders:
            return {}
        rows = [{"order_id": order} for order in set(orders)]
        found = lookup(
            self.connection, schema.demands, {"merchant": self.merchant, "shop": shop}, rows
        )
        return {(row.order_id, row.product): _DEMANDS.read(row) for row in found}

    def put(self, shop: str, demands: Mapping[tuple[str, str], Demand]) -> None:
        rows = [
            {
                "merchant": self.merchant,
                "shop": shop,
                "order_id": order,
                "product": product,
                **_DEMANDS.write(demand),
            }
            for (order, product), demand in demands.items()
        ]
        insert_rows(
            self.connection,
            schema.demands,
            rows,
            update=_DEMANDS.columns,
        )

    def unsettled(self, shop: str, *, limit: int, after: str = "") -> list[str]:
        """Return the ids of orders of the shop that hold units, by id, after `after`."""
        table = schema.demands
        owed = and_(
            table.c.wanted > table.c.shipped,
            or_(
                table.c.wanted > table.c.fulfilled,
                and_(~table.c.frees, table.c.awaited > table.c.shipped),
            ),
        )
        query = (
            select(table.c.order_id)
            .where(self.mine(table), table.c.shop == shop, table.c.order_id > after)
            .where(or_(owed, table.c.alloc > 0))
            .distinct()
            .order_by(table.c.order_id)
            .limit(limit)
        )
        return list(self.execute(query).scalars())

    def awaited(self, shop: str) -> list[str]:
        """Return the ids of orders with units whose shipment the warehouse owes."""
        table = schema.demands
        query = select(table.c.order_id).where(
            self.mine(table), table.c.shop == shop, table.c.awaited > table.c.shipped
        )
        return list(self.execute(query.distinct().order_by(table.c.order_id)).scalars())

    def count_unshipped(self) -> int:
        """Count the orders that their shops call shipped and the warehouse has not shipped for
        long."""
        table = schema.demands
        query = select(table.c.shop, table.c.order_id).where(
            self.mine(table), is_unshipped(self.now)
        )
        found = query.distinct().subquery("unshipped")
        return self.execute(select(func.count()).select_from(found)).scalar() or 0

    def rename(self, shop: str, number: str, order: str) -> None:
        """Give what is recorded for an order under its number to the order itself."""
        for table in (schema.demands, schema.allocations):
            mine = (self.mine(table), table.c.shop == shop, table.c.order_id == number)
            self.execute(update(table).where(*mine).values(order_id=order))

    def allocated(self, ref: DemandRef, product: str) -> dict[str, int]:
        """Return the units that each warehouse holds for one product of a demand."""
        table = schema.allocations
        query = select(table).where(
            self.mine(table),
            table.c.shop == ref.shop,
            table.c.order_id == ref.order,
            table.c.product == product,
        )
        return {row.warehouse: row.alloc for row in self.execute(query)}

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


def is_unshipped(now: int) -> Any:
    """Return the condition of demands whose shipment the warehouse has owed for long."""
    table = schema.demands
    return and_(
        table.c.awaited > table.c.shipped,
        table.c.wanted > table.c.shipped,
        table.c.awaited_at <= now - UNSHIPPED_AFTER,
    )
