"""Convert oversells, with their root cause."""

from __future__ import annotations

from zaiko.v1 import error_pb2, link_pb2, movement_pb2, oversell_pb2
from zaiko_core.app.records import OversellRecord
from zaiko_core.domain.oversell import Consumption, LinkSnapshot
from zaiko_core.domain.stock import DemandRef

from zaiko_server import names, reasons
from zaiko_server.convert.movements import demand
from zaiko_server.times import nonzero_timestamp, timestamp


def oversell(merchant: str, record: OversellRecord) -> oversell_pb2.Oversell:
    """Return an oversell with its root cause and advice."""
    found = record.root_cause
    reason = reasons.CAUSES[found.cause.value]
    return oversell_pb2.Oversell(
        name=names.OVERSELL(merchant, names.movement_id(record.by.seq)),
        product=names.PRODUCT(merchant, record.product),
        units=record.units,
        short_units=record.short,
        by=_consumption(merchant, record.by),
        cause=oversell_pb2.Oversell.Cause.Value(f"CAUSE_{found.cause.value}"),
        setting=oversell_pb2.Oversell.Setting.Value(f"SETTING_{found.setting.value}"),
        setting_number=found.value,
        owner=error_pb2.Owner.Value(f"OWNER_{reason.owner}"),
        message=found.message,
        action_en=reason.advice.en,
        action_ja=reason.advice.ja,
        snapshots=[_snapshot(merchant, snapshot) for snapshot in record.snapshots],
        consumptions=[_consumption(merchant, other) for other in record.consumptions],
        time=timestamp(record.at),
        clear_time=timestamp(record.cleared_at),
        cleared_by=""
        if record.cleared_by is None
        else names.MOVEMENT(merchant, names.movement_id(record.cleared_by)),
        revision=record.revision,
    )


def _consumption(merchant: str, taken: Consumption) -> oversell_pb2.Oversell.Consumption:
    return oversell_pb2.Oversell.Consumption(
        movement=names.MOVEMENT(merchant, names.movement_id(taken.seq)),
        kind=movement_pb2.Movement.Kind.Value(f"KIND_{taken.kind.value}"),
        units=taken.units,
        demand=demand(merchant, DemandRef(taken.shop, taken.order)) if taken.order else None,
        order_number=taken.number,
        time=nonzero_timestamp(taken.at),
    )


def _snapshot(merchant: str, snapshot: LinkSnapshot) -> oversell_pb2.Oversell.LinkSnapshot:
    return oversell_pb2.Oversell.LinkSnapshot(
        link=names.LINK(merchant, snapshot.shop, snapshot.listing),
        count=snapshot.count,
        sync_enabled=snapshot.sync_enabled,
        state=link_pb2.LinkStatus.State.Value(f"STATE_{snapshot.state}"),
        link_problem=snapshot.problem,
        shop_problem=snapshot.shop_problem,
        shown=snapshot.shown,
        acknowledged=snapshot.acknowledged,
        acknowledge_time=timestamp(snapshot.since),
        last_success_time=timestamp(snapshot.last_success_at),
        shop_read_time=timestamp(snapshot.shop_read_at),
    )
