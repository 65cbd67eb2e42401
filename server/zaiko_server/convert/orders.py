"""Convert orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zaiko.v1 import order_pb2, order_service_pb2
from zaiko_core.app.records import StoredOrder
from zaiko_core.app.suspects import Effect, Release
from zaiko_core.domain.demand import Demand, DemandLine, DemandState, OrderRecord
from zaiko_core.domain.suspicion import Suspicion

from zaiko_server import names
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp, timestamp

SHOWN = 1_000
"""The orders, products and links of a preview that fit into one reply."""


def order(
    merchant: str,
    stored: StoredOrder,
    demands: Mapping[str, Demand],
    external_ids: Mapping[str, str],
    suspect_for: Iterable[Suspicion],
) -> order_pb2.Order:
    """Return an order. `demands` are by product, `external_ids` are the platform's ids of known
    listings, and `suspect_for` are the reasons for a person to check it."""
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
        suspicions=[suspicion(item) for item in suspect_for],
        release_time=timestamp(record.released_at),
        released_for=suspicion(record.released_for),
        held_by_hand=record.kept,
        vanish_time=timestamp(record.vanished_at),
        has_unlinked_lines=stored.uncounted and stored.holds > 0,
        lines=[_line(merchant, stored.shop, record, line, external_ids) for line in record.lines],
        demands=[
            order_pb2.Order.ProductDemand(
                product=names.PRODUCT(merchant, product),
                open=demand.open,
                allocated=demand.alloc,
                shipped=demand.shipped,
                unshipped=min(demand.unshipped, max(0, demand.wanted - demand.shipped)),
                unshipped_time=nonzero_timestamp(demand.awaited_at),
            )
            for product, demand in sorted(demands.items())
        ],
        place_time=nonzero_timestamp(record.placed_at),
        version_time=nonzero_timestamp(record.version),
        create_time=nonzero_timestamp(stored.created_at),
        update_time=nonzero_timestamp(stored.updated_at),
        revision=stored.revision,
        etag=etag(stored.revision),
    )


def _line(
    merchant: str, shop: str, record: OrderRecord, line: DemandLine, external_ids: Mapping[str, str]
) -> order_pb2.Order.Line:
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
        unrestocked=line.unrestocked,
        settled=line.settled,
        open=max(0, line.wanted - line.fulfilled) if record.state is DemandState.OPEN else 0,
        products=[
            order_pb2.Order.Line.LinkedProduct(
                product=names.PRODUCT(merchant, part.product), count=part.count
            )
            for part in line.parts or ()
        ],
    )


def suspicion(name: str) -> order_pb2.Order.Suspicion.ValueType:
    """Return the suspicion with this name, or UNSPECIFIED for any other text."""
    known = f"SUSPICION_{name}" in order_pb2.Order.Suspicion.keys()  # noqa: SIM118 - no mapping
    return (
        order_pb2.Order.Suspicion.Value(f"SUSPICION_{name}")
        if known
        else order_pb2.Order.SUSPICION_UNSPECIFIED
    )


def preview(
    merchant: str, releases: Sequence[Release], effects: Mapping[str, Effect]
) -> order_service_pb2.PreviewSuspectPolicyResponse:
    """Return what a policy would do."""
    kind = order_service_pb2.PreviewSuspectPolicyResponse
    products = sorted(effects)
    return kind(
        releases=[
            kind.Release(
                order=names.ORDER(
                    merchant, item.stored.shop, names.order_id(item.stored.record.order)
                ),
                number=item.stored.record.number,
                suspicion=suspicion(item.suspicion),
                release_time=timestamp(item.at),
            )
            for item in releases[:SHOWN]
        ],
        more_release_count=max(0, len(releases) - SHOWN),
        effects=[_effect(merchant, product, effects[product]) for product in products[:SHOWN]],
        more_effect_count=max(0, len(products) - SHOWN),
    )


def _effect(
    merchant: str, product: str, effect: Effect
) -> order_service_pb2.PreviewSuspectPolicyResponse.Effect:
    return order_service_pb2.PreviewSuspectPolicyResponse.Effect(
        product=names.PRODUCT(merchant, product),
        units_now=effect.now,
        units_in_a_week=effect.soon,
        free=effect.free,
        links=[names.LINK(merchant, shop, listing) for shop, listing in effect.links[:SHOWN]],
        more_link_count=max(0, len(effect.links) - SHOWN),
    )
