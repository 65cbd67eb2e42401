"""The simulated load limit. Next Engine publishes none; it answers 003002 when it is overloaded
(FACTS.md §2 and §3)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

OVERLOADED = "003002"


@dataclass(slots=True)
class Quotas:
    """At most `per_second` calls within any second. `used_up`: none at all, until the limit is set
    anew."""

    enforced: bool = True
    per_second: int = 50
    used_up: bool = False
    throttled: int = 0
    monotonic: Callable[[], float] = time.monotonic
    _calls: deque[float] = field(default_factory=deque)

    def refuse(self) -> bool:
        """Count a call; whether it is one too many."""
        now = self.monotonic()
        while self._calls and self._calls[0] <= now - 1.0:
            self._calls.popleft()
        if self.used_up or (self.enforced and len(self._calls) >= self.per_second):
            self.throttled += 1
            return True
        self._calls.append(now)
        return False

    def set(self, *, enforced: bool) -> None:
        """Whether the limit is enforced; the load is gone in either case."""
        self.enforced, self.used_up = enforced, False
