"""Orders by the number that people know: a warehouse reads it on the packing slip, and may record a
fact before the order is read (ADR 0035)."""

from __future__ import annotations

from collections.abc import Sequence

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.demand import OrderRecord
from zaiko_core.domain.errors import OrderNumberAmbiguous
from zaiko_core.domain.stock import Delta, DemandRef, Entry, MovementKind


def spellings(number: str) -> set[str]:
    """Return how people write the number of an order."""
    return {number, number.removeprefix("#"), f"#{number.removeprefix('#')}"}


def resolve(uow: UnitOfWork, shop: str, typed: str) -> str:
    """Return the platform's id of the order that is named by its id, or else by its number, with or
    without a leading `#`. What names no order yet is returned as it is. Raises OrderNumberAmbiguous
    when several orders have the number."""
    if uow.orders.get(shop, [typed]):
        return typed
    found = uow.orders.numbered(shop, spellings(typed))
    if len(found) > 1:
        raise OrderNumberAmbiguous(
            f"{len(found)} orders of {shop} have the number {typed}: {', '.join(found[:10])}; "
            "name one by its id",
            number=typed,
            orders=", ".join(found[:10]),
        )
    return found[0] if found else typed


def join(uow: UnitOfWork, shop: str, read: Sequence[OrderRecord]) -> None:
    """Give what a warehouse recorded under the number of an order to the order, which is read for
    the first time. A number of several orders is left to a person."""
    named: dict[str, set[str]] = {}
    for record in read:
        for spelling in spellings(record.number):
            if record.number and spelling != record.order:
                named.setdefault(spelling, set()).add(record.order)
    waiting = uow.demands.get(shop, named) if named else {}
    known = uow.orders.get(shop, {number for number, _ in waiting})
    ids = {record.order for record in read}
    for number in sorted({number for number, _ in waiting} - known.keys() - ids):
        orders = named[number] | set(uow.orders.numbered(shop, spellings(number)))
        if len(orders) == 1:
            _move(uow, shop, number, orders.pop())


def _move(uow: UnitOfWork, shop: str, number: str, order: str) -> None:
    held = uow.demands.get(shop, [number])
    if any(taken == order for taken, _ in uow.demands.get(shop, [order])):
        return
    uow.demands.rename(shop, number, order)
    entries = [
        Entry(
            product=product,
            kind=MovementKind.ORDER_JOINED,
            cause=f"order/{shop}/{order}/joined/{number}/{product}/{end}",
            delta=delta,
            demand=DemandRef(shop, of),
            occurred_at=uow.now,
        )
        for (_, product), demand in sorted(held.items())
        if demand.delta
        for end, of, delta in (
            ("from", number, Delta() - demand.delta),
            ("to", order, demand.delta),
        )
    ]
    uow.stocks.post(entries)
