"""What one phase of a round of a run hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zaiko_core.domain.decision import Observation


@dataclass(frozen=True, slots=True)
class Round:
    """Complete after `read` and `fetch`; `push` returns what the next round begins with."""

    began_at: int
    """When it began (µs, by the store's clock): what its fetch brings was so then, or later."""
    readings: Mapping[str, Observation] = field(default_factory=dict)
    """What the shop showed by listing, not used yet. A reading is used once."""
    sold: Mapping[str, int] = field(default_factory=dict)
    """When the shop last sold a listing (µs, by its clock), of the orders fetched in this round."""
    orders_until: int | None = None
    """Until when (µs) this round made the shop's orders complete; None: as stored."""
    is_due: bool = True
    """Whether a link is due, or may have become so by what was fetched."""
