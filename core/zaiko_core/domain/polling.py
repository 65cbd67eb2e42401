"""When the orders of a shop are fetched next, while nothing asks for it earlier (ADR 0010). Pure;
times in µs."""

from __future__ import annotations

SOON = 10_000_000
"""After orders came in, the first look; the silence doubles from look to look."""


def next_fetch(now: int, interval: int, *, ordered_at: int | None, place: int, shops: int) -> int:
    """Return the delay in µs, > 0 and at most `interval`.

    The merchant's `shops` take turns within the interval, this one at its `place` (0 …). What one
    of them learns makes the others fetch at once, so the shop whose turn is next sees a sudden
    sale, instead of all shops after the whole interval. After orders came in at `ordered_at` the
    shop is fetched again soon, and then each time after as long a silence again.
    """
    turn = interval - (now - interval * place // shops) % interval
    if ordered_at is None:
        return turn
    return min(turn, max(SOON, now - ordered_at))
