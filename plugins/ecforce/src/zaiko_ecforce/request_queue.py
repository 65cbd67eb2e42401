"""One lane per shop: its requests go one after another at the shop's pace, whichever connector
sends them.

The host opens a second connector beside the one of the runs for a check or a listing, and the
platform counts them together.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from zaiko_sdk import RateLimiter
from zaiko_sdk.context import Clock

from zaiko_ecforce.settings import EcforceSettings


class RequestQueue:
    """`turn` is held for a whole exchange, repeats included; `pace` is passed by each request."""

    def __init__(self, settings: EcforceSettings, clock: Clock) -> None:
        self.turn = asyncio.Lock()
        self.pace = RateLimiter(clock, rate=settings.requests_per_second, burst=settings.burst)
        self.clock = clock


_queues: WeakValueDictionary[tuple[str, float, int, int], RequestQueue] = WeakValueDictionary()


def queue_of(settings: EcforceSettings, clock: Clock) -> RequestQueue:
    """Return the queue of this shop, which its open connectors in this process share. A queue keeps
    its clock alive, so that the clock's identity cannot be another's."""
    key = (settings.origin, settings.requests_per_second, settings.burst, id(clock))
    queue = _queues.get(key)
    if queue is None:
        queue = _queues[key] = RequestQueue(settings, clock)
    return queue
