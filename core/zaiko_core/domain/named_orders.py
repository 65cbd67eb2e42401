"""Orders that a platform's notification names (ADR 0040): which names are kept, and when one that
cannot be read yet is asked for again. Pure; times in µs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

_SECOND = 1_000_000
_WAITS = (2 * _SECOND, 5 * _SECOND, 15 * _SECOND)
"""After the first, second and third answer without the order. After the next one it is left to the
search by cursor."""
_AFTER_ERROR = 15 * _SECOND
_KEPT = 3_600 * _SECOND
"""For so long an order is asked for whose reading fails."""
MOST = 500
"""Names that are kept for one shop."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order to be read by its id, at `due_at`. `reads`: answers so far without it."""

    order: str
    named_at: int
    due_at: int
    reads: int = 0


def usable(names: Iterable[str]) -> list[str]:
    """Return the ids in a notification that can be ids of orders, each once."""
    return [
        name
        for name in dict.fromkeys(names)
        if name and len(name) <= _LONGEST and name.isprintable()
    ]


def after_answer(
    named: Sequence[NamedOrder], present: Collection[str], known: Collection[str], now: int
) -> list[NamedOrder]:
    """Return what is asked for again after the platform has answered with the orders `present`. One
    that is absent and was `known` before has vanished; one that nobody knows may come yet."""
    return [
        replace(each, reads=each.reads + 1, due_at=now + _WAITS[each.reads])
        for each in named
        if each.order not in present and each.order not in known and each.reads < len(_WAITS)
    ]


def after_error(named: Sequence[NamedOrder], now: int) -> list[NamedOrder]:
    """Return what is asked for again after reading failed."""
    return [
        replace(each, due_at=now + _AFTER_ERROR) for each in named if now - each.named_at < _KEPT
    ]
