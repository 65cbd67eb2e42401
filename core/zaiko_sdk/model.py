"""What a connector and the host exchange: orders, listings, levels and writes.

All are immutable values. Quantities are whole sellable units. Times are timezone-aware. Ids are the
platform's own, as text, opaque to the host.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from zaiko_sdk.errors import Skip


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the platform that a shop's settings lead to.

    `id` is the platform's own: it stays the same as long as the account exists, and no other
    account of the platform has it. `name` is for people, and may change.
    """

    id: str
    name: str = ""


class OrderState(enum.StrEnum):
    """What the shop says about an order as a whole. Only the last three release units that are
    still open."""

    OPEN = "OPEN"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order.

    `external_id` is unique in its order. `listing` is the `Listing.external_id` that was sold, or
    None when the shop does not say (a custom line, a deleted variant).

    `ordered` is the quantity as bought (≥ 0); the connector never reduces it. `cancelled` counts
    units that will never ship: cancelled, removed by an edit or refunded before shipping (0 ≤
    cancelled ≤ ordered). `fulfilled` counts units that were shipped, according to the shop (≥ 0).

    `unrestocked` counts those of `cancelled` that the shop refunded without putting them back on
    the shelf (damaged, lost). A connector that cannot tell leaves it at 0.

    The connector leaves out a line that needs no stock (a gift card, a fee).
    """

    external_id: str
    listing: str | None
    ordered: int
    cancelled: int = 0
    fulfilled: int = 0
    sku: str = ""
    title: str = ""
    unrestocked: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One order as read once, whole: all its lines, also those that were cancelled.

    `version` orders the readings of one order: a reading with an older version never undoes a newer
    one. None means that the platform has no such time; the host uses the time at which the page was
    requested.

    `platform_state` is the platform's own word, kept for people. A state that the connector does
    not know stays OPEN with `state_known=False`, so that a person sees it. `archived` is a label of
    the shop and never releases stock. `paid` is None when the shop does not say. Whether test
    orders are delivered depends on the connector's settings.

    `edited` says whether lines may have been taken out of the order since it was placed. False:
    none was, or the platform goes on delivering removed lines. One that is missing was lost on the
    way then: the host keeps it and shows the order to a person. None (the platform does not say):
    a line that is missing from a newer version was removed; one that is missing from the same
    version, and all lines of an open order, were lost.

    `lines_known=False` says that the order exists and that its lines could not be read (see
    `unreadable`). The host keeps what it last read of it, counts nothing if it never did, and shows
    the order to a person.
    """

    external_id: str
    number: str
    state: OrderState
    placed_at: datetime
    lines: Sequence[OrderLine]
    version: datetime | None = None
    archived: bool = False
    paid: bool | None = None
    platform_state: str = ""
    state_known: bool = True
    lines_known: bool = True
    edited: bool | None = None

    @classmethod
    def unreadable(cls, external_id: str, *, read_at: datetime, number: str = "") -> Order:
        """Return an order that the platform has and the connector cannot understand.

        Deliver it instead of guessed lines, which would release or hold stock wrongly, and instead
        of leaving it out, which would lose it.
        """
        return cls(
            external_id,
            number or external_id,
            OrderState.OPEN,
            read_at,
            (),
            platform_state="unreadable",
            state_known=False,
            lines_known=False,
        )


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A part of what `fetch_orders` delivers.

    `cursor` is opaque. The host stores it in the transaction that ingests the page and passes it to
    the next `fetch_orders`, so that a crash repeats at most this page. `read_at` is when the
    request was sent.

    `complete_until`, where the connector can say it, promises that this page and its predecessors
    delivered every order that changed before that moment. The host shows it as the lag of the
    shop's orders.
    """

    orders: Sequence[Order]
    cursor: str
    read_at: datetime
    complete_until: datetime | None = None


class ListingWarning(enum.StrEnum):
    """What a person should know before linking this listing."""

    UNTRACKED = "UNTRACKED"
    """The shop does not count this listing's stock: it sells whatever the number says."""
    SELLS_BELOW_ZERO = "SELLS_BELOW_ZERO"
    """The shop continues to sell at zero (back order)."""
    OFF_SALE = "OFF_SALE"
    """Hidden, draft or archived: buyers cannot buy it now."""
    NOT_STOCKED = "NOT_STOCKED"
    """There is no stock record at the chosen location yet."""
    DUPLICATE_SKU = "DUPLICATE_SKU"
    """Another listing of the shop has the same code; matching by code would be a guess."""
    RESTOCKS_ON_CANCEL = "RESTOCKS_ON_CANCEL"
    """The shop adds units back on its own when an order is cancelled."""
    READ_ONLY = "READ_ONLY"
    """The platform does not let this listing's stock be set (a bundle parent)."""


