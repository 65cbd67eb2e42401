"""Convert movements (entries of the journal) and their demands."""

from __future__ import annotations

from zaiko.v1 import movement_pb2
from zaiko_core.domain.stock import SECOND_ENTRY, DemandRef, Movement, MovementKind

from zaiko_server import names
from zaiko_server.times import timestamp

_KINDS = {kind: movement_pb2.Movement.Kind.Value(f"KIND_{kind.value}") for kind in MovementKind}


def movement(merchant: str, record: Movement) -> movement_pb2.Movement:
    """Return a movement."""
    entry = record.entry
    return movement_pb2.Movement(
        name=names.MOVEMENT(merchant, names.movement_id(record.seq)),
        product=names.PRODUCT(merchant, entry.product),
        warehouse=names.WAREHOUSE(merchant, entry.warehouse) if entry.warehouse else "",
        kind=_KINDS[entry.kind],
        physical_delta=entry.delta.physical,
        allocated_delta=entry.delta.allocated,
        ordered_delta=entry.delta.ordered,
        unallocated_delta=entry.delta.unallocated,
        demand=demand(merchant, entry.demand) if entry.demand else None,
        cause_key=entry.cause.removesuffix(SECOND_ENTRY),
        note=entry.note,
        occur_time=timestamp(entry.occurred_at),
        record_time=timestamp(record.recorded_at),
        revision=record.revision,
        as_of_revision=entry.as_of,
    )


def demand(merchant: str, ref: DemandRef) -> movement_pb2.Demand:
    """Return the demand of an order of a shop, or of the warehouse's own shipment."""
    if not ref.shop:
        return movement_pb2.Demand(shipment=ref.order)
    order = movement_pb2.Demand.OrderReference(
        shop=names.SHOP(merchant, ref.shop), external_order_id=ref.order
    )
    return movement_pb2.Demand(order=order)


def demand_ref(message: movement_pb2.Demand) -> DemandRef:
    """Return the demand that a request names."""
    if message.WhichOneof("reference") == "shipment":
        return DemandRef("", message.shipment)
    return DemandRef(names.SHOP.ids(message.order.shop)[1], message.order.external_order_id)
