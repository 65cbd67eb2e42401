"""From the platform's words to zaiko's. Pure functions, so that every odd case is a short test."""

from __future__ import annotations

from zaiko_sdk import (
    InventoryLevel,
    ItemRefused,
    Listing,
    ListingGone,
    ListingRef,
    ListingWarning,
    Order,
    OrderLine,
    OrderState,
    Skip,
    WriteOutcome,
    WriteResult,
)

from zaiko_example.rows import LineRow, ListingRow, OrderRow, ResultRow, StockRow

_STATES = {
    "open": OrderState.OPEN,
    "shipped": OrderState.SHIPPED,
    "cancelled": OrderState.CANCELLED,
}
_OUTCOMES = {
    "applied": WriteOutcome.APPLIED,
    "stale": WriteOutcome.STALE,
    "refused": WriteOutcome.REFUSED,
}


def order_from(row: OrderRow) -> Order:
    """Return one order, whole. An order with a status that we do not know holds stock, and zaiko
    shows it to a person."""
    return Order(
        external_id=row.id,
        number=row.number,
        state=_STATES.get(row.status, OrderState.OPEN),
        placed_at=row.placed_at,
        lines=[_line(line) for line in row.lines],
        version=row.updated_at,
        paid=row.paid,
        platform_state=row.status,
        state_known=row.status in _STATES,
    )


def _line(row: LineRow) -> OrderLine:
    return OrderLine(
        external_id=row.id,
        listing=row.listing_id or None,
        # As bought. Do not subtract here what was cancelled or shipped: zaiko does that.
        ordered=row.quantity,
        cancelled=min(row.cancelled, row.quantity),
        fulfilled=row.shipped,
        sku=row.sku or "",
        title=row.title or "",
    )


def listing_from(row: ListingRow) -> Listing:
    """Return one listing, with what a person should know before linking it."""
    warnings = set()
    if row.stock is None:
        warnings.add(ListingWarning.NOT_STOCKED)
    if not row.on_sale:
        warnings.add(ListingWarning.OFF_SALE)
    return Listing(
        ref=ListingRef(row.id),
        title=row.title,
        sku=(row.sku or "").strip(),
        barcode=(row.barcode or "").strip(),
        group_id=row.product_id,
        quantity=row.stock,
        warnings=frozenset(warnings),
    )


def level_from(ref: ListingRef, row: StockRow | None) -> InventoryLevel:
    """Return what a listing shows. The platform leaves out ids that it does not know."""
    if row is None:
        return InventoryLevel(
            ref.external_id, None, ListingGone("The shop no longer has this listing.")
        )
    return InventoryLevel(ref.external_id, row.quantity)


def result_from(listing: str, row: ResultRow | None) -> WriteResult:
    """Return the outcome of one change. When the reply leaves it out, or uses a word that we do not
    know, zaiko settles it by reading."""
    outcome = _OUTCOMES.get(row.status) if row is not None else None
    if row is None or outcome is None:
        return WriteResult(listing, WriteOutcome.UNKNOWN)
    error: Skip | None = None
    if outcome is WriteOutcome.REFUSED:
        gone = row.reason == "unknown_listing"
        error = (
            ListingGone("The shop no longer has this listing.")
            if gone
            else ItemRefused(f"The shop refused it: {row.reason}")
        )
    return WriteResult(listing, outcome, row.quantity, error)
