"""What the platform sends, row by row, checked before anything is believed.

Unknown fields are ignored: platforms add them without notice. A field that is used must be present
and make sense.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    Field,
    StrictBool,
    StrictInt,
)
from zaiko_sdk import Row

Id = Annotated[str, Field(min_length=1, max_length=200)]
Units = Annotated[StrictInt, Field(ge=0, le=1_000_000_000)]
Quantity = Annotated[StrictInt, Field(ge=-1_000_000_000, le=1_000_000_000)]


class ShopRow(Row):
    """GET /api/shop."""

    id: str
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
