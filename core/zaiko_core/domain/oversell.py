"""Why more was sold than there is, and which setting would have prevented it (ADR 0011). Pure.

Units are units of the product; times are µs since 1970.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_core.domain.stock import MovementKind

LATE = 60_000_000
"""µs between placing and reading an order after which the reading is what was too slow."""


class OversellCause(enum.StrEnum):
    """Why."""

    SOLD_TWICE = "SOLD_TWICE"
    """Shops sold the same units between an order and the push that followed it."""
    ORDER_READ_LATE = "ORDER_READ_LATE"
    """As before, and the order was read only long after it was placed."""
    SHOP_FAILING = "SHOP_FAILING"
    """The shop could not be reached or refused us, so its orders were not read and its number was
    old."""
    SHOP_NOT_READ = "SHOP_NOT_READ"
    """Nobody fetched the shop's orders for longer than two intervals: it was paused, or the server
    was down."""
    LINK_FAILING = "LINK_FAILING"
    """The shop's number of this listing could not be set."""
    SYNC_DISABLED = "SYNC_DISABLED"
    """The listing is sold without sync."""
    NOT_YET_SYNCED = "NOT_YET_SYNCED"
    """The shop had never acknowledged a number for this listing."""
    ORDER_BEFORE_LINKING = "ORDER_BEFORE_LINKING"
    """The order is older than the link, and was counted when it was made."""
    SELLS_BELOW_ZERO = "SELLS_BELOW_ZERO"
    """The shop sold more than it showed, and its listing takes orders without stock."""
    ORDER_EDITED = "ORDER_EDITED"
    """An order was made larger in the shop."""
    STOCK_CORRECTED = "STOCK_CORRECTED"
    """The warehouse found fewer units than it had recorded."""
    HELD_WITHOUT_ORDER = "HELD_WITHOUT_ORDER"
    """The warehouse held units for a shipment that no shop has an order for."""
    UNKNOWN = "UNKNOWN"
    """What is known does not say."""
    SHOWED_TOO_MUCH = "SHOWED_TOO_MUCH"
    """Nobody else took the units: the shop was seen to show more than it had acknowledged."""


class Setting(enum.StrEnum):
    """What would have prevented it. The list may grow."""

    NONE = "NONE"
    ESCROW = "ESCROW"
    """SetEscrow of the product with `value`."""
    RESERVE = "RESERVE"
    """SetReserve of the product with `value`."""
    ENABLE_SYNC = "ENABLE_SYNC"
    SHORTER_INTERVAL = "SHORTER_INTERVAL"
    """Webhooks, or Shop.sync_interval of at most `value` seconds."""
    REPAIR_SHOP = "REPAIR_SHOP"
    """The shop's problem says how: mostly by replacing its credentials."""
    RESUME_SHOP = "RESUME_SHOP"
    REPAIR_LISTING = "REPAIR_LISTING"
    STOP_BACK_ORDERS = "STOP_BACK_ORDERS"
    """Sales without stock are switched off in the shop."""
    HOLD_DRIFT = "HOLD_DRIFT"
    """Shop.drift_policy HOLD: a number that was edited in the shop is shown to a person."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """`units` of free stock that one movement took. `shop` is empty when no shop did; `order` is
    the platform's id, or the warehouse's reference."""

    seq: int
    kind: MovementKind
    units: int
    shop: str = ""
    order: str = ""
    number: str = ""
    at: int = 0
    """When the order was placed, or the movement happened."""


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """What was known of one link of the product just before. Numbers are of the listing, which
    takes `count` units of the product; `shown` is the most that the shop can have shown (None:
    unknown), `acknowledged` the last number that it confirmed, `since` when; `shop_read_at` is when
    the last fetch of its orders began that was ingested whole."""

    shop: str
    listing: str
    count: int
    sync_enabled: bool
    state: str
    problem: str
    shop_problem: str
    shown: int | None
    acknowledged: int | None
    since: int | None
    last_success_at: int | None
    shop_read_at: int | None
    interval: int
    linked_at: int
    sells_below_zero: bool = False
    """Whether the platform says that the listing is sold without stock."""
    showed_more: bool = False
    """Whether the shop was read to show more than it had acknowledged."""


@dataclass(frozen=True, slots=True)
class OversellEvent:
    """One movement that took `units` (≥ 1) which are not there, `short` units being missing after
    it. `taken` are the units that it took in all, together with those that the same shop took in
    the same page before it. `read_at` is when we heard of it."""

    product: str
    by: Consumption
    units: int
    short: int
    taken: int
    read_at: int
    reserve: int


@dataclass(frozen=True, slots=True)
class RootCause:
    """The finding: the cause, what would have prevented it, and the numbers in words."""

    cause: OversellCause
    setting: Setting
    value: int
    message: str


def examine(
    event: OversellEvent, snapshots: Sequence[LinkSnapshot], taken: Sequence[Consumption]
) -> RootCause:
    """Find the cause. `snapshots` are the product's links; `taken` what others took since the
    selling shop last acknowledged a number."""
    seller = _seller(event, snapshots)
    others = [other for other in taken if other.shop != event.by.shop or not event.by.shop]
    cause = _cause(event, seller, others)
    setting, value = _setting(cause, event, seller)
    return RootCause(cause, setting, value, _message(event, seller, others))


def _seller(event: OversellEvent, snapshots: Sequence[LinkSnapshot]) -> LinkSnapshot | None:
    own = [snapshot for snapshot in snapshots if snapshot.shop == event.by.shop]
    return max(own, key=lambda snapshot: (snapshot.shown or 0) * snapshot.count, default=None)


def _cause(
    event: OversellEvent, seller: LinkSnapshot | None, others: Sequence[Consumption]
) -> OversellCause:
    kind, by = event.by.kind, event.by
    if kind is MovementKind.ALLOCATE:
        return OversellCause.HELD_WITHOUT_ORDER
    if kind in (
        MovementKind.ADJUST,
        MovementKind.SHIP,
        MovementKind.DEALLOCATE,
        MovementKind.RECEIVE,
        MovementKind.TRANSFER,
    ):
        return OversellCause.STOCK_CORRECTED
    if kind is MovementKind.ORDER_LINKED:
        return OversellCause.ORDER_BEFORE_LINKING
    if kind is not MovementKind.ORDER_PLACED:
        return OversellCause.ORDER_EDITED
    if seller is None or by.at < seller.linked_at:
        return OversellCause.ORDER_BEFORE_LINKING
    if not seller.sync_enabled:
        return OversellCause.SYNC_DISABLED
    if seller.acknowledged is None and not seller.last_success_at:
        return OversellCause.NOT_YET_SYNCED
    if _sold_below_zero(event, seller):
        return OversellCause.SELLS_BELOW_ZERO
    if seller.shop_problem and _unread_for(event, seller) > LATE:
        return OversellCause.SHOP_FAILING
    if seller.problem:
        return OversellCause.LINK_FAILING
    if seller.shop_read_at is not None and _unread_for(event, seller) > 2 * seller.interval:
        return OversellCause.SHOP_NOT_READ
    if not others:
        return OversellCause.SHOWED_TOO_MUCH if seller.showed_more else OversellCause.UNKNOWN
    if all(not other.shop for other in others):
        return OversellCause.STOCK_CORRECTED
    late = max(event.read_at - by.at, 0)
    return OversellCause.ORDER_READ_LATE if late > LATE else OversellCause.SOLD_TWICE


def _unread_for(event: OversellEvent, seller: LinkSnapshot) -> int:
    """Return for how long (µs) the shop's orders had not been fetched when the order was read."""
    return event.read_at - (seller.shop_read_at or 0)


