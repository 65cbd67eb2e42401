"""Limit how often each of many callers may do something."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from zaiko_server.refusals import RateLimited

_KEPT = 10_000


class Buckets:
    """A token bucket per key: `burst` at once, and `rate` a second on average. It keeps the 10,000
    buckets that were used last; a forgotten one starts full. `clock` is monotonic, in seconds;
    `error` is made of the rate and the seconds to wait. Used by one event loop."""

    def __init__(
        self,
        *,
        rate: float,
        burst: float,
        clock: Callable[[], float],
        error: Callable[[float, float], RateLimited] = RateLimited,
    ) -> None:
        self.rate, self.burst, self._clock, self._error = rate, burst, clock, error
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, key: str) -> None:
        """Raise RateLimited when the bucket is empty."""
        level = self._level(key)
        if level < 1:
            raise self._error(self.rate, (1 - level) / self.rate)

    def take(self, key: str) -> None:
        """Take one token, if there is one."""
        self._levels[key] = (max(self._level(key) - 1, 0.0), self._clock())
        self._levels.move_to_end(key)
        while len(self._levels) > _KEPT:
            self._levels.popitem(last=False)

    def _level(self, key: str) -> float:
        level, at = self._levels.get(key, (self.burst, self._clock()))
        return min(self.burst, level + (self._clock() - at) * self.rate)
