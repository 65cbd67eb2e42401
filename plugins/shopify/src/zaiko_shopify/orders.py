"""From Shopify's orders to zaiko's. Pure functions. A line that can be understood in part keeps the
rest of its units on hold; an order with a line that cannot be understood at all is unreadable as a
whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from zaiko_sdk import ContractBroken, Order, OrderLine, OrderState, ReplyFields

from zaiko_shopify.connections import connection
from zaiko_shopify.line_units import Counters, Refunded, units

T = TypeVar("T")

_FULFILMENT = frozenset(
    {
        "FULFILLED",
        "FULFILLMENT_NOT_REQUIRED",
        "IN_PROGRESS",
        "ON_HOLD",
        "OPEN",
        "PARTIALLY_FULFILLED",
        "PENDING_FULFILLMENT",
        "REQUEST_DECLINED",
        "RESTOCKED",
        "SCHEDULED",
        "UNFULFILLED",
    }
)
_PAID = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})
_UNPAID = frozenset({"AUTHORIZED", "EXPIRED", "PARTIALLY_PAID", "PENDING", "VOIDED"})
_BEFORE_SHIPPING, _RETURNED, _NOT_RESTOCKED = "CANCEL", "RETURN", "NO_RESTOCK"


@dataclass(frozen=True, slots=True)
class Draft:
    """An order as one reply shows it. `more_lines` is where its further lines begin, None when all
    are there."""

    external_id: str
    node: ReplyFields
    lines: Sequence[Any]
    more_lines: str | None
    problems: list[str] = field(default_factory=list)


def draft_of(row: object, where: str) -> Draft:
    """Read an order's id and lines. Raises ContractBroken."""
    node = ReplyFields(where, row)
    identity = node.text("id")
    lines = connection(node, "lineItems")
    return Draft(identity, node, lines.rows, lines.after)


def is_test(draft: Draft) -> bool:
    """Return whether the order was made in test mode. An order that does not say it is none."""
    return draft.node.raw("test") is True


def order_of(draft: Draft, more: Sequence[Any] = ()) -> Order:
    """Return the order. `more` are the lines that were read after the first page.

    What could not be understood is added to `draft.problems`. Raises ContractBroken when a line
    cannot be understood.
    """
    node, problems = draft.node, draft.problems
    cancelled_at = _tried(problems, lambda: node.moment_or_none("cancelledAt"), None)
    fulfilment = _tried(problems, lambda: node.text("displayFulfillmentStatus"), "")
    financial = _tried(problems, lambda: node.text_or_empty("displayFinancialStatus"), "")
    closed = _tried(problems, lambda: node.flag("closed"), False)
    version = _tried(problems, lambda: node.moment("updatedAt"), None)
    placed = _tried(problems, lambda: node.moment("createdAt"), version)
    if placed is None:
        raise ContractBroken(f"order {draft.external_id} has neither createdAt nor updatedAt")
    nothing: tuple[dict[str, Refunded], bool] = ({}, True)
    refunded, truncated = _tried(problems, lambda: _refunds(node), nothing)
    reader = _LineReader(
        refunded,
        truncated,
        untouched=fulfilment == "UNFULFILLED",
        cancelled=cancelled_at is not None,
    )
    lines = []
    for index, row in enumerate([*draft.lines, *more]):
        line = reader.read(row, index, problems)
        if line is not None:
            lines.append(line)
    state = OrderState.OPEN
    if cancelled_at is not None:
        state = OrderState.CANCELLED
    elif fulfilment == "FULFILLED" and not any(
        line.ordered - line.cancelled - line.fulfilled for line in lines
    ):
        # Only when the lines agree: an order that was fulfilled and then extended by an edit still
        # holds units.
        state = OrderState.SHIPPED
    return Order(
        external_id=draft.external_id,
        number=_tried(problems, lambda: node.text("name"), draft.external_id),
        state=state,
        placed_at=placed,
        lines=lines,
        version=version,
        archived=closed and cancelled_at is None,
        paid=True if financial in _PAID else False if financial in _UNPAID else None,
        platform_state="cancelled"
        if cancelled_at is not None
        else "/".join(word for word in (fulfilment, financial) if word),
        state_known=fulfilment in _FULFILMENT and not problems,
        # Lines that the staff removed are delivered with no units left.
        edited=False,
    )


