"""Problems of links, shops, runs and operations."""

from __future__ import annotations

from collections.abc import Mapping

from zaiko.v1 import error_pb2
from zaiko_core.domain.errors import Refusal
from zaiko_core.domain.problem import REMEDIES, Problem, Remedy

from zaiko_server.convert.times import timestamp
from zaiko_server.reasons import code_of, owner_of
from zaiko_server.status import code_for

_REMEDIES: Mapping[str, Remedy] = {
    "SYNC_NOT_OFFERED": Remedy(
        "MERCHANT",
        "Ask the operator to offer inventory sync to this merchant.",
        "在庫同期の提供開始を運用担当者に依頼してください。",
    ),
    "CONNECTOR_CANNOT_SET_INVENTORY": Remedy(
        "PLATFORM",
        "Turn the link's sync off: this platform's stock cannot be set.",
        "在庫同期に対応していません。同期を無効にしてください。",
    ),
    "SHOP_PAUSED": Remedy("MERCHANT", "Resume the shop.", "ショップを再開してください。"),
}
_FRESH_SNAPSHOT = frozenset({"RESUME_TOKEN_INVALID", "REVISION_COMPACTED", "REVISION_IN_FUTURE", "HISTORY_REPLACED"})


def problem(record: Problem | None) -> error_pb2.Problem | None:
    """A problem for people and programs; None stays None."""
    if record is None:
        return None
    remedy = _REMEDIES.get(record.reason) or REMEDIES.get(record.reason) or REMEDIES["INTERNAL"]
    return error_pb2.Problem(
        code=code_of(record.reason),
        reason=reason(record.reason),
        owner=error_pb2.Owner.Value(f"OWNER_{owner_of(record.reason)}"),
        message=record.message,
        action_en=remedy.action_en,
        action_ja=remedy.action_ja,
        retry_time=timestamp(record.retry_at),
        platform_message=record.platform_message[:500],
    )


def refused(refusal: Refusal) -> error_pb2.Problem:
    """A refusal of one of many things that a stream asks for, where it is not the end of the call."""
    again = refusal.reason in _FRESH_SNAPSHOT
    return error_pb2.Problem(
        code=code_for(refusal).value[0],
        reason=reason(refusal.reason),
        owner=error_pb2.Owner.Value(f"OWNER_{owner_of(refusal.reason)}"),
        message=refusal.message,
        action_en="Begin again with a snapshot." if again else "Correct the request and send it again.",
        action_ja="スナップショットから開始し直してください。" if again else "リクエストを修正して再送してください。",
        metadata=dict(refusal.metadata),
    )


def reason(name: str) -> error_pb2.ErrorReason.ValueType:
    """The enum's value of a reason; one that the list does not have yet (of a third party's connector) is CONNECTOR_ERROR."""
    key = f"ERROR_REASON_{name}"
    if key not in error_pb2.ErrorReason.keys():  # noqa: SIM118 - an enum wrapper, not a mapping
        return error_pb2.ERROR_REASON_CONNECTOR_ERROR
    return error_pb2.ErrorReason.Value(key)
