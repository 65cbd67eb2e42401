"""Rows of the whole installation: its identity, whether it can be written, and counts."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from zaiko_core.storage import schema, statistics
from zaiko_core.storage.high_water_mark import HighWaterMark
from zaiko_core.storage.rowset import param, params
from zaiko_core.storage.sql import execute
from zaiko_core.storage.statistics import Statistics

_FORMER = "former_epochs"
_LAST, _HIGHEST = "last_time", "highest_time"
_PROBE, _PROBE_BYTES = "pulse", 256 * 1024
_SYSTEM = schema.system
_VALUE = select(_SYSTEM.c.value).where(_SYSTEM.c.key == param(_SYSTEM.c.key))
_ANY = select(_SYSTEM.c.key).limit(1)
_FORGET = delete(_SYSTEM).where(_SYSTEM.c.key == param(_SYSTEM.c.key))
_KEEP = (
    update(_SYSTEM)
    .where(_SYSTEM.c.key == param(_SYSTEM.c.key))
    .values(value=param(_SYSTEM.c.value))
)
_NOTE = insert(_SYSTEM).values(key=param(_SYSTEM.c.key), value=param(_SYSTEM.c.value))


@dataclass(frozen=True, slots=True)
class NotedTime:
    """The time now, the one that was noted last, and the highest one ever noted (µs; 0: none)."""

    now: int
    last: int
    highest: int

    @property
    def step(self) -> int:
        """By how much (µs) the clock went back since the last note."""
        return max(0, self.last - self.now)

    @property
    def behind(self) -> int:
        """By how much (µs) the clock is behind the highest time."""
        return max(0, self.highest - self.now)


class SystemRows:
    """The table `system`, and counts over all merchants. `now` gives µs since 1970."""

    def __init__(self, connection: Connection, now: Callable[[], int]) -> None:
        self._connection, self._now = connection, now

    def epoch(self) -> str:
        """Return the database's epoch, which is drawn when it is made or restored."""
        return str(execute(self._connection, _VALUE, params(key="epoch")).scalar() or "")

    def new_epoch(self, old: str) -> str:
        """Draw another epoch unless it is no longer `old`, and return the present one."""
        drawn = (
            update(_SYSTEM)
            .where(_SYSTEM.c.key == "epoch", _SYSTEM.c.value == old)
            .values(value=secrets.token_hex(16))
        )
        if execute(self._connection, drawn).rowcount:
            self._put(_FORMER, ",".join([*self.former_epochs(), old]))
        return self.epoch()

    def former_epochs(self) -> list[str]:
        """Return the epochs that this database had before."""
        kept = str(execute(self._connection, _VALUE, params(key=_FORMER)).scalar() or "")
        return kept.split(",") if kept else []

    def high_water_mark(self) -> HighWaterMark:
        """Return the epoch, and the sum of all merchants' newest revisions."""
        return HighWaterMark(self.epoch(), statistics.revisions(self._connection))

    def time(self) -> NotedTime:
        """Return the time, and what was noted of it."""
        last, highest = (
            int(execute(self._connection, _VALUE, params(key=key)).scalar() or 0)
            for key in (_LAST, _HIGHEST)
        )
        return NotedTime(self._now(), last, highest)

    def keep_time(self, noted: NotedTime) -> None:
        """Note the time."""
        for key, time in ((_LAST, noted.now), (_HIGHEST, max(noted.now, noted.highest))):
            self._put(key, str(time))

    def _put(self, key: str, value: str) -> None:
        row = params(key=key, value=value)
        if not execute(self._connection, _KEEP, row).rowcount:
            execute(self._connection, _NOTE, row)

    def accept_time(self) -> None:
        """Take the time now for the highest one."""
        self.keep_time(NotedTime(self._now(), 0, 0))

    def statistics(self) -> Statistics:
        """Count over all merchants. Reads every link: not for every second."""
        return statistics.take(self._connection, self._now())

    def check_readable(self) -> None:
        """Read a row. Raises what the database raises."""
        execute(self._connection, _ANY, {})

    def check_writable(self) -> None:
        """Write more than fits into what is allocated already, and remove it: on a full disk a
        small row may still find a place. Raises what the database raises."""
        value = secrets.token_hex(_PROBE_BYTES // 2)
        execute(self._connection, _FORGET, params(key=_PROBE))
        execute(self._connection, _NOTE, params(key=_PROBE, value=value))
        execute(self._connection, _FORGET, params(key=_PROBE))