def _sold_below_zero(event: OversellEvent, seller: LinkSnapshot) -> bool:
    """Return whether the order took more than its shop showed. An order that was placed before the
    shop acknowledged its number was placed at another one."""
    if not seller.sells_below_zero or seller.shown is None:
        return False
    is_of_this_number = seller.since is None or event.by.at >= seller.since
    return is_of_this_number and seller.shown * seller.count < event.taken


def _setting(
    cause: OversellCause, event: OversellEvent, seller: LinkSnapshot | None
) -> tuple[Setting, int]:
    if cause is OversellCause.SOLD_TWICE:
        shown = (seller.shown or 0) * seller.count if seller else 0
        return Setting.ESCROW, max(shown, event.taken)
    if cause in (
        OversellCause.ORDER_EDITED,
        OversellCause.STOCK_CORRECTED,
        OversellCause.HELD_WITHOUT_ORDER,
    ):
        return Setting.RESERVE, event.reserve + event.short
    if cause is OversellCause.ORDER_READ_LATE:
        return Setting.SHORTER_INTERVAL, LATE // 1_000_000
    return {
        OversellCause.SHOP_FAILING: Setting.REPAIR_SHOP,
        OversellCause.SHOP_NOT_READ: Setting.RESUME_SHOP,
        OversellCause.LINK_FAILING: Setting.REPAIR_LISTING,
        OversellCause.SYNC_DISABLED: Setting.ENABLE_SYNC,
        OversellCause.SELLS_BELOW_ZERO: Setting.STOP_BACK_ORDERS,
        OversellCause.SHOWED_TOO_MUCH: Setting.HOLD_DRIFT,
    }.get(cause, Setting.NONE), 0


def _message(
    event: OversellEvent, seller: LinkSnapshot | None, others: Sequence[Consumption]
) -> str:
    by = event.by
    name = by.number or by.order
    what = (
        f"order {name} of shop {by.shop}"
        if by.shop
        else f"shipment {name}"
        if name
        else f"movement {by.seq} ({by.kind.value})"
    )
    words = [f"{what} took {by.units} units, {event.units} of them are not there"]
    if by.shop and by.at:
        words.append(
            f"it was read {max(0, event.read_at - by.at) / 1_000_000:.0f} s after it was placed"
        )
    if seller is not None and seller.shown is not None:
        words.append(f"the shop was taken to show {seller.shown}")
    if seller is not None and (seller.problem or seller.shop_problem):
        words.append(f"with the problem {seller.problem or seller.shop_problem}")
    if others:
        words.append(
            "since its number was acknowledged, others took "
            f"{sum(other.units for other in others)} units"
        )
    return "; ".join(words)
