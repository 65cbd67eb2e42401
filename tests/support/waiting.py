"""Wait for another process or thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    what: str = "the condition was not met in time",
    *,
    seconds: float = 120,
) -> T:
    """Return the result of `condition` once it is truthy. Raises AssertionError with `what` after
    `seconds`: the time that a busy machine may need, not the time that it should need."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found
