"""What the host hands a connector for one shop. Everything that touches the outside world comes
through here, so that a whole day of syncing can run in a test in a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


class ConnectorState(Protocol):
    """What a connector must remember over restarts: tokens that the platform rotates, and nothing
    else of weight (64 KiB at most).

    One small document per shop, encrypted at rest like the credentials, shared by every process
    that opens the shop. It is forgotten when the shop's credentials are replaced: what was derived
    from the old ones is worthless then.

    Two processes may hold the same single-use token for a moment (a run in one, a check in
    another). Whoever is refused with a token that it had from `load` loads again before it gives
    up: the other one may have saved a newer one meanwhile.
    """

    async def load(self) -> Mapping[str, str]:
        """What was saved last, by any process; empty when nothing was. Raises StateUnavailable."""
        ...

    async def save(self, values: Mapping[str, str]) -> None:
        """Replace the whole document. Durable when this returns; save a rotated token before it is
        used for the first time. Raises StateUnavailable (the old document stays) and ValueError
        when the values are too large."""
        ...


class MemoryState:
    """A ConnectorState that lives as long as its process: for tests and for a connector opened by
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

    `shop` is the shop's resource name, for log lines. `http` makes a client whose transport,
    time-outs and user agent are the host's; the connector closes it in `aclose`. `new_id` gives a
    fresh UUID as text. `state` is the shop's own small memory over restarts; the host's is durable,
    the default one is not.
    """

    shop: str
    clock: Clock
    log: Log
    http: Callable[[], httpx.AsyncClient]
    new_id: Callable[[], str]
    state: ConnectorState = field(default_factory=MemoryState)
