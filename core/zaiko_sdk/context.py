"""What the host hands a connector for one shop. Everything that touches the outside world comes through here, so that
a whole day of syncing can run in a test in a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx


class Clock(Protocol):
    """Time as a parameter."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once when they are ≤ 0."""
        ...


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class Log(Protocol):
    """A structured logger (structlog's). Never pass a secret or a buyer's data to it."""

    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class ShopContext:
    """The host's side of one opened connector.

    `shop` is the shop's resource name, for log lines. `http` makes a client whose transport, time-outs and
    user agent are the host's; the connector closes it in `aclose`. `new_id` gives a fresh UUID as text.
    """

    shop: str
    clock: Clock
    log: Log
    http: Callable[[], httpx.AsyncClient]
    new_id: Callable[[], str]
