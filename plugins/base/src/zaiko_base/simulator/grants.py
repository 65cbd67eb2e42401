"""The simulated consent of a shop's owner: codes, and rotating tokens (FACTS.md §1)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

SCOPES = ("read_users", "read_items", "read_orders", "write_items")
_CODE_LIFE = timedelta(hours=1)


@dataclass(slots=True)
class _Given:
    ends_at: datetime
    scopes: tuple[str, ...]
    used: bool = False


@dataclass(slots=True)
class Grants:
    """All issued codes and tokens. `access_life` and `refresh_life` are in seconds."""

    access_life: float = 3600.0
    refresh_life: float = 30 * 86_400.0
    old_refresh_works: bool = False
    """Whether a used refresh token works again (UNCONFIRMED: assumed not)."""
    scopes: tuple[str, ...] = SCOPES
    codes: dict[str, _Given] = field(default_factory=dict)
    access: dict[str, _Given] = field(default_factory=dict)
    refresh: dict[str, _Given] = field(default_factory=dict)
    _numbers: Any = field(default_factory=itertools.count)

    def agree(self, now: datetime) -> str:
        """Return the code of an owner who agrees in the browser."""
        code = f"sim-code-{next(self._numbers)}-a7"
        self.codes[code] = _Given(now + _CODE_LIFE, self.scopes)
        return code

    def refresh_token(self, now: datetime) -> str:
        """Return a refresh token of an earlier consent."""
        return str(self._tokens(now, self.scopes)["refresh_token"])

    def scopes_of(self, access: str, now: datetime) -> tuple[str, ...] | None:
        """Return the scopes of this access token, or None when it is unknown or has ended."""
        given = self.access.get(access)
        return given.scopes if given is not None and given.ends_at > now else None

    def exchange(self, form: Mapping[str, str], now: datetime) -> dict[str, Any] | None:
        """Return tokens for a code or a refresh token, or None when it is invalid."""
        if form.get("grant_type") == "authorization_code":
            given = self.codes.get(form.get("code", ""))
        elif form.get("grant_type") == "refresh_token":
            given = self.refresh.get(form.get("refresh_token", ""))
        else:
            return None
        if given is None or given.ends_at <= now or (given.used and not self.old_refresh_works):
            return None
        given.used = True
        return self._tokens(now, given.scopes)

    def end_access(self) -> None:
        """End every access token now."""
        self.access.clear()

    def withdraw(self) -> None:
        """Withdraw the owner's consent."""
        for given in (self.codes, self.access, self.refresh):
            given.clear()

    def _tokens(self, now: datetime, scopes: tuple[str, ...]) -> dict[str, Any]:
        number = next(self._numbers)
        access, refresh = f"sim-access-{number}-c3", f"sim-refresh-{number}-e9"
        self.access[access] = _Given(now + timedelta(seconds=self.access_life), scopes)
        self.refresh[refresh] = _Given(now + timedelta(seconds=self.refresh_life), scopes)
        return {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": int(self.access_life),
            "refresh_token": refresh,
        }
