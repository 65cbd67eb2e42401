"""Report this process as healthy while its store answers, so that load balancers send calls to a
replica that can serve them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from zaiko_core.domain.errors import StorageUnavailable

INTERVAL = 1.0
"""Seconds between two checks."""
TIMEOUT = 5.0
"""Seconds that one check may take."""
FAILURES = 2
"""Consecutive failed checks that make the process unhealthy. One failure changes nothing."""


class HealthReporter:
    """Calls `publish(serving)` when the health changes. `ping` raises StorageUnavailable while the
    store does not answer. Call `start` once the server serves, and `stop` first in a drain."""

    def __init__(
        self,
        ping: Callable[[], Awaitable[None]],
        publish: Callable[[bool], Awaitable[None]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ping, self._publish, self._sleep = ping, publish, sleep
        self._task: asyncio.Task[None] | None = None
        self._log: Any = structlog.get_logger("zaiko.health")

    def start(self) -> None:
        """Begin to check."""
        self._task = asyncio.create_task(self._follow(), name="zaiko health")

    async def stop(self) -> None:
        """End the checks. The last published state stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        failures, serving = 0, True
        while True:
            await self._sleep(INTERVAL)
            trouble = await self._check()
            failures = failures + 1 if trouble else 0
            if serving and failures == FAILURES:
                serving = False
                self._log.error("not_serving", problem=trouble)
                await self._publish(False)
            elif not serving and not failures:
                serving = True
                self._log.info("serving_again")
                await self._publish(True)

    async def _check(self) -> str:
        """Return what is wrong, or an empty text."""
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._ping()
        except StorageUnavailable as error:
            return error.message
        except TimeoutError:
            return f"the database did not answer within {TIMEOUT:g} s"
        return ""
