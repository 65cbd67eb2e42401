"""Convert explanations of numbers."""

from __future__ import annotations

from zaiko.v1 import explanation_pb2, link_pb2
from zaiko_core.app.explain import LinkExplained, StockExplained
from zaiko_core.app.records import PushRecord, StockRecord

from zaiko_server import names
from zaiko_server.convert.movements import demand
from zaiko_server.convert.stocks import stock
from zaiko_server.times import nonzero_timestamp, timestamp


def stock_explained(merchant: str, found: StockExplained) -> explanation_pb2.StockExplanation:
    """Return the explanation of a product's numbers."""
    numbers = stock(merchant, StockRecord(found.product, found.balance))
    numbers.ClearField("etag")
    kinds = explanation_pb2.StockExplanation
    return kinds(
        product=names.PRODUCT(merchant, found.product),
        stock=numbers,
        shelves=[
            kinds.Shelf(
                warehouse=names.WAREHOUSE(merchant, shelf.warehouse),
                received=shelf.received,
                adjusted=shelf.adjusted,
                shipped=shelf.shipped,
                transferred=shelf.transferred,
                physical=shelf.physical,
                allocated=shelf.allocated,
            )
            for shelf in found.shelves
        ],
        promises=[
            kinds.Promise(
                demand=demand(merchant, promise.demand),
                order_number=promise.number,
                ordered=promise.delta.ordered,
                allocated=promise.delta.allocated,
                unallocated=promise.delta.unallocated,
                since_time=nonzero_timestamp(promise.since),
            )
            for promise in found.promises
        ],
        rest=kinds.Rest(
            promise_count=found.more_promises,
            ordered=found.more.ordered,
            allocated=found.more.allocated,
            unallocated=found.more.unallocated,
        ),
        settings_since_time=nonzero_timestamp(found.settings.since),
    )


def link_explained(
    merchant: str, found: LinkExplained, status: link_pb2.LinkStatus, *, current: bool
) -> explanation_pb2.LinkExplanation:
    """Return the explanation of a link's number. Without `current`, the fields that are known only
    for the present are left out."""
    message = explanation_pb2.LinkExplanation(
        link=names.LINK(merchant, found.link.shop, found.link.listing),
        status=status,
        last_push=push(found.sent),
        last_acknowledged_push=push(found.acknowledged),
    )
    if current:
        belief = found.link.belief
        message.unexplained, message.uncertain = belief.unexplained, belief.uncertain
        if belief.expected is not None:
            message.expected = belief.expected
        if found.link.read_at:
            message.read_time.FromMicroseconds(found.link.read_at)
    return message


def push(record: PushRecord | None) -> explanation_pb2.Push | None:
    """Return a number that was sent. None stays None."""
    if record is None:
        return None
    return explanation_pb2.Push(
        expected=record.expected,
        target=record.target,
        terms=[
            explanation_pb2.Push.Term(label=term.label, units=term.units) for term in record.terms
        ],
        quantity=record.quantity,
        outcome=explanation_pb2.Push.Outcome.Value(f"OUTCOME_{record.outcome.value}"),
        shown=record.shown,
        record_time=timestamp(record.at),
        settle_time=timestamp(record.settled_at),
        revision=record.revision,
    )
