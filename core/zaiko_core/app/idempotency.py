"""A mutation with a request id is done once: its answer is stored in the same transaction, and
given again to whoever repeats it.

Since writers of one merchant are serial (ADR 0003), a repetition that comes while the first call is
at work waits for it, and then finds its answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.errors import RequestIdReused

KEPT = 24 * 3600 * 1_000_000
"""µs for which an answer is kept at least."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Who asked for what: `principal` and `method` scope the id; `digest` is of everything else in
    the request."""

    principal: str
    method: str
    request_id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The stored form of a response, and whether it was given before."""

    response: bytes
    replayed: bool


def once(uow: UnitOfWork, key: RequestKey, work: Callable[[], bytes]) -> Answer:
    """Do `work` and keep its answer, or give the answer that was kept. Raises RequestIdReused when
    the id came with another request. What `work` raises is not kept: the same id may be tried
    again."""
    stored = answered(uow, key)
    if stored is not None:
        return stored
    response = work()
    uow.requests.put(key.principal, key.method, key.request_id, key.digest, response)
    return Answer(response, replayed=False)


def answered(uow: UnitOfWork, key: RequestKey) -> Answer | None:
    """The answer that was kept for this request, or None. Raises RequestIdReused."""
    stored = uow.requests.get(key.principal, key.method, key.request_id)
    if stored is None:
        return None
    digest, response, _ = stored
    if digest != key.digest:
        raise RequestIdReused(
            (
                f"request_id {key.request_id} was used for another request; use a fresh UUID "
                "for each intention"
            ),
            requestId=key.request_id,
        )
    return Answer(response, replayed=True)
