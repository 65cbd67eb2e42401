"""The watch as services see it: asynchronous generators over requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any

import grpc
from zaiko.v1 import stock_service_pb2, sync_service_pb2, watch_pb2
from zaiko_core.app.records import ChangeKind
from zaiko_core.bootstrap import Engine

from zaiko_server import names
from zaiko_server.refusals import InvalidName
from zaiko_server.security.calling import caller, check_reach
from zaiko_server.validate.check import check
from zaiko_server.watch.hub import Hub
from zaiko_server.watch.resume_tokens import ResumeTokens
from zaiko_server.watch.slots import WatchLimits
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


class WatchServer:
    """Serves WatchSync, WatchSyncSession and WatchStocks, and guards other streams. One per
    process; call `drain` before the server stops.

    ServiceErrors are raised, for the interceptor that maps them to a status. Only SLOW_CONSUMER
    ends the call from another task, because the handler is then stuck in a write. The caller
    (`security/calling.py`) must reach the merchant, and its streams count towards its limit.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        limits: WatchLimits | None = None,
        clock: JitteredClock | None = None,
    ) -> None:
        self._engine = engine
        self._limits, self._clock = limits or WatchLimits(), clock or JitteredClock()
        self.hub = Hub(engine.db, engine.feed, self._limits)

    async def watch_sync(
        self, request: sync_service_pb2.WatchSyncRequest, context: Context
    ) -> AsyncGenerator[sync_service_pb2.WatchSyncResponse, None]:
        """Serve SyncService.WatchSync."""
        async with contextlib.aclosing(
            self.guarded(self._sync_watch(request).messages(), context)
        ) as responses:
            async for response in responses:
                yield response

    async def watch_sync_session(
        self, requests: AsyncIterator[sync_service_pb2.WatchSyncSessionRequest], context: Context
    ) -> AsyncGenerator[sync_service_pb2.WatchSyncSessionResponse, None]:
        """Serve SyncService.WatchSyncSession. The stream takes a slot, and so does each of its
        watches."""
        stream = WatchStream(
            self.hub.slots, self._sync_watch, check=lambda r: check(r, now=self._clock.now())
        )
        async with contextlib.aclosing(
            self.guarded(stream.responses(requests), context, stream.close)
        ) as responses:
            async for response in responses:
                yield response

    async def watch_stocks(
        self, request: stock_service_pb2.WatchStocksRequest, context: Context
    ) -> AsyncGenerator[stock_service_pb2.WatchStocksResponse, None]:
        """Serve StockService.WatchStocks."""
        [merchant] = names.MERCHANT.ids(request.parent)
        products = _ids(names.PRODUCT, merchant, "filter.products", request.filter.products)
        watch = self._watch(StockTopic(merchant, products), request.start)
        async with contextlib.aclosing(self.guarded(watch.messages(), context)) as responses:
            async for response in responses:
                yield response

    async def drain(self, grace: float = 5.0) -> bool:
        """End every watch with a bookmark and SERVER_DRAINING, and refuse new ones. Return whether
        all had ended within `grace` seconds. Call it before `grpc.aio.Server.stop`, which would
        only cancel them."""
        return await self.hub.drain(grace)

    async def guarded(
        self,
        responses: AsyncGenerator[Any, None],
        context: Context,
        close: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[Any, None]:
        """Yield the responses of one stream. It holds a slot while it lasts, and ends with
        SLOW_CONSUMER when its client does not read. `close` is called once the call is over,
        however it ends."""
        release = self.hub.slots.take(caller().id)
        guard = WriteGuard(context, self._limits.slow_consumer_after)

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

    def _sync_watch(
        self, request: sync_service_pb2.WatchSyncRequest
    ) -> Watch[sync_service_pb2.WatchSyncResponse]:
        [merchant] = names.MERCHANT.ids(request.parent)
        shops = _ids(names.SHOP, merchant, "filter.shops", request.filter.shops)
        subjects = frozenset(
            _SUBJECTS[subject] for subject in request.filter.subjects
        ) or frozenset(_SUBJECTS.values())
        return self._watch(
            SyncTopic(merchant, shops, subjects, can_sync=self._engine.can_sync), request.start
        )

    def _watch(self, topic: Topic[Response], start: watch_pb2.WatchStart) -> Watch[Response]:
        check_reach(topic.merchant)
        tokens = ResumeTokens(self._engine.token_key.encode(), self._engine.epoch, topic.scope)
        resumes = start.WhichOneof("position") == "resume_token"
        seconds = (
            start.bookmark_interval.ToTimedelta().total_seconds()
            if start.HasField("bookmark_interval")
            else None
        )
        return Watch(
            self.hub,
            topic,
            tokens,
            start=tokens.read(start.resume_token) if resumes else None,
            interval=bookmark_interval(seconds),
            clock=self._clock,
        )


def _ids(kind: names.Name, merchant: str, field: str, given: Iterable[str]) -> frozenset[str]:
    """Return the last ids of names. Raises InvalidName for those of another kind or merchant."""
    found, wrong = set(), []
    for place, name in enumerate(given):
        path = f"{field}[{place}]"
        if not kind.matches(name):
            wrong.append((path, "name.form", kind.complaint(name)))
        elif kind.ids(name)[0] != merchant:
            text = f"{name!r} belongs to another merchant than the parent"
            wrong.append((path, "name.parent", text))
        else:
            found.add(kind.ids(name)[-1])
    if wrong:
        raise InvalidName(wrong)
    return frozenset(found)
