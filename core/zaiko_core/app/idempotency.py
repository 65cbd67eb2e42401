"""A mutation with a request id is done once: its reply is stored in the same transaction, and given
again when the request is repeated, whatever credentials the repetition comes with (ADR 0038).

Since writers of one merchant are serial (ADR 0003), a repetition that comes while the first call is
at work waits for it, and then finds its reply.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.errors import RequestIdReused

KEPT = 24 * 3600 * 1_000_000
"""µs for which a reply is kept at least."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request of a merchant, known by its id alone. A repetition has the same `method`, and the
    same `digest` of everything in it but the id. `principal` is the caller, who may be another one
    when the request is repeated."""

    principal: str
    method: str
    request_id: str
    digest: bytes


def stored_replies(uow: UnitOfWork, keys: Collection[RequestKey]) -> dict[RequestKey, bytes]:
    """Return the replies that are kept for these requests. Raises RequestIdReused when an id came
    with another request."""
    stored = uow.requests.get([key.request_id for key in keys])
    replies: dict[RequestKey, bytes] = {}
    for key in keys:
        found = stored.get(key.request_id)
        if found is None:
            continue
        method, digest, reply = found
        if (method, digest) != (key.method, key.digest):
            raise RequestIdReused(
                (
                    f"request_id {key.request_id} was used for another request; use a fresh UUID "
                    "for each intention"
                ),
                requestId=key.request_id,
            )
        replies[key] = reply
    return replies


def store_replies(uow: UnitOfWork, replies: Mapping[RequestKey, bytes]) -> None:
    """Keep the replies of requests that were done in this transaction. Nothing is kept of one that
    raised: the same id may be tried again."""
    for key, reply in replies.items():
        uow.requests.put(key.principal, key.method, key.request_id, digest=key.digest, reply=reply)
