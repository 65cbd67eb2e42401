"""The watch as services see it: async generators over requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Protocol

import grpc
from zaiko.v1 import stock_service_pb2, sync_service_pb2, watch_pb2
from zaiko_core.app.records import ChangeKind
from zaiko_core.domain.errors import ServiceError

from zaiko_server import names
from zaiko_server.refusals import InvalidName
from zaiko_server.security.calling import caller, check_reach
from zaiko_server.validate.check import check
from zaiko_server.watch.cursor import Cursors
from zaiko_server.watch.hub import Feed, Hub, Store, WatchLimits
from zaiko_server.watch.topics import Response, StockTopic, SyncTopic, Topic
from zaiko_server.watch.watch import JitteredClock, Watch, bookmark_interval
from zaiko_server.watch.watch_stream import WatchStream
from zaiko_server.watch.write_guard import WriteGuard

Context = grpc.aio.ServicerContext[Any, Any]
_SUBJECTS = {
    sync_service_pb2.WatchSyncRequest.SUBJECT_LINK_STATUS: ChangeKind.LINK,
    sync_service_pb2.WatchSyncRequest.SUBJECT_SHOP_STATUS: ChangeKind.SHOP,
    sync_service_pb2.WatchSyncRequest.SUBJECT_SYNC_RUN: ChangeKind.RUN,
}


class Owner(Protocol):
    """Whose history is watched (zaiko_core.bootstrap.Engine)."""

    @property
    def db(self) -> Store: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def epoch(self) -> str: ...
    @property
    def token_key(self) -> str: ...
    def can_sync(self, connector: str) -> ServiceError | None: ...


class SyncWatcher:
    """Serves WatchSync, WatchSyncSession and WatchStocks, and guards other streams. One per
    process; `drain` before the server stops.

    Refusals are raised, for the interceptor that maps them. Only SLOW_CONSUMER ends the call from
    outside, because the handler is then stuck in a write. Who calls (`security/calling.py`) is
    counted for the cap per caller, and must reach the merchant.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        limits: WatchLimits | None = None,
        clock: JitteredClock | None = None,
    ) -> None:
        self._owner = owner
        self._limits, self._clock = limits or WatchLimits(), clock or JitteredClock()
        self.hub = Hub(owner.db, owner.feed, self._limits)

    async def watch_sync(
        self, request: sync_service_pb2.WatchSyncRequest, context: Context
    ) -> AsyncGenerator[sync_service_pb2.WatchSyncResponse, None]:
        """SyncService.WatchSync."""
        async with contextlib.aclosing(
            self.guarded(self._sync_session(request).messages(), context)
        ) as responses:
            async for response in responses:
                yield response

    async def watch_sync_session(
        self, requests: AsyncIterator[sync_service_pb2.WatchSyncSessionRequest], context: Context
    ) -> AsyncGenerator[sync_service_pb2.WatchSyncSessionResponse, None]:
        """SyncService.WatchSyncSession. The stream takes a seat, and so does each of its
        watches."""
        conversation = WatchStream(
            self.hub, self._sync_session, check=lambda r: check(r, now=self._clock.now())
        )
        async with contextlib.aclosing(
            self.guarded(conversation.responses(requests), context, conversation.close)
        ) as responses:
            async for response in responses:
                yield response

    async def watch_stocks(
        self, request: stock_service_pb2.WatchStocksRequest, context: Context
    ) -> AsyncGenerator[stock_service_pb2.WatchStocksResponse, None]:
        """StockService.WatchStocks."""
        [merchant] = names.MERCHANT.ids(request.parent)
        products = _ids(names.PRODUCT, merchant, "filter.products", request.filter.products)
        session = self._session(StockTopic(merchant, products), request.start)
        async with contextlib.aclosing(self.guarded(session.messages(), context)) as responses:
            async for response in responses:
                yield response

    async def drain(self, grace: float = 5.0) -> bool:
        """End every watch with a mark and SERVER_DRAINING, and admit no more; whether all had ended
        within `grace` seconds. Call it before `grpc.aio.Server.stop`, which would only cancel
        them."""
        return await self.hub.drain(grace)

    def _sync_session(
        self, request: sync_service_pb2.WatchSyncRequest
    ) -> Watch[sync_service_pb2.WatchSyncResponse]:
        [merchant] = names.MERCHANT.ids(request.parent)
        shops = _ids(names.SHOP, merchant, "filter.shops", request.filter.shops)
        subjects = frozenset(
            _SUBJECTS[subject] for subject in request.filter.subjects
        ) or frozenset(_SUBJECTS.values())
        return self._session(
            SyncTopic(merchant, shops, subjects, can_sync=self._owner.can_sync), request.start
        )

    def _session(self, topic: Topic[Response], start: watch_pb2.WatchStart) -> Watch[Response]:
        check_reach(topic.merchant)
        cursors = Cursors(self._owner.token_key.encode(), self._owner.epoch, topic.scope)
        resumed = start.WhichOneof("position") == "resume_token"
        seconds = (
            start.bookmark_interval.ToTimedelta().total_seconds()
            if start.HasField("bookmark_interval")
            else None
        )
        return Watch(
            self.hub,
            topic,
            cursors,
            start=cursors.read(start.resume_token) if resumed else None,
            interval=bookmark_interval(seconds),
            clock=self._clock,
        )

    async def guarded(
        self,
        responses: AsyncGenerator[Any, None],
        context: Context,
        close: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[Any, None]:
        """One stream: it has a seat while it lasts, and ends when its client does not read. `close`
        ends what else it began."""
        release = self.hub.take_slot(caller().id)
        guard = WriteGuard(context, self._limits.blocked)

        def end(_: Any = None) -> None:
            close()
            guard.disarm()
            release()

        # A call that is cancelled while its handler is stuck in a write may never come back into
        # this generator.
        context.add_done_callback(end)  # type: ignore[arg-type] # the stubs make a class of the callback's type
        try:
            async with contextlib.aclosing(responses) as messages:
                async for response in messages:
                    guard.arm()
                    yield response
                    guard.disarm()
        finally:
            end()


def _ids(kind: names.Name, merchant: str, field: str, given: Iterable[str]) -> frozenset[str]:
    """The last ids of names that must be of this kind and merchant."""
    found, wrong = set(), []
    for place, name in enumerate(given):
        if not kind.matches(name):
            wrong.append((f"{field}[{place}]", "name.form", kind.complaint(name)))
        elif kind.ids(name)[0] != merchant:
            wrong.append(
                (
                    f"{field}[{place}]",
                    "name.parent",
                    f"{name!r} belongs to another merchant than the parent",
                )
            )
        else:
            found.add(kind.ids(name)[-1])
    if wrong:
        raise InvalidName(wrong)
    return frozenset(found)
