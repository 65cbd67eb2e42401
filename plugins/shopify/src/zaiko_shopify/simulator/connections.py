"""Pages of lists: `first` and `after`, or `last` and `before`; cursors as the platform builds
them."""

from __future__ import annotations

import base64
import bisect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

MAX_PAGE = 250

Key = tuple[Any, int]
"""What a list is sorted by, and the row's number."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, ready to be resolved. `cursors` belong to `nodes`."""

    nodes: Sequence[Any]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool


def page_of(
    rows: Sequence[Any],
    key: Callable[[Any], Key],
    *,
    bulk: bool,
    reverse: bool = False,
    pages: str = "right",
    **paging: int | str | None,
) -> Page:
    """Return the page of `rows`, which need not be sorted. Bulk operations get all rows.

    With `pages` "duplicate" or "missing" a later page begins one row too early or too late, as when
    rows move meanwhile. Raises GraphQLError in the platform's words.
    """
    first, last = paging.get("first"), paging.get("last")
    ordered = sorted(rows, key=key, reverse=reverse)
    if bulk:
        return Page(ordered, [], False, False)
    if first is None and last is None:
        raise _bad("you must provide one of first or last")
    if first is not None and last is not None:
        raise _bad("providing both first and last is not supported")
    size = first if first is not None else last
    assert isinstance(size, int)
    if not 0 < size <= MAX_PAGE:
        raise _bad(f"first and last must be between 1 and {MAX_PAGE}")
    start, end = 0, len(ordered)
    if paging.get("after"):
        start = _position(ordered, key, str(paging["after"]), reverse=reverse)
        start = max(0, start + {"duplicate": -1, "missing": 1}.get(pages, 0))
    if paging.get("before"):
        end = max(start, _position(ordered, key, str(paging["before"]), reverse=reverse) - 1)
    low, high = (
        (start, min(end, start + size)) if first is not None else (max(start, end - size), end)
    )
    nodes = ordered[low:high]
    return Page(nodes, [_cursor(key(row)) for row in nodes], high < len(ordered), low > 0)


def _position(
    ordered: Sequence[Any], key: Callable[[Any], Key], cursor: str, *, reverse: bool
) -> int:
    """Return the index after the row that the cursor names, also when that row has moved or is
    gone."""
    try:
        place = json.loads(base64.b64decode(cursor, validate=True))
        wanted = (place["last_value"], place["last_id"])
        if reverse:
            return sum(1 for row in ordered if _plain(key(row)) >= wanted)
        return bisect.bisect_right(ordered, wanted, key=lambda row: _plain(key(row)))
    except (ValueError, KeyError, TypeError):
        raise _bad("Malformed cursor") from None


def _plain(key: Key) -> Key:
    value, number = key
    return (int(value.timestamp() * 1000) if hasattr(value, "timestamp") else value, number)


def _cursor(key: Key) -> str:
    value, number = _plain(key)
    return base64.b64encode(json.dumps({"last_id": number, "last_value": value}).encode()).decode()


def _bad(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})
