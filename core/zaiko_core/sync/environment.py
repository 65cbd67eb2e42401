"""What the engine takes from its surroundings: time, chance, logs and traces. Tests pass their
own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.trace import Tracer
from zaiko_sdk import Clock, Log

from zaiko_core.sync import translation


@dataclass(frozen=True, slots=True)
class Environment:
    """One per process. `new_id` returns a fresh id, `jitter` a number in [0, 1)."""

    clock: Clock
    log: Log
    tracer: Tracer
    new_id: Callable[[], str]
    jitter: Callable[[], float]

    @property
    def now(self) -> int:
        """µs since 1970."""
        return translation.micros(self.clock.now())

    def run_id(self) -> str:
        """Return the id of a new run. Ids are ordered by time, so that the newest run sorts
        last."""
        return f"{self.now:016d}-{self.new_id()[:8]}"
