"""The open connectors of this process: one for each shop, shared by its runs, checks, readings of
listings and webhooks, so that tokens, quotas and connections are known once (ADR 0009)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from zaiko_sdk import Clock

from zaiko_core.app.records import ShopRecord
from zaiko_core.sync.guard import GuardedConnector

IDLE = 600.0
"""Seconds after which an unused connector is closed: 20,000 shops do not keep 20,000
connections."""
_SWEEP = 60.0

Open = Callable[[str, ShopRecord], GuardedConnector]


@dataclass(slots=True)
class _Kept:
    identity: tuple[Any, ...]
    connector: GuardedConnector
    users: int = 0
    used_at: float = 0.0
    replaced: bool = False


class Connectors:
    """A pool for one event loop. `open_` opens a shop's connector, and raises what `use` then
    raises."""

    def __init__(self, open_: Open, *, clock: Clock) -> None:
        self._open, self._clock = open_, clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._swept_at = clock.monotonic()

    @property
    def count(self) -> int:
        """How many are open, without those that were replaced and close with their last user."""
        return len(self._kept)

    @contextlib.asynccontextmanager
    async def use(self, merchant: str, shop: ShopRecord) -> AsyncIterator[GuardedConnector]:
        """Lend the shop's connector for as long as the context lasts; others may use it meanwhile.
        A connector with other settings or credentials is opened afresh, and the old one closed when
        its last user is done."""
        await self._sweep()
        kept = await self._current(merchant, shop)
        kept.users += 1
        try:
            yield kept.connector
        finally:
            kept.users -= 1
            kept.used_at = self._clock.monotonic()
            if kept.replaced and not kept.users:
                await kept.connector.aclose()

    async def forget(self) -> None:
        """Open every connector afresh at its next use."""
        for key in list(self._kept):
            if key in self._kept:
                await _end(self._kept.pop(key))

    async def aclose(self) -> None:
        """Close them all, also those in use; none may be opened afterwards."""
        kept, self._kept = list(self._kept.values()), {}
        for each in kept:
            await each.connector.aclose()

    async def _current(self, merchant: str, shop: ShopRecord) -> _Kept:
        key, identity = (
            (merchant, shop.shop),
            (shop.connector, shop.settings, shop.secrets, shop.created_at),
        )
        kept = self._kept.get(key)
        if kept is not None and kept.identity == identity:
            return kept
        # In its place before the first await: a concurrent caller shares it.
        fresh = self._kept[key] = _Kept(identity, self._open(merchant, shop))
        if kept is not None:
            fresh.users += 1
            try:
                await _end(kept)
            finally:
                fresh.users -= 1
        return fresh

    async def _sweep(self) -> None:
        now = self._clock.monotonic()
        if now - self._swept_at < _SWEEP:
            return
        self._swept_at = now
        for key in [
            key for key, kept in self._kept.items() if not kept.users and now - kept.used_at > IDLE
        ]:
            if key in self._kept and not self._kept[key].users:
                await _end(self._kept.pop(key))


async def _end(kept: _Kept) -> None:
    kept.replaced = True
    if not kept.users:
        await kept.connector.aclose()
