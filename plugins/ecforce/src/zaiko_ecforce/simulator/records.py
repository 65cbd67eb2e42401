"""What the simulated shop stores, and how each record is shown. Times have zones inside, and are
shown in Japan time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zaiko_ecforce.fields import JAPAN

HUMAN_STATES = {
    "complete": "注文確定",
    "shipped": "発送完了",
    "delivered": "配送完了",
    "canceled": "キャンセル",
    "returned": "返品",
}


def _shown_state(state: str) -> str:
    return "公開" if state == "active" else "非公開"


def shown(moment: datetime | None) -> str | None:
    """Return a time as the API writes it."""
    return None if moment is None else moment.astimezone(JAPAN).strftime("%Y/%m/%d %H:%M:%S")


@dataclass(slots=True)
class Record:
    """The fields of every record."""

    id: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = field(default=None, kw_only=True)

    def _common(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "created_at": shown(self.created_at),
            "updated_at": shown(self.updated_at),
        }


@dataclass(slots=True)
class SimVariant(Record):
    """One variant of a product."""

    product_id: int
    sku: str
    name: str
    position: int
    is_master: bool
    for_sale: bool = True
    state: str = "active"
    options: list[dict[str, str]] = field(default_factory=list)

    def attributes(self) -> dict[str, Any]:
        return self._common() | {
            "sku": self.sku,
            "name": self.name,
            "state": self.state,
            "human_state_name": _shown_state(self.state),
            "for_sale": self.for_sale,
            "position": self.position,
            "is_master": self.is_master,
            "product_id": self.product_id,
            "list_price": 1980,
            "sales_price": 1980,
            "options": self.options,
            "link_number": None,
            "deleted_at": shown(self.deleted_at),
        }


@dataclass(slots=True)
class SimProduct(Record):
    """One product with its variants."""

    number: str
    name: str
    variants: list[SimVariant] = field(default_factory=list)
    state: str = "active"
    for_sale: bool = True
    is_recurring: bool = False

    @property
    def master(self) -> SimVariant:
        return next(variant for variant in self.variants if variant.is_master)

    def attributes(self) -> dict[str, Any]:
        return self._common() | {
            "number": self.number,
            "name": self.name,
            "state": self.state,
            "human_state": _shown_state(self.state),
            "for_sale": self.for_sale,
            "is_recurring": self.is_recurring,
            "master_sku": self.master.sku,
            "master_list_price": 1980,
            "master_sales_price": 1980,
            "link_number": None,
            "labels": "",
            "deleted_at": shown(self.deleted_at),
        }


@dataclass(slots=True)
class SimStockItem(Record):
    """The stock of one variant at one location."""

    variant: SimVariant
    product_number: str
    location_id: int
    stock_location_code: str
    stock: int
    stock_unlimited: bool = False

    @property
    def variant_sku(self) -> str:
        return self.variant.sku

    @property
    def location_name(self) -> str:
        return f"ロケーション {self.stock_location_code}"

    def attributes(self) -> dict[str, Any]:
        return self._common() | {
            "stock_location_id": self.location_id,
            "stock_location_code": self.stock_location_code,
            "stock_location_name": self.location_name,
            "product_id": self.variant.product_id,
            "product_number": self.product_number,
            "variant_id": self.variant.id,
            "variant_sku": self.variant_sku,
            "stock": self.stock,
            "stock_unlimited": self.stock_unlimited,
            "stock_alert": False,
            "stock_borderline": 0,
            "deleted_at": shown(self.deleted_at),
        }


@dataclass(slots=True)
class SimLine(Record):
    """One line of an order; `item` is the stock that it was taken from."""

    item: SimStockItem
    quantity: int
    bundled: bool = False

    def attributes(self) -> dict[str, Any]:
        return self._common() | {
            "variant_id": self.item.variant.id,
            "variant_sku": self.item.variant_sku,
            "product_number": self.item.product_number,
            "product_name": self.item.variant.name,
            "quantity": self.quantity,
            "set_item_quantity": None,
            "point_exchange_quantity": 0,
            "product_bundled_item_id": 1 if self.bundled else None,
            "stock_location_id": self.item.location_id,
            "stock_location_name": self.item.location_name,
            "price": 1980,
            "sales_price": 1980,
            "list_price": 1980,
            "tax_rate": 10,
            "onetime": False,
            "skip": False,
        }


@dataclass(slots=True)
class SimOrder(Record):
    """One order. It is readable from `visible_at` on."""

    number: str
    lines: list[SimLine]
    visible_at: datetime
    completed_at: datetime
    state: str = "complete"
    payment_state: str = "authed"
    kind: str = ""
    times: int = 1
    subs_order_id: int | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    payment_voided_at: datetime | None = None

    def attributes(self, *, shows_deletion: bool, lighter: bool) -> dict[str, Any]:
        total = sum(1980 * line.quantity for line in self.lines)
        attributes: dict[str, Any] = self._common() | {
            "number": self.number,
            "state": self.state,
            "human_state": HUMAN_STATES.get(self.state, self.state),
            "payment_state": self.payment_state,
            "total": total,
        }
        if lighter:
            return attributes
        attributes |= {
            "kind": self.kind,
            "times": self.times,
            "subs_order_id": self.subs_order_id,
            "tbc": False,
            "payment_human_state": self.payment_state,
            "stock_location_id": self.lines[0].item.location_id if self.lines else None,
            "stock_location_name": self.lines[0].item.location_name if self.lines else None,
            "shipping_slip": None,
            "shipping_carrier_id": None,
            "subtotal": total,
            "payment_total": total,
            "bundled_items": None,
            "payment_completed_at": None,
            "memo02": None,
            "link_number": None,
            "multiple_shipping": False,
            "scheduled_to_be_shipped_at": None,
            "completed_at": shown(self.completed_at),
            "shipped_at": shown(self.shipped_at),
            "delivered_at": shown(self.delivered_at),
            "payment_voided_at": shown(self.payment_voided_at),
            "labels": "",
            # A buyer's data, as the API sends it; a connector has no use for it.
            "email": "hanako.yamada@example.test",
            "memo01": "山田花子様 03-0000-0000",
        }
        return attributes | ({"deleted_at": shown(self.deleted_at)} if shows_deletion else {})
