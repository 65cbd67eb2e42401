"""What Shopify's answer to inventorySetQuantities means (FACTS.md §5.3, the table of codes).
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    ItemRefused,
    ListingGone,
    ReplyFields,
    SettingsInvalid,
    Skip,
)

_STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
_ITEM_TEXTS = {
    "NON_MUTABLE_INVENTORY_ITEM": (
        "Shopify does not let its stock be set (a bundle is made of other variants)."
    ),
    "ITEM_NOT_STOCKED_AT_LOCATION": "It is not stocked at the location. Stock it there in Shopify.",
    "INVALID_QUANTITY_TOO_HIGH": "The number is larger than Shopify allows.",
    "INVALID_QUANTITY_TOO_LOW": "The number is smaller than Shopify allows.",
    "INVALID_QUANTITY_NEGATIVE": "The number is negative.",
}


@dataclass(frozen=True, slots=True)
class BatchRefusal:
    """Nothing of the batch was applied. `items` are the entries with errors of their own, by index;
    `whole` is an error of the whole call. With neither, some entry was stale and it is not known
    which. `busy`: ask again under the same key. `doubtful`: an earlier call under the same key may
    have been applied. `earlier_failed`: it certainly was not."""

    items: Mapping[int, Skip] = field(default_factory=dict)
    whole: ConnectorError | None = None
    busy: bool = False
    doubtful: bool = False
    earlier_failed: bool = False


def refusal_of(payload: ReplyFields, count: int) -> BatchRefusal | None:
    """Return the refusal of the batch of `count` entries, or None when it was applied; a change of
    nothing counts as applied. Raises ContractBroken when the reply is not understood, and then its
    outcome is unknown."""
    errors = payload.each("userErrors")
    if not errors:
        return None
    codes = {error.text_or_empty("code") for error in errors}
    words = "; ".join(
        f"{error.text_or_empty('code')}: {error.text_or_empty('message')}" for error in errors[:5]
    )
    if "IDEMPOTENCY_CONCURRENT_REQUEST" in codes:
        return BatchRefusal(busy=True)
    if "IDEMPOTENCY_KEY_PARAMETER_MISMATCH" in codes:
        return BatchRefusal(doubtful=True)
    if "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" in codes:
        return BatchRefusal(earlier_failed=True)
    if "INVALID_LOCATION" in codes:
        return BatchRefusal(
            whole=SettingsInvalid(
                "The location no longer exists; choose another one.", platform_message=words
            )
        )
    items = {index: _skip(error) for error in errors if (index := _index(error, count)) is not None}
    if items:
        return BatchRefusal(items=items)
    if codes & _STALE:
        return BatchRefusal()
    if codes & (
        _ITEM_TEXTS.keys()
        | {"INVALID_INVENTORY_ITEM", "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"}
    ):
        # The error is about one item without naming it: the host finds it by splitting.
        return BatchRefusal(
            whole=ItemRefused("Shopify refuses something in this batch.", platform_message=words)
        )
    return BatchRefusal(
        whole=ContractBroken("Shopify refused to set stock", platform_message=words)
    )


def _index(error: ReplyFields, count: int) -> int | None:
    """Return the entry that `field` points to: ["input", "quantities", "0", "locationId"]."""
    path = error.raw("field")
    if not isinstance(path, list) or len(path) < 3 or path[1] != "quantities":
        return None
    try:
        index = int(path[2])
    except (TypeError, ValueError):
        return None
    return index if 0 <= index < count else None


def _skip(error: ReplyFields) -> Skip:
    code, words = error.text_or_empty("code"), error.text_or_empty("message")
    if code == "INVALID_INVENTORY_ITEM":
        return ListingGone(
            "Shopify no longer knows this variant's inventory item.", platform_message=words
        )
    return ItemRefused(
        _ITEM_TEXTS.get(code, f"Shopify refuses it ({code or 'no code'})."), platform_message=words
    )
