"""What the platform sends, row by row, checked before anything is believed.

Unknown fields are ignored: platforms add them without notice. A field that is used must be there
and make sense.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)
from zaiko_sdk import ContractBroken

Id = Annotated[str, Field(min_length=1, max_length=200)]
Units = Annotated[StrictInt, Field(ge=0, le=1_000_000_000)]
Quantity = Annotated[StrictInt, Field(ge=-1_000_000_000, le=1_000_000_000)]


class Row(BaseModel):
    """Base of all rows. Errors never show a value: a row may hold a buyer's data."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class ShopRow(Row):
    """GET /api/shop."""

    name: str
    scopes: Sequence[str]
    token_expires_at: AwareDatetime | None = None


class ListingRow(Row):
    """One variant. `stock` is null until somebody sets it for the first time."""

    id: Id
    product_id: str
    title: str
    sku: str | None = None
    barcode: str | None = None
    stock: Quantity | None
    on_sale: StrictBool


class LineRow(Row):
    """One line of an order. `listing_id` is null when the listing was deleted since."""

    id: Id
    listing_id: str | None
    sku: str | None = None
    title: str | None = None
    quantity: Units
    cancelled: Units
    shipped: Units


class OrderRow(Row):
    """One order. Paging is by (`updated_at`, `id`)."""

    id: Id
    number: str
    status: str
    placed_at: AwareDatetime
    updated_at: AwareDatetime
    paid: StrictBool | None = None
    lines: Sequence[LineRow]


class StockRow(Row):
    """What a listing shows."""

    id: Id
    quantity: Quantity | None


class ResultRow(Row):
    """What became of one change."""

    id: Id
    status: str
    quantity: Quantity | None = None
    reason: str = ""


class Rows(Row):
    """A reply with many rows. They are checked one by one, so that a bad one does not hide the
    others."""

    rows: Sequence[Any]
    next: str | None = None


R = TypeVar("R", bound=Row)


def read_row(kind: type[R], value: Any, *, what: str) -> R:
    """`value` as a row of this kind. Raises ContractBroken, which names the fields that do not fit
    and no value."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['type']}"
            for item in error.errors(include_input=False)[:5]
        )
        raise ContractBroken(f"{what} is not as documented ({problems})") from None
    except RecursionError:
        raise ContractBroken(f"{what} is nested too deeply") from None
