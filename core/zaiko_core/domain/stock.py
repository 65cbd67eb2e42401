"""Stock arithmetic (docs/domain.md §2). Quantities are whole units."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST = 2_147_483_647
"""The largest number of units that a shop is sent. Stored numbers, and those of an answer, may be
larger: sums of orders have no bound."""


SECOND_ENTRY = "\x1farrival"
"""What the cause of a transfer's second entry ends with: the key of the fact stands before it."""


class MovementKind(enum.StrEnum):
    """What an entry of the journal records. The first six come from a warehouse, the others from a
    shop's orders."""

    RECEIVE = "RECEIVE"
    ADJUST = "ADJUST"
    ALLOCATE = "ALLOCATE"
    DEALLOCATE = "DEALLOCATE"
    SHIP = "SHIP"
    TRANSFER = "TRANSFER"
    """From one warehouse to another: two entries that add up to nothing."""
    ORDER_PLACED = "ORDER_PLACED"
    ORDER_EDITED = "ORDER_EDITED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_DELETED = "ORDER_DELETED"
    ORDER_RELEASED = "ORDER_RELEASED"
    """Shipped, as the shop says."""
    ORDER_LINKED = "ORDER_LINKED"
    """An order fetched earlier was counted when its listing was linked."""
    ORDER_UNLINKED = "ORDER_UNLINKED"
    """Units were given back when a link was deleted with `release_orders`."""
    ORDER_WRITTEN_OFF = "ORDER_WRITTEN_OFF"
    """Open units are no longer promised, as a person or the shop's policy decided (ADR 0022)."""
    ORDER_RESTORED = "ORDER_RESTORED"
    """A person took that back."""
    ORDER_JOINED = "ORDER_JOINED"
    """What a warehouse recorded under an order's number belongs to the order: one entry takes it
    from the number, and one gives it to the order."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A change of the four stored quantities."""

    physical: int = 0
    allocated: int = 0
    ordered: int = 0
    unallocated: int = 0

    def __add__(self, other: Delta) -> Delta:
        return Delta(
            self.physical + other.physical,
            self.allocated + other.allocated,
            self.ordered + other.ordered,
            self.unallocated + other.unallocated,
        )

    def __sub__(self, other: Delta) -> Delta:
        return Delta(
            self.physical - other.physical,
            self.allocated - other.allocated,
            self.ordered - other.ordered,
            self.unallocated - other.unallocated,
        )

    def __bool__(self) -> bool:
        return bool(self.physical or self.allocated or self.ordered or self.unallocated)

    @property
    def free(self) -> int:
        """By how much `free` changes."""
        return self.physical - self.ordered


def total(deltas: Iterable[Delta]) -> Delta:
    """Return the sum of deltas; of the whole journal, the balance."""
    result = Delta()
    for delta in deltas:
        result = result + delta
    return result


@dataclass(frozen=True, slots=True)
class Balance:
    """The stored quantities of one product over all warehouses, with its reserve and the limit of
    its escrow (ADR 0012)."""

    physical: int = 0
    allocated: int = 0
    ordered: int = 0
    unallocated: int = 0
    reserve: int = 0
    escrow_below: int = 0

    def __post_init__(self) -> None:
        if self.physical - self.ordered != self.deliverable - self.unallocated:
            raise AssertionError(f"the two forms of free differ: {self}")

    @property
    def deliverable(self) -> int:
        """physical − allocated; below 0 when units that were allocated have been lost."""
        return self.physical - self.allocated

    @property
    def free(self) -> int:
        """physical − ordered = deliverable − unallocated; below 0 means oversold."""
        return self.physical - self.ordered

    @property
    def oversold(self) -> int:
        """Units promised that do not exist, ≥ 0."""
        return max(0, -self.free)

    @property
    def synced(self) -> int:
        """free − reserve."""
        return self.free - self.reserve

    @property
    def sent(self) -> int:
        """What a shop that sells single units shows: max(0, synced)."""
        return max(0, self.synced)

    @property
    def in_escrow(self) -> bool:
        """Whether shops get disjoint quotas of it: while there is little of it."""
        return self.escrow_below > 0 and self.synced <= self.escrow_below


@dataclass(frozen=True, slots=True)
class DemandRef:
    """What a demand belongs to: an order of a shop by the platform's id, or (with an empty shop) a
    warehouse's shipment."""

    shop: str
    order: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement to be written into the journal. `cause` is unique in the merchant; `warehouse`
    is empty for entries that concern no shelf; `occurred_at` (µs since 1970) is when it happened,
    as the writer of the entry says. `as_of` is the revision that a count was as of, or 0."""

    product: str
    kind: MovementKind
    cause: str
    delta: Delta
    warehouse: str = ""
    demand: DemandRef | None = None
    note: str = ""
    occurred_at: int = 0
    as_of: int = 0


@dataclass(frozen=True, slots=True)
class Movement:
    """One written entry. `seq` orders a merchant's journal; `recorded_at` is in µs since 1970."""

    seq: int
    entry: Entry
    recorded_at: int
    revision: int
