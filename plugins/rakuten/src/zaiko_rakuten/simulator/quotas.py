"""The limits of the simulated functions: calls a second to each of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from zaiko_sdk.testing.simulator import CallWindow


@dataclass(frozen=True, slots=True)
class Served:
    """A function as the gateway knows it: `rate` calls a second."""

    name: str
    rate: int
    orders: bool = False
    """Whether it is one of the order APIs, which are strict about the content type and had a
    gateway of their own."""
    writes: bool = False


class Quotas:
    """Allows at most `rate` calls to a function in any second (UNCONFIRMED: per function and key).

    `exhausted` refuses all calls, as if other systems with the same key used up the whole limit.
    """

    def __init__(self) -> None:
        self.enforced, self.exhausted = True, False
        self.monotonic = time.monotonic
        self._windows: dict[str, CallWindow] = {}

    @property
    def throttled(self) -> dict[str, int]:
        """How often each function was refused because of load."""
        return {
            name: window.throttled for name, window in self._windows.items() if window.throttled
        }

    def too_fast(self, function: Served) -> bool:
        """Count a call, and return whether it is one too many."""
        window = self._windows.setdefault(
            function.name, CallWindow(most=function.rate, monotonic=lambda: self.monotonic())
        )
        window.enforced, window.exhausted = self.enforced, self.exhausted
        return not window.take()
