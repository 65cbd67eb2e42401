"""Order ingestion: pages of readings become demands, movements and beliefs, in a fixed number of
statements per page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zaiko_core.app import order_numbers, root_cause, unknown_orders
from zaiko_core.app.due_marks import mark_links_due, mark_products_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain import fence
from zaiko_core.domain.demand import Demand, DemandLine, OrderRecord, Reconciled, reconcile
from zaiko_core.domain.links import Part
from zaiko_core.domain.stock import MovementKind
from zaiko_core.domain.suspicion import still_released

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a page did: orders that changed something, that said nothing new, and that were older
    than what is stored; and of each listing that they sold the time of the last sale (µs, by the
    shop's clock)."""

    changed: int = 0
    same: int = 0
    outdated: int = 0
    sold: Mapping[str, int] = field(default_factory=dict)
    unreadable: Collection[str] = ()
    """Orders that could be read before, or are new, and cannot be read now."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Units of one order line that were counted for (or released from) a product when a link was
    made (or deleted)."""

    shop: str
    order: str
    number: str
    line: str
    product: str
    units: int


def ingest(uow: UnitOfWork, shop: str, readings: Sequence[OrderRecord]) -> Ingested:
    """Ingest one page of orders of one shop. The page may repeat, overlap and reorder earlier
    ones."""
    newest: dict[str, OrderRecord] = {}
    for reading in readings:
        if reading.order not in newest or reading.supersedes(newest[reading.order]):
            newest[reading.order] = reading
    stored = uow.orders.get(shop, newest)
    newest = {
        order: _kept(reading, stored.get(order), uow.now) for order, reading in newest.items()
    }
    same: list[OrderRecord] = []
    changing: list[OrderRecord] = []
    outdated = len(readings) - len(newest)
    for order, latest in newest.items():
        known = stored.get(order)
        reading = latest.settled(known)
        if known is not None and not reading.supersedes(known):
            outdated += 1
        elif known is not None and reading.says_the_same(known):
            same.append(reading)
        else:
            changing.append(reading)
    # Most of a page that overlaps an earlier one says nothing new at all.
    uow.orders.seen(
        shop, [reading for reading in same if reading.version > stored[reading.order].version]
    )
    new = [reading for reading in changing if reading.order not in stored]
    order_numbers.join(uow, shop, new)
    results = _apply(uow, shop, changing, stored)
    sold: dict[str, int] = {}
    for own in (own for result in results for own in result.sold):
        sold[own.listing] = max(own.at, sold.get(own.listing, 0))
    unreadable = [
        reading.order
        for reading in changing
        if reading.is_unreadable
        and not (reading.order in stored and stored[reading.order].is_unreadable)
    ]
    return Ingested(len(changing), len(same), outdated, sold, unreadable)


def _kept(reading: OrderRecord, known: OrderRecord | None, now: int) -> OrderRecord:
    """Return the reading with what was decided here about the order, as far as that still holds."""
    archived_at = (
        (known.archived_at if known and known.archived_at else now) if reading.archived else None
    )
    if archived_at != reading.archived_at:
        reading = replace(reading, archived_at=archived_at)
    if known is None:
        return reading
    if still_released(reading, known):
        reading = replace(reading, released_at=known.released_at, released_for=known.released_for)
    return replace(reading, kept=known.kept)


def is_news(uow: UnitOfWork, shop: str, readings: Sequence[OrderRecord]) -> bool:
    """Return whether one of these readings says something that is not stored. Most pages overlap
    earlier ones and do not."""
    stored = uow.orders.get(shop, {reading.order for reading in readings})
    for reading in readings:
        known = stored.get(reading.order)
        if known is None or not reading.settled(known).says_the_same(known):
            return True
    return False


def vanish(uow: UnitOfWork, shop: str, orders: Collection[str]) -> int:
    """Mark orders that can no longer be read. They go on holding their units, as suspect demand.
    Return how many were not marked before."""
    stored = uow.orders.get(shop, orders)
    gone = [
        replace(record, vanished_at=uow.now)
        for record in stored.values()
        if record.vanished_at is None
    ]
    uow.orders.put(shop, gone, known=stored)
    if gone:
        uow.advance()
    return len(gone)


def decide(uow: UnitOfWork, shop: str, records: Iterable[OrderRecord], kind: MovementKind) -> int:
    """Store what was decided here about orders (released, or held again), and count them
    accordingly; how many. The shop's own number did not move."""
    changed = list(records)
    stored = uow.orders.get(shop, [record.order for record in changed])
    _apply(uow, shop, changed, stored, kind=kind, selling=False, linking=False)
    return len(changed)


def recount(uow: UnitOfWork, shop: str, records: Iterable[OrderRecord], kind: MovementKind) -> int:
    """Count orders as they are given, because it was decided otherwise what a line, or the shop's
    word, counts for; how many. The shop's own number did not move."""
    given = {record.order: record for record in records}
    _apply(uow, shop, given.values(), given, kind=kind, selling=False, linking=False)
    return len(given)


