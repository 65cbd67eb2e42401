"""Translates what a connector says into what the engine stores. A connector is not trusted: types,
ranges and sizes are checked here, and a violation raises ContractBroken of that connector."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from zaiko_sdk import ConnectorError, ContractBroken, Listing, Order, Pause, Retry, Stop, Throttled
from zaiko_sdk import Timeout as SdkTimeout
from zaiko_sdk.errors import PlatformDown

from zaiko_core.app.records import ListingRecord
from zaiko_core.domain.demand import DemandLine, DemandState, OrderRecord
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.problem import Problem
from zaiko_core.sync.guard import ConnectorBug

_LARGEST = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Return µs since 1970, exactly. Raises ContractBroken for a time without a zone."""
    if moment.tzinfo is None:
        raise ContractBroken(f"a time without a zone: {moment}")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def order_from(order: Order, *, read_at: datetime) -> OrderRecord:
    """Translate one reading of an order. Raises ContractBroken."""
    if not isinstance(order, Order) or not order.external_id:
        raise ContractBroken(f"an order without an id: {order!r:.200}")
    lines = tuple(
        DemandLine(
            line=line.external_id,
            listing=listing_id(line.listing) if line.listing else "",
            ordered=_units(order, line.ordered),
            cancelled=min(_units(order, line.cancelled), line.ordered),
            fulfilled=_units(order, line.fulfilled),
            sku=_text(line.sku),
            title=_text(line.title),
            unrestocked=min(_units(order, line.unrestocked), line.cancelled),
        )
        for line in order.lines
    )
    if len({line.line for line in lines}) != len(lines):
        raise ContractBroken(f"order {order.external_id} has two lines with the same id")
    return OrderRecord(
        order=order.external_id,
        number=_text(order.number),
        version=micros(order.version or read_at),
        read_at=micros(read_at),
        state=DemandState(order.state.value),
        placed_at=micros(order.placed_at),
        lines=lines,
        # An order that lost its lines on the way would release them: both words mean the same here.
        state_known=order.state_known and order.lines_known,
        lines_known=order.lines_known,
        edited=order.edited,
        platform_state=_text(order.platform_state),
        archived=order.archived,
        paid=order.paid,
    )


def orders_from(
    orders: Sequence[Order], *, read_at: datetime
) -> tuple[list[OrderRecord], list[str]]:
    """Translate a page of orders. Return the orders, and a text for each that could not be
    understood: it does not stop the rest. Of such an order with an id it is kept at least that it
    exists, so that a person sees it."""
    good: list[OrderRecord] = []
    bad: list[str] = []
    for order in orders:
        try:
            good.append(order_from(order, read_at=read_at))
        except (ContractBroken, ValueError, TypeError, AttributeError) as error:
            identity = getattr(order, "external_id", "")
            bad.append(f"{identity or '?'}: {error}")
            if isinstance(identity, str) and identity:
                good.append(
                    order_from(Order.unreadable(identity, read_at=read_at), read_at=read_at)
                )
    return good, bad


def listing_from(listing: Listing, shop: str) -> ListingRecord:
    """Translate a listing. Raises ContractBroken."""
    if not listing.ref.external_id:
        raise ContractBroken(f"a listing without an id: {listing!r:.200}")
    return ListingRecord(
        shop=shop,
        listing=listing_id(listing.ref.external_id),
        external_id=listing.ref.external_id,
        data={str(key): str(value) for key, value in listing.ref.data.items()},
        sku=_text(listing.sku),
        barcode=_text(listing.barcode),
        title=_text(listing.title),
        group_id=_text(listing.group_id),
        quantity=listing.quantity,
        warnings=tuple(sorted(warning.value for warning in listing.warnings)),
    )


def problem_of(error: ConnectorError) -> Problem:
    """Return what a person is shown of an error that a connector raised."""
    return Problem(error.reason, error.message, error.platform_message)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the platform asked us to wait, or None."""
    if isinstance(error, (Throttled, PlatformDown)):
        return error.retry_after
    return None


def is_ambiguous(error: ConnectorError) -> bool:
    """Return whether a write that raised this may have been applied: timeouts that do not deny it,
    and bugs of the connector."""
    if isinstance(error, SdkTimeout):
        return error.sent is not False
    return isinstance(error, ConnectorBug)


def waits_for_person(error: BaseException) -> bool:
    """Return whether the shop is held until a person acts."""
    return isinstance(error, (Pause, Stop)) and not isinstance(error, (Retry, ContractBroken))


def units_of(listing: str, value: int | None) -> int | None:
    """Return units that a connector read for a listing. Raises ContractBroken."""
    if value is not None and not _is_units(value):
        raise ContractBroken(f"{listing} has {value!r} units; whole units from 0 are allowed")
    return value


def _is_units(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _units(order: Order, value: int) -> int:
    if not _is_units(value):
        raise ContractBroken(
            f"order {order.external_id} has a quantity of {value!r}; whole units from 0 to "
            f"{_LARGEST} are allowed"
        )
    return value


def _text(value: str) -> str:
    # NUL cannot be stored by PostgreSQL; the length is a guard against a platform gone wrong.
    return str(value).replace("\x00", "")[:1000]
