"""Limit the streams that are open in a process, and refuse new ones while it drains."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from zaiko_server.refusals import ServerDraining, TooManyStreams


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """Limits of watches and other long streams."""

    process: int = 10_000
    """Streams open at once in this process."""
    principal: int = 1_000
    """Streams open at once for one caller."""
    slow_consumer_after: float = 30.0
    """Seconds that one write may wait for the client to read; then its watch ends with
    SLOW_CONSUMER."""


class StreamSlots:
    """The slots of one process. Used by one event loop."""

    def __init__(self, limits: WatchLimits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self._all_free = asyncio.Event()
        self._all_free.set()
        self.drained = asyncio.Event()
        """Set when the process begins to drain; never cleared."""

    @property
    def taken(self) -> int:
        """The number of streams that are open."""
        return self._taken.total()

    @property
    def draining(self) -> bool:
        """Whether new streams are refused because the process stops."""
        return self.drained.is_set()

    def take(self, principal: str) -> Callable[[], None]:
        """Take a slot for one more stream, and return the function that releases it. Releasing
        twice does nothing. Raises TooManyStreams and ServerDraining."""
        if self.draining:
            raise ServerDraining(1.0)
        if self.taken >= self._limits.process:
            raise TooManyStreams(self._limits.process)
        if self._taken[principal] >= self._limits.principal:
            raise TooManyStreams(self._limits.principal)
        self._taken[principal] += 1
        self._all_free.clear()
        held = True

        def release() -> None:
            nonlocal held
            if not held:
                return
            held = False
            self._taken[principal] -= 1
            if not self._taken[principal]:
                del self._taken[principal]
            if not self.taken:
                self._all_free.set()

        return release

    async def wait_until_free(self, timeout: float) -> bool:
        """Return whether every slot is released within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._all_free.wait()
        except TimeoutError:
            return False
        return True
