"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T], what: str = "it did not come to be so", *, seconds: float = 60
) -> T:
    """What `condition` gives, once that is something. Raises AssertionError with `what` after
    `seconds`, which say how long a busy machine may take, not how long it should."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found
