"""A link as the columns of a row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from zaiko_core.app.records import LinkRecord, LinkState
from zaiko_core.domain.fence import Fence, Flight
from zaiko_core.domain.problem import problem_from

FENCE = (
    "expected",
    "suspected",
    "suspected_since",
    "doubt",
    "released",
    "taken_over_at",
    "must_read",
    "flight_key",
    "flight_quantity",
    "flight_absolute",
    "flight_at",
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


def fence_values(fence: Fence) -> dict[str, Any]:
    """The columns of FENCE."""
    flight = fence.flight
    return {
        "expected": fence.expected,
        "suspected": fence.suspected,
        "suspected_since": fence.suspected_since,
        "doubt": fence.doubt,
        "released": fence.released,
        "taken_over_at": fence.taken_over_at,
        "must_read": fence.must_read,
        "flight_key": flight.key if flight else None,
        "flight_quantity": flight.quantity if flight else None,
        "flight_absolute": flight.absolute if flight else None,
        "flight_at": flight.at if flight else None,
        "replaced": fence.replaced,
    }


def fence_from(row: Row[Any]) -> Fence:
    """The fence in a row that has the columns of FENCE."""
    flight = (
        None
        if row.flight_key is None
        else Flight(row.flight_key, row.flight_quantity, row.flight_at, row.flight_absolute)
    )
    return Fence(
        expected=row.expected,
        suspected=row.suspected,
        suspected_since=row.suspected_since,
        doubt=row.doubt,
        released=row.released,
        taken_over_at=row.taken_over_at,
        must_read=row.must_read,
        flight=flight,
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
        fence=fence_from(row),
        due_at=row.due_at,
        touched=row.touched,
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
