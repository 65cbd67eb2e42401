"""Notifies watchers that a merchant's revision has moved. Holds no events, only the newest revision
that this process knows."""

from __future__ import annotations

import asyncio

from zaiko_core.domain.errors import ServiceError
from zaiko_core.storage.database import Database


class ChangeFeed:
    """One per process. `wake` may be called from any thread; a lost wake-up costs at most `poll`
    seconds."""

    def __init__(self, db: Database, *, poll: float = 1.0) -> None:
        self._db, self._poll = db, poll
        self._known: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._moved = asyncio.Condition()
        self._alarm = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Note a commit."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._alarm.set)

    async def start(self) -> None:
        """Begin to follow."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._follow(), name="zaiko feed")

    async def stop(self) -> None:
        """Stop following; waiters run into their timeouts."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, merchant: str, after: int, timeout: float) -> int:
        """Return the merchant's newest known revision as soon as it exceeds `after`, or whatever it
        is after `timeout` seconds."""
        self._waiting[merchant] = self._waiting.get(merchant, 0) + 1
        self._alarm.set()
        try:
            async with asyncio.timeout(timeout):
                async with self._moved:
                    await self._moved.wait_for(lambda: self._known.get(merchant, 0) > after)
        except TimeoutError:
            pass
        finally:
            self._waiting[merchant] -= 1
            if not self._waiting[merchant]:
                del self._waiting[merchant]
        return self._known.get(merchant, after)

    async def _follow(self) -> None:
        """Read for all watchers the heads of the merchants that they wait for, in one query."""
        while True:
            self._alarm.clear()
            merchants = list(self._waiting)
            if merchants:
                try:
                    heads = await self._db.directory.read(
                        lambda directory, names=merchants: directory.heads(names)  # type: ignore[misc]
                    )
                except ServiceError:
                    # The store does not answer; watchers wait, and their next read raises.
                    heads = {}
                moved = {
                    name: head for name, head in heads.items() if head > self._known.get(name, 0)
                }
                if moved:
                    async with self._moved:
                        self._known |= moved
                        self._moved.notify_all()
            try:
                async with asyncio.timeout(self._poll):
                    await self._alarm.wait()
            except TimeoutError:
                continue
