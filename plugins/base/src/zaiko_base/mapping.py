"""From BASE's words to zaiko's. Pure functions. They never look at the buyer's data in a row."""

from __future__ import annotations

from collections.abc import Iterator

from zaiko_sdk import Listing, ListingRef, ListingWarning, Order, OrderLine, OrderState

from zaiko_base.rows import ItemRow, LineRow, OrderRow

CANCELLED, DISPATCHED = "cancelled", "dispatched"
OPEN_STATES = frozenset({"unpaid", "ordered", "shipping", "unshippable"})
_LINE_STATES = frozenset({"ordered", DISPATCHED, CANCELLED})


def listing_id(item: int, variation: int | None) -> str:
    """Return a listing's id. Product codes cannot be ids: they are free text, may be missing and
    need not be unique."""
    return f"{item}-{variation}" if variation else str(item)


def parts_of(listing: str) -> tuple[str, str]:
    """Return the item and, where there is one, the variation of a listing."""
    item, _, variation = listing.partition("-")
    return item, variation


def order_from(row: OrderRow) -> Order:
    """Return one order, whole. BASE dispatches and cancels lines one by one, so the lines decide;
    only a cancelled order is cancelled no matter what its lines say."""
    states = {line.status for line in row.order_items}
    known = row.dispatch_status in OPEN_STATES | {CANCELLED, DISPATCHED} and states <= _LINE_STATES
    if row.dispatch_status == CANCELLED or (states and states == {CANCELLED}):
        state = OrderState.CANCELLED
    elif states and states <= {CANCELLED, DISPATCHED}:
        state = OrderState.SHIPPED
    else:
        state = OrderState.OPEN
        # Dispatched as a whole, but with a line that is not: a person must look at it.
        known = known and row.dispatch_status != DISPATCHED
    return Order(
        external_id=row.unique_key,
        number=row.unique_key,
        state=state,
        placed_at=row.ordered,
        lines=[_line(line) for line in row.order_items],
        # A change of a line may not show in the header.
        version=max([row.modified, *(line.modified for line in row.order_items if line.modified)]),
        paid=False if row.dispatch_status == "unpaid" else None,
        platform_state=row.dispatch_status,
        state_known=known,
    )


def _line(row: LineRow) -> OrderLine:
    sku = row.variation_identifier if row.variation_id else row.item_identifier
    return OrderLine(
        external_id=str(row.order_item_id),
        listing=listing_id(row.item_id, row.variation_id) if row.item_id else None,
        ordered=row.amount,
        cancelled=row.amount if row.status == CANCELLED else 0,
        fulfilled=row.amount if row.status == DISPATCHED else 0,
        sku=(sku or "").strip(),
        title=" / ".join(part for part in (row.title, row.variation) if part),
    )


def listings_from(row: ItemRow) -> Iterator[Listing]:
    """Yield the item, or each of its variations."""
    warnings = frozenset({ListingWarning.OFF_SALE}) if row.visible is False else frozenset()
    if not row.variations:
        yield Listing(
            ref=ListingRef(listing_id(row.item_id, None)),
            title=row.title,
            sku=(row.identifier or "").strip(),
            barcode=(row.barcode or "").strip(),
            group_id=str(row.item_id),
            quantity=row.stock,
            warnings=warnings,
        )
    for variation in row.variations or ():
        yield Listing(
            ref=ListingRef(listing_id(row.item_id, variation.variation_id)),
            title=" / ".join(part for part in (row.title, variation.variation) if part),
            sku=(variation.variation_identifier or "").strip(),
            barcode=(variation.barcode or "").strip(),
            group_id=str(row.item_id),
            quantity=variation.variation_stock,
            warnings=warnings,
        )


def numbers_of(row: ItemRow) -> dict[str, int]:
    """Return what each listing of an item shows."""
    return {
        listing.ref.external_id: listing.quantity
        for listing in listings_from(row)
        if listing.quantity is not None
    }
