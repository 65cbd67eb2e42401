"""Uploads, which Next Engine puts into a queue and applies later (FACTS.md §6), each of them at
most once.

An upload that was sent twice is added twice, and a number that is read while one waits is soon
wrong. So an upload is written into the shop's memory before it is sent, and removed when its end
was seen. While one is noted there, nothing is read or sent: the next call, in any process, first
waits until Next Engine has finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from zaiko_sdk import ConnectorError, PlatformDown, ShopContext, StateUnavailable, Timeout, read_row

from zaiko_nextengine.client import Client
from zaiko_nextengine.memory import Memory
from zaiko_nextengine.rows import QueueRow, fields_of
from zaiko_nextengine.settings import NextEngineSettings

_UPLOAD, _QUEUE = "/api_v1_master_goods/upload", "/api_v1_system_que/search"
_WAITING, _RUNNING, _DONE, _FAILED = 0, 1, 2, -1
_LOST = "?"
"""Instead of a job's id: the reply that contains it did not come, or has not come yet."""
_GRACE = 15.0
"""Seconds after which an upload whose reply was lost must be in the queue, if it arrived."""
_GIVEN_UP = timedelta(hours=6)
"""Next Engine may hold a job for an hour. After six hours an unfinished job is treated as dropped,
so that the shop can go on."""
_RETRY_AFTER = 30.0
_QUEUE_FIELD, _TIME_FIELD = "upload", "upload_at"


@dataclass(frozen=True, slots=True)
class Ended:
    """How an upload ended. `whole` when every line was applied; else `message` is what Next Engine
    says of those that were not. `status_known` is False when the queue has an unknown status."""

    whole: bool
    message: str = ""
    status_known: bool = True


@dataclass(frozen=True, slots=True)
class _Pending:
    queue: str
    sent_at: datetime | None


class Uploads:
    """The uploads of one shop. Runs of a shop do not overlap, so no two are sent at once."""

    def __init__(
        self, context: ShopContext, client: Client, memory: Memory, settings: NextEngineSettings
    ) -> None:
        self._clock, self._log = context.clock, context.log
        self._client, self._memory = client, memory
        self._pause, self._patience = settings.queue_poll_seconds, settings.queue_patience_seconds

    async def settle(self) -> bool:
        """Wait until an earlier upload whose end was not seen is finished, and return whether there
        was one. What was read before then is worthless. Raises PlatformDown when it takes too long,
        and the errors of reading the queue."""
        pending = await self._pending()
        if pending is None:
            return False
        began = self._clock.monotonic()
        while not await self._is_over(pending, waited=self._clock.monotonic() - began):
            if self._clock.monotonic() - began >= self._patience:
                raise PlatformDown(
                    "Next Engine has not finished an earlier upload of ours",
                    retry_after=_RETRY_AFTER,
                )
            await self._clock.sleep(self._pause)
        await self._memory.change({}, forget=(_QUEUE_FIELD, _TIME_FIELD))
        return True

    async def send(self, csv: str) -> Ended | None:
        """Upload, and return the end, or None when it was not seen. Raises Timeout when the upload
        may have been accepted, and other errors when it certainly was not."""
        await self._memory.change({_QUEUE_FIELD: _LOST, _TIME_FIELD: self._clock.now().isoformat()})
        try:
            queue = await self._client.upload(_UPLOAD, csv)
        except ConnectorError as error:
            if not isinstance(error, Timeout) or error.sent is False:
                await self._strike_out()
            raise
        try:
            await self._memory.change({_QUEUE_FIELD: queue})
        except StateUnavailable:
            # The note without the id stays, and is sufficient.
            self._log.warning("upload_not_noted", queue=queue)
        ended = await self._end_of(queue)
        if ended is not None:
            await self._strike_out()
        return ended

    async def _strike_out(self) -> None:
        """Remove the note of an upload. A failure does not change the outcome of this call: a note
        that stays costs the next call a read of the queue."""
        try:
            await self._memory.change({}, forget=(_QUEUE_FIELD, _TIME_FIELD))
        except StateUnavailable:
            self._log.warning("upload_not_struck_out")

    async def _end_of(self, queue: str) -> Ended | None:
        deadline = self._clock.monotonic() + self._patience
        while self._clock.monotonic() < deadline:
            await self._clock.sleep(self._pause)
            try:
                row = await self._look(queue)
            except ConnectorError as error:
                # Next Engine accepted it, so an error would claim too much. The next reader waits
                # for its end.
                self._log.warning("upload_not_followed", queue=queue, reason=error.reason)
                return None
            if row is None or row.que_status_id in (_WAITING, _RUNNING):
                continue
            if row.que_status_id == _DONE:
                return Ended(whole=True)
            if row.que_status_id != _FAILED:
                self._log.error("upload_status_not_known", queue=queue, status=row.que_status_id)
            return Ended(
                whole=False, message=row.que_message, status_known=row.que_status_id == _FAILED
            )
        self._log.warning("upload_not_finished", queue=queue)
        return None

    async def _is_over(self, pending: _Pending, *, waited: float) -> bool:
        row = await self._look(pending.queue) if pending.queue != _LOST else None
        age = (
            (self._clock.now() - pending.sent_at).total_seconds()
            if pending.sent_at is not None
            else 0.0
        )
        if row is not None:
            over = row.que_status_id not in (_WAITING, _RUNNING)
        else:
            # It is not known which one is ours; when none is unfinished, ours is finished.
            form = {
                "fields": fields_of(QueueRow),
                "que_status_id-in": f"{_WAITING},{_RUNNING}",
                "limit": "1",
            }
            rows, _ = await self._client.search(_QUEUE, form)
            over = not rows and max(age, waited) >= _GRACE
        if not over and age > _GIVEN_UP.total_seconds():
            self._log.error("upload_given_up", queue=pending.queue)
            return True
        return over

    async def _look(self, queue: str) -> QueueRow | None:
        rows, _ = await self._client.search(
            _QUEUE, {"fields": fields_of(QueueRow), "que_id-eq": queue, "limit": "1"}
        )
        found = [read_row(QueueRow, row, what="a queue") for row in rows]
        return next((row for row in found if row.que_id == queue), None)

    async def _pending(self) -> _Pending | None:
        document = await self._memory.load()
        if _QUEUE_FIELD not in document:
            return None
        try:
            sent_at = datetime.fromisoformat(document[_TIME_FIELD]).astimezone(UTC)
        except (KeyError, ValueError):
            sent_at = None
        return _Pending(document[_QUEUE_FIELD], sent_at)
