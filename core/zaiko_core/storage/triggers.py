"""What triggers a shop's next run, as it is stored in the shop's row: a rank, so that the strongest
trigger wins in one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, literal

from zaiko_core.app.records import Trigger

_RANKS = {Trigger.CHANGE: 1, Trigger.WEBHOOK: 2, Trigger.REQUEST: 3}
"""0: nothing has triggered a run."""


def stronger(column: Any, trigger: Trigger) -> Any:
    """Return the column's new value: the stronger of its own and of `trigger`, which is REQUEST,
    WEBHOOK or CHANGE."""
    rank = _RANKS[trigger]
    return case((column < rank, literal(rank)), else_=column)


def is_request(column: Any) -> Any:
    """Return the condition that a person asked for a run."""
    return column >= _RANKS[Trigger.REQUEST]


def is_notification(column: Any) -> Any:
    """Return the condition that the platform, or a person, asked for a run."""
    return column >= _RANKS[Trigger.WEBHOOK]


def because(*, rank: int, pending: bool, held: bool, failed: bool) -> Trigger:
    """Return why a due shop runs now. `pending`: something triggered it since the last run began;
    `held`: the lease of its last owner ran out; `failed`: its last run failed."""
    if rank == _RANKS[Trigger.REQUEST]:
        return Trigger.REQUEST
    if held:
        return Trigger.RECOVERY
    if failed:
        return Trigger.RETRY
    if rank == _RANKS[Trigger.WEBHOOK]:
        return Trigger.WEBHOOK
    return Trigger.CHANGE if pending else Trigger.INTERVAL
