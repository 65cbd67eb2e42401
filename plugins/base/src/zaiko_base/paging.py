"""Lists by offset, which shift while they are read (FACTS.md §2): no total, no next link, at most
100 rows.

Rows that are added push others towards the end, where they come twice. Rows that are removed pull
others forward, past the page's edge. So each page begins a few rows before the end of the last one,
and when it shows none of those rows, further back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from itertools import count
from typing import Any

from zaiko_sdk import PageTrail

from zaiko_base.client import Client
from zaiko_base.rows import rows_of

LIMIT = 100
_OVERLAP = 3
_MOST_PAGES = 5_000


async def pages_of(
    client: Client,
    path: str,
    name: str,
    params: Mapping[str, str],
    key: Callable[[Any], Any],
    *,
    offset: int = 0,
    for_orders: bool = False,
) -> AsyncIterator[tuple[list[Any], int | None]]:
    """Yield the rows of each page, some of them again, and the offset of the next page (None after
    the last). `key` identifies a row."""
    edge: set[Any] = set()
    trail = PageTrail(path, most=_MOST_PAGES)
    for number in count():
        # An offset may come again when the list became shorter, so only the number of pages is
        # limited.
        trail.follow(number)
        query = {**params, "limit": str(LIMIT), "offset": str(offset)}
        rows = rows_of(await client.get(path, query, for_orders=for_orders), name, what=path)
        if edge and offset and edge.isdisjoint(key(row) for row in rows):
            # The rows that should come again did not: more rows were removed than the overlap
            # holds.
            edge, offset = set(), max(0, offset - LIMIT)
            continue
        if len(rows) < LIMIT:
            yield rows, None
            return
        edge = {key(row) for row in rows[-_OVERLAP:]}
        offset += len(rows) - _OVERLAP
        yield rows, offset
