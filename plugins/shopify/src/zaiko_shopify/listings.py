"""From Shopify's variants to zaiko's listings. Pure."""

from __future__ import annotations

from zaiko_sdk import Listing, ListingRef, ListingWarning, ReplyFields

from zaiko_shopify.levels import available_of

ITEM = "inventory_item"
"""Key of `ListingRef.data` under which the inventory item behind a variant is kept."""
_ON_SALE = frozenset({"ACTIVE", "UNLISTED"})


def listing_of(node: ReplyFields) -> Listing:
    """Return one variant as a listing. Raises ContractBroken when its id or its inventory item
    cannot be read, without which it has no name."""
    identity, item = node.text("id"), node.inner("inventoryItem")
    product = node.inner("product")
    warnings = set()
    if not item.flag("tracked"):
        warnings.add(ListingWarning.UNTRACKED)
    if node.text_or_empty("inventoryPolicy") == "CONTINUE":
        warnings.add(ListingWarning.SELLS_BELOW_ZERO)
    if product.text_or_empty("status") not in _ON_SALE:
        warnings.add(ListingWarning.OFF_SALE)
    if node.raw("requiresComponents") is True:
        warnings.add(ListingWarning.READ_ONLY)
    # UNCONFIRMED: how many *other* items have the same SKU. Empty SKUs are not duplicates of each
    # other.
    twins = item.raw("duplicateSkuCount")
    if isinstance(twins, int) and twins > 0 and node.text_or_empty("sku"):
        warnings.add(ListingWarning.DUPLICATE_SKU)
    level = item.inner_or_none("inventoryLevel")
    if level is None or not level.flag("isActive"):
        level = None
        warnings.add(ListingWarning.NOT_STOCKED)
    return Listing(
        ref=ListingRef(identity, {ITEM: item.text("id")}),
        title=node.text_or_empty("displayName") or product.text_or_empty("title"),
        sku=node.text_or_empty("sku"),
        barcode=node.text_or_empty("barcode"),
        group_id=product.text_or_empty("id"),
        quantity=None if level is None else available_of(level),
        warnings=frozenset(warnings),
    )
