"""Which orders the host has been told of, and at which `updatedAt`: those need not be read again within the overlap."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

SETTLED = timedelta(seconds=10)
"""`updatedAt` counts whole seconds, so a second change within that second looks like the first. A reading is remembered only
when Shopify's clock was so far past its `updatedAt` that no further change can carry the same."""
_MOST = 50_000
"""Orders remembered at the most; the ones changed longest ago are forgotten first, which costs a reading and loses nothing."""


class OrderVersions:
    """Memory of what one connector has delivered.

    An order counts as delivered when the host has come back for the next page, or with the cursor of the page that it was on: only
    then it is stored. A host that comes back with any other cursor (a new first fetch, a store set back) starts with an
    empty memory. Lives as long as the connector; not for concurrent fetches.
    """

    def __init__(self) -> None:
        self._taken: dict[str, datetime] = {}
        self._cursor: str | None = None
        self._offered: dict[str, datetime] = {}
        self._offered_cursor: str | None = None

    def begin(self, cursor: str | None) -> None:
        """The host begins a fetch with this cursor."""
        if cursor is not None and cursor == self._offered_cursor:
            self.taken()
        elif cursor is None or cursor != self._cursor:
            self._taken.clear()
        self._offered, self._offered_cursor = {}, None

    def offer(self, cursor: str, readings: Iterable[tuple[str, datetime]], *, served_at: datetime) -> None:
        """A page with this cursor goes to the host; `readings` are the orders in it with their `updatedAt`, `served_at` is when
        they were asked for by Shopify's clock."""
        self._offered = {order: version for order, version in readings if served_at - version >= SETTLED}
        self._offered_cursor = cursor

    def taken(self) -> None:
        """The host has the offered page."""
        for order, version in self._offered.items():
            # Put last: the order of insertion is the order of forgetting.
            self._taken.pop(order, None)
            self._taken[order] = version
        while len(self._taken) > _MOST:
            del self._taken[next(iter(self._taken))]
        self._cursor, self._offered, self._offered_cursor = self._offered_cursor, {}, None

    def knows(self, order: str, version: datetime) -> bool:
        """Whether the host has this order as it was at `version`."""
        return self._taken.get(order) == version

    def forget_before(self, moment: datetime) -> None:
        """Orders changed before `moment` will not be asked for again."""
        self._taken = {order: version for order, version in self._taken.items() if version >= moment}
