"""Orders."""

from __future__ import annotations

from collections.abc import Mapping

from zaiko.v1 import order_pb2
from zaiko_core.app.records import StoredOrder
from zaiko_core.domain.demand import Demand, Line, OrderRecord, OrderState

from zaiko_server import names
from zaiko_server.convert.times import set_time, timestamp
from zaiko_server.etags import etag


def order(merchant: str, stored: StoredOrder, demands: Mapping[str, Demand], external_ids: Mapping[str, str]) -> order_pb2.Order:
    """An order. `demands` are by product; `external_ids` are the platform's ids of the listings that are known."""
    record = stored.record
    return order_pb2.Order(
        name=names.ORDER(merchant, stored.shop, names.order_id(record.order)),
        external_id=record.order,
        number=record.number,
        state=order_pb2.Order.State.Value(f"STATE_{record.state.value}"),
        platform_state=record.platform_state,
        state_known=record.state_known,
        archived=record.archived,
        paid=record.paid,
        suspicions=_suspicions(record),
        vanish_time=timestamp(record.vanished_at),
        has_unlinked_lines=stored.uncounted and stored.holds > 0,
        lines=[_line(merchant, stored.shop, record, line, external_ids) for line in record.lines],
        demands=[
            order_pb2.Order.ProductDemand(
                product=names.PRODUCT(merchant, product), open=demand.open, allocated=demand.alloc, shipped=demand.shipped
            )
            for product, demand in sorted(demands.items())
        ],
        place_time=set_time(record.placed_at),
        version_time=set_time(record.version),
        create_time=set_time(stored.created_at),
        update_time=set_time(stored.updated_at),
        revision=stored.revision,
        etag=etag(stored.revision),
    )


def _line(merchant: str, shop: str, record: OrderRecord, line: Line, external_ids: Mapping[str, str]) -> order_pb2.Order.Line:
    known = line.listing in external_ids
    return order_pb2.Order.Line(
        external_id=line.line,
        listing=names.LISTING(merchant, shop, line.listing) if known else "",
        external_listing_id=external_ids.get(line.listing, ""),
        sku=line.sku,
        title=line.title,
        ordered=line.ordered,
        cancelled=line.cancelled,
        fulfilled=line.fulfilled,
        open=max(0, line.wanted - line.fulfilled) if record.state is OrderState.OPEN else 0,
        products=[
            order_pb2.Order.Line.LinkedProduct(product=names.PRODUCT(merchant, part.product), count=part.count)
            for part in line.parts or ()
        ],
    )


def _suspicions(record: OrderRecord) -> list[order_pb2.Order.Suspicion.ValueType]:
    if record.holds == 0:
        return []
    found: list[order_pb2.Order.Suspicion.ValueType] = []
    if record.archived:
        found.append(order_pb2.Order.SUSPICION_ARCHIVED)
    if record.vanished_at is not None:
        found.append(order_pb2.Order.SUSPICION_VANISHED)
    if not record.state_known:
        found.append(order_pb2.Order.SUSPICION_STATE_UNKNOWN)
    return found
