"""A link as the columns of a row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from zaiko_core.app.records import LinkRecord, LinkState
from zaiko_core.domain.fence import InventoryBelief, PendingWrite
from zaiko_core.domain.problem import problem_from

FENCE = (
    "expected",
    "unexplained",
    "unexplained_since",
    "uncertain",
    "released",
    "adopted_at",
    "must_read",
    "pending_key",
    "pending_quantity",
    "pending_absolute",
    "pending_at",
    "replaced",
)
STATUS = (
    "sync_enabled",
    "attempt",
    "state",
    "target",
    "confirmed",
    "last_success_at",
    "last_attempt_at",
    "problem",
    "read_at",
    "differ_since",
    "updated_at",
    "revision",
)


def belief_values(belief: InventoryBelief) -> dict[str, Any]:
    """The columns of FENCE."""
    pending = belief.pending
    return {
        "expected": belief.expected,
        "unexplained": belief.unexplained,
        "unexplained_since": belief.unexplained_since,
        "uncertain": belief.uncertain,
        "released": belief.released,
        "adopted_at": belief.adopted_at,
        "must_read": belief.must_read,
        "pending_key": pending.key if pending else None,
        "pending_quantity": pending.quantity if pending else None,
        "pending_absolute": pending.absolute if pending else None,
        "pending_at": pending.at if pending else None,
        "replaced": belief.replaced,
    }


def belief_from(row: Row[Any]) -> InventoryBelief:
    """The fence in a row that has the columns of FENCE."""
    pending = (
        None
        if row.pending_key is None
        else PendingWrite(
            row.pending_key, row.pending_quantity, row.pending_at, row.pending_absolute
        )
    )
    return InventoryBelief(
        expected=row.expected,
        unexplained=row.unexplained,
        unexplained_since=row.unexplained_since,
        uncertain=row.uncertain,
        released=row.released,
        adopted_at=row.adopted_at,
        must_read=row.must_read,
        pending=pending,
        replaced=row.replaced,
    )


def link_from(row: Row[Any]) -> LinkRecord:
    """The link in a row that has the columns of `links`, without its parts."""
    return LinkRecord(
        shop=row.shop,
        listing=row.listing,
        parts=(),
        sync_enabled=row.sync_enabled,
        state=LinkState(row.state),
        belief=belief_from(row),
        due_at=row.due_at,
        due_revision=row.due_revision,
        attempt=row.attempt,
        target=row.target,
        confirmed=row.confirmed,
        last_success_at=row.last_success_at,
        last_attempt_at=row.last_attempt_at,
        problem=problem_from(row.problem),
        read_at=row.read_at,
        differ_since=row.differ_since,
        created_at=row.created_at,
        updated_at=row.updated_at,
        revision=row.revision,
    )
