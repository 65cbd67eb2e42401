"""From an order of RMS to zaiko's. Pure functions. They look at what stock needs only, never at the
buyer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from zaiko_sdk import ContractBroken, Order, OrderLine, OrderState

from zaiko_rakuten.fields import RmsFields

HOLDING = {
    100: "注文確認待ち",
    200: "楽天処理中",
    300: "発送待ち",
    400: "変更確定待ち",
    800: "キャンセル確定待ち",
}
SHIPPED = {500: "発送済", 600: "支払手続き中", 700: "支払手続き済"}
CANCELLED = {900: "キャンセル確定"}
STATES = HOLDING | SHIPPED | CANCELLED
"""Every `orderProgress`, by what it means for stock (FACTS.md §5.1)."""


def listing_id(manage_number: str, variant_id: str) -> str:
    """Return the name of a SKU. RMS writes manage numbers in lower case, and variant ids are
    case-sensitive."""
    return f"{manage_number.lower()}/{variant_id}"


def order_number(row: Any) -> str:
    """Return the id of an order row, or "" when it has none."""
    number = row.get("orderNumber") if isinstance(row, dict) else None
    return number if isinstance(number, str) else ""


def order_from(row: Any, *, read_at: datetime) -> Order:
    """Return one order, whole. Raises ContractBroken when a line cannot be understood: an order
    with too few lines would return sold units to stock."""
    number = order_number(row)
    if not number:
        raise ContractBroken("an order without an orderNumber")
    fields = RmsFields(f"order {number}", row)
    progress = fields.whole_or_none("orderProgress")
    if "PackageModelList" not in fields:
        raise ContractBroken(f"{fields.where} came without PackageModelList")
    shipped = progress in SHIPPED
    return Order(
        external_id=number,
        number=number,
        state=OrderState.SHIPPED
        if shipped
        else OrderState.CANCELLED
        if progress in CANCELLED
        else OrderState.OPEN,
        placed_at=fields.moment_or_none("orderDatetime") or read_at,
        lines=_unique(
            line
            for package in fields.each_or_empty("PackageModelList")
            for line in _lines(package, shipped=shipped)
        ),
        paid=True if progress == 700 else None,
        platform_state=" ".join(
            part for part in (str(progress or ""), STATES.get(progress or 0, "")) if part
        ),
        state_known=progress in STATES,
    )


def _lines(package: RmsFields, *, shipped: bool) -> Iterator[OrderLine]:
    package_deleted = package.flag_or("packageDeleteFlag", False)
    for item in package.each_or_empty("ItemModelList"):
        # Lines that Rakuten does not count (inventoryType 0) are kept: the goods leave the
        # warehouse nevertheless.
        units = item.units("units")
        # UNCONFIRMED: answers have been seen with 0 only; a line that is flagged counts as zero
        # units.
        cancelled = units if package_deleted or item.flag_or("deleteItemFlag", False) else 0
        skus = list(item.each_or_empty("SkuModelList")) or [
            RmsFields(f"{item.where}.SkuModelList[]", {})
        ]
        manage_number = item.text_or_empty("manageNumber")
        own = (
            item.text_or_empty("itemDetailId")
            or f"{package.text_or_empty('basketId')}/{manage_number}"
        )
        for sku in skus:
            variant = sku.text_or_empty("variantId")
            # UNCONFIRMED: more than one SKU in a line has not been seen; each would be sold `units`
            # times.
            name = own if len(skus) == 1 else f"{own}/{variant}"
            yield OrderLine(
                external_id=name,
                # Orders from before the shop's move to SKUs have no variantId: it is not known
                # which listing was sold.
                listing=listing_id(manage_number, variant) if manage_number and variant else None,
                ordered=units,
                cancelled=cancelled,
                fulfilled=units - cancelled if shipped else 0,
                sku=sku.text_or_empty("merchantDefinedSkuId")
                or item.text_or_empty("itemNumber")
                or manage_number,
                title=" ".join(
                    part
                    for part in (item.text_or_empty("itemName"), sku.text_or_empty("skuInfo"))
                    if part
                ),
            )


def _unique(lines: Iterator[OrderLine]) -> list[OrderLine]:
    """Return the lines, with a count after ids that RMS uses twice in one order."""
    seen: dict[str, int] = {}
    unique = []
    for line in lines:
        count = seen[line.external_id] = seen.get(line.external_id, 0) + 1
        unique.append(line if count == 1 else _renamed(line, f"{line.external_id}#{count}"))
    return unique


def _renamed(line: OrderLine, name: str) -> OrderLine:
    return OrderLine(
        name, line.listing, line.ordered, line.cancelled, line.fulfilled, line.sku, line.title
    )