@dataclass(frozen=True, slots=True)
class _LineReader:
    refunded: Mapping[str, Refunded]
    truncated: bool
    untouched: bool
    cancelled: bool

    def read(self, row: object, index: int, problems: list[str]) -> OrderLine | None:
        """Return the line, or None when it needs no stock. Raises ContractBroken when it is not
        known which line it is, or how many units it has: the order without it would release
        them."""
        node = ReplyFields(f"lineItems[{index}]", row)
        identity = node.text("id")
        variant = _tried(problems, lambda: node.inner_or_none("variant"), None)
        if _needs_no_stock(node, variant):
            return None
        listing = _tried(problems, lambda: variant.text("id") if variant else None, None)
        found = self.refunded.get(identity, Refunded())
        try:
            counters = Counters(
                node.whole("quantity"),
                node.whole("currentQuantity"),
                node.whole("unfulfilledQuantity"),
            )
            if self.truncated:
                # There are more refunds than were read: each removed unit may have been shipped
                # before.
                found = Refunded(returned=found.returned, unclear=counters.quantity)
            counted = units(counters, found, untouched=self.untouched, cancelled=self.cancelled)
        except ContractBroken as error:
            problems.append(error.message)
            counted = units(_held(node), found, untouched=True, cancelled=self.cancelled)
        return OrderLine(
            external_id=identity,
            listing=listing,
            ordered=counted.ordered,
            cancelled=counted.cancelled,
            fulfilled=counted.fulfilled,
            unrestocked=counted.unrestocked,
            sku=_tried(problems, lambda: node.text_or_empty("sku"), ""),
            title=_tried(problems, lambda: node.text_or_empty("name"), ""),
        )


def _needs_no_stock(node: ReplyFields, variant: ReplyFields | None) -> bool:
    """Return whether a line is a gift card, a service or a fee: nothing is shipped, and Shopify
    counts no stock of it. What Shopify does count is kept, because Shopify has lowered its number
    for it."""
    if node.raw("requiresShipping") is not False:
        return False
    item = variant.raw("inventoryItem") if variant is not None else None
    return not (isinstance(item, dict) and item.get("tracked") is True)


def _held(node: ReplyFields) -> Counters:
    """Return the most that a line with unreadable counters may hold."""
    seen = [node.raw(name) for name in ("quantity", "currentQuantity", "unfulfilledQuantity")]
    counts = [value for value in seen if isinstance(value, int) and not isinstance(value, bool)]
    if not counts:
        raise ContractBroken(f"{node.where} has no counter that can be read")
    return Counters(max(counts), max(counts), max(counts))


def _refunds(node: ReplyFields) -> tuple[dict[str, Refunded], bool]:
    """Refunded units by line, and whether there are more than were read."""
    found: dict[str, Refunded] = {}
    refunds = node.each("refunds")
    truncated = len(refunds) >= 50
    for refund in refunds:
        page = refund.inner("refundLineItems")
        truncated = truncated or page.inner("pageInfo").flag("hasNextPage")
        for entry in page.each("nodes"):
            kind, count, line = (
                entry.text("restockType"),
                entry.whole("quantity"),
                entry.inner("lineItem").text("id"),
            )
            before = found.get(line, Refunded())
            if kind == _RETURNED:
                found[line] = replace(before, returned=before.returned + count)
            elif kind != _BEFORE_SHIPPING:
                found[line] = replace(
                    before,
                    unclear=before.unclear + count,
                    unrestocked=before.unrestocked + (count if kind == _NOT_RESTOCKED else 0),
                )
    return found, truncated


def _tried(problems: list[str], read: Callable[[], T], otherwise: T) -> T:
    """Return what `read` returns, or `otherwise` with the problem noted."""
    try:
        return read()
    except ContractBroken as error:
        problems.append(error.message)
        return otherwise
