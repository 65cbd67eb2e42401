"""Problems of links, shops, runs and operations."""

from __future__ import annotations

from zaiko.v1 import error_pb2
from zaiko_core.domain.errors import ServiceError
from zaiko_core.domain.problem import Problem

from zaiko_server import remedies
from zaiko_server.reasons import code_of, owner_of
from zaiko_server.status import code_for
from zaiko_server.times import timestamp


def problem(record: Problem | None) -> error_pb2.Problem | None:
    """A problem for people and programs; None stays None."""
    if record is None:
        return None
    action = remedies.of_problem(record.reason)
    return error_pb2.Problem(
        code=code_of(record.reason),
        reason=reason(record.reason),
        owner=error_pb2.Owner.Value(f"OWNER_{owner_of(record.reason)}"),
        message=record.message,
        action_en=action.en,
        action_ja=action.ja,
        retry_time=timestamp(record.retry_at),
        metadata=dict(record.metadata),
        platform_message=record.platform_message[:500],
    )


def refused(refusal: ServiceError) -> error_pb2.Problem:
    """A refusal of one of many things that a stream asks for, where it is not the end of the
    call."""
    action = remedies.of_call(refusal.reason)
    return error_pb2.Problem(
        code=code_for(refusal).value[0],
        reason=reason(refusal.reason),
        owner=error_pb2.Owner.Value(f"OWNER_{owner_of(refusal.reason)}"),
        message=refusal.message,
        action_en=action.en,
        action_ja=action.ja,
        metadata=dict(refusal.metadata),
    )


def reason(name: str) -> error_pb2.ErrorReason.ValueType:
    """The enum's value of a reason; one that the list does not have yet (of a third party's
    connector) is CONNECTOR_ERROR."""
    key = f"ERROR_REASON_{name}"
    if key not in error_pb2.ErrorReason.keys():  # noqa: SIM118 - an enum wrapper, not a mapping
        return error_pb2.ERROR_REASON_CONNECTOR_ERROR
    return error_pb2.ErrorReason.Value(key)
