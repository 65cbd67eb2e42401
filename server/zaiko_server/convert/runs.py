"""Convert runs."""

from __future__ import annotations

from zaiko.v1 import sync_run_pb2
from zaiko_core.app.records import RunRecord, RunState
from zaiko_core.domain.problem import Problem

from zaiko_server import names
from zaiko_server.convert.problems import problem
from zaiko_server.times import timestamp

_ABANDONED = Problem(
    "RUN_ABANDONED", "the server that ran it died or lost its lease; another run takes over"
)


def run(merchant: str, record: RunRecord) -> sync_run_pb2.SyncRun:
    """Return a run."""
    counts = record.counts
    trigger = f"TRIGGER_{record.trigger}"
    known = trigger in sync_run_pb2.SyncRun.Trigger.keys()  # noqa: SIM118 - an enum wrapper, not a mapping
    why = record.problem or (_ABANDONED if record.state is RunState.ABANDONED else None)
    return sync_run_pb2.SyncRun(
        name=names.RUN(merchant, record.shop, record.run),
        shop=names.SHOP(merchant, record.shop),
        state=sync_run_pb2.SyncRun.State.Value(f"STATE_{record.state.value}"),
        trigger=sync_run_pb2.SyncRun.Trigger.Value(trigger)
        if known
        else sync_run_pb2.SyncRun.TRIGGER_UNSPECIFIED,
        start_time=timestamp(record.started_at),
        end_time=timestamp(record.ended_at),
        start_revision=record.started_revision,
        orders_fetched=counts.orders_fetched,
        orders_changed=counts.orders_changed,
        links_computed=counts.computed,
        links_pushed=counts.pushed,
        links_confirmed=counts.confirmed,
        links_failed=counts.failed,
        stale_retries=counts.stale,
        problem=problem(why),
        revision=record.revision,
    )
