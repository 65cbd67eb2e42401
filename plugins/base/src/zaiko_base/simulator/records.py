"""What the simulated BASE keeps, and the form in which its API shows it (FACTS.md §4 and §6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class SimVariation:
    """One thing that can be sold. For an item without variations it is the item itself, with the id
    0."""

    id: int
    label: str
    sku: str
    stock: int
    barcode: str


@dataclass(slots=True)
class SimItem:
    id: int
    title: str
    created_at: datetime
    modified_at: datetime
    visible: bool
    editable: bool
    has_variations: bool
    variations: list[SimVariation] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the item as the API shows it."""
        shown = (
            [_variation(variation) for variation in self.variations] if self.has_variations else []
        )
        return {
            "item_id": self.id,
            "title": self.title,
            "detail": "",
            "price": 1100,
            "proper_price": None,
            "item_tax_type": 1,
            "stock": sum(variation.stock for variation in self.variations),
            "visible": int(self.visible),
            "list_order": self.id,
            "identifier": None if self.has_variations else self.variations[0].sku or None,
            "barcode": None if self.has_variations else self.variations[0].barcode or None,
            "modified": _unix(self.modified_at),
            "img1_origin": None,
            "variations": shown,
            "added_lately": {"to": "every object"},
        }


@dataclass(slots=True)
class SimLine:
    id: int
    item: SimItem
    variation: SimVariation
    amount: int
    modified_at: datetime
    status: str = "ordered"

    def document(self, *, no_variation: Any) -> dict[str, Any]:
        """Return the line as the API shows it. `no_variation` is the value where an item has no
        variation (UNCONFIRMED)."""
        has = self.item.has_variations
        return {
            "order_item_id": self.id,
            "item_id": self.item.id,
            "variation_id": self.variation.id if has else no_variation,
            "title": self.item.title,
            "variation": self.variation.label if has else None,
            "price": 1100,
            "amount": self.amount,
            "total": 1100 * self.amount,
            "status": self.status,
            "shipping_method": None,
            "shipping_fee": 0,
            "modified": _unix(self.modified_at),
            "item_identifier": None if has else self.variation.sku or None,
            "variation_identifier": self.variation.sku or None if has else None,
            "options": [],
        }


@dataclass(slots=True)
class SimOrder:
    key: str
    ordered_at: datetime
    modified_at: datetime
    visible_at: datetime
    payment: str
    status: str
    lines: list[SimLine] = field(default_factory=list)
    cancelled_at: datetime | None = None
    dispatched_at: datetime | None = None

    def header(self) -> dict[str, Any]:
        """Return the order as the list shows it: without lines."""
        return {
            "unique_key": self.key,
            "ordered": _unix(self.ordered_at),
            "cancelled": _unix(self.cancelled_at),
            "dispatched": _unix(self.dispatched_at),
            "payment": self.payment,
            "first_name": "花子",
            "last_name": "試験",
            "total": sum(1100 * line.amount for line in self.lines),
            "delivery_date": None,
            "delivery_time_zone": None,
            "terminated": False,
            "dispatch_status": self.status,
            "modified": _unix(self.modified_at),
            "subscription": None,
            "added_lately": 1,
        }

    def document(self, behaviour: Mapping[str, Any]) -> dict[str, Any]:
        """Return the order as the call for one order shows it."""
        lines = [line.document(no_variation=behaviour["no_variation_id"]) for line in self.lines]
        return {**self.header(), "shipping_fee": 0, "cod_fee": 0, "order_items": lines}


def _variation(variation: SimVariation) -> dict[str, Any]:
    return {
        "variation_id": variation.id,
        "variation": variation.label,
        "variation_stock": variation.stock,
        "variation_identifier": variation.sku or None,
        "barcode": variation.barcode or None,
    }


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
