"""Pages of a GraphQL connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zaiko_sdk import ReplyFields


@dataclass(frozen=True, slots=True)
class Connection:
    """One page of a connection. `after` is where the next page begins, None when it is the last."""

    rows: Sequence[Any]
    after: str | None


def connection(parent: ReplyFields, name: str) -> Connection:
    """Read a page. Raises ContractBroken, also when there is more but no cursor to get it with."""
    page = parent.inner(name)
    info = page.inner("pageInfo")
    return Connection(
        page.rows("nodes"), info.text("endCursor") if info.flag("hasNextPage") else None
    )
