"""What BASE sends, row by row, checked before anything is believed (FACTS.md §4 and §6).

Unknown fields are ignored: BASE adds them without notice. Numbers may come as text, as PHP often
sends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from zaiko_sdk import ContractBroken, Row

_MOST = 1_000_000_000
_LAST_TIME = 32_503_680_000
"""The year 3000. A later time is wrong."""


def _not_a_flag(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError("a whole number is wanted")
    return value


def _time(value: Any) -> Any:
    """Return unix seconds. 0, "0" and null mean that there is no time."""
    if value is None or value in (0, "0", ""):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("unix seconds are wanted")
    seconds = int(value)
    if not 0 < seconds < _LAST_TIME:
        raise ValueError("unix seconds are wanted")
    return datetime.fromtimestamp(seconds, UTC)


def _present(value: Any) -> Any:
    if value is None:
        raise ValueError("a time is wanted")
    return value


Whole = Annotated[int, BeforeValidator(_not_a_flag), Field(ge=-_MOST, le=_MOST)]
Units = Annotated[int, BeforeValidator(_not_a_flag), Field(ge=0, le=_MOST)]
Number = Annotated[int, BeforeValidator(_not_a_flag), Field(gt=0)]
"""An id of BASE's."""
OptionalNumber = Annotated[
    int | None, BeforeValidator(lambda value: None if value in (0, "0", "") else _not_a_flag(value))
]
Moment = Annotated[datetime, BeforeValidator(_time)]
OptionalMoment = Annotated[datetime | None, BeforeValidator(_time)]
Key = Annotated[str, Field(min_length=1, max_length=64)]


class UserRow(Row):
    """`user` of GET /1/users/me."""

    shop_id: str
    shop_name: str = ""


class VariationRow(Row):
    """One entry of an item's `variations`."""

    variation_id: Number
    variation: str | None = None
    variation_stock: Whole
    variation_identifier: str | None = None
    barcode: str | None = None


class ItemRow(Row):
    """One item. With variations, `stock` is their sum."""

    item_id: Number
    title: str
    stock: Whole
    visible: bool | None = None
    identifier: str | None = None
    barcode: str | None = None
    variations: Sequence[VariationRow] | None = None


class OrderHeader(Row):
    """One row of the list of orders: everything but the lines."""

    unique_key: Key
    ordered: Moment
    modified: Moment
    dispatch_status: str


class LineRow(Row):
    """One entry of `order_items`."""

    order_item_id: Number
    item_id: OptionalNumber = None
    variation_id: OptionalNumber = None
    amount: Units
    status: str
    title: str | None = None
    variation: str | None = None
    item_identifier: str | None = None
    variation_identifier: str | None = None
    modified: OptionalMoment = None


class OrderRow(OrderHeader):
    """`order` of GET /1/orders/detail."""

    order_items: Annotated[Sequence[LineRow], Field(min_length=1)]
    """At least one line. An order without lines would return sold units to stock, so it counts as
    one that cannot be understood."""


def part_of(body: Any, name: str, *, what: str) -> Any:
    """Return the one value that BASE wraps a reply in. Raises ContractBroken."""
    if not isinstance(body, dict) or name not in body:
        raise ContractBroken(f"{what} has no {name}")
    return body[name]


def rows_of(body: Any, name: str, *, what: str) -> list[Any]:
    """Return the list of that name. Raises ContractBroken."""
    rows = part_of(body, name, what=what)
    if not isinstance(rows, list):
        raise ContractBroken(f"{name} of {what} is not a list")
    return rows
