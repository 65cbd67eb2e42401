"""What the simulated shop consists of: places, variants with their levels, orders with their lines
and refunds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class SimLocation:
    """A place that holds stock."""

    number: int
    name: str
    active: bool = True
    sells_online: bool = True
    of_service: bool = False


@dataclass(slots=True)
class SimLevel:
    """The states of one item at one location. on_hand is their sum."""

    location: SimLocation
    available: int = 0
    committed: int = 0
    active: bool = True
    changed_at: datetime | None = None

    @property
    def on_hand(self) -> int:
        return self.available + self.committed


@dataclass(slots=True)
class SimProduct:
    number: int
    title: str
    status: str = "ACTIVE"


@dataclass(slots=True)
class SimVariant:
    """A variant and its inventory item, which are one to one. The item's number differs from the
    variant's."""

    number: int
    item_number: int
    product: SimProduct
    title: str
    sku: str | None
    barcode: str | None
    updated_at: datetime
    policy: str = "DENY"
    bundle: bool = False
    tracked: bool = True
    requires_shipping: bool = True
    levels: dict[int, SimLevel] = field(default_factory=dict)


@dataclass(slots=True)
class SimLine:
    """One order line. `removed`: refunded or edited away before shipping; `returned`: came back;
    `moves_stock` at `location`."""

    number: int
    variant: SimVariant | None
    sku: str | None
    name: str
    quantity: int
    requires_shipping: bool
    location: SimLocation | None
    fulfilled: int = 0
    removed: int = 0
    returned: int = 0

    @property
    def to_ship(self) -> int:
        """Units that are still to be shipped; exact."""
        return self.quantity - self.fulfilled - self.removed

    @property
    def level(self) -> SimLevel | None:
        """Where its units were taken from; None when it changed no stock."""
        if self.variant is None or self.location is None:
            return None
        return self.variant.levels.get(self.location.number)


@dataclass(slots=True)
class SimRefundedLine:
    number: int
    line: SimLine
    quantity: int
    restock_type: str


@dataclass(slots=True)
class SimRefund:
    number: int
    created_at: datetime
    lines: list[SimRefundedLine]


@dataclass(slots=True)
class SimOrder:
    number: int
    name: str
    created_at: datetime
    updated_at: datetime
    lines: list[SimLine]
    test: bool = False
    financial: str | None = "PAID"
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    closed_at: datetime | None = None
    edited: bool = False
    fulfilment_override: str | None = None
    refunds: list[SimRefund] = field(default_factory=list)
    indexed: list[tuple[datetime, datetime]] = field(default_factory=list)
    """(from when on the search knows it, the updatedAt that the search knows)."""

    @property
    def fulfilment(self) -> str:
        """displayFulfillmentStatus."""
        if self.fulfilment_override is not None:
            return self.fulfilment_override
        fulfilled = any(line.fulfilled for line in self.lines)
        if not fulfilled:
            return "UNFULFILLED"
        return "PARTIALLY_FULFILLED" if any(line.to_ship for line in self.lines) else "FULFILLED"

    def indexed_at(self, now: datetime) -> datetime | None:
        """Return the updatedAt that the search knows now, or None while it does not know the
        order."""
        known = [updated for visible, updated in self.indexed if visible <= now]
        return known[-1] if known else None
