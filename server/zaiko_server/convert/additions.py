"""Convert additions: received units that are added to the numbers of shops."""

from __future__ import annotations

from zaiko.v1 import addition_pb2
from zaiko_core.app.records import AdditionRecord
from zaiko_core.domain.problem import Problem

from zaiko_server import names
from zaiko_server.convert.problems import problem
from zaiko_server.times import nonzero_timestamp, timestamp


def addition(
    merchant: str, record: AdditionRecord, trouble: Problem | None
) -> addition_pb2.Addition:
    """Return an addition. `trouble` is the problem of its place."""
    return addition_pb2.Addition(
        name=names.ADDITION(merchant, record.addition),
        product=names.PRODUCT(merchant, record.product),
        listing=names.LISTING(merchant, record.shop, record.listing) if record.listing else "",
        units=record.units,
        state=addition_pb2.Addition.State.Value(f"STATE_{record.state.value}"),
        movement=names.MOVEMENT(merchant, names.movement_id(int(record.addition)))
        if record.addition.isdigit()
        else "",
        create_time=nonzero_timestamp(record.created_at),
        settle_time=timestamp(record.settled_at),
        revision=record.revision,
        problem=problem(trouble),
    )
