"""The simulated quotas: calls per clock hour and per day in Japan, all apps of the shop together
(FACTS.md §3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR_LIMIT, DAY_LIMIT = "hour_api_limit", "day_api_limit"
_TO_JAPAN = timedelta(hours=9)


@dataclass(slots=True)
class Quotas:
    """Counts the calls of the present hour and day."""

    enforced: bool = True
    per_hour: int = 5000
    per_day: int = 100_000
    throttled: int = 0
    _hour: datetime | None = None
    _day: datetime | None = None
    _in_hour: int = 0
    _in_day: int = 0

    def refuse(self, now: datetime) -> str | None:
        """Count a call, and return the error when it is one too many."""
        here = now + _TO_JAPAN
        hour = here.replace(minute=0, second=0, microsecond=0)
        day = hour.replace(hour=0)
        if hour != self._hour:
            self._hour, self._in_hour = hour, 0
        if day != self._day:
            self._day, self._in_day = day, 0
        error = (
            HOUR_LIMIT
            if self._in_hour >= self.per_hour
            else DAY_LIMIT
            if self._in_day >= self.per_day
            else None
        )
        if self.enforced and error is not None:
            self.throttled += 1
            return error
        self._in_hour += 1
        self._in_day += 1
        return None

    def exhaust(self, now: datetime) -> None:
        """Use up the hour, as another app would."""
        self.refuse(now)
        self._in_hour = max(self._in_hour, self.per_hour)
