"""StreamMovements: sequence, parent and rules of each request, a transaction per group, and the end
(stock_service.proto)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from zaiko.v1 import error_pb2, stock_service_pb2
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.stock import Posting, Receipt, receive
from zaiko_core.domain.errors import Denied, ServiceError, StorageUnavailable, WriteConflict
from zaiko_core.storage.engine import system_now

from zaiko_server import names
from zaiko_server.convert import problems, stocks
from zaiko_server.ingest.groups import Groups, Limits, Time
from zaiko_server.refusals import InvalidName, SequenceGap, ServerDraining
from zaiko_server.security.calling import caller
from zaiko_server.validate.check import check

Response = stock_service_pb2.StreamMovementsResponse
Post = Callable[[UnitOfWork], Posting]
Fact = Receipt | Post
"""Receipts, of which there may be thousands, are recorded many in one go; what depends on what was
recorded before it, one by one."""


class Record(Protocol):
    """One transaction of a merchant (services.calls.Calls.record)."""

    def __call__(
        self, merchant: str, command: Callable[[UnitOfWork], list[Response]]
    ) -> Awaitable[list[Response]]: ...


class Seats(Protocol):
    """Who may stay, and until when (watch.hub.Hub)."""

    @property
    def drained(self) -> asyncio.Event: ...
    def take_seat(self, principal: str) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True)
class _Fact:
    sequence: int
    merchant: str
    found: Fact | ServiceError


class MovementStream:
    """One call. `posting` makes of a fact's message what it is, or what records it; `now` gives µs
    since 1970."""

    def __init__(
        self,
        record: Record,
        posting: Callable[[Any], Fact],
        seats: Seats,
        *,
        now: Callable[[], int] = system_now,
        limits: Limits | None = None,
        time: Time | None = None,
    ) -> None:
        self._record, self._posting, self._seats, self._now = record, posting, seats, now
        self._groups: Groups[_Fact, Response] = Groups(self._commit, limits=limits, time=time)

    async def responses(
        self, requests: AsyncIterator[stock_service_pb2.StreamMovementsRequest], context: Any
    ) -> AsyncGenerator[Response, None]:
        """Until the client ends its requests. Raises ServerDraining, and what ends a call as the
        proto says, after the answers to everything that was recorded."""
        leave = self._seats.take_seat(caller().id)
        draining = asyncio.create_task(self._drain(), name="zaiko ingest: drain")

        def end(_: Any = None) -> None:
            draining.cancel()
            self._groups.close()
            leave()

        # A call that is cancelled while its handler is stuck in a write may never come back into
        # this generator.
        context.add_done_callback(end)
        try:
            async with aclosing(self._groups.answers(self._facts(requests))) as answers:
                async for answer in answers:
                    yield answer
        finally:
            end()

    async def _drain(self) -> None:
        await self._seats.drained.wait()
        self._groups.finish(ServerDraining(1.0))

    async def _facts(
        self, requests: AsyncIterator[stock_service_pb2.StreamMovementsRequest]
    ) -> AsyncGenerator[_Fact, None]:
        expected, parent = 1, ""
        async for request in requests:
            if request.sequence != expected:
                raise SequenceGap(expected, request.sequence)
            if parent and request.parent not in ("", parent):
                raise InvalidName(
                    [
                        (
                            "parent",
                            "name.parent",
                            f"is not {parent}, of which this stream is; open another one",
                        )
                    ]
                )
            # Rules of the fact's names are about the merchant of the whole stream.
            request.parent = parent or request.parent
            found: Fact | ServiceError
            try:
                check(request, now=self._now())
                found = self._posting(getattr(request, str(request.WhichOneof("fact"))))
            except ServiceError as refusal:
                if any(path == "parent" for path, *_ in getattr(refusal, "violations", ())):
                    raise
                found = refusal
            parent = request.parent
            yield _Fact(expected, names.MERCHANT.ids(parent)[0], found)
            expected += 1

    async def _commit(self, facts: Sequence[_Fact]) -> Sequence[Response]:
        merchant = facts[0].merchant

        def work(uow: UnitOfWork) -> list[Response]:
            return [response for run in _runs(facts) for response in _outcomes(uow, merchant, run)]

        try:
            return await self._record(merchant, work)
        except WriteConflict as conflict:
            raise StorageUnavailable(
                "other writers won too often; send again from the first unanswered item"
            ) from conflict


def _runs(facts: Sequence[_Fact]) -> Iterator[list[_Fact]]:
    """Facts in their order: receipts beside each other with a cause each together, everything else
    alone."""
    run: list[_Fact] = []
    causes: set[str] = set()
    for fact in facts:
        cause = fact.found.cause if isinstance(fact.found, Receipt) else None
        if run and (cause is None or cause in causes):
            yield run
            run, causes = [], set()
        if cause is None:
            yield [fact]
        else:
            run.append(fact)
            causes.add(cause)
    if run:
        yield run


def _outcomes(uow: UnitOfWork, merchant: str, run: Sequence[_Fact]) -> Iterator[Response]:
    """Record a run. A refused fact has written nothing, since the use cases check before they
    write: no savepoint is needed, and where one of many is refused, each can be recorded by itself
    (ADR 0016)."""
    receipts = [fact.found for fact in run if isinstance(fact.found, Receipt)]
    if len(receipts) > 1:
        try:
            postings = receive(uow, receipts)
        except Denied:
            raise
        except ServiceError:
            pass
        else:
            for fact, posting in zip(run, postings, strict=True):
                yield _recorded(uow, merchant, fact.sequence, posting)
            return
    for fact in run:
        yield _outcome(uow, merchant, fact)


def _outcome(uow: UnitOfWork, merchant: str, fact: _Fact) -> Response:
    if isinstance(fact.found, ServiceError):
        return _refused(fact.sequence, fact.found)
    try:
        posting = (
            receive(uow, [fact.found])[0] if isinstance(fact.found, Receipt) else fact.found(uow)
        )
    except Denied:
        raise
    except ServiceError as refusal:
        return _refused(fact.sequence, refusal)
    return _recorded(uow, merchant, fact.sequence, posting)


def _recorded(uow: UnitOfWork, merchant: str, sequence: int, posting: Posting) -> Response:
    return Response(
        sequence=sequence,
        stock=stocks.stock(merchant, posting.stock),
        already_recorded=posting.already_recorded,
        revision=uow.answer_revision,
    )


def _refused(sequence: int, refusal: ServiceError) -> Response:
    problem: error_pb2.Problem = problems.refused(refusal)
    for path, rule, text in getattr(refusal, "violations", ()):
        problem.metadata[f"violation.{path}"] = f"{rule}: {text}"
    problem.metadata["owner"] = error_pb2.Owner.Name(problem.owner).removeprefix("OWNER_")
    return Response(sequence=sequence, problem=problem)
