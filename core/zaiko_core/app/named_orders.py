"""What a run does with orders that notifications have named (ADR 0040)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from zaiko_core.app import orders
from zaiko_core.app.orders import Ingested
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.demand import OrderRecord
from zaiko_core.domain.named_orders import NamedOrder, after_answer, after_error


def answered(
    uow: UnitOfWork,
    shop: str,
    named: Sequence[NamedOrder],
    readings: Sequence[OrderRecord],
    present: Collection[str],
) -> Ingested:
    """Ingest the orders that could be read. `present`: the ids that the platform answered with. One
    that is absent has vanished if it was known before; one that nobody knows is asked for again,
    and at last left to the search."""
    absent = {each.order for each in named} - set(present)
    known = set(uow.orders.get(shop, absent)) if absent else set()
    orders.vanish(uow, shop, known)
    done = orders.ingest(uow, shop, readings)
    if done.changed:
        uow.shops.save_ordered(shop)
    uow.named_orders.settle(shop, named, after_answer(named, present, known, uow.now))
    return done


def failed(uow: UnitOfWork, shop: str, named: Sequence[NamedOrder]) -> None:
    """Have the orders read again later, because reading them failed."""
    uow.named_orders.settle(shop, named, after_error(named, uow.now))
