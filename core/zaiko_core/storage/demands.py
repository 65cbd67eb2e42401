"""What orders want of products, and in which warehouses it is allocated."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select

from zaiko_core.domain.demand import Demand
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
