"""Searches in pages (FACTS.md §2). Results are sorted by the key, ascending, so each page begins at
the last key seen instead of at an offset: rows that come or go meanwhile push no other past a
page's edge. Only within one key is the offset used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from zaiko_sdk import ContractBroken, PageTrail

from zaiko_nextengine.client import Client

_MOST_PAGES = 20_000


async def pages_of(
    client: Client, path: str, form: Mapping[str, str], key: str, *, limit: int, after: str = ""
) -> AsyncIterator[tuple[list[Any], str]]:
    """Yield the rows of each page and the last key of the page. The rows of that key come again on
    the next page.

    `form` holds fields and conditions, `key` is the field that the search is sorted by. Begins with
    the rows of the key `after`.
    """
    offset = 0
    trail = PageTrail(path, start=(after, offset), most=_MOST_PAGES)
    while True:
        begin = {f"{key}-gte": after} if after else {}
        rows, count = await client.search(
            path, {**form, **begin, "offset": str(offset), "limit": str(limit)}
        )
        last = _key(rows[-1], key) if rows else ""
        yield rows, last or after
        # UNCONFIRMED whether `count` is of the returned rows or of all that match. In the latter
        # case it shows that a page was cut below `limit`.
        if not rows or (len(rows) < limit and (count is None or count <= offset + len(rows))):
            return
        if not last:
            raise ContractBroken(f"the last row of a page of {path} has no {key}")
        following = (after, offset + len(rows)) if last == after else (last, 0)
        after, offset = trail.follow(following)


def _key(row: Any, key: str) -> str:
    value = row.get(key) if isinstance(row, dict) else None
    return (
        value
        if isinstance(value, str)
        else str(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else ""
    )
