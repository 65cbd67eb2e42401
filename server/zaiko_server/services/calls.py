"""What every servicer shares: the engine, one transaction per call, request ids, and pages."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from zaiko_core.app.idempotency import RequestKey, answered, once
from zaiko_core.app.ports import Directory, UnitOfWork
from zaiko_core.app.records import MerchantRecord
from zaiko_core.domain.errors import ResourceExists, ServiceError
from zaiko_core.plugin_host.loader import Registry
from zaiko_sdk import Finding

from zaiko_server.interceptors import trailers
from zaiko_server.pages import Pages
from zaiko_server.security.calling import caller, check_reach

T = TypeVar("T")
K = TypeVar("K")
M = TypeVar("M", bound=Message)
Context = Any

REPLAYED = ("zaiko-replayed", "1")


class Store(Protocol):
    """Transactions (zaiko_core.storage.engine.Database)."""

    async def read(self, merchant: str, work: Callable[[Any], T]) -> T: ...
    async def look(
        self, merchant: str, look: Callable[[Any, Collection[K]], Mapping[K, T]], key: K
    ) -> T | None: ...
    async def write_together(self, merchant: str, work: Callable[[Any], T]) -> T: ...
    async def act(
        self,
        merchant: str,
        act: Callable[[Any, Sequence[K]], Sequence[T]],
        what: K,
        *,
        claims: Collection[str],
    ) -> T: ...
    async def found(self, merchant: MerchantRecord, work: Callable[[Any, bool], T]) -> T: ...
    async def directory(self, work: Callable[[Any], T]) -> T: ...
    async def tokens(self, work: Callable[[Any], T], *, writing: bool = False) -> T: ...


class Feed(Protocol):
    """Tells of newer revisions (zaiko_core.sync.feed.ChangeFeed)."""

    async def wait(self, merchant: str, after: int, timeout: float) -> int: ...


class Secrets(Protocol):
    """Seals credentials (zaiko_core.storage.secrets.SecretBox)."""

    def seal(self, secrets: Mapping[str, str]) -> bytes: ...
    def open(self, sealed: bytes | None) -> dict[str, str]: ...


class Backend(Protocol):
    """What the servicers need of the engine (zaiko_core.bootstrap.Engine)."""

    @property
    def db(self) -> Store: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def secrets(self) -> Secrets: ...
    def can_sync(self, connector: str) -> ServiceError | None: ...
    def check_shop(self, merchant: str, shop: str) -> Awaitable[Sequence[Finding]]: ...


class Calls:
    """One per server. `new_id` draws a fresh UUID as text. Every way to a merchant's data goes
    through here or through the watch, and both refuse a merchant that the caller does not reach
    (PermissionDenied)."""

    def __init__(self, engine: Backend, pages: Pages, *, new_id: Callable[[], str]) -> None:
        self.engine, self.pages, self.new_id = engine, pages, new_id

    async def read(self, merchant: str, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` over one snapshot of a merchant."""
        check_reach(merchant)
        return await self.engine.db.read(merchant, work)

    async def look(
        self, merchant: str, look: Callable[[UnitOfWork, Collection[K]], Mapping[K, T]], key: K
    ) -> T | None:
        """What `look` finds for `key` in one snapshot of a merchant, or None; calls that wait share
        it (Database.look)."""
        check_reach(merchant)
        return await self.engine.db.look(merchant, look, key)

    async def directory(self, work: Callable[[Directory], T]) -> T:
        """Run `work` over the merchants."""
        return await self.engine.db.directory(work)

    async def write(
        self,
        context: Context,
        merchant: str,
        request: Any,
        reply: type[M],
        work: Callable[[UnitOfWork], M],
    ) -> M:
        """Run a mutation in one transaction, once per request id: a repeat gets the first answer
        and a trailer that says so."""
        check_reach(merchant)
        if not request.request_id:
            return await self.engine.db.write_together(merchant, work)
        key = self.key(request)

        def run(uow: UnitOfWork) -> tuple[bytes, bool]:
            answer = once(uow, key, lambda: work(uow).SerializeToString())
            return answer.response, answer.replayed

        response, replayed = await self.engine.db.write_together(merchant, run)
        if replayed:
            trailers.add(context, REPLAYED)
        return reply.FromString(response)

    async def record(self, merchant: str, work: Callable[[UnitOfWork], T]) -> T:
        """Run facts in one transaction, each of which has a cause key of its own and so needs no
        request id."""
        check_reach(merchant)
        return await self.engine.db.write_together(merchant, work)

    async def act(
        self,
        merchant: str,
        act: Callable[[UnitOfWork, Sequence[K]], Sequence[T]],
        what: K,
        *,
        claims: Collection[str],
    ) -> T:
        """What `act` answers to `what`, for a request without a request id; calls that wait and
        claim other things share one unit of work (Database.act)."""
        check_reach(merchant)
        return await self.engine.db.act(merchant, act, what, claims=claims)

    async def found(
        self,
        context: Context,
        merchant: MerchantRecord,
        request: Any,
        reply: type[M],
        work: Callable[[UnitOfWork], M],
    ) -> M:
        """Make a merchant and answer, in one transaction and once per request id. Raises
        ResourceExists for one that is there, unless this very request has made it."""
        check_reach(merchant.merchant)
        key = self.key(request) if request.request_id else None

        def run(uow: UnitOfWork, made: bool) -> tuple[bytes, bool]:
            known = answered(uow, key) if key is not None and not made else None
            if known is not None:
                return known.response, True
            if not made:
                raise ResourceExists(f"merchants/{merchant.merchant}")
            if key is None:
                return work(uow).SerializeToString(), False
            return once(uow, key, lambda: work(uow).SerializeToString()).response, False

        response, replayed = await self.engine.db.found(merchant, run)
        if replayed:
            trailers.add(context, REPLAYED)
        return reply.FromString(response)

    def key(self, request: Any) -> RequestKey:
        """By what a repeated request is known: everything in it but the id must be the same."""
        bare = type(request)()
        bare.CopyFrom(request)
        bare.ClearField("request_id")
        digest = hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()
        return RequestKey(
            caller().id, request.DESCRIPTOR.full_name, request.request_id.lower(), digest
        )
