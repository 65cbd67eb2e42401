"""Many watches on one stream, identified by the client's watch ids. The guarantees are at
WatchSyncSession in sync_service.proto."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from zaiko.v1 import sync_service_pb2 as pb
from zaiko_core.domain.errors import Denied, InvalidField, NotFound, ServiceError

from zaiko_server.convert.problems import refused
from zaiko_server.refusals import ServerDraining, TooManyStreams
from zaiko_server.security.calling import caller
from zaiko_server.watch.slots import StreamSlots
from zaiko_server.watch.watch import Watch

UNACKNOWLEDGED, WATCHES = 64, 100
"""Deliveries of one watch without an acknowledgement, and watches on one stream, at most."""

_Response = pb.WatchSyncSessionResponse
_Open = Callable[[pb.WatchSyncRequest], Watch[pb.WatchSyncResponse]]


class WatchStream:
    """One stream. `open_watch` makes a watch of a request that `check` has passed; both raise
    ServiceErrors. A watch that waits for acknowledgements holds its position and the undelivered
    rest of one read, however much changes meanwhile."""

    def __init__(
        self,
        slots: StreamSlots,
        open_watch: _Open,
        *,
        check: Callable[[pb.WatchSyncSessionRequest], None],
    ) -> None:
        self._slots, self._open, self._check = slots, open_watch, check
        self._watches: dict[int, _StreamedWatch] = {}
        self._newest = 0
        self._tasks: list[asyncio.Task[None]] = []
        # A queue of one: a sender waits until the client has taken the response before its own.
        self._outbox: asyncio.Queue[_Response | BaseException | None] = asyncio.Queue(1)

    async def responses(
        self, requests: AsyncIterator[pb.WatchSyncSessionRequest]
    ) -> AsyncGenerator[_Response, None]:
        """Yield the responses of all watches until the client ends its requests. Raises
        ServerDraining once every watch has sent its last bookmark, and whatever reading the
        requests raises."""
        self._tasks = [
            asyncio.create_task(self._read(requests), name="zaiko watch stream: requests"),
            asyncio.create_task(self._drain(), name="zaiko watch stream: drain"),
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
        """Cancel every task of the stream now, even while the stream is stuck in a write. A second
        call does nothing."""
        for task in [*self._tasks, *(watch.task for watch in self._watches.values())]:
            task.cancel()

    async def _read(self, requests: AsyncIterator[pb.WatchSyncSessionRequest]) -> None:
        try:
            async for request in requests:
                try:
                    self._check(request)
                    await self._handle(request)
                except ServiceError as error:
                    rejection = _Response.Rejection(problem=refused(error))
                    await self._outbox.put(_Response(watch_id=request.watch_id, rejected=rejection))
        except Exception as error:  # noqa: BLE001 - any error ends the stream: `responses` raises it
            await self._outbox.put(error)
        else:
            await self._outbox.put(None)

    async def _handle(self, request: pb.WatchSyncSessionRequest) -> None:
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
            text = (
                f"is not larger than {self._newest}, the newest watch of this stream; choose a "
                "larger one"
            )
            raise InvalidField([("watch_id", "watch_id.rising", text)])
        if len(self._watches) >= WATCHES:
            raise TooManyStreams(WATCHES)
        self._newest = watch_id
        watch = _StreamedWatch(self._slots)
        self._watches[watch_id] = watch
        watch.task = asyncio.create_task(
            self._send(watch_id, watch, request), name=f"zaiko watch stream: {watch_id}"
        )

    async def _send(
        self, watch_id: int, watch: _StreamedWatch, request: pb.WatchSyncRequest
    ) -> None:
        """Send one watch's responses, from `created` to its end."""
        try:
            opened = self._open(request)
            release = self._slots.take(caller().id)
            try:
                await self._outbox.put(_Response(watch_id=watch_id, created=_Response.Beginning()))
                watch.watch = opened
                async with aclosing(opened.messages()) as messages:
                    while True:
                        await watch.wait_for_room()
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
            # A name out of the caller's reach ends the whole call, as it does for every RPC.
            await self._outbox.put(denied)
        except ServiceError as error:
            self._watches.pop(watch_id, None)
            end = _Response.End(problem=refused(error))
            await self._outbox.put(_Response(watch_id=watch_id, cancelled=end))
        except Exception as error:  # noqa: BLE001 - a bug ends the stream, as it ends a WatchSync
            await self._outbox.put(error)

    async def _drain(self) -> None:
        await self._slots.drained.wait()
        watches = list(self._watches.values())
        for watch in watches:
            watch.wake()
        await asyncio.gather(*(watch.task for watch in watches), return_exceptions=True)
        await self._outbox.put(ServerDraining(1.0))


class _StreamedWatch:
    """One watch of the stream: what was sent, and what the client has acknowledged."""

    task: asyncio.Task[None]

    def __init__(self, slots: StreamSlots) -> None:
        self._slots = slots
        self.watch: Watch[pb.WatchSyncResponse] | None = None
        self.sent = self._acknowledged = 0
        self._changed = asyncio.Event()

    def acknowledge(self, delivery: int) -> None:
        """Record that the client is done with everything up to `delivery`. Raises InvalidField for
        a delivery that was not sent yet."""
        if delivery > self.sent:
            text = f"is {delivery}, but the last delivery of this watch is {self.sent}"
            raise InvalidField([("ack.delivery", "ack.sent", text)])
        self._acknowledged = max(self._acknowledged, delivery)
        self.wake()

    def request_progress(self) -> None:
        """Ask for a bookmark. A watch that has not begun ignores it: its first bookmark comes
        anyway."""
        if self.watch is not None:
            self.watch.request_progress()

    def wake(self) -> None:
        """Make `wait_for_room` check its condition again."""
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Wait until one more delivery may be sent. Returns at once while the server drains: last
        bookmarks are not held back."""
        while self.sent - self._acknowledged >= UNACKNOWLEDGED and not self._slots.draining:
            self._changed.clear()
            await self._changed.wait()
