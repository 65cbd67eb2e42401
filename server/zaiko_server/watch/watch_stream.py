"""Many watches on one stream, told apart by the client's ids (the promises are with
WatchSyncSession in sync_service.proto)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from zaiko.v1 import sync_service_pb2 as pb
from zaiko_core.domain.errors import Denied, InvalidField, NotFound, ServiceError

from zaiko_server.convert.problems import refused
from zaiko_server.refusals import ServerDraining, TooManyStreams
from zaiko_server.security.calling import caller
from zaiko_server.watch.hub import Hub
from zaiko_server.watch.watch import Watch

UNACKNOWLEDGED, WATCHES = 64, 100

_Response = pb.WatchSyncSessionResponse
_Open = Callable[[pb.WatchSyncRequest], Watch[pb.WatchSyncResponse]]


class WatchStream:
    """One stream. `open_watch` makes a watch of a request that `check` has passed; both raise
    Refusals. A watch that waits for acknowledgements holds its position and the rest of the reading
    that it was in, whatever changes meanwhile."""

    def __init__(
        self, hub: Hub, open_watch: _Open, *, check: Callable[[pb.WatchSyncSessionRequest], None]
    ) -> None:
        self._hub, self._open, self._check = hub, open_watch, check
        self._watches: dict[int, _Watch] = {}
        self._newest = 0
        self._tasks: list[asyncio.Task[None]] = []
        # One place: whoever has something to send waits until the client takes what is before it.
        self._outbox: asyncio.Queue[_Response | BaseException | None] = asyncio.Queue(1)

    async def responses(
        self, requests: AsyncIterator[pb.WatchSyncSessionRequest]
    ) -> AsyncGenerator[_Response, None]:
        """Until the client ends its requests. Raises ServerDraining when every watch has sent its
        last mark, and what reading the requests raises."""
        self._tasks = [
            asyncio.create_task(self._reading(requests), name="zaiko watch session: requests"),
            asyncio.create_task(self._draining(), name="zaiko watch session: drain"),
        ]
        try:
            while (item := await self._outbox.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.close()
            await asyncio.gather(
                *self._tasks,
                *(watch.task for watch in self._watches.values()),
                return_exceptions=True,
            )

    def close(self) -> None:
        """End everything now, also where the stream is stuck in a write and never comes back here.
        A second call does nothing."""
        for task in [*self._tasks, *(watch.task for watch in self._watches.values())]:
            task.cancel()

    async def _reading(self, requests: AsyncIterator[pb.WatchSyncSessionRequest]) -> None:
        try:
            async for request in requests:
                try:
                    self._check(request)
                    await self._take(request)
                except ServiceError as refusal:
                    problem = _Response.Rejection(problem=refused(refusal))
                    await self._outbox.put(_Response(watch_id=request.watch_id, rejected=problem))
        except Exception as error:  # noqa: BLE001 - it is the stream's end, whatever it is: told by the generator
            await self._outbox.put(error)
        else:
            await self._outbox.put(None)

    async def _take(self, request: pb.WatchSyncSessionRequest) -> None:
        kind, watch_id = request.WhichOneof("request"), request.watch_id
        if kind == "create":
            self._create(watch_id, request.create)
            return
        watch = self._watches.get(watch_id)
        if watch is None:
            raise NotFound(f"watches/{watch_id}")
        if kind == "ack":
            watch.acknowledge(request.ack.delivery)
        elif kind == "progress":
            watch.request_progress()
        else:
            watch.task.cancel()
            await asyncio.wait([watch.task])
            if self._watches.pop(watch_id, None) is not None:
                await self._outbox.put(_Response(watch_id=watch_id, cancelled=_Response.End()))

    def _create(self, watch_id: int, request: pb.WatchSyncRequest) -> None:
        if watch_id <= self._newest:
            last = self._newest
            raise InvalidField(
                [
                    (
                        "watch_id",
                        "watch_id.rising",
                        f"is not larger than {last}, which was created before; choose another",
                    )
                ]
            )
        if len(self._watches) >= WATCHES:
            raise TooManyStreams(WATCHES)
        self._newest = watch_id
        watch = _Watch(self._hub)
        self._watches[watch_id] = watch
        watch.task = asyncio.create_task(
            self._pump(watch_id, watch, request), name=f"zaiko watch session: {watch_id}"
        )

    async def _pump(self, watch_id: int, watch: _Watch, request: pb.WatchSyncRequest) -> None:
        """One watch, from `created` to its end."""
        try:
            session = self._open(request)
            release = self._hub.take_slot(caller().id)
            try:
                await self._outbox.put(_Response(watch_id=watch_id, created=_Response.Beginning()))
                watch.session = session
                async with aclosing(session.messages()) as messages:
                    while True:
                        await watch.room()
                        update = await anext(messages)
                        watch.sent += 1
                        await self._outbox.put(
                            _Response(watch_id=watch_id, delivery=watch.sent, update=update)
                        )
            finally:
                release()
        except ServerDraining:
            return
        except Denied as denied:
            # As at the door: whose name is not the caller's ends the call, not one part of it.
            await self._outbox.put(denied)
        except ServiceError as refusal:
            self._watches.pop(watch_id, None)
            ended = _Response.End(problem=refused(refusal))
            await self._outbox.put(_Response(watch_id=watch_id, cancelled=ended))
        except Exception as error:  # noqa: BLE001 - a fault of ours ends the stream, as it ends a WatchSync
            await self._outbox.put(error)

    async def _draining(self) -> None:
        await self._hub.drained.wait()
        watches = list(self._watches.values())
        for watch in watches:
            watch.wake()
        await asyncio.gather(*(watch.task for watch in watches), return_exceptions=True)
        await self._outbox.put(ServerDraining(1.0))


class _Watch:
    """How far one watch is, and how far its client is."""

    task: asyncio.Task[None]

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.session: Watch[pb.WatchSyncResponse] | None = None
        self.sent = self._acknowledged = 0
        self._news = asyncio.Event()

    def acknowledge(self, delivery: int) -> None:
        """Raises InvalidField for what was not sent yet."""
        if delivery > self.sent:
            raise InvalidField(
                [
                    (
                        "ack.delivery",
                        "ack.sent",
                        f"is {delivery}, but the last delivery of this watch is {self.sent}",
                    )
                ]
            )
        self._acknowledged = max(self._acknowledged, delivery)
        self.wake()

    def request_progress(self) -> None:
        """Before it has begun there is nothing to ask for: its first mark comes by itself."""
        if self.session is not None:
            self.session.request_progress()

    def wake(self) -> None:
        """Look again whether there is room."""
        self._news.set()

    async def room(self) -> None:
        """Until one more delivery may be sent; while the server drains, at once: last marks are not
        held back."""
        while self.sent - self._acknowledged >= UNACKNOWLEDGED and not self._hub.draining:
            self._news.clear()
            await self._news.wait()
