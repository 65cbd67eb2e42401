"""Serve StreamMovements: check the sequence, parent and rules of each request, and record each
group in one transaction (stock_service.proto)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from zaiko.v1 import error_pb2, stock_service_pb2
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.posting import Posted, Posting, settle
from zaiko_core.app.stock import Receipt, post_receipts
from zaiko_core.domain.errors import Denied, ServiceError, StorageUnavailable, WriteConflict
from zaiko_core.storage.transactions import system_now

from zaiko_server import names
from zaiko_server.convert import problems, stocks
from zaiko_server.ingest.fact_groups import FactGroups, StreamClock, StreamLimits
from zaiko_server.refusals import InvalidName, SequenceGap, ServerDraining
from zaiko_server.security.calling import caller
from zaiko_server.validate.check import check
from zaiko_server.watch.slots import StreamSlots

Response = stock_service_pb2.StreamMovementsResponse
Post = Callable[[UnitOfWork], Posted]
Fact = Receipt | Post
"""Receipts may come in thousands and are recorded many at a time. Other facts depend on what was
recorded before them, and are posted one by one."""

RecordGroup = Callable[[str, Callable[[UnitOfWork], list[Response]]], Awaitable[list[Response]]]
"""Runs one transaction of a merchant (services.calls.Calls.record)."""


@dataclass(frozen=True, slots=True)
class _Streamed:
    """A fact of the stream, or the error that refuses it."""

    sequence: int
    merchant: str
    found: Fact | ServiceError


class MovementStream:
    """One call. `posting` converts a fact's message to a Fact. `now` returns µs since 1970."""

    def __init__(
        self,
        record: RecordGroup,
        posting: Callable[[Any], Fact],
        slots: StreamSlots,
        *,
        now: Callable[[], int] = system_now,
        limits: StreamLimits | None = None,
        time: StreamClock | None = None,
    ) -> None:
        self._record, self._posting = record, posting
        self._slots, self._now = slots, now
        self._groups: FactGroups[_Streamed, Response] = FactGroups(
            self._commit, limits=limits, time=time
        )

    async def responses(
        self, requests: AsyncIterator[stock_service_pb2.StreamMovementsRequest], context: Any
    ) -> AsyncGenerator[Response, None]:
        """Yield the answers until the client ends its requests. Raises ServerDraining and the
        errors that end the call (see the proto), after the answers to everything that was
        recorded."""
        release = self._slots.take(caller().id)
        draining = asyncio.create_task(self._drain(), name="zaiko ingest: drain")

        def end(_: Any = None) -> None:
            draining.cancel()
            self._groups.close()
            release()

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
        await self._slots.drained.wait()
        self._groups.finish(ServerDraining(1.0))

    async def _facts(
        self, requests: AsyncIterator[stock_service_pb2.StreamMovementsRequest]
    ) -> AsyncGenerator[_Streamed, None]:
        expected, parent = 1, ""
        async for request in requests:
            if request.sequence != expected:
                raise SequenceGap(expected, request.sequence)
            if parent and request.parent not in ("", parent):
                text = f"is not {parent}, the merchant of this stream; open another stream"
                raise InvalidName([("parent", "name.parent", text)])
            # The rules check the fact's names against the merchant of the whole stream.
            request.parent = parent or request.parent
            found: Fact | ServiceError
            try:
                check(request, now=self._now())
                found = self._posting(getattr(request, str(request.WhichOneof("fact"))))
            except ServiceError as error:
                if any(path == "parent" for path, *_ in getattr(error, "violations", ())):
                    raise
                found = error
            parent = request.parent
            yield _Streamed(expected, names.MERCHANT.ids(parent)[0], found)
            expected += 1

    async def _commit(self, facts: Sequence[_Streamed]) -> Sequence[Response]:
        merchant = facts[0].merchant

        def work(uow: UnitOfWork) -> list[Response]:
            outcomes = [found for batch in _batches(facts) for found in _posted(uow, batch)]
            settled = iter(settle(uow, [one for one in outcomes if isinstance(one, Posted)]))
            return [
                _recorded(uow, merchant, fact.sequence, next(settled))
                if isinstance(outcome, Posted)
                else _refused(fact.sequence, outcome)
                for fact, outcome in zip(facts, outcomes, strict=True)
            ]

        try:
            return await self._record(merchant, work)
        except WriteConflict as conflict:
            raise StorageUnavailable(
                "other writers won too often; send again from the first unanswered item"
            ) from conflict


def _batches(facts: Sequence[_Streamed]) -> Iterator[list[_Streamed]]:
    """Split facts, in their order, into those that are recorded together: consecutive receipts with
    different cause keys. Every other fact is alone."""
    batch: list[_Streamed] = []
    causes: set[str] = set()
    for fact in facts:
        cause = fact.found.cause if isinstance(fact.found, Receipt) else None
        if batch and (cause is None or cause in causes):
            yield batch
            batch, causes = [], set()
        if cause is None:
            yield [fact]
        else:
            batch.append(fact)
            causes.add(cause)
    if batch:
        yield batch


def _posted(uow: UnitOfWork, batch: Sequence[_Streamed]) -> Iterator[Posted | ServiceError]:
    """Post facts together, and yield what became of each. Use cases check before they write, so a
    refused fact has written nothing: no savepoint is needed, and when one of many is refused, each
    is posted alone (ADR 0016)."""
    receipts = [fact.found for fact in batch if isinstance(fact.found, Receipt)]
    if len(receipts) > 1:
        try:
            posted = post_receipts(uow, receipts)
        except Denied:
            raise
        except ServiceError:
            pass
        else:
            yield from posted
            return
    for fact in batch:
        yield _posted_alone(uow, fact)


def _posted_alone(uow: UnitOfWork, fact: _Streamed) -> Posted | ServiceError:
    if isinstance(fact.found, ServiceError):
        return fact.found
    try:
        if isinstance(fact.found, Receipt):
            return post_receipts(uow, [fact.found])[0]
        return fact.found(uow)
    except Denied:
        raise
    except ServiceError as error:
        return error


def _recorded(uow: UnitOfWork, merchant: str, sequence: int, posting: Posting) -> Response:
    return Response(
        sequence=sequence,
        stock=stocks.stock(merchant, posting.stock),
        already_recorded=posting.already_recorded,
        revision=uow.answer_revision,
    )


def _refused(sequence: int, error: ServiceError) -> Response:
    problem: error_pb2.Problem = problems.refused(error)
    for path, rule, text in getattr(error, "violations", ()):
        problem.metadata[f"violation.{path}"] = f"{rule}: {text}"
    problem.metadata["owner"] = error_pb2.Owner.Name(problem.owner).removeprefix("OWNER_")
    return Response(sequence=sequence, problem=problem)
