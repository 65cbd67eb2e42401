"""Keeping to a platform's quota without wasting it. A limiter counts the calls of one process and
shop, which is enough because runs of a shop never overlap."""

from __future__ import annotations

import asyncio

from zaiko_sdk.context import Clock


class RateLimiter:
    """Allow at most `rate` calls a second, and up to `burst` at once after a pause (a token
    bucket).

    `async with limiter:` waits for a place. Waiters are served in order. Many tasks of one event
    loop may use it.
    """

    def __init__(self, clock: Clock, *, rate: float, burst: int = 1) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"rate must be > 0 and burst ≥ 1, not {rate} and {burst}")
        self._clock, self._rate, self._burst = clock, rate, burst
        self._tokens, self._at = float(burst), clock.monotonic()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> RateLimiter:
        async with self._turn:
            self._refill()
            if self._tokens < 1:
                await self._clock.sleep((1 - self._tokens) / self._rate)
                self._refill()
            self._tokens -= 1
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    def penalise(self, seconds: float) -> None:
        """Let no call through for `seconds`, because the platform said to wait."""
        self._refill()
        self._tokens = min(self._tokens, 1 - seconds * self._rate)

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(float(self._burst), self._tokens + (now - self._at) * self._rate)
        self._at = now


class CostBucket:
    """A leaky bucket that the platform itself reports after each call (Shopify's `throttleStatus`).

    `await reserve(cost)` waits until the bucket is believed to hold `cost`. `report` replaces that
    belief by what the reply said. Before the first report nothing is known, and calls are let
    through one by one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._available = self._maximum = self._restore = 0.0
        self._at = clock.monotonic()
        self._known = False
        self._turn = asyncio.Lock()

    async def reserve(self, cost: float) -> None:
        """Wait until the bucket is believed to hold `cost` points, and take them."""
        async with self._turn:
            if not self._known:
                return
            self._refill()
            missing = min(cost, self._maximum) - self._available
            if missing > 0:
                await self._clock.sleep(missing / self._restore)
                self._refill()
            self._available -= cost

    def report(self, *, available: float, maximum: float, restore_rate: float) -> None:
        """Replace the belief by what the platform's reply said. `restore_rate` is in points per
        second, > 0."""
        self._available, self._maximum, self._restore = available, maximum, max(restore_rate, 1.0)
        self._at = self._clock.monotonic()
        self._known = True

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._available = min(self._maximum, self._available + (now - self._at) * self._restore)
        self._at = now
