"""Facts of one transaction are posted one after another, and answered with the stock after all of
them: no answer shows a state that nobody could see (ADR 0038)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_core.app import root_cause
from zaiko_core.app.due_marks import mark_products_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, StockRecord
from zaiko_core.domain.errors import CauseKeyReused, StockLimitExceeded
from zaiko_core.domain.stock import Entry, Movement

LIMIT = 1_000_000_000
"""The largest quantity of anything (units)."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A movement in the journal, and whether it had been recorded before."""

    movement: Movement
    already_recorded: bool


@dataclass(frozen=True, slots=True)
class Posting:
    """A movement, the stock after its transaction, and whether it had been recorded before."""

    movement: Movement
    stock: StockRecord
    already_recorded: bool


def post(uow: UnitOfWork, entries: Sequence[Entry]) -> list[Posted]:
    """Write entries into the journal, but those whose cause key has recorded the same fact before.
    `settle` follows once in the transaction. Raises CauseKeyReused and StockLimitExceeded, and has
    written nothing then."""
    known = uow.stocks.by_cause([entry.cause for entry in entries])
    for entry in entries:
        if entry.cause in known and not _same_fact(known[entry.cause].entry, entry):
            raise reused(entry.cause)
    fresh = [entry for entry in entries if entry.cause not in known]
    _check_limit(uow, fresh)
    moved = {movement.entry.cause: movement for movement in uow.stocks.post(fresh)}
    return [
        Posted(known.get(entry.cause) or moved[entry.cause], entry.cause in known)
        for entry in entries
    ]


def settle(uow: UnitOfWork, posted: Sequence[Posted]) -> list[Posting]:
    """Do what follows from all that was posted in this transaction: examine oversells, mark the
    links due whose products have more or fewer units free, and tell watches. Return the postings
    with the stocks as they are now."""
    fresh = [one.movement for one in posted if not one.already_recorded]
    root_cause.examine(uow, fresh)
    free: dict[str, int] = {}
    for movement in fresh:
        entry = movement.entry
        free[entry.product] = free.get(entry.product, 0) + entry.delta.free
    if free:
        uow.changed(ChangeKind.STOCK, free)
        mark_products_due(uow, {product for product, units in free.items() if units})
    stocks = uow.stocks.get({one.movement.entry.product for one in posted})
    return [
        Posting(one.movement, stocks[one.movement.entry.product], one.already_recorded)
        for one in posted
    ]


def reused(cause: str) -> CauseKeyReused:
    """Return the error for a cause key that has recorded something else."""
    return CauseKeyReused(
        f"the cause key {cause!r} has recorded another fact; use a new key for a new fact",
        cause=cause,
    )


def _check_limit(uow: UnitOfWork, entries: Sequence[Entry]) -> None:
    arriving: dict[str, int] = {}
    for entry in entries:
        arriving[entry.product] = arriving.get(entry.product, 0) + entry.delta.physical
    for product in sorted(
        uow.stocks.exceeding(
            {product: LIMIT - units for product, units in arriving.items() if units > 0}
        )
    ):
        raise StockLimitExceeded(
            f"product {product} would have more than {LIMIT} units; check the quantity",
            product=product,
        )


def _same_fact(one: Entry, other: Entry) -> bool:
    """Return whether two entries record the same fact. Its time and note may differ when it is
    repeated."""
    return (one.product, one.kind, one.delta, one.warehouse, one.demand) == (
        other.product,
        other.kind,
        other.delta,
        other.warehouse,
        other.demand,
    )
