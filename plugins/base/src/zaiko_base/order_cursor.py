"""How far the orders of a shop have been read; what `OrderPage.cursor` holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class OrderCursor:
    """All in unix seconds of BASE's clock, but `swept_at`, which is by ours.

    A sweep is a look at the whole window of orders; between sweeps only new orders are looked for.
    """

    ordered: int = 0
    """The newest order placed that has been delivered; with all before it."""
    modified: int = 0
    """The newest change that sweeps have delivered; with all before it."""
    swept_at: float = 0.0
    """When the last whole sweep began."""
    pages: int = 0
    """How many pages that was."""
    first: bool = True
    """No sweep has been completed: orders that are already closed are left out."""

    def text(self) -> str:
        """Return the cursor as the host keeps it."""
        return json.dumps(asdict(self))

    def at(self, **changes: float) -> OrderCursor:
        """Moved on."""
        return replace(self, **changes)  # type: ignore[arg-type]


def read_cursor(text: str | None) -> OrderCursor | None:
    """Return the cursor that `text` is: the beginning for None, and None when it cannot be
    understood."""
    if text is None:
        return OrderCursor()
    try:
        values = json.loads(text)
        return OrderCursor(
            int(values["ordered"]),
            int(values["modified"]),
            float(values["swept_at"]),
            int(values["pages"]),
            bool(values["first"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
