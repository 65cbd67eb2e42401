"""What every servicer shares: the two doors to a merchant's data, request ids, and pages."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from zaiko_core.app.idempotency import RequestKey, store_replies, stored_replies
from zaiko_core.app.ports import Mergeable, UnitOfWork
from zaiko_core.app.records import MerchantRecord
from zaiko_core.bootstrap import Engine
from zaiko_core.domain.errors import ResourceExists

from zaiko_server.interceptors import trailers
from zaiko_server.pages import Pages
from zaiko_server.security.calling import caller, check_reach
from zaiko_server.times import MICROS, span_of

T = TypeVar("T")
M = TypeVar("M", bound=Message)
Context = Any

REPLAYED = ("zaiko-replayed", "1")
LONGEST_WAIT = 25.0
_MARGIN = 0.25
"""Seconds before the client's deadline at which a waiting call answers."""


def clock() -> float:
    """Return the seconds by which waiting calls are timed."""
    return asyncio.get_running_loop().time()


def waiting_until(request: Any, context: Context) -> float:
    """Return when a call that waits must answer, by `clock`: after its `timeout`, and before its
    deadline."""
    asked = span_of(request.timeout) / MICROS if request.HasField("timeout") else LONGEST_WAIT
    left = context.time_remaining()
    return clock() + min(asked, LONGEST_WAIT, LONGEST_WAIT if left is None else left - _MARGIN)


class Calls:
    """One per server. `new_id` draws a fresh UUID as text. Every way to a merchant's data goes
    through here or through the watch. Both raise PermissionDenied for a merchant that the caller
    does not reach."""

    def __init__(self, engine: Engine, pages: Pages, *, new_id: Callable[[], str]) -> None:
        self.engine, self.pages, self.new_id = engine, pages, new_id

    async def read(self, merchant: str, query: Callable[[UnitOfWork], T]) -> T:
        """Run `query` over one snapshot of a merchant (Database.read)."""
        check_reach(merchant)
        return await self.engine.db.read(merchant, query)

    async def write(
        self,
        context: Context,
        merchant: str,
        request: Any,
        reply: type[M],
        command: Callable[[UnitOfWork], M],
    ) -> M:
        """Run `command` in one transaction (Database.write), once per request id: a repetition gets
        the first reply, and a trailer that says so. Raises RequestIdReused for an id that came with
        another request."""
        check_reach(merchant)
        key = self._key(request)
        answer = await self.engine.db.write(merchant, _once(key, command))
        return _reply(context, reply, answer)

    async def record(self, merchant: str, command: Callable[[UnitOfWork], T]) -> T:
        """Run `command` in one transaction. Only for facts, each of which has a cause key of its
        own and needs no request id."""
        check_reach(merchant)
        return await self.engine.db.write(merchant, command)

    async def create(
        self,
        context: Context,
        merchant: MerchantRecord,
        request: Any,
        reply: type[M],
        command: Callable[[UnitOfWork], M],
    ) -> M:
        """Create a merchant and run `command`, in one transaction and once per request id. Raises
        ResourceExists for a merchant that exists, unless this very request has created it."""
        check_reach(merchant.merchant)
        key = self._key(request)

        def run(uow: UnitOfWork, created: bool) -> M | bytes:
            if not created:
                if key is not None and (stored := stored_replies(uow, [key])):
                    return stored[key]
                raise ResourceExists(f"merchants/{merchant.merchant}")
            return _once(key, command)(uow)

        answer = await self.engine.db.create(merchant, run)
        return _reply(context, reply, answer)

    def _key(self, request: Any) -> RequestKey | None:
        """Return by what a repeated request is known, or None without a request id: everything in
        it but the id must be the same."""
        if not request.request_id:
            return None
        bare = type(request)()
        bare.CopyFrom(request)
        bare.ClearField("request_id")
        digest = hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()
        return RequestKey(
            caller().id, request.DESCRIPTOR.full_name, request.request_id.lower(), digest
        )


@dataclass(frozen=True, slots=True)
class _OncePerRequest(Generic[M]):
    """`apply_all` of a command, for items that each may have a request key. Two of them are equal
    when their commands are, so that the store can merge them."""

    apply_all: Callable[[UnitOfWork, Sequence[Any]], Sequence[M]]

    def __call__(
        self, uow: UnitOfWork, items: Sequence[tuple[RequestKey | None, Any]]
    ) -> list[M | bytes]:
        """Return a reply for each item: a message, or the bytes that are kept of an earlier one."""
        keys = [key for key, _ in items if key is not None]
        stored = stored_replies(uow, keys) if keys else {}
        fresh = [(key, item) for key, item in items if key is None or key not in stored]
        messages = self.apply_all(uow, [item for _, item in fresh]) if fresh else []
        done = zip(fresh, messages, strict=True)
        made = {key: message.SerializeToString() for (key, _), message in done if key is not None}
        store_replies(uow, made)
        replies = iter(messages)
        return [
            stored[key] if key is not None and key in stored else next(replies) for key, _ in items
        ]


def _once(
    key: RequestKey | None, command: Callable[[UnitOfWork], M]
) -> Callable[[UnitOfWork], M | bytes]:
    """Return `command` as one that is done once per request, and that can be merged if it can."""
    if isinstance(command, Mergeable):
        of_request = () if key is None else (f"request {key.request_id}",)
        return Mergeable(
            _OncePerRequest(command.apply_all),
            (key, command.item),
            command.conflict_keys.union(of_request),
        )
    if key is None:
        return command
    return lambda uow: _OncePerRequest(lambda uow, _: [command(uow)])(uow, [(key, None)])[0]


def _reply(context: Context, reply: type[M], answer: M | bytes) -> M:
    if isinstance(answer, bytes):
        trailers.add(context, REPLAYED)
        return reply.FromString(answer)
    return answer
