"""Which orders the host has, and at which `updatedAt`: those need not be read again within the
overlap."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

SETTLED = timedelta(seconds=10)
"""`updatedAt` has whole seconds, so a second change within that second looks like the first. A
reading is remembered only when Shopify's clock was so far past its `updatedAt` that no further
change can have the same."""
_MOST = 50_000
"""At most this many orders are remembered; the ones changed longest ago are forgotten first, which
costs a reading and loses nothing."""


class OrderVersions:
    """Memory of what one connector has delivered.

    A page counts as delivered when the host comes back with its cursor, which no other page has. A
    host that begins with any other cursor (a page that it could not store, a new first fetch, a
    restored backup) starts with an empty memory. It exists as long as the connector; it is not for
    concurrent fetches.
    """

    def __init__(self) -> None:
        self._known: dict[str, datetime] = {}
        self._cursor: str | None = None

    def begin(self, cursor: str | None) -> None:
        """Note that the host begins a fetch with this cursor."""
        if cursor is None or cursor != self._cursor:
            self._known.clear()

    def delivered(
        self, cursor: str, readings: Iterable[tuple[str, datetime]], *, served_at: datetime
    ) -> None:
        """Note that a page with this cursor goes to the host. `readings` are its orders with their
        `updatedAt`, `served_at` is when they were requested by Shopify's clock."""
        for order, version in readings:
            # Put last, because the oldest insertion is forgotten first.
            self._known.pop(order, None)
            if served_at - version >= SETTLED:
                self._known[order] = version
        while len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
        self._cursor = cursor

    def knows(self, order: str, version: datetime) -> bool:
        """Return whether the host has this order as it was at `version`."""
        return self._known.get(order) == version

    def forget_before(self, moment: datetime) -> None:
        """Forget the orders that changed before `moment`: they will not be asked for again."""
        self._known = {
            order: version for order, version in self._known.items() if version >= moment
        }
