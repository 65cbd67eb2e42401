"""Keeping to the limit of each function: calls a second, counted by RMS when they arrive.

All connectors of a shop in this process share the queues of its key: the host opens another
connector for each check and each reading of the catalogue.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from types import TracebackType
from weakref import WeakValueDictionary

from zaiko_sdk import Clock

from zaiko_rakuten.functions import Function
from zaiko_rakuten.settings import RakutenSettings

_SPREAD = 0.75
"""How evenly calls are spread; 1 is evenly. With less, a queue makes up for calls that left late,
and still keeps the limit."""


class FunctionQueue:
    """The queue of one function: one call at a time (UNCONFIRMED whether RMS accepts more), spread
    out, and never more than `rate` calls in any second; `share` of that is used.

    `async with queue:` around a call waits for its turn. What counts is when a call arrives: one
    that took longer than usual may have arrived late, so it is counted as that much later.
    """

    def __init__(self, clock: Clock, rate: float, share: float) -> None:
        self._clock, self._gap, self._second = clock, _SPREAD / rate, 1 / share
        self._turn = asyncio.Lock()
        self._arrived: deque[float] = deque(maxlen=max(1, int(rate)))
        self._sent = self._free_at = clock.monotonic()
        self._usual: float | None = None

    async def __aenter__(self) -> FunctionQueue:
        await self._turn.acquire()
        try:
            await self._clock.sleep(self._free_at - self._clock.monotonic())
        except BaseException:
            self._turn.release()
            raise
        self._sent = self._clock.monotonic()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        took = self._clock.monotonic() - self._sent
        self._arrived.append(self._sent + took - min(took, self._usual or 0.0))
        self._usual = took if self._usual is None else min(self._usual * 1.05, took)
        self._free_at = max(self._free_at, self._sent + self._gap)
        if len(self._arrived) == self._arrived.maxlen:
            self._free_at = max(self._free_at, self._arrived[0] + self._second)
        self._turn.release()

    def hold(self, seconds: float) -> None:
        """Let no call through for `seconds`: RMS reported that calls came too fast."""
        self._free_at = max(self._free_at, self._clock.monotonic() + seconds)


class FunctionQueues:
    """The queues of one licence key."""

    def __init__(self, clock: Clock, share: float) -> None:
        self._clock, self._share = clock, share
        self._queues: dict[str, FunctionQueue] = {}

    def to(self, function: Function) -> FunctionQueue:
        """Return the queue of a function (UNCONFIRMED: limits are per function and key)."""
        queue = self._queues.get(function.name)
        if queue is None:
            queue = self._queues[function.name] = FunctionQueue(
                self._clock, function.rate, self._share
            )
        return queue


_shared: WeakValueDictionary[tuple[str, int], FunctionQueues] = WeakValueDictionary()


def queues_of(settings: RakutenSettings, clock: Clock) -> FunctionQueues:
    """Return the queues of a shop, which live as long as a connector holds them."""
    words = (settings.origin, str(settings.quota_share), settings.license_key.get_secret_value())
    identity = hashlib.sha256("\0".join(words).encode()).hexdigest(), id(clock)
    queues = _shared.get(identity)
    if queues is None:
        queues = _shared[identity] = FunctionQueues(clock, settings.quota_share)
    return queues
