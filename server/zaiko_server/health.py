"""Whether this process can serve: health follows the store, so that load balancers send calls to a
replica that can answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from zaiko_core.domain.errors import StorageUnavailable

EVERY, PATIENCE, FAILURES = 1.0, 5.0, 2
"""Seconds between two looks; seconds that one may take; how many in a row must fail. One hiccup
moves nobody."""


class Store(Protocol):
    """What can be asked (zaiko_core.storage.engine.Database)."""

    async def ping(self) -> None: ...


class HealthReporter:
    """Tells `tell(serving)` when it changes. `start` once the server serves, `stop` first thing in
    a drain."""

    def __init__(
        self,
        store: Store,
        tell: Callable[[bool], Awaitable[None]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._tell, self._sleep = store, tell, sleep
        self._task: asyncio.Task[None] | None = None
        self._log: Any = structlog.get_logger("zaiko.vitals")

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._follow(), name="zaiko vitals")

    async def stop(self) -> None:
        """Look no more; what was told last stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        failures, serving = 0, True
        while True:
            await self._sleep(EVERY)
            trouble = await self._look()
            failures = failures + 1 if trouble else 0
            if serving and failures == FAILURES:
                serving = False
                self._log.error("not_serving", problem=trouble)
                await self._tell(False)
            elif not serving and not failures:
                serving = True
                self._log.info("serving_again")
                await self._tell(True)

    async def _look(self) -> str:
        """What is wrong, or nothing."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._store.ping()
        except StorageUnavailable as error:
            return error.message
        except TimeoutError:
            return f"the database did not answer within {PATIENCE:g} s"
        return ""
