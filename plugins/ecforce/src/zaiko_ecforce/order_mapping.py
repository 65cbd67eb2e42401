"""From an ecforce order to zaiko's. Pure functions. They never look at the buyer's data in a
row."""

from __future__ import annotations

from datetime import datetime

from zaiko_sdk import ContractBroken, Order, OrderLine, OrderState

from zaiko_ecforce.documents import Document, Resource
from zaiko_ecforce.settings import EcforceSettings

_PAID = frozenset({"authed", "captured", "completed", "paid"})
"""Payment states in which the money was received, or promised by the card company, after which
shops ship."""
_UNPAID = frozenset(
    {"auth_failed", "credit_exam_failed", "failed", "registration_failed", "sales_failed"}
)


class LinesMissing(ContractBroken):
    """An order says nothing of its lines."""


def order_from(
    document: Document,
    row: Resource,
    settings: EcforceSettings,
    *,
    read_at: datetime,
    location_id: str = "",
) -> Order:
    """Return one order, whole, with the lines that ecforce takes from `location_id`, or all lines
    when it is empty.

    Raises ContractBroken when its lines cannot be understood: an order with too few lines would
    return sold units to stock.
    """
    fields = row.fields
    items = document.linked(row, "order_items")
    if items is None:
        raise LinesMissing(f"{fields.where} came without order_items although they were asked for")
    platform_state, payment = fields.text_or_empty("state"), fields.text_or_empty("payment_state")
    has_left = (
        fields.moment_or_none("shipped_at") is not None
        or platform_state in settings.shipped_states | settings.returned_states
    )
    changed = fields.moment_or_none("updated_at")
    confirmed = fields.moment_or_none("completed_at") or fields.moment_or_none("created_at")
    return Order(
        external_id=row.id,
        number=fields.text_or_empty("number") or row.id,
        state=_state(
            settings,
            platform_state,
            payment,
            has_left=has_left,
            deleted=bool(fields.text_or_empty("deleted_at")),
        ),
        placed_at=confirmed or changed or read_at,
        lines=[_line(item, has_left=has_left) for item in items if _is_at(item, location_id)],
        version=changed,
        paid=True if payment in _PAID else False if payment in _UNPAID else None,
        platform_state=" / ".join(
            part
            for part in (fields.text_or_empty("human_state") or platform_state, payment)
            if part
        ),
        state_known=_is_known(settings, platform_state),
    )


def _state(
    settings: EcforceSettings, state: str, payment: str, *, has_left: bool, deleted: bool
) -> OrderState:
    if deleted:
        return OrderState.DELETED
    if state in settings.cancelled_states or payment in settings.cancelled_payment_states:
        return OrderState.CANCELLED
    return OrderState.SHIPPED if has_left else OrderState.OPEN


def _is_known(settings: EcforceSettings, state: str) -> bool:
    known = (
        settings.open_states,
        settings.shipped_states,
        settings.returned_states,
        settings.cancelled_states,
    )
    return any(state in states for states in known)


def _is_at(item: Resource, location_id: str) -> bool:
    """Return whether a line is taken from the location. A line without a location is counted,
    because it may be ours."""
    own = item.fields.text_or_empty("stock_location_id")
    return not location_id or not own or own == location_id


def _line(item: Resource, *, has_left: bool) -> OrderLine:
    fields = item.fields
    units, sku = fields.units("quantity"), fields.text_or_empty("variant_sku")
    return OrderLine(
        external_id=item.id,
        listing=sku or None,
        ordered=units,
        fulfilled=units if has_left else 0,
        sku=sku,
        title=fields.text_or_empty("product_name"),
    )
