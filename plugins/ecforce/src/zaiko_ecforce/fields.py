"""Fields and times as ecforce writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from zaiko_sdk import LooseFields

JAPAN = timezone(timedelta(hours=9), "JST")
_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d", "%Y-%m-%d")


class EcforceFields(LooseFields):
    """The attributes of one resource."""

    def moment_or_none(self, name: str) -> datetime | None:
        """Return a time; None for null, a missing attribute and what is not a time."""
        return moment(self.raw(name))


def moment(value: Any) -> datetime | None:
    """Return a time as ecforce writes it, or None. Slashes without an offset are Japan time; a few
    resources send ISO 8601."""
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=JAPAN).astimezone(UTC)
        except ValueError:
            continue
        except OverflowError:
            return None
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=JAPAN)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def query_time(value: datetime) -> str:
    """Return a time as filters take it: Japan time in whole seconds, rounded down, so that a lower
    bound never moves up."""
    return value.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S")
