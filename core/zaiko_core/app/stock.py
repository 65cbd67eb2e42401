"""Facts of a warehouse (receipts, counts, allocations, shipments), and settings of stock.

Every fact has a cause key, unique in the merchant, and is recorded once however often it is sent.
The same key with another content is refused. No fact makes physical or allocated negative, or
physical smaller than allocated, in any warehouse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from zaiko_core.app import order_numbers, receiving, shops
from zaiko_core.app.due_marks import mark_products_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.posting import Posted, Posting, post, reused, settle
from zaiko_core.app.records import ProductRecord, StockRecord
from zaiko_core.domain.demand import Demand, difference
from zaiko_core.domain.errors import (
    DemandExceeded,
    InsufficientStock,
    NotFound,
    ProductArchived,
    RevisionInFuture,
)
from zaiko_core.domain.stock import Delta, DemandRef, Entry, MovementKind

_Change = Callable[[Demand, int], tuple[Demand, int, int]]
"""(demand, units held in the warehouse) → the same after the change, and the change of physical."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt of `quantity` (≥ 1) units. `occurred_at` in µs since 1970; 0 = now."""

    product: str
    warehouse: str
    quantity: int
    cause: str
    note: str = ""
    occurred_at: int = 0

    @property
    def conflict_keys(self) -> frozenset[str]:
        """What two receipts of one unit of work must not share (ports.Mergeable): the product's
        etag, and the cause key."""
        return frozenset({f"product {self.product}", f"cause {self.cause}"})


