"""The newest commits that this process has told somebody of. A database that does not have them is
not the one they were written to: a standby took over that did not know of them yet (ADR 0029)."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, NamedTuple

_MOST = 16
"""As many as may be committed at once, and some more: whichever the database has lost, the last of
them is among these."""

# `at` is of µs, so two commits that came to the same revision in two histories differ in it.
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
    """A revision of a merchant, and the time that its rows of the change feed have."""

    merchant: str
    revision: int
    at: int


class Acknowledged:
    """May be used from any thread."""

    def __init__(self) -> None:
        self._newest: deque[Commit] = deque(maxlen=_MOST)
        self._lock = threading.Lock()

    def note(self, commit: Commit) -> None:
        """It has rows in the change feed, and is committed now."""
        with self._lock:
            self._newest.append(commit)

    def lost_by(self, connection: Any) -> bool:
        """Whether what this new connection (psycopg's) leads to does not have them."""
        with self._lock:
            noted = list(self._newest)
        if not noted:
            return False
        merchants, revisions, times = (list(values) for values in zip(*noted, strict=True))
        lost = connection.execute(_LOST, [merchants, revisions, times]).fetchone() is not None
        connection.rollback()
        return lost
