"""The one mapping from refusals to gRPC: code, message, and google.rpc.Status in
`grpc-status-details-bin`.

Every refusal carries ErrorInfo with its reason and who must act; BadRequest, RetryInfo,
ResourceInfo, PreconditionFailure and QuotaFailure come with those that they fit, and
LocalizedMessage with all when the caller prefers Japanese. What is not a refusal is a bug: it
becomes INTERNAL with an incident id, and nothing else of it is told.
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

from zaiko_server import names, remedies
from zaiko_server.reasons import REASONS, owner_of
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
"""Bytes: of the message as it travels (what is not printable ASCII takes three for each), of the
details (base64 on the wire), and of one value in them. Peers drop calls whose trailers exceed 8
KiB, so a long list of violations is cut; the message tells how many."""

_RETRY_AFTER = 1.0
"""Seconds, where the refusal says nothing better."""


def code_for(refusal: ServiceError) -> StatusCode:
    """The status code, by the refusal's place in the tree of refusals; for one that stands at its
    root, by its reason."""
    for kind in type(refusal).__mro__:
        if kind in _CODES:
            return _CODES[kind]
    return REASONS[refusal.reason][1]


def wants_japanese(context: Any) -> bool:
    """Whether a call's `accept-language` (RFC 9110) has Japanese before English."""
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


def status_for(refusal: ServiceError, *, japanese: bool = False) -> status_pb2.Status:
    """The refusal as clients in every language decode it; `japanese` adds what to do in
    Japanese."""
    message = refusal.message
    if not message.endswith((".", "!", "?")):
        message += "."
    status = status_pb2.Status(
        code=code_for(refusal).value[0], message=_fitting(message, _MESSAGE_LIMIT)
    )
    for detail in _details(refusal, japanese=japanese):
        packed = any_pb2.Any()
        _fit(detail, _STATUS_LIMIT - status.ByteSize())
        packed.Pack(detail)
        if status.ByteSize() + packed.ByteSize() <= _STATUS_LIMIT:
            status.details.append(packed)
    return status


def _fitting(text: str, limit: int) -> str:
    """As much of the text as fits into `limit` bytes when it is percent-encoded."""
    size = 0
    for place, char in enumerate(text):
        size += 1 if " " <= char <= "~" and char != "%" else 3 * len(char.encode())
        if size > limit - 3:
            return text[:place] + "..."
    return text


def _fit(detail: Message, room: int) -> None:
    if isinstance(detail, details_pb2.BadRequest):
        # What packs it takes some bytes as well.
        while len(detail.field_violations) > 1 and detail.ByteSize() > room - 100:
            del detail.field_violations[-1]


def trailers_for(
    refusal: ServiceError, *, japanese: bool = False
) -> tuple[tuple[str, str | bytes], ...]:
    """What goes into the trailing metadata: the details, and when to try again for clients that
    retry by themselves."""
    status = status_for(refusal, japanese=japanese)
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if isinstance(refusal, Unavailable):
        trailers.append((PUSHBACK_KEY, str(int(retry_after(refusal) * 1000))))
    return tuple(trailers)


def retry_after(refusal: ServiceError) -> float:
    """Seconds after which the same call may work."""
    after: float = getattr(refusal, "retry_after", _RETRY_AFTER)
    return after


def _details(refusal: ServiceError, *, japanese: bool) -> Iterable[Message]:
    # In a call it is the caller's token that lacks it; as a shop's Problem, the shop's credentials.
    owner = "SYSTEM" if isinstance(refusal, Denied) else owner_of(refusal.reason)
    metadata = {"owner": owner} | {
        key: _fitting(value, _VALUE_LIMIT) for key, value in refusal.metadata.items()
    }
    yield details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=metadata)
    if japanese:
        # Before what may be cut for its length.
        yield details_pb2.LocalizedMessage(locale="ja", message=remedies.of_call(refusal.reason).ja)
    violations: list[tuple[str, str, str]] = getattr(refusal, "violations", [])
    if violations:
        yield _bad_request(violations)
    if isinstance(refusal, RateLimited):
        quota: Any = details_pb2.QuotaFailure()
        quota.violations.add(
            subject="calls a second", description=_fitting(refusal.message, _VALUE_LIMIT)
        )
        yield quota
    if isinstance(refusal, (Unavailable, WriteConflict, RateLimited)):
        info = details_pb2.RetryInfo()
        info.retry_delay.FromNanoseconds(int(retry_after(refusal) * 1e9))
        yield info
    if isinstance(refusal, (NotFound, Exists)):
        resource = refusal.metadata.get("resource") or refusal.metadata.get("link", "")
        if resource:
            kind = f"{DOMAIN}.{names.kind_of(resource).capitalize()}"
            yield details_pb2.ResourceInfo(
                resource_type=kind,
                resource_name=_fitting(resource, _VALUE_LIMIT),
                description=_fitting(refusal.message, _VALUE_LIMIT),
            )
    if isinstance(refusal, Precondition):
        subject = next(iter(refusal.metadata.values()), "")
        failure: Any = details_pb2.PreconditionFailure()
        failure.violations.add(
            type=refusal.reason,
            subject=_fitting(subject, _VALUE_LIMIT),
            description=_fitting(refusal.message, _VALUE_LIMIT),
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
