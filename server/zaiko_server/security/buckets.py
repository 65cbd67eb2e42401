"""How often each of many may do something."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from zaiko_server.refusals import RateLimited

_KEPT = 10_000


class Buckets:
    """A token bucket for each key: `burst` at once, `rate` a second in the long run. Keeps the
    10,000 that were used last; one that was forgotten begins full. `clock` gives seconds that never
    go back; `refusal` is made of the rate and of the seconds to wait. Of one event loop."""

    def __init__(
        self,
        *,
        rate: float,
        burst: float,
        clock: Callable[[], float],
        refusal: Callable[[float, float], RateLimited] = RateLimited,
    ) -> None:
        self.rate, self.burst, self._clock, self._refusal = rate, burst, clock, refusal
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, key: str) -> None:
        """Raises RateLimited when there is nothing left."""
        level = self._level(key)
        if level < 1:
            raise self._refusal(self.rate, (1 - level) / self.rate)

    def take(self, key: str) -> None:
        """Take one, as far as there is one."""
        self._levels[key] = (max(self._level(key) - 1, 0.0), self._clock())
        self._levels.move_to_end(key)
        while len(self._levels) > _KEPT:
            self._levels.popitem(last=False)

    def _level(self, key: str) -> float:
        level, at = self._levels.get(key, (self.burst, self._clock()))
        return min(self.burst, level + (self._clock() - at) * self.rate)
