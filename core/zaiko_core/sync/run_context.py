"""What every phase of a run works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from zaiko_sdk import Capability, Clock, ConnectorType, Log

from zaiko_core.app.records import RunCounts, ShopRecord
from zaiko_core.domain.decision import Policy
from zaiko_core.domain.fence import WriteMode
from zaiko_core.sync import translation
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.leased_run import LeasedRun

T = TypeVar("T")


class RunCancelled(Exception):
    """Raised where a run may end because a person asked for it: every write that was recorded as
    about to be sent has its outcome, and the platform has answered every call."""


def never() -> bool:
    """Return False: nobody asks the run to end."""
    return False


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run's lease, platform and time. `counts` is the run's tally: each phase adds to it as it
    goes, so that a run that fails half-way says what it did. `jitter` returns a number in
    [0, 1)."""

    run: LeasedRun
    kind: ConnectorType
    connector: GuardedConnector
    clock: Clock
    log: Log
    jitter: Callable[[], float]
    is_cancelled: Callable[[], bool] = never
    counts: RunCounts = field(default_factory=RunCounts)

    @property
    def shop(self) -> ShopRecord:
        """The shop as the claim found it."""
        return self.run.found.shop

    @property
    def now(self) -> int:
        """µs since 1970."""
        return translation.micros(self.clock.now())

    def may_end(self) -> None:
        """End here if a person asked for it: call it between two steps, never in one. A call to the
        platform is not cut off: it may be the one that renews credentials. Raises RunCancelled."""
        if self.is_cancelled():
            raise RunCancelled


def policy_of(kind: ConnectorType) -> Policy | None:
    """Return what the engine needs to know to push to this platform; None when its stock cannot be
    set."""
    if kind.inventory_mode is None or Capability.SET_INVENTORY not in kind.capabilities:
        return None
    return Policy(
        mode=WriteMode(kind.inventory_mode.value),
        maximum=kind.limits.max_quantity,
        visibility=int(kind.limits.order_visibility.total_seconds() * 1_000_000),
    )


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Split `items` into parts of at most `size`."""
    return [items[first : first + size] for first in range(0, len(items), size)]
