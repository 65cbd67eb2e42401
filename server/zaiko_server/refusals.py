"""Errors that only a server raises, about the form, the time or the size of a request. They extend
the tree of `zaiko_core/domain/errors.py`; `status.py` maps both to gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from zaiko_core.domain.errors import Invalid, ServiceError, Unavailable

Violation = tuple[str, str, str]
"""(dotted path with indexes, rule id, what is wrong and what to do)"""


def summary(violations: Sequence[Violation]) -> str:
    """Return the text of the first violation, and how many more there are."""
    path, _, text = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return f"{path}: {text}{more}"


class InvalidName(Invalid):
    """A name does not have the documented form, or is of another kind or merchant."""

    reason = "INVALID_NAME"

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(summary(violations), field=violations[0][0])
        self.violations = list(violations)


class BatchTooLarge(Invalid):
    """A batch has more items than allowed; nothing else was checked."""

    reason = "BATCH_TOO_LARGE"

    def __init__(self, path: str, limit: int, given: int) -> None:
        super().__init__(
            f"{path} has {given} items, at most {limit} are allowed; split the batch",
            limit=str(limit),
            field=path,
        )


class Repeated(Invalid):
    """The same thing comes twice in a request. `index` is that of the second one."""

    reason = "DUPLICATE_IN_BATCH"

    def __init__(self, path: str, index: int, what: str) -> None:
        super().__init__(f"{path} repeats {what}; remove one", index=str(index), field=path)
        self.violations = [(path, "repeated.unique", f"repeats {what}; remove one")]


class SequenceGap(Invalid):
    """A streamed item is not the next one."""

    reason = "SEQUENCE_GAP"

    def __init__(self, expected: int, given: int) -> None:
        super().__init__(
            f"sequence {given} came where {expected} was expected; send from there",
            expected=str(expected),
        )


class MaskInvalid(Invalid):
    """The mask names fields that cannot be changed (metadata `paths`), or nothing would change."""

    reason = "FIELD_MASK_INVALID"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            "update_mask: " + "; ".join(f"{path or '(empty)'}: {text}" for path, text in problems),
            paths=",".join(path for path, _ in problems),
        )
        self.violations = [
            ("update_mask", "field_mask", f"{path or '(empty)'}: {text}") for path, text in problems
        ]


class Expired(ServiceError):
    """The time ran out. The metadata has `limit` if the server set it."""

    reason = "DEADLINE_EXCEEDED"


class Exhausted(ServiceError):
    """The caller uses more than it may at once."""


class RateLimited(Exhausted):
    """The caller sends too many calls. It may call again after `retry_after` seconds."""

    reason = "RATE_LIMITED"

    def __init__(self, rate: float, retry_after: float) -> None:
        super().__init__(
            (
                f"more than {rate:g} calls a second; wait {retry_after:.2f} s, and use batches "
                "or a watch instead of many calls"
            ),
            limit=f"{rate:g}",
        )
        self.retry_after = retry_after


class TooManyGuesses(RateLimited):
    """A host sent too many unknown tokens."""

    def __init__(self, rate: float, retry_after: float) -> None:
        super().__init__(rate, retry_after)
        self.message = (
            f"this host sent too many unknown tokens; wait {retry_after:.2f} s, and "
            "correct the token"
        )


class TooManyStreams(Exhausted):
    reason = "TOO_MANY_STREAMS"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} watches are open already; share one, or end others", limit=str(limit)
        )


class SlowConsumer(Exhausted):
    """The client of a watch read nothing for `seconds`."""

    reason = "SLOW_CONSUMER"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"nothing was read for {seconds:g} s; resume with the last token and read faster",
            seconds=f"{seconds:g}",
        )


class MessageTooLarge(Exhausted):
    """A request is too large, or its response would be: `what` says which."""

    reason = "MESSAGE_TOO_LARGE"

    def __init__(self, limit: int, size: int, what: str = "request") -> None:
        super().__init__(
            f"the {what} has {size} bytes, at most {limit} are allowed; split the request",
            limit=str(limit),
        )


class ServerDraining(Unavailable):
    """The server is stopping. `retry_after` (seconds) should differ from stream to stream, so that
    clients do not all return at once."""

    reason = "SERVER_DRAINING"

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "the server is stopping; call again, a watch with its last resume token: another "
            "replica or the next process will answer"
        )
        self.retry_after = retry_after


class Unimplemented(ServiceError):
    reason = "NOT_IMPLEMENTED"

    def __init__(self, method: str) -> None:
        super().__init__(
            f"this server does not have {method}; upgrade it, or correct the method's name",
            method=method,
        )


class Internal(ServiceError):
    """A bug of ours. The caller gets only the incident's id."""

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, incident: str) -> None:
        super().__init__(
            f"internal error; tell the operator the incident {incident}", incident=incident
        )


class ConnectorContractBroken(Internal):
    """A connector broke its contract while a call waited for it."""

    reason = "CONNECTOR_CONTRACT_BROKEN"

    def __init__(self, connector: str, message: str) -> None:
        ServiceError.__init__(
            self,
            f"the connector {connector!r} is broken: {message}; tell its author",
            connector=connector,
        )
