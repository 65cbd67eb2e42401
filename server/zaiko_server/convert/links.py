"""Convert links, their statuses, and the order units that linking counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zaiko.v1 import link_pb2, shop_pb2
from zaiko_core.app.links import LinkDraft
from zaiko_core.app.orders import Counted
from zaiko_core.app.records import LinkRecord, LinkState
from zaiko_core.domain.links import Part
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.push import total

from zaiko_server import names
from zaiko_server.convert.problems import problem
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp, timestamp

COUNTED_SHOWN = 1000


def link(
    merchant: str, record: LinkRecord, status: link_pb2.LinkStatus, *, receiving_only: bool
) -> link_pb2.Link:
    """Return a link with its status. `receiving_only` says whether one of its products is."""
    message = link_pb2.Link(
        name=names.LINK(merchant, record.shop, record.listing),
        listing=names.LISTING(merchant, record.shop, record.listing),
        sync_enabled=record.sync_enabled,
        mode=link_pb2.Link.MODE_RECEIVING_ONLY if receiving_only else link_pb2.Link.MODE_SYNC,
        status=status,
        create_time=nonzero_timestamp(record.created_at),
        update_time=nonzero_timestamp(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )
    if len(record.parts) == 1 and record.parts[0].count == 1:
        message.product = names.PRODUCT(merchant, record.parts[0].product)
    else:
        message.bundle.parts.extend(
            link_pb2.Bundle.Part(product=names.PRODUCT(merchant, part.product), count=part.count)
            for part in record.parts
        )
    return message


def status(
    merchant: str, record: LinkRecord, *, sku: str, held_by: Problem | None
) -> link_pb2.LinkStatus:
    """Return the status of a link's sync. `held_by` is why its shop or merchant holds it, or
    None."""
    why = record.problem or (held_by if record.state is LinkState.HELD else None)
    return link_pb2.LinkStatus(
        link=names.LINK(merchant, record.shop, record.listing),
        state=link_pb2.LinkStatus.State.Value(f"STATE_{record.state.value}"),
        target=record.target,
        withheld=total(record.withheld),
        withheld_parts=[
            link_pb2.WithheldPart(label=term.label, units=term.units) for term in record.withheld
        ],
        confirmed=record.confirmed,
        committed=record.open_counts.committed if record.open_counts else None,
        counted=record.open_counts.counted if record.open_counts else None,
        last_success_time=timestamp(record.last_success_at),
        last_compared_time=nonzero_timestamp(record.read_at),
        last_attempt_time=timestamp(record.last_attempt_at),
        next_attempt_time=timestamp(record.due_at)
        if record.sync_enabled and (record.state is not LinkState.HELD or record.problem)
        else None,
        problem=problem(why),
        sku=sku,
        revision=record.revision,
    )


def difference(merchant: str, record: LinkRecord, *, sku: str) -> shop_pb2.ShadowDifference:
    """Return what shadow mode found for a link."""
    target = record.sent or 0
    return shop_pb2.ShadowDifference(
        link=names.LINK(merchant, record.shop, record.listing),
        sku=sku,
        shown=record.confirmed,
        target=target,
        difference=target - (record.confirmed or 0),
        read_time=timestamp(record.last_attempt_at),
        differ_time=timestamp(record.differ_since),
    )


def counts(states: Mapping[LinkState, int]) -> link_pb2.LinkCounts:
    """Return the number of links in each state."""
    return link_pb2.LinkCounts(**{state.value.lower(): number for state, number in states.items()})


def drafted(message: link_pb2.Link) -> LinkDraft:
    """Return the draft of a link to create. A bundle of one unit of one product is a plain link."""
    _, shop, listing = names.LISTING.ids(message.listing)
    parts: tuple[Part, ...]
    if message.WhichOneof("target") == "product":
        parts = (Part(names.PRODUCT.ids(message.product)[1]),)
    else:
        parts = tuple(
            Part(names.PRODUCT.ids(part.product)[1], part.count) for part in message.bundle.parts
        )
    return LinkDraft(shop, listing, parts, message.sync_enabled)


def counted(merchant: str, units: Sequence[Counted]) -> list[link_pb2.CountedUnits]:
    """Return the counted units of order lines, up to the limit of a reply."""
    return [
        link_pb2.CountedUnits(
            order=names.ORDER(merchant, item.shop, names.order_id(item.order)),
            order_number=item.number,
            external_line_id=item.line,
            product=names.PRODUCT(merchant, item.product),
            quantity=item.units,
        )
        for item in units[:COUNTED_SHOWN]
    ]
