"""How far the orders of a shop were read: the content of `OrderPage.cursor`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class OrderCursor:
    """All times are unix seconds of BASE's clock, except `swept_at`, which is of ours.

    A sweep looks at the whole window of orders; between sweeps the connector looks for new orders
    only.
    """

    ordered: int = 0
    """The newest order that was delivered, with all placed before it."""
    modified: int = 0
    """The newest change that sweeps delivered, with all before it."""
    swept_at: float = 0.0
    """When the last whole sweep began."""
    pages: int = 0
    """How many pages that sweep had."""
    first: bool = True
    """Whether no sweep was completed yet: until then, orders that are already closed are left
    out."""

    def text(self) -> str:
        """Return the cursor as the host keeps it."""
        return json.dumps(asdict(self))

    def at(self, **changes: float) -> OrderCursor:
        """Return a cursor that moved to these values."""
        return replace(self, **changes)  # type: ignore[arg-type]


def read_cursor(text: str | None) -> OrderCursor | None:
    """Return the cursor in `text`: the beginning for None, and None when it cannot be
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
