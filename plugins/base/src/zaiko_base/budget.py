"""BASE's quotas: calls per clock hour, which starts at minute 00, and per day, which ends at
midnight in Japan (UNCONFIRMED).

All apps of the shop's owner share them, so we can only count our own calls, and believe BASE when
it says that nothing is left.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from zaiko_sdk import Clock, Throttled

JAPAN = timezone(timedelta(hours=9), "JST")
_KEPT_FOR_ORDERS = 0.1
"""Share of each quota that only orders may use: an order that is read late oversells."""
_MARGIN = 2.0
"""Seconds waited beyond the reset, for clocks that differ."""


class Budget:
    """The calls of one shop. Not safe for several threads."""

    def __init__(self, clock: Clock, *, per_hour: int, per_day: int) -> None:
        self._clock = clock
        self._most = {"hour": per_hour, "day": per_day}
        self._used = {"hour": 0, "day": 0}
        self._began = self._windows()

    def take(self, *, for_orders: bool = False) -> None:
        """Count one call. Raises Throttled, with the time until the quota starts again, when it is
        used up."""
        self._roll()
        for window, most in self._most.items():
            allowed = most if for_orders else most - max(1, int(most * _KEPT_FOR_ORDERS))
            if self._used[window] >= allowed:
                raise self._throttled(window)
        for window in self._used:
            self._used[window] += 1

    def used_up(self, window: str, words: str = "") -> Throttled:
        """Note that BASE reports the quota of this `hour` or `day` as used up: no call is sent
        before it starts again."""
        self._roll()
        self._used[window] = max(self._used[window], self._most[window])
        return self._throttled(window, words)

    def _throttled(self, window: str, words: str = "") -> Throttled:
        now = self._clock.now().astimezone(JAPAN)
        length = timedelta(hours=1) if window == "hour" else timedelta(days=1)
        wait = (self._windows()[window] + length - now).total_seconds() + _MARGIN
        return Throttled(
            f"BASE's calls of this {window} are used up", retry_after=wait, platform_message=words
        )

    def _roll(self) -> None:
        for window, began in self._windows().items():
            if began != self._began[window]:
                self._began[window], self._used[window] = began, 0

    def _windows(self) -> dict[str, datetime]:
        now = self._clock.now().astimezone(JAPAN)
        hour = now.replace(minute=0, second=0, microsecond=0)
        return {"hour": hour, "day": hour.replace(hour=0)}
