"""The one mapping from errors of calls to gRPC: code, message, and google.rpc.Status in
`grpc-status-details-bin`.

Every error has an ErrorInfo with its reason and who must act. BadRequest, RetryInfo, ResourceInfo,
PreconditionFailure and QuotaFailure come with the errors that they fit, and LocalizedMessage with
every error when the caller prefers Japanese. An exception that is no ServiceError is a bug: the
caller gets INTERNAL with an incident id, and nothing else of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details_pb2
from google.rpc import status_pb2
from grpc import StatusCode
from zaiko_core.domain.errors import (
    Conflict,
    Denied,
    Exists,
    Invalid,
    NotFound,
    OutOfRange,
    Precondition,
    ServiceError,
    Unauthenticated,
    Unavailable,
    WriteConflict,
)

from zaiko_server import names, reasons
from zaiko_server.refusals import Exhausted, Expired, Internal, RateLimited, Unimplemented

DOMAIN = "zaiko.v1"
DETAILS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
LANGUAGE_KEY = "accept-language"

_CODES: Mapping[type[ServiceError], StatusCode] = {
    Unauthenticated: StatusCode.UNAUTHENTICATED,
    Denied: StatusCode.PERMISSION_DENIED,
    Invalid: StatusCode.INVALID_ARGUMENT,
    NotFound: StatusCode.NOT_FOUND,
    Exists: StatusCode.ALREADY_EXISTS,
    Conflict: StatusCode.ABORTED,
    Precondition: StatusCode.FAILED_PRECONDITION,
    OutOfRange: StatusCode.OUT_OF_RANGE,
    Exhausted: StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: StatusCode.UNAVAILABLE,
    Expired: StatusCode.DEADLINE_EXCEEDED,
    Unimplemented: StatusCode.UNIMPLEMENTED,
    Internal: StatusCode.INTERNAL,
}

_MESSAGE_LIMIT, _STATUS_LIMIT, _VALUE_LIMIT = 1_000, 4_500, 300
"""Limits in bytes: of the message as it travels (each byte that is not printable ASCII takes
three), of the details (base64 on the wire), and of one value in them. Peers drop calls whose
trailers exceed 8 KiB, so a long list of violations is cut, and the message says how many there
are."""

_RETRY_AFTER = 1.0
"""Seconds, unless the error has its own."""


def code_for(error: ServiceError) -> StatusCode:
    """Return the status code of an error, by its class; of a class without one, by its reason."""
    for kind in type(error).__mro__:
        if kind in _CODES:
            return _CODES[kind]
    return reasons.of_call(error.reason).code


def wants_japanese(context: Any) -> bool:
    """Return whether a call's `accept-language` (RFC 9110) prefers Japanese to English."""
    given = next(
        (value for key, value in context.invocation_metadata() or () if key == LANGUAGE_KEY), ""
    )
    ranges = [entry.strip().partition(";") for entry in str(given)[:200].lower().split(",")]
    weights = [
        (_weight(parameters), tag.strip().partition("-")[0]) for tag, _, parameters in ranges
    ]
    spoken = [(weight, tag) for weight, tag in weights if tag in ("ja", "en") and weight > 0]
    # Of equal weights the first counts, as browsers write them.
    return bool(spoken) and max(spoken, key=lambda entry: entry[0])[1] == "ja"


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def status_for(error: ServiceError, *, japanese: bool = False) -> status_pb2.Status:
    """Return the error as clients in every language decode it. `japanese` adds the advice in
    Japanese."""
    message = error.message
    if not message.endswith((".", "!", "?")):
        message += "."
    status = status_pb2.Status(
        code=code_for(error).value[0], message=_fitting(message, _MESSAGE_LIMIT)
    )
    for detail in _details(error, japanese=japanese):
        packed = any_pb2.Any()
        _fit(detail, _STATUS_LIMIT - status.ByteSize())
        packed.Pack(detail)
        if status.ByteSize() + packed.ByteSize() <= _STATUS_LIMIT:
            status.details.append(packed)
    return status


def _fitting(text: str, limit: int) -> str:
    """Return as much of the text as fits into `limit` bytes when it is percent-encoded."""
    size = 0
    for place, char in enumerate(text):
        size += 1 if " " <= char <= "~" and char != "%" else 3 * len(char.encode())
        if size > limit - 3:
            return text[:place] + "..."
    return text


def _fit(detail: Message, room: int) -> None:
    if isinstance(detail, details_pb2.BadRequest):
        # Packing into Any takes some bytes as well.
        while len(detail.field_violations) > 1 and detail.ByteSize() > room - 100:
            del detail.field_violations[-1]


def trailers_for(
    error: ServiceError, *, japanese: bool = False
) -> tuple[tuple[str, str | bytes], ...]:
    """Return the trailing metadata: the details, and for clients that retry automatically the time
    after which they may."""
    status = status_for(error, japanese=japanese)
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if isinstance(error, Unavailable):
        trailers.append((PUSHBACK_KEY, str(int(retry_after(error) * 1000))))
    return tuple(trailers)


def retry_after(error: ServiceError) -> float:
    """Return the seconds after which the same call may succeed."""
    after: float = getattr(error, "retry_after", _RETRY_AFTER)
    return after


def _details(error: ServiceError, *, japanese: bool) -> Iterable[Message]:
    found = reasons.of_call(error.reason)
    metadata = {"owner": found.owner} | {
        key: _fitting(value, _VALUE_LIMIT) for key, value in error.metadata.items()
    }
    yield details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    if japanese:
        # Before the details that may be cut for their length.
        yield details_pb2.LocalizedMessage(locale="ja", message=found.advice.ja)
    violations: list[tuple[str, str, str]] = getattr(error, "violations", [])
    if violations:
        yield _bad_request(violations)
    if isinstance(error, RateLimited):
        quota: Any = details_pb2.QuotaFailure()
        quota.violations.add(
            subject="calls a second", description=_fitting(error.message, _VALUE_LIMIT)
        )
        yield quota
    if isinstance(error, (Unavailable, WriteConflict, RateLimited)):
        info = details_pb2.RetryInfo()
        info.retry_delay.FromNanoseconds(int(retry_after(error) * 1e9))
        yield info
    if isinstance(error, (NotFound, Exists)):
        resource = error.metadata.get("resource") or error.metadata.get("link", "")
        if resource:
            kind = f"{DOMAIN}.{names.kind_of(resource).capitalize()}"
            yield details_pb2.ResourceInfo(
                resource_type=kind,
                resource_name=_fitting(resource, _VALUE_LIMIT),
                description=_fitting(error.message, _VALUE_LIMIT),
            )
    if isinstance(error, Precondition):
        subject = next(iter(error.metadata.values()), "")
        failure: Any = details_pb2.PreconditionFailure()
        failure.violations.add(
            type=error.reason,
            subject=_fitting(subject, _VALUE_LIMIT),
            description=_fitting(error.message, _VALUE_LIMIT),
        )
        yield failure


def _bad_request(violations: Iterable[tuple[str, str, str]]) -> details_pb2.BadRequest:
    bad = details_pb2.BadRequest()
    for path, rule, text in violations:
        field, description = _fitting(path, _VALUE_LIMIT), _fitting(text, _VALUE_LIMIT)
        bad.field_violations.add(field=field, description=description, reason=rule)
        if bad.ByteSize() > _STATUS_LIMIT:
            break
    return bad
