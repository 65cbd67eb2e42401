"""How long something waits that failed again: links and additions. The back-off of a shop's runs is
in sync/backoff.py. Pure; times in µs."""

from __future__ import annotations

from dataclasses import dataclass

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Doubling:
    """A wait that begins at `first`, doubles with each failure, and ends at `last`."""

    first: int
    last: int

    def wait(self, failures: int) -> int:
        """Return the wait after the `failures`th failure in a row (1 …)."""
        doublings = min(failures - 1, 16)
        return min(self.first << doublings, self.last)


LINK = Doubling(30 * _SECOND, 3_600 * _SECOND)
ADDITION = Doubling(2 * _SECOND, 3_600 * _SECOND)
