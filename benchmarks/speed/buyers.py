"""Orders that buyers place, as a platform's page tells them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from zaiko_sdk import Order, OrderLine, OrderState

from benchmarks.speed.catalogue import Catalogue, product_name

LINES = 3
"""Of an order."""


def page(catalogue: Catalogue, first: int, orders: int) -> str:
    """A page of orders of listings that every shop has, in JSON; the orders' numbers begin at `first`."""
    draw = random.Random(first)
    moment = datetime.now(UTC).isoformat()
    listed = range(catalogue.hot, catalogue.products)
    told = [
        {
            "id": f"o{number}",
            "at": moment,
            "lines": [
                {"id": f"{number}-{line}", "listing": product_name(listing), "units": 1}
                for line, listing in enumerate(draw.sample(listed, LINES))
            ],
        }
        for number in range(first, first + orders)
    ]
    return json.dumps(told)


def parsed(text: str) -> Sequence[Order]:
    """What a connector makes of such a page."""
    found = []
    for told in json.loads(text):
        moment = datetime.fromisoformat(told["at"])
        lines = [OrderLine(line["id"], line["listing"], line["units"], sku=line["listing"]) for line in told["lines"]]
        found.append(Order(told["id"], f"#{told['id']}", OrderState.OPEN, moment, lines, version=moment))
    return found


def unparsed(text: str) -> Callable[[], Sequence[Order]]:
    """A page that has come and is parsed when it is looked at."""
    return lambda: parsed(text)
