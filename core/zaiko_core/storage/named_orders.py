"""Orders that notifications name, until they are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import and_, delete, func, or_, select, update

from zaiko_core.domain.named_orders import MOST, NamedOrder
from zaiko_core.storage import schema
from zaiko_core.storage.rowset import insert_rows
from zaiko_core.storage.scope import Scope

_BATCH = 100


class NamedOrderRows(Scope):
    """Orders to be read by id. The shop's row has the time of the earliest."""

    def add(self, shop: str, orders: Sequence[str]) -> bool:
        """Have these orders read now. Return False if some were left out, because too many wait
        already."""
        table = schema.named_orders
        waiting = set(
            self.execute(
                select(table.c.order_id).where(self.mine(table), table.c.shop == shop)
            ).scalars()
        )
        room = MOST - len(waiting)
        fresh = [order for order in orders if order not in waiting]
        taken = [order for order in orders if order in waiting] + fresh[: max(0, room)]
        rows = [{"order_id": order} for order in taken]
        same = {"merchant": self.merchant, "shop": shop, "named_at": self.now}
        insert_rows(
            self.connection,
            table,
            rows,
            same=same | {"due_at": self.now, "reads": 0},
            update=("named_at", "due_at", "reads"),
        )
        self._note_due(shop)
        return len(taken) == len(orders)

    def due(self, shop: str, *, limit: int) -> list[NamedOrder]:
        """Return orders that are to be read by now, the oldest name first."""
        table = schema.named_orders
        query = (
            select(table)
            .where(self.mine(table), table.c.shop == shop, table.c.due_at <= self.now)
            .order_by(table.c.named_at, table.c.order_id)
            .limit(limit)
        )
        return [
            NamedOrder(row.order_id, row.named_at, row.due_at, row.reads)
            for row in self.execute(query)
        ]

    def settle(self, shop: str, asked: Sequence[NamedOrder], again: Collection[NamedOrder]) -> None:
        """Forget the orders that were asked for, but those that are asked for `again`. One that was
        named meanwhile is read as its new name says."""
        table = schema.named_orders
        for first in range(0, len(asked), _BATCH):
            same = [
                and_(table.c.order_id == each.order, table.c.named_at == each.named_at)
                for each in asked[first : first + _BATCH]
            ]
            self.execute(delete(table).where(self.mine(table), table.c.shop == shop, or_(*same)))
        insert_rows(
            self.connection,
            table,
            [
                {
                    "order_id": each.order,
                    "named_at": each.named_at,
                    "due_at": each.due_at,
                    "reads": each.reads,
                }
                for each in again
            ],
            same={"merchant": self.merchant, "shop": shop},
            ignore=True,
        )
        self._note_due(shop)

    def next_due(self, shop: str) -> int | None:
        """Return when the earliest is to be read (µs), or None."""
        table = schema.named_orders
        found: int | None = self.execute(
            select(func.min(table.c.due_at)).where(self.mine(table), table.c.shop == shop)
        ).scalar()
        return found

    def forget(self, shop: str) -> None:
        """Forget all of a shop."""
        table = schema.named_orders
        self.execute(delete(table).where(self.mine(table), table.c.shop == shop))
        self._note_due(shop)

    def _note_due(self, shop: str) -> None:
        shops, named = schema.shops, schema.named_orders
        earliest = (
            select(func.min(named.c.due_at))
            .where(self.mine(named), named.c.shop == shop)
            .scalar_subquery()
        )
        self.execute(
            update(shops)
            .where(self.mine(shops), shops.c.shop == shop)
            .values(named_due_at=earliest)
        )
