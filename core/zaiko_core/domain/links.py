"""What a listing shows: one product, or a bundle of products (docs/domain.md §2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zaiko_core.domain.stock import Balance


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """`count` units (≥ 1) of a product go into one unit of the listing. A plain link has one part
    of count 1."""

    product: str
    count: int = 1


def target(parts: Sequence[Part], balances: Mapping[str, Balance], *, maximum: int) -> int:
    """Return what the shop is to show: the minimum over the parts of floor(max(0, synced) / count),
    at most `maximum`. A product without a balance has no stock."""
    shown = min(balances.get(part.product, Balance()).sent // part.count for part in parts)
    return min(shown, maximum)
