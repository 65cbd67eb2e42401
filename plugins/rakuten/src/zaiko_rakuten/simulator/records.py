"""The records of a simulated shop."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zaiko_rakuten.times import JAPAN

Pair = tuple[str, str]


@dataclass(slots=True)
class Key:
    """A licence key."""

    text: str
    live_from: datetime
    dies_at: datetime


@dataclass(slots=True)
class SimVariant:
    """One SKU of an item. `code` is the システム連携用SKU番号, None when it has none."""

    code: str | None
    barcode: str = ""
    choice: str = ""
    hidden: bool = False
    back_order: bool = False
    restock_on_cancel: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the SKU as items.search shows it. Samples disagree on the type of prices; here it
        is text."""
        row: dict[str, Any] = {
            "restockOnCancel": self.restock_on_cancel,
            "backOrderFlag": self.back_order,
            "hidden": self.hidden,
            "standardPrice": "900",
        }
        if self.code is not None:
            row["merchantDefinedSkuId"] = self.code
        if self.choice:
            row["selectorValues"] = {"size": self.choice}
        if self.barcode:
            row["articleNumber"] = {"value": self.barcode}
        return row


@dataclass(slots=True)
class SimItem:
    """One item. When it is `deleted`, a search shows only its number."""

    manage_number: str
    item_number: str
    title: str
    item_id: int
    created: datetime
    variants: dict[str, SimVariant] = field(default_factory=dict)
    item_type: str = "NORMAL"
    hide_item: bool = False
    unlimited: bool = False
    deleted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the item as items.search and items.get show it."""
        if self.deleted:
            return {"manageNumber": self.manage_number}
        row: dict[str, Any] = {
            "manageNumber": self.manage_number,
            "title": self.title,
            "itemType": self.item_type,
            "hideItem": self.hide_item,
            "unlimitedInventoryFlag": self.unlimited,
            "variantSelectors": self._selectors(),
            "variants": {
                variant_id: variant.as_json() for variant_id, variant in self.variants.items()
            },
            "created": stock_time(self.created),
            "updated": stock_time(self.created),
        }
        if self.item_number:
            row["itemNumber"] = self.item_number
        return row

    def _selectors(self) -> list[dict[str, Any]]:
        choices = [
            {"displayValue": variant.choice} for variant in self.variants.values() if variant.choice
        ]
        return [{"key": "size", "displayName": "サイズ", "values": choices}] if choices else []


@dataclass(slots=True)
class SimStock:
    """A stock row. It may exist without an item (an orphan)."""

    quantity: int
    created: datetime
    updated: datetime
    lead_time: dict[str, int] | None = None
    """What was set through 2.1."""

    def as_json(self, pair: Pair) -> dict[str, Any]:
        """Return the row as the stock API shows it."""
        return {
            "manageNumber": pair[0],
            "variantId": pair[1],
            "quantity": self.quantity,
            "created": stock_time(self.created),
            "updated": stock_time(self.updated),
        }


@dataclass(slots=True)
class SimLine:
    """A line of an order. `removed` by an edit."""

    detail_id: int
    pair: Pair
    units: int
    item: SimItem
    sku: str
    package: int = 0
    removed: bool = False

    def as_json(self, *, personal: bool, variant: SimVariant | None) -> dict[str, Any]:
        """Return the line as the order APIs show it. The flags come with the order API (`personal`)
        only."""
        row: dict[str, Any] = {
            "itemDetailId": self.detail_id,
            "itemName": self.item.title,
            "itemId": self.item.item_id,
            "itemNumber": self.item.item_number or None,
            "manageNumber": self.pair[0],
            "price": 900,
            "units": self.units,
            "inventoryType": 0 if self.item.unlimited else 2,
            "SkuModelList": [
                {
                    "variantId": self.pair[1],
                    "merchantDefinedSkuId": variant.code if variant else None,
                    "skuInfo": f"サイズ:{variant.choice}" if variant and variant.choice else None,
                }
            ],
        }
        if personal:
            row |= {"restoreInventoryFlag": 0, "deleteItemFlag": int(self.removed)}
        return row


@dataclass(slots=True)
class SimOrder:
    """An order."""

    number: str
    placed_at: datetime
    visible_at: datetime
    lines: list[SimLine]
    progress: int = 100
    deleted: bool = False
    restored: bool = False

    def as_json(self, variants: dict[Pair, SimVariant], *, personal: bool) -> dict[str, Any]:
        """Return the order as the order API shows it, or, unless `personal`, as the purchased-item
        API does."""
        packages = []
        for number in sorted({line.package for line in self.lines}):
            lines = [line for line in self.lines if line.package == number]
            rows = [
                line.as_json(personal=personal, variant=variants.get(line.pair)) for line in lines
            ]
            package: dict[str, Any] = {"basketId": lines[0].detail_id, "ItemModelList": rows}
            if personal:
                package |= {
                    "packageDeleteFlag": 0,
                    "SenderModel": dict(_BUYER),
                    "ShippingModelList": self._shipments(),
                }
            packages.append(package)
        confirmed = None if self.progress == 100 else order_time(self.placed_at)
        price = -9999 if self.progress == 100 else 900 * sum(line.units for line in self.lines)
        row: dict[str, Any] = {
            "orderNumber": self.number,
            "orderProgress": self.progress,
            "subStatusId": None,
            "orderDatetime": order_time(self.placed_at),
            "shopOrderCfmDatetime": confirmed,
            "orderFixDatetime": confirmed,
            "shippingInstDatetime": confirmed,
            "shippingCmplRptDatetime": order_time(self.placed_at)
            if self.progress in (500, 600, 700)
            else None,
            "cancelDueDate": None,
            "orderType": 1,
            "rakutenConfirmFlag": 0,
            "socialGiftFlag": 0,
            "totalPrice": price,
            "requestPrice": price,
            "CouponModelList": None,
            "PackageModelList": packages,
        }
        if personal:
            row |= {
                "OrdererModel": dict(_BUYER),
                "SettlementModel": {"cardNumber": "XXXX-XXXX-XXXX-4242"},
                "modifyFlag": 0,
            }
            row |= {
                "WrappingModel1": None,
                "ChangeReasonModelList": [] if confirmed is None else [self._change(confirmed)],
            }
        return row

    def _shipments(self) -> list[dict[str, Any]] | None:
        if self.progress not in (500, 600, 700):
            return None
        date = self.placed_at.astimezone(JAPAN).strftime("%Y-%m-%d")
        company = {"deliveryCompany": "1001", "deliveryCompanyName": "(運送会社)"}
        return [
            {
                "shippingDetailId": self.lines[0].detail_id,
                "shippingNumber": "4400-0000-0000",
                **company,
                "shippingDate": date,
            }
        ]

    def _change(self, confirmed: str) -> dict[str, Any]:
        """Return the change 8, which every confirmed order has."""
        detail = {"changeTypeDetail": None, "changeReason": None, "changeReasonDetail": None}
        times = {
            "changeApplyDatetime": confirmed,
            "changeFixDatetime": confirmed,
            "changeCmplDatetime": confirmed,
        }
        return {"changeId": 700_800_900, "changeType": 8, **detail, **times}


_BUYER = {
    "familyName": "購入者姓",
    "firstName": "購入者名",
    "phoneNumber1": "090-5555-0000",
    "emailAddress": "buyer-private@fw.rakuten.test",
    "city": "私邸市",
}
"""A buyer whose data must not appear anywhere in zaiko."""


def order_time(value: datetime) -> str:
    """Return a time as orders show it."""
    return value.astimezone(JAPAN).strftime("%Y-%m-%dT%H:%M:%S%z")


def stock_time(value: datetime) -> str:
    """Return a time as items and stock show it."""
    return value.astimezone(JAPAN).replace(microsecond=0).isoformat()
