"""Quotas as platforms enforce them. What a refusal looks like is for the routes to say."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class TokenBucket:
    """Allow `rate` calls a second on average, and `burst` at once after a pause.

    `enforced` off allows everything. `exhausted` allows nothing while enforced: other clients of
    the shop use up every place. `throttled` counts the refused calls.
    """

    def __init__(
        self, *, rate: float, burst: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self.monotonic = rate, burst, monotonic
        self.enforced, self.exhausted, self.throttled = True, False, 0
        self._tokens, self._at = burst, monotonic()

    def available(self) -> float:
        """Return the calls that may be made at once now."""
        now = self.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return self._tokens

    def take(self) -> bool:
        """Count a call and return True, or return False when it is one too many."""
        available = self.available()
        if not self.enforced:
            return True
        if self.exhausted or available < 1:
            self.throttled += 1
            return False
        self._tokens -= 1
        return True

    def enforce(self, enforced: bool) -> None:
        """Switch the quota on or off. Other clients stop using it up in both cases."""
        self.enforced, self.exhausted = enforced, False

    def exhaust(self) -> None:
        """Let other clients of the shop use up every place."""
        self.enforced = self.exhausted = True


class CallWindow:
    """Allow at most `most` calls within any `seconds`.

    `enforced` off allows everything. `exhausted` allows nothing while enforced.
    """

    def __init__(
        self, *, most: int, seconds: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.most, self.seconds, self.monotonic = most, seconds, monotonic
        self.enforced, self.exhausted, self.throttled = True, False, 0
        self._calls: deque[float] = deque()

    def take(self) -> bool:
        """Count a call and return True, or return False when it is one too many."""
        now = self.monotonic()
        while self._calls and now - self._calls[0] >= self.seconds:
            self._calls.popleft()
        if self.enforced and (self.exhausted or len(self._calls) >= self.most):
            self.throttled += 1
            return False
        self._calls.append(now)
        return True

    def free_in(self) -> float:
        """Return the seconds until the oldest call of the window no longer counts; 0 without
        calls."""
        return max(0.0, self.seconds - (self.monotonic() - self._calls[0])) if self._calls else 0.0

    def enforce(self, enforced: bool) -> None:
        """Switch the quota on or off. Other clients stop using it up in both cases."""
        self.enforced, self.exhausted = enforced, False

    def exhaust(self) -> None:
        """Let other clients of the shop use up every place."""
        self.enforced = self.exhausted = True
