"""What the host provides to a connector for one shop. Everything outside the connector is reached
through here, so that a test can run a whole day of syncing in a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx


class Clock(Protocol):
    """The time, as a parameter."""

    def now(self) -> datetime:
        """Return the wall clock, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment. They never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`, at once when they are ≤ 0."""
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
    """A structured logger (structlog's). Never log a secret or a buyer's data."""

    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...


class ConnectorState(Protocol):
    """What a connector must remember over restarts: tokens that the platform rotates, and little
    else (64 KiB at most).

    It is one small document per shop, encrypted at rest like the credentials and shared by every
    process that opens the shop. The host deletes it when the shop's credentials are replaced,
    because what was derived from the old ones is worthless then.

    Two processes may hold the same single-use token for a moment (a run in one, a check in
    another). A connector whose token is refused loads again before it gives up: the other process
    may have saved a newer token.
    """

    async def load(self) -> Mapping[str, str]:
        """Return what any process saved last, or an empty document. Raises StateUnavailable."""
        ...

    async def save(self, values: Mapping[str, str]) -> None:
        """Replace the whole document. It is durable when this returns; save a rotated token before
        using it.

        Raises StateUnavailable, and the old document stays, or ValueError when the values are too
        large.
        """
        ...


class MemoryState:
    """A ConnectorState that lives as long as its process, for tests and for a connector opened by
    hand."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values: dict[str, str] = dict(values or {})

    async def load(self) -> Mapping[str, str]:
        return dict(self.values)

    async def save(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)


@dataclass(frozen=True, slots=True)
class ShopContext:
    """The host's side of one opened connector.

    `shop` is the shop's resource name, for log lines. `http` makes a client with the host's
    transport, time-outs and user agent; the connector closes it in `aclose`. `new_id` returns a
    fresh UUID as text. `state` is what the shop remembers over restarts; the host's is durable, the
    default one is not.
    """

    shop: str
    clock: Clock
    log: Log
    http: Callable[[], httpx.AsyncClient]
    new_id: Callable[[], str]
    state: ConnectorState = field(default_factory=MemoryState)
