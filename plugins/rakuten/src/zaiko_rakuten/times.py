"""Times as RMS writes and expects them. The order APIs have one form only,
`2026-11-23T09:05:07+0900`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

JAPAN = timezone(timedelta(hours=9), "JST")


def moment(value: Any) -> datetime | None:
    """Return a time in UTC, or None. A time without an offset is Japan time."""
    return _parsed(value, JAPAN)


def served_at(value: Any) -> datetime | None:
    """Return the time of the reply header `Timestamp`, which is UTC without an offset."""
    return _parsed(value, UTC)


def order_time(value: datetime) -> str:
    """Return a bound of an order search: whole seconds, Japan time, an offset without a colon. RMS
    refuses any other form."""
    return value.astimezone(JAPAN).strftime("%Y-%m-%dT%H:%M:%S%z")


def _parsed(value: Any, zone: timezone) -> datetime | None:
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        parsed = datetime.fromisoformat(value.strip())
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
