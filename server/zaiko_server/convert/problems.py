"""Problems of links, shops, runs and operations."""

from __future__ import annotations

from zaiko.v1 import error_pb2
from zaiko_core.domain.errors import ServiceError
from zaiko_core.domain.problem import Problem

from zaiko_server import reasons
from zaiko_server.status import code_for
from zaiko_server.times import timestamp

_PLATFORM_MESSAGE_LIMIT = 500
"""Characters."""


def problem(record: Problem | None) -> error_pb2.Problem | None:
    """Return what is stored of a problem, with its owner and advice; None for None."""
    if record is None:
        return None
    found = reasons.of_problem(record.reason)
    return error_pb2.Problem(
        code=found.code.value[0],
        reason=reason(record.reason),
        owner=_owner(found.owner),
        message=record.message,
        action_en=found.advice.en,
        action_ja=found.advice.ja,
        retry_time=timestamp(record.retry_at),
        metadata=dict(record.metadata),
        platform_message=record.platform_message[:_PLATFORM_MESSAGE_LIMIT],
    )


def refused(error: ServiceError) -> error_pb2.Problem:
    """Return why one item of a stream is refused, where that does not end the call."""
    found = reasons.of_call(error.reason)
    return error_pb2.Problem(
        code=code_for(error).value[0],
        reason=reason(error.reason),
        owner=_owner(found.owner),
        message=error.message,
        action_en=found.advice.en,
        action_ja=found.advice.ja,
        metadata=dict(error.metadata),
    )


def _owner(name: str) -> error_pb2.Owner.ValueType:
    return error_pb2.Owner.Value(f"OWNER_{name}")


def reason(name: str) -> error_pb2.ErrorReason.ValueType:
    """Return the enum's value of a reason. One that the catalogue does not have is of a third
    party's connector, and is shown as CONNECTOR_ERROR."""
    key = f"ERROR_REASON_{name}"
    if key not in error_pb2.ErrorReason.keys():  # noqa: SIM118 - an enum wrapper, not a mapping
        return error_pb2.ERROR_REASON_CONNECTOR_ERROR
    return error_pb2.ErrorReason.Value(key)
