"""What makes a shop's next run begin, as it is kept with the shop: a rank, so that the strongest of
many wins in one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, literal

from zaiko_core.app.records import Trigger

_RANKS = {Trigger.CHANGE: 1, Trigger.WEBHOOK: 2, Trigger.REQUEST: 3}
"""0: nothing has asked for a run."""


def stronger(column: Any, trigger: Trigger) -> Any:
    """The column's new value: the stronger of what it has and of `trigger`, which is REQUEST,
    WEBHOOK or CHANGE."""
    rank = _RANKS[trigger]
    return case((column < rank, literal(rank)), else_=column)


def because(*, rank: int, pending: bool, held: bool, failed: bool) -> Trigger:
    """Why a due shop runs now. `pending`: something asked for a run since the last one began;
    `held`: its last owner's lease ran out; `failed`: its last run did."""
    if rank == _RANKS[Trigger.REQUEST]:
        return Trigger.REQUEST
    if held:
        return Trigger.RECOVERY
    if failed:
        return Trigger.RETRY
    if rank == _RANKS[Trigger.WEBHOOK]:
        return Trigger.WEBHOOK
    return Trigger.CHANGE if pending else Trigger.INTERVAL
