"""When it is announced that credentials end. Times are µs since 1970. Pure."""

from __future__ import annotations

DAY = 24 * 3_600_000_000
STEPS = (30, 14, 7, 3, 1, 0)
"""Days before the end; each is announced once."""
SOON = 14 * DAY
"""µs before their end at which credentials are shown as expiring."""


def step(expire_at: int | None, at: int) -> int | None:
    """Return the step that is reached at a moment: the smallest number of days that still covers
    what is left; None while more is left."""
    if expire_at is None:
        return None
    left = expire_at - at
    return next((days for days in reversed(STEPS) if left <= days * DAY), None)


def newly_reached(
    expire_at: int | None, at: int, *, known: int | None, known_at: int | None
) -> int | None:
    """Return the step to announce now, or None when it has been announced: `known` was the end when
    it was last checked, at `known_at`."""
    reached = step(expire_at, at)
    announced = step(known, known_at) if known == expire_at and known_at is not None else None
    return reached if reached != announced else None
