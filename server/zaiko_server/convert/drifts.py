"""Convert drifts, and the summary of an audit."""

from __future__ import annotations

from zaiko.v1 import drift_pb2, error_pb2, sync_service_pb2
from zaiko_core.app.audit import Summary
from zaiko_core.app.records import DriftRecord

from zaiko_server import names, reasons
from zaiko_server.times import nonzero_timestamp


def cause(name: str) -> drift_pb2.Drift.Cause.ValueType:
    """Return the cause with this name in the domain."""
    return drift_pb2.Drift.Cause.Value(f"CAUSE_{name}")


def drift(merchant: str, record: DriftRecord) -> drift_pb2.Drift:
    """Return one difference that was found in a shop."""
    reason = reasons.DRIFTS[record.difference.cause.value]
    return drift_pb2.Drift(
        link=names.LINK(merchant, record.shop, record.listing),
        cause=cause(record.difference.cause.value),
        expected=record.difference.expected,
        shown=record.difference.shown,
        held=record.held,
        time=nonzero_timestamp(record.at),
        revision=record.revision,
        owner=error_pb2.Owner.Value(f"OWNER_{reason.owner}"),
        action_en=reason.advice.en,
        action_ja=reason.advice.ja,
    )


def summary(found: Summary, revision: int) -> sync_service_pb2.GetAuditSummaryResponse:
    """Return how many links were compared with their shop, and why any differed."""
    counts = sorted((cause(name), number) for name, number in found.differences.items())
    return sync_service_pb2.GetAuditSummaryResponse(
        enabled_link_count=found.enabled,
        verified_link_count=found.verified,
        verified_share=found.verified / found.enabled if found.enabled else 1.0,
        oldest_verify_time=nonzero_timestamp(found.oldest or 0),
        cause_counts=[
            sync_service_pb2.GetAuditSummaryResponse.CauseCount(cause=reason, count=number)
            for reason, number in counts
        ],
        revision=revision,
    )