@dataclass(frozen=True, slots=True)
class Moment:
    """A revision of the merchant, or a time (µs since 1970) if the revision is None."""

    revision: int | None
    time: int = 0


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction of physical in one warehouse: by `delta`, or by what was `counted` `as_of` a
    moment (None: now); exactly one of both."""

    product: str
    warehouse: str
    cause: str
    delta: int | None = None
    counted: int | None = None
    note: str = ""
    occurred_at: int = 0
    as_of: Moment | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """An allocation, deallocation or shipment of `quantity` (≥ 1) units of one warehouse for a
    demand."""

    demand: DemandRef
    product: str
    warehouse: str
    quantity: int
    cause: str
    note: str = ""
    occurred_at: int = 0


def set_reserves(
    uow: UnitOfWork, reserves: Mapping[str, int]
) -> tuple[dict[str, StockRecord], int]:
    """Set the reserve (0 … LIMIT) of products, all or none. Return the stocks after it, and how
    many enabled links were scheduled. A reserve that is set already changes nothing."""
    stocks = _stocks(uow, reserves)
    changing = {
        product: units
        for product, units in reserves.items()
        if stocks[product].balance.reserve != units
    }
    if not changing:
        return stocks, 0
    uow.stocks.set_reserves(changing)
    scheduled = mark_products_due(uow, changing)
    return uow.stocks.get(reserves), scheduled


def set_escrow(uow: UnitOfWork, product: str, below: int) -> tuple[StockRecord, int]:
    """Give each shop a quota of its own while at most `below` (0 … LIMIT; 0 = never) units may be
    sold (ADR 0012). Return the stock after it, and how many enabled links were scheduled. A limit
    that is set already changes nothing."""
    known = _stocks(uow, {product: below})[product]
    if known.balance.escrow_below == below:
        return known, 0
    uow.stocks.set_escrow(product, below)
    scheduled = mark_products_due(uow, [product])
    return uow.stocks.get([product])[product], scheduled


def receive(uow: UnitOfWork, receipts: Sequence[Receipt]) -> list[Posting]:
    """Record receipts, all or none. A cause key may repeat an earlier call, but not another receipt
    of this one."""
    return settle(uow, post_receipts(uow, receipts))


def adjust(uow: UnitOfWork, adjustment: Adjustment) -> Posting:
    """Correct physical. Raises InsufficientStock when it would fall below what the warehouse has
    allocated."""
    return settle(uow, [post_adjustment(uow, adjustment)])[0]


def allocate(uow: UnitOfWork, binding: Binding) -> Posting:
    """Hold units for a demand. `free` stays as long as the demand has that many units open; units
    beyond count as ordered. Raises InsufficientStock when the warehouse has fewer deliverable
    units."""
    return settle(uow, [post_allocation(uow, binding)])[0]


def deallocate(uow: UnitOfWork, binding: Binding) -> Posting:
    """Release units that a warehouse holds for a demand. Raises DemandExceeded when it holds
    fewer."""
    return settle(uow, [post_deallocation(uow, binding)])[0]


def ship(uow: UnitOfWork, binding: Binding) -> Posting:
    """Ship held units: physical, allocated and open fall together. Raises DemandExceeded when fewer
    are held."""
    return settle(uow, [post_shipment(uow, binding)])[0]


def post_receipts(uow: UnitOfWork, receipts: Sequence[Receipt]) -> list[Posted]:
    """Post receipts as `receive` records them."""
    entries = [
        Entry(
            product=receipt.product,
            kind=MovementKind.RECEIVE,
            cause=receipt.cause,
            delta=Delta(physical=receipt.quantity),
            warehouse=receipt.warehouse,
            note=receipt.note,
            occurred_at=receipt.occurred_at or uow.now,
        )
        for receipt in receipts
    ]
    products = check_places(
        uow, {(entry.product, entry.warehouse) for entry in entries}, arriving=True
    )
    posted = post(uow, entries)
    receiving.queue(uow, products, [one.movement for one in posted if not one.already_recorded])
    return posted


def post_adjustment(uow: UnitOfWork, adjustment: Adjustment) -> Posted:
    """Post a correction as `adjust` records it."""
    check_places(uow, {(adjustment.product, adjustment.warehouse)})
    known = uow.stocks.by_cause([adjustment.cause]).get(adjustment.cause)
    physical, allocated = shelf(uow, adjustment.product, adjustment.warehouse)
    as_of = 0
    if adjustment.delta is not None:
        delta = adjustment.delta
    elif known is not None:
        # A count is repeated as the count it was: what it changed then is what it says now.
        delta = known.entry.delta.physical
    else:
        as_of = _counted_at(uow, adjustment.as_of)
        delta = (adjustment.counted or 0) - uow.stocks.physical_at(
            adjustment.product, adjustment.warehouse, revision=as_of
        )
    if known is None and physical + delta < allocated:
        raise InsufficientStock(
            (
                f"physical would fall to {physical + delta}, below the {allocated} units "
                "allocated there; deallocate them first"
            ),
            physical=str(physical),
            allocated=str(allocated),
        )
    entry = Entry(
        product=adjustment.product,
        kind=MovementKind.ADJUST,
        cause=adjustment.cause,
        delta=Delta(physical=delta),
        warehouse=adjustment.warehouse,
        note=adjustment.note,
        occurred_at=adjustment.occurred_at or uow.now,
        as_of=as_of,
    )
    return post(uow, [entry])[0]


def post_allocation(uow: UnitOfWork, binding: Binding) -> Posted:
    """Post an allocation as `allocate` records it."""

    def change(demand: Demand, held: int) -> tuple[Demand, int, int]:
        physical, allocated = shelf(uow, binding.product, binding.warehouse)
        if binding.quantity > physical - allocated:
            raise InsufficientStock(
                (
                    f"{binding.quantity} units asked for, {physical - allocated} are "
                    "deliverable there; receive or deallocate first"
                ),
                deliverable=str(physical - allocated),
            )
        return replace(demand, alloc=demand.alloc + binding.quantity), held + binding.quantity, 0

    return _bind(uow, binding, MovementKind.ALLOCATE, change)


def post_deallocation(uow: UnitOfWork, binding: Binding) -> Posted:
    """Post a deallocation as `deallocate` records it."""

    def change(demand: Demand, held: int) -> tuple[Demand, int, int]:
        _check_held(binding, held)
        return replace(demand, alloc=demand.alloc - binding.quantity), held - binding.quantity, 0

    return _bind(uow, binding, MovementKind.DEALLOCATE, change)


def post_shipment(uow: UnitOfWork, binding: Binding) -> Posted:
    """Post a shipment as `ship` records it."""

    def change(demand: Demand, held: int) -> tuple[Demand, int, int]:
        _check_held(binding, held)
        left = replace(
            demand, alloc=demand.alloc - binding.quantity, shipped=demand.shipped + binding.quantity
        )
        return left, held - binding.quantity, -binding.quantity

    return _bind(uow, binding, MovementKind.SHIP, change)


def _bind(uow: UnitOfWork, binding: Binding, kind: MovementKind, change: _Change) -> Posted:
    check_places(uow, {(binding.product, binding.warehouse)})
    ref = _demand_of(uow, binding.demand)
    known = uow.stocks.by_cause([binding.cause])
    if known:
        if known[binding.cause].entry.demand == binding.demand:
            # Recorded under the order's number before the order was read.
            ref = binding.demand
        same = Entry(
            binding.product,
            kind,
            binding.cause,
            known[binding.cause].entry.delta,
            binding.warehouse,
            ref,
        )
        if abs(same.delta.allocated) != binding.quantity:
            raise reused(binding.cause)
        return post(uow, [same])[0]
    demand = uow.demands.get(ref.shop, [ref.order]).get((ref.order, binding.product), Demand())
    held = uow.demands.allocated(ref, binding.product).get(binding.warehouse, 0)
    new, held, physical = change(demand, held)
    uow.demands.put(ref.shop, {(ref.order, binding.product): new})
    uow.demands.set_allocated(ref, binding.product, binding.warehouse, held)
    entry = Entry(
        product=binding.product,
        kind=kind,
        cause=binding.cause,
        delta=difference(demand, new) + Delta(physical=physical),
        warehouse=binding.warehouse,
        demand=ref,
        note=binding.note,
        occurred_at=binding.occurred_at or uow.now,
    )
    return post(uow, [entry])[0]


def _demand_of(uow: UnitOfWork, named: DemandRef) -> DemandRef:
    """Return the demand that is named by an order's id or number. Of a deleted shop only orders
    that were read can be named. Raises NotFound, OrderNumberAmbiguous."""
    if not named.shop:
        return named
    shops.known(uow, named.shop)
    order = order_numbers.resolve(uow, named.shop, named.order)
    if named.shop not in uow.shops.get([named.shop]):
        known = any(uow.demands.get(named.shop, [order])) or uow.orders.get(named.shop, [order])
        if not known:
            raise NotFound(f"merchants/{uow.merchant}/shops/{named.shop}")
    return DemandRef(named.shop, order)


def _counted_at(uow: UnitOfWork, moment: Moment | None) -> int:
    """Return the revision of a moment. Raises RevisionInFuture."""
    if moment is None:
        return uow.revision
    if moment.revision is None:
        return uow.stocks.revision_at(moment.time)
    if moment.revision > uow.answer_revision:
        raise RevisionInFuture(
            f"revision {moment.revision} is newer than the newest one, {uow.answer_revision}; say "
            "the one that was read when the count began",
            currentRevision=str(uow.answer_revision),
        )
    return moment.revision


def check_places(
    uow: UnitOfWork, places: set[tuple[str, str]], *, arriving: bool = False
) -> Collection[ProductRecord]:
    """Return the products of these places, by product and warehouse. Raises NotFound, and where
    units are `arriving` ProductArchived."""
    products = uow.products.get({product for product, _ in places})
    warehouses = uow.warehouses.get({warehouse for _, warehouse in places})
    for product, warehouse in sorted(places):
        if product not in products:
            raise NotFound(f"merchants/{uow.merchant}/products/{product}")
        if warehouse not in warehouses:
            raise NotFound(f"merchants/{uow.merchant}/warehouses/{warehouse}")
        if arriving and products[product].archived:
            raise ProductArchived(
                f"product {product} is archived; create a new one to receive units", product=product
            )
    return products.values()


def _stocks(uow: UnitOfWork, products: Mapping[str, int]) -> dict[str, StockRecord]:
    stocks = uow.stocks.get(products)
    for product in products:
        if product not in stocks:
            raise NotFound(f"merchants/{uow.merchant}/products/{product}")
    return stocks


def shelf(uow: UnitOfWork, product: str, warehouse: str) -> tuple[int, int]:
    """Return the physical and the allocated units of a product in a warehouse."""
    return uow.stocks.get([product])[product].warehouses.get(warehouse, (0, 0))


def _check_held(binding: Binding, held: int) -> None:
    if binding.quantity > held:
        raise DemandExceeded(
            (
                f"{binding.quantity} units asked for, the demand holds {held} in this "
                "warehouse; allocate first"
            ),
            held=str(held),
        )
