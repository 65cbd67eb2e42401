"""One queue of requests per shop: they are sent one after another at the shop's pace, no matter
which connector sends them.

For a check or a listing the host opens a second connector beside the one of the runs, and the
platform counts both together.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from zaiko_sdk import RateLimiter
from zaiko_sdk.context import Clock

from zaiko_ecforce.settings import EcforceSettings


class RequestQueue:
    """A connector holds `turn` for a whole exchange, repeats included; each request passes
    `pace`."""

    def __init__(self, settings: EcforceSettings, clock: Clock) -> None:
        self.turn = asyncio.Lock()
        self.pace = RateLimiter(clock, rate=settings.requests_per_second, burst=settings.burst)
        self.clock = clock


_queues: WeakValueDictionary[tuple[str, float, int, int], RequestQueue] = WeakValueDictionary()


def queue_of(settings: EcforceSettings, clock: Clock) -> RequestQueue:
    """Return the queue of this shop, which all open connectors of this process share. A queue keeps
    its clock alive, so another clock cannot get its identity."""
    key = (settings.origin, settings.requests_per_second, settings.burst, id(clock))
    queue = _queues.get(key)
    if queue is None:
        queue = _queues[key] = RequestQueue(settings, clock)
    return queue
