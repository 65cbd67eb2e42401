"""From an item of RMS to its listings, one per SKU. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zaiko_sdk import Listing, ListingRef, ListingWarning

from zaiko_rakuten.fields import RmsFields
from zaiko_rakuten.order_mapping import listing_id

_FLAGS = (
    ("hidden", ListingWarning.OFF_SALE),
    ("backOrderFlag", ListingWarning.SELLS_BELOW_ZERO),
    ("restockOnCancel", ListingWarning.RESTOCKS_ON_CANCEL),
)


def listings_from(row: Any) -> list[Listing]:
    """Return the listings of one item; none for a deleted item, whose number the search may still
    show. Raises ContractBroken."""
    item = RmsFields("an item", row)
    manage_number = item.text_or_empty("manageNumber").lower()
    if not manage_number:
        return []
    item = RmsFields(f"item {manage_number}", row)
    variants = list(item.members("variants"))
    warnings = set()
    if item.flag_or("hideItem", False):
        warnings.add(ListingWarning.OFF_SALE)
    if item.flag_or("unlimitedInventoryFlag", False):
        warnings.add(ListingWarning.UNTRACKED)
    return [
        Listing(
            ref=ListingRef(listing_id(manage_number, variant_id)),
            title=_title(item, variant),
            sku=_code(item, variant, only_one=len(variants) == 1),
            barcode=_barcode(variant),
            group_id=manage_number,
            warnings=frozenset(
                warnings | {warning for name, warning in _FLAGS if variant.flag_or(name, False)}
            ),
        )
        for variant_id, variant in variants
    ]


def variant_ids(row: Any) -> tuple[str, frozenset[str]]:
    """Return the manage number of an item in lower case, and its variants. Raises
    ContractBroken."""
    item = RmsFields("an item", row)
    return item.text_or_empty("manageNumber").lower(), frozenset(
        variant_id for variant_id, _ in item.members("variants")
    )


def _code(item: RmsFields, variant: RmsFields, *, only_one: bool) -> str:
    """Return what vendors use as the product code: システム連携用SKU番号, else 商品番号, else
    商品管理番号. The last two name an item, so they name a SKU only where the item has one."""
    code = variant.text_or_empty("merchantDefinedSkuId")
    return code or (
        (item.text_or_empty("itemNumber") or item.text_or_empty("manageNumber").lower())
        if only_one
        else ""
    )


def _barcode(variant: RmsFields) -> str:
    article = variant.inner_or_none("articleNumber")
    return article.text_or_empty("value") if article is not None else ""


def _title(item: RmsFields, variant: RmsFields) -> str:
    return " / ".join(part for part in (item.text_or_empty("title"), *_choices(variant)) if part)


def _choices(variant: RmsFields) -> list[str]:
    """Return the values that distinguish the variants of an item, without those that are not
    text."""
    values = variant.raw("selectorValues")
    choices = values.values() if isinstance(values, Mapping) else ()
    return [choice for choice in choices if isinstance(choice, str) and choice]