def count_listings(uow: UnitOfWork, shop: str, listings: Collection[str]) -> list[Counted]:
    """Listings were just linked: count the order lines that waited for it. What was counted, line
    by line, where units are open."""
    counted: list[Counted] = []
    for records in _orders_with(uow, shop, listings, counted=False):
        for result in _apply(
            uow, shop, records.values(), records, kind=MovementKind.ORDER_LINKED, selling=False
        ):
            counted += _listed(shop, result.record, records[result.record.order], listings)
    return counted


def release_listings(uow: UnitOfWork, shop: str, listings: Collection[str]) -> list[Counted]:
    """Links are being deleted and their open orders given back: their lines count for no product
    until they are linked again. What was released, line by line."""
    released: list[Counted] = []
    for records in _orders_with(uow, shop, listings, counted=True):
        bare = {
            order: replace(record, lines=tuple(_uncounted(line, listings) for line in record.lines))
            for order, record in records.items()
        }
        _apply(
            uow,
            shop,
            bare.values(),
            bare,
            kind=MovementKind.ORDER_UNLINKED,
            selling=False,
            linking=False,
        )
        for order, record in records.items():
            released += _listed(shop, record, bare[order], listings)
    return released


def _apply(
    uow: UnitOfWork,
    shop: str,
    readings: Iterable[OrderRecord],
    stored: Mapping[str, OrderRecord],
    *,
    kind: MovementKind | None = None,
    selling: bool = True,
    linking: bool = True,
) -> list[Reconciled]:
    readings = list(readings)
    if not readings:
        return []
    listings = {line.listing for reading in readings for line in reading.lines if line.listing}
    parts_of: Mapping[str, tuple[Part, ...]] = uow.links.parts_of(shop, listings) if linking else {}
    demands: dict[str, dict[str, Demand]] = {}
    for (order, product), demand in uow.demands.get(
        shop, [reading.order for reading in readings]
    ).items():
        demands.setdefault(order, {})[product] = demand
    word = uow.shops.word(shop)
    results = [
        reconcile(
            reading,
            stored.get(reading.order),
            demands.get(reading.order, {}),
            parts_of,
            shop=shop,
            kind=kind,
            word=word,
        )
        for reading in readings
    ]
    uow.orders.put(shop, [result.record for result in results], known=stored)
    uow.advance()
    unknown_orders.note(uow, shop, stored, [result.record for result in results])
    changed = {
        (r.record.order, product): demand for r in results for product, demand in r.demands.items()
    }
    uow.demands.put(shop, changed)
    entries = [entry for result in results for entry in result.entries]
    root_cause.examine(uow, uow.stocks.post(entries))
    moved = {entry.product for entry in entries}
    if selling:
        due_revision = {
            listing
            for listing, parts in parts_of.items()
            if any(part.product in moved for part in parts)
        }
        _lower_beliefs(uow, shop, results, due_revision)
    mark_products_due(uow, moved)
    return results


def _lower_beliefs(
    uow: UnitOfWork, shop: str, results: Sequence[Reconciled], due_revision: Collection[str]
) -> None:
    """Lower what is expected of links by the shop's own orders, which moved its own number. Links
    that may have been given units back are marked due as well, though no balance of theirs may have
    changed; those of `due_revision` are in any case."""
    sold = [own for result in results for own in result.sold]
    known = uow.links.beliefs(shop, {own.listing for own in sold})
    for own in sold:
        if own.listing in known:
            known[own.listing] = fence.sold(known[own.listing], own)
    sales = dict.fromkeys(known, 0)
    for own in sold:
        if own.listing in sales:
            sales[own.listing] += own.units
    uow.links.save_sold(shop, known, sales)
    if others := known.keys() - due_revision:
        mark_links_due(uow, shop, others)


def _orders_with(
    uow: UnitOfWork, shop: str, listings: Collection[str], *, counted: bool
) -> Iterable[dict[str, OrderRecord]]:
    after = ""
    while orders := uow.orders.with_listings(
        shop, listings, counted=counted, limit=_BATCH, after=after
    ):
        yield uow.orders.get(shop, orders)
        after = orders[-1]


def _uncounted(line: DemandLine, listings: Collection[str]) -> DemandLine:
    return replace(line, parts=None) if line.listing in listings else line


def _listed(
    shop: str, counted: OrderRecord, uncounted: OrderRecord, listings: Collection[str]
) -> list[Counted]:
    """Lines with open units that have parts in one record and none in the other."""
    bare = {line.line for line in uncounted.lines if line.parts is None}
    if counted.holds == 0:
        return []
    return [
        Counted(
            shop,
            counted.order,
            counted.number,
            line.line,
            part.product,
            (line.wanted - line.fulfilled) * part.count,
        )
        for line in counted.lines
        if line.listing in listings and line.line in bare and line.wanted > line.fulfilled
        for part in line.parts or ()
    ]
