"""Units move from one warehouse to another as one fact: two entries of one transaction under one
cause key, which add up to nothing, so that no shop sees anything of it (ADR 0038)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.posting import Posting, post, settle
from zaiko_core.app.stock import check_places, shelf
from zaiko_core.domain.errors import InsufficientStock
from zaiko_core.domain.stock import SECOND_ENTRY, Delta, Entry, MovementKind


@dataclass(frozen=True, slots=True)
class Transfer:
    """A move of `quantity` (≥ 1) units between two different warehouses."""

    product: str
    from_warehouse: str
    to_warehouse: str
    quantity: int
    cause: str
    note: str = ""
    occurred_at: int = 0


def transfer(uow: UnitOfWork, move: Transfer) -> Sequence[Posting]:
    """Move units. Return where they left and where they arrived. Raises InsufficientStock when the
    warehouse that they leave has fewer deliverable units, and CauseKeyReused."""
    places = {(move.product, move.from_warehouse), (move.product, move.to_warehouse)}
    check_places(uow, places)
    physical, allocated = shelf(uow, move.product, move.from_warehouse)
    known = uow.stocks.by_cause([move.cause])
    if not known and move.quantity > physical - allocated:
        raise InsufficientStock(
            (
                f"{move.quantity} units asked for, {physical - allocated} are deliverable there; "
                "receive or deallocate first"
            ),
            deliverable=str(physical - allocated),
        )
    entries = [
        Entry(
            product=move.product,
            kind=MovementKind.TRANSFER,
            cause=cause,
            delta=Delta(physical=units),
            warehouse=warehouse,
            note=move.note,
            occurred_at=move.occurred_at or uow.now,
        )
        for warehouse, units, cause in (
            (move.from_warehouse, -move.quantity, move.cause),
            (move.to_warehouse, move.quantity, move.cause + SECOND_ENTRY),
        )
    ]
    return settle(uow, post(uow, entries))
