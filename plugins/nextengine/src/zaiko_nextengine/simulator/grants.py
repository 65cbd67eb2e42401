"""The simulated logins, and tokens that rotate on their own (FACTS.md §1)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

_JAPAN = timezone(timedelta(hours=9))
_STATE_LIFE = timedelta(minutes=5)
MISSING, SUPERSEDED, ENDED = "002001", "002002", "002004"


@dataclass(slots=True)
class _Pair:
    access: str
    refresh: str
    access_ends: datetime
    refresh_ends: datetime


@dataclass(slots=True)
class Grants:
    """One pair is valid at a time, as for one user of Next Engine. Lives are in seconds."""

    access_life: float = 86_400.0
    refresh_life: float = 3 * 86_400.0
    renewals: int = 0
    live: _Pair | None = None
    _states: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=itertools.count)

    def redirect(self, now: datetime) -> tuple[str, str]:
        """Return the uid and state of a user who logs in in the browser, as they are appended to
        the redirect address."""
        state = f"sim-state-{next(self._numbers)}-b7"
        self._states[state] = ("sim-uid", now + _STATE_LIFE)
        return "sim-uid", state

    def exchange(self, form: Mapping[str, str], now: datetime) -> bool:
        """Log in with uid and state, and return whether they are valid. The tokens of earlier
        logins of the user end."""
        uid, ends = self._states.pop(form.get("state", ""), ("", now))
        if not uid or uid != form.get("uid") or ends <= now:
            return False
        self.log_in(now)
        return True

    def log_in(self, now: datetime) -> _Pair:
        """Make a new pair. The one before it ends."""
        number = next(self._numbers)
        self.live = _Pair(
            f"sim-access-{number}-c3",
            f"sim-refresh-{number}-e9",
            now + timedelta(seconds=self.access_life),
            now + timedelta(seconds=self.refresh_life),
        )
        return self.live

    def refuse(self, form: Mapping[str, str], now: datetime) -> str | None:
        """Return the code with which a call is refused, or None to accept it. A call with a pair
        whose access token has ended renews the pair."""
        access = form.get("access_token", "")
        if not access:
            return MISSING
        if self.live is None:
            return ENDED
        if access != self.live.access:
            return SUPERSEDED
        if now < self.live.access_ends:
            return None
        if now >= self.live.refresh_ends or form.get("refresh_token") != self.live.refresh:
            return ENDED
        self.log_in(now)
        self.renewals += 1
        return None

    def end_access(self, now: datetime) -> None:
        """End the access token now, so that the next call renews the pair."""
        if self.live is not None:
            self.live.access_ends = now

    def end_all(self) -> None:
        """End both tokens now."""
        self.live = None

    def reply_fields(self) -> dict[str, str]:
        """Return the part of each reply that holds the tokens."""
        if self.live is None:
            return {}
        return {
            "access_token": self.live.access,
            "access_token_end_date": _shown(self.live.access_ends),
            "refresh_token": self.live.refresh,
            "refresh_token_end_date": _shown(self.live.refresh_ends),
        }


def _shown(moment: datetime) -> str:
    return moment.astimezone(_JAPAN).strftime("%Y-%m-%d %H:%M:%S")