@dataclass(frozen=True, slots=True)
class ListingRef:
    """How the host names a listing to its connector: the listing's id, and the connector's own
    `data`, stored and returned unchanged (for Shopify the inventory item behind the variant)."""

    external_id: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """One sellable variant as read from the shop.

    Bulk linking matches `sku` with a product's code, and `barcode` when that fails. `quantity` is
    the number shown when read, or None when the listing call does not include it.
    """

    ref: ListingRef
    title: str
    sku: str = ""
    barcode: str = ""
    group_id: str = ""
    quantity: int | None = None
    warnings: frozenset[ListingWarning] = frozenset()


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A part of the catalogue. The host passes `cursor` back to continue after this page, also in
    another process."""

    listings: Sequence[Listing]
    cursor: str


@dataclass(frozen=True, slots=True)
class InventoryLevel:
    """What a shop shows for one listing now.

    `quantity` is None when the shop keeps no number for it yet; the first write creates it. `error`
    is set when this listing cannot be synced, and says why.

    `withheld` are units that the shop keeps off sale without an order, and that are not in
    `quantity`: reserved, damaged, safety stock. The host does not offer them again. `committed` are
    the units of open orders by the platform's own account; the host compares them with the orders
    that it read. Both come from the same reply as `quantity`; None where the platform does not say.
    """

    external_id: str
    quantity: int | None
    error: Skip | None = None
    withheld: int | None = None
    committed: int | None = None


@dataclass(frozen=True, slots=True)
class InventoryWrite:
    """One change that the host asks for.

    `quantity` (≥ 0) is what the shop should show. `expected` is what the host expects it to show
    now, or None when it has no number there yet. COMPARE_AND_SET connectors send `quantity` on
    condition of `expected`. ADJUST connectors send `delta`, or `quantity` as the first registration
    when `expected` is None. SET connectors send `quantity`.
    """

    ref: ListingRef
    quantity: int
    expected: int | None

    @property
    def delta(self) -> int:
        """The relative change; the whole quantity when the shop has no number yet."""
        return self.quantity - (self.expected or 0)


class WriteOutcome(enum.StrEnum):
    """What became of one write."""

    APPLIED = "APPLIED"
    """The platform acknowledged it."""
    STALE = "STALE"
    """Not applied: the shop does not show `expected` (compare-and-set), or the change would leave
    the allowed range (adjust). `WriteResult.quantity` is the number seen, if the connector read
    it."""
    REFUSED = "REFUSED"
    """Not applied: `WriteResult.error` says why. Only this item is set aside."""
    UNKNOWN = "UNKNOWN"
    """It may have been applied. The host reads to settle it."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The outcome of one write. A call returns exactly one per write, in any order. `withheld` is
    as in InventoryLevel, where it was read with `quantity`; None: as it was read last."""

    external_id: str
    outcome: WriteOutcome
    quantity: int | None = None
    error: Skip | None = None
    withheld: int | None = None
    message: str = ""
    """The platform's own words about this write, where it said any; at most 500 characters are
    kept. A person reads them when writes have no effect."""


class FindingLevel(enum.StrEnum):
    OK = "OK"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of `Connector.check`, written for the merchant.

    `expires_at` is when a credential ends that a person must replace; zaiko shows it and warns
    before. Leave it out for a credential that the connector renews.
    """

    level: FindingLevel
    reason: str
    message: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookHint:
    """What a verified notification says: that something changed. The host reads through the API,
    and never uses the numbers of a notification. `delivery_id` removes duplicates. `order_ids` are
    ids that `read_orders` takes: the host reads these orders first, and one that it knows and that
    is absent has vanished."""

    delivery_id: str
    topic: str
    order_ids: Sequence[str] = ()
