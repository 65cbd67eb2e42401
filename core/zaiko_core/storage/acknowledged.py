"""The newest commits that this process has acknowledged. A database that lacks them is not the one
they were written to: a standby that had not received them was promoted (ADR 0029)."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, NamedTuple

_MOST = 16
"""More than can be committed at the same time: whichever commits a database has lost, the last of
them is among these."""

# `at` is in µs, so it differs where two histories have the same revision.
_LOST = """
SELECT noted.merchant
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS noted (merchant, revision, at)
LEFT JOIN merchants ON merchants.merchant = noted.merchant
WHERE merchants.head IS NULL
   OR merchants.head < noted.revision
   OR merchants.compacted < noted.revision AND NOT EXISTS (
      SELECT FROM changes
      WHERE changes.merchant = noted.merchant AND changes.revision = noted.revision AND changes.at = noted.at
   )
"""  # noqa: E501


class Commit(NamedTuple):
    """A revision of a merchant, and the time of its rows in the change feed."""

    merchant: str
    revision: int
    at: int


class Acknowledged:
    """The newest commits of this process. May be used from any thread."""

    def __init__(self) -> None:
        self._newest: deque[Commit] = deque(maxlen=_MOST)
        self._lock = threading.Lock()

    def note(self, commit: Commit) -> None:
        """Remember a commit that has rows in the change feed."""
        with self._lock:
            self._newest.append(commit)

    def lost_by(self, connection: Any) -> bool:
        """Return whether the database of this new connection (psycopg's) lacks any of them."""
        with self._lock:
            noted = list(self._newest)
        if not noted:
            return False
        merchants, revisions, times = (list(values) for values in zip(*noted, strict=True))
        lost = connection.execute(_LOST, [merchants, revisions, times]).fetchone() is not None
        connection.rollback()
        return lost
