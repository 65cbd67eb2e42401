"""Orders of buyers, as the page of a platform shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from zaiko_sdk import Order, OrderLine, OrderState


def written(orders: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return a page as JSON: each order's id, and the listings of which it has one unit."""
    moment = datetime.now(UTC).isoformat()
    document = [
        {
            "id": order,
            "at": moment,
            "lines": [
                {"id": f"{order}-{line}", "listing": listing, "units": 1}
                for line, listing in enumerate(listings)
            ],
        }
        for order, listings in orders
    ]
    return json.dumps(document)


def parsed(text: str) -> Sequence[Order]:
    """Parse such a page as a connector does."""
    found = []
    for document in json.loads(text):
        moment = datetime.fromisoformat(document["at"])
        lines = [
            OrderLine(line["id"], line["listing"], line["units"], sku=line["listing"])
            for line in document["lines"]
        ]
        found.append(
            Order(
                document["id"], f"#{document['id']}", OrderState.OPEN, moment, lines, version=moment
            )
        )
    return found


def unparsed(text: str) -> Callable[[], Sequence[Order]]:
    """Return a function that parses the page when it is called."""
    return lambda: parsed(text)
