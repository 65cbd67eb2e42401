"""How far the orders of an account were read: the content of `OrderPage.cursor`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class OrderCursor:
    """`changed`, in unix seconds of Next Engine's clock: every change up to then was delivered.
    None before the first fetch has delivered anything."""

    changed: int | None = None

    def text(self) -> str:
        """Return the cursor as the host keeps it."""
        return json.dumps(asdict(self))


def read_cursor(text: str | None) -> OrderCursor | None:
    """Return the cursor in `text`: the beginning for None, and None when it cannot be
    understood."""
    if text is None:
        return OrderCursor()
    try:
        changed = json.loads(text)["changed"]
        return OrderCursor(
            None if changed is None else int(datetime.fromtimestamp(changed, UTC).timestamp())
        )
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None
