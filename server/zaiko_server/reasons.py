"""The catalogue of reasons: who must act, the nearest status code, and what to do. error.proto
declares it; this module reads it from the descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from grpc import StatusCode
from zaiko.v1 import drift_pb2, error_pb2, options_pb2, oversell_pb2


class Advice(NamedTuple):
    """What to do, in each language."""

    en: str
    ja: str


class Reason(NamedTuple):
    """What the catalogue says of one reason. `owner` is a value of Owner without its prefix."""

    owner: str
    code: StatusCode
    advice: Advice


def _declared(values: Mapping[str, object], prefix: str) -> Mapping[str, options_pb2.ReasonEntry]:
    """Return the entry of every value but the unspecified one, by its name without the prefix."""
    return {
        name.removeprefix(prefix): value.GetOptions().Extensions[options_pb2.reason]  # type: ignore[attr-defined]
        for name, value in values.items()
        if not name.endswith("_UNSPECIFIED")
    }


def _reason(entry: options_pb2.ReasonEntry) -> Reason:
    code = StatusCode[entry.code] if entry.code else StatusCode.UNKNOWN
    return Reason(entry.owner, code, Advice(entry.advice.en, entry.advice.ja))


def _ending_a_call(entry: options_pb2.ReasonEntry) -> Reason:
    reason, call = _reason(entry), entry.call
    advice = Advice(call.advice.en, call.advice.ja) if call.HasField("advice") else reason.advice
    return Reason(call.owner or reason.owner, reason.code, advice)


_ENTRIES: Final = _declared(error_pb2.ErrorReason.DESCRIPTOR.values_by_name, "ERROR_REASON_")

REASONS: Final[Mapping[str, Reason]] = {name: _reason(entry) for name, entry in _ENTRIES.items()}
"""By reason, as a `Problem` shows it."""

CALLS: Final[Mapping[str, Reason]] = {
    name: _ending_a_call(entry) for name, entry in _ENTRIES.items()
}
"""By reason, where it ends a call."""

CAUSES: Final[Mapping[str, Reason]] = {
    name: _reason(entry)
    for name, entry in _declared(
        oversell_pb2.Oversell.Cause.DESCRIPTOR.values_by_name, "CAUSE_"
    ).items()
}
"""By the cause of an oversell."""

DRIFTS: Final[Mapping[str, Reason]] = {
    name: _reason(entry)
    for name, entry in _declared(drift_pb2.Drift.Cause.DESCRIPTOR.values_by_name, "CAUSE_").items()
}
"""By the cause of a drift."""

_UNKNOWN: Final = "CONNECTOR_ERROR"


def of_problem(reason: str) -> Reason:
    """Return what a `Problem` shows. A reason that the catalogue does not have is of a third
    party's connector: its author must act."""
    return REASONS.get(reason, REASONS[_UNKNOWN])


def of_call(reason: str) -> Reason:
    """Return what the caller gets when the reason ends a call."""
    return CALLS.get(reason, CALLS[_UNKNOWN])
