"""From Next Engine's words to zaiko's. Pure functions. A slip (受注伝票) is an order; the connector
never asks for the buyer's data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from zaiko_sdk import Listing, ListingRef, ListingWarning, Order, OrderLine, OrderState

from zaiko_nextengine.rows import GoodsRow, OrderRow, SetRow

NOT_CANCELLED, MERGED = "0", "3"
"""Cancel types. The units of a slip that was merged into another one are now in that one."""
SHIPPED = "50"
_OPEN = frozenset({"0", "1", "2", "20", "30", "40"})
_PRE_ORDER, _MADE_TO_ORDER = "10", "20"
SET = {"kind": "set"}
"""`ListingRef.data` of a set (セット商品), which has no stock of its own."""


def order_from(rows: Sequence[OrderRow], *, read_at: datetime) -> Order:
    """Return one slip from all its rows (at least one), which repeat what the slip says."""
    slip = rows[0]
    status, cancel = slip.receive_order_order_status_id, slip.receive_order_cancel_type_id
    if status == SHIPPED:
        # Also when it was cancelled later: the units were shipped. The warehouse receives what
        # comes back.
        state = OrderState.SHIPPED
    elif cancel != NOT_CANCELLED:
        state = OrderState.CANCELLED
    elif all(_is_deleted(row) for row in rows):
        state = OrderState.DELETED
    elif all(_is_cancelled(row) for row in rows):
        state = OrderState.CANCELLED
    else:
        state = OrderState.OPEN
    words = [status, slip.receive_order_order_status_name]
    if cancel != NOT_CANCELLED:
        words += ["cancelled", cancel, slip.receive_order_cancel_type_name]
    return Order(
        external_id=slip.receive_order_row_receive_order_id,
        # The number that the buyer knows. It may repeat, so it is not an id.
        number=slip.receive_order_row_shop_cut_form_id or slip.receive_order_row_receive_order_id,
        state=state,
        placed_at=slip.receive_order_date or slip.receive_order_import_date or read_at,
        lines=[_line(row) for row in rows],
        version=max(
            (moment for row in rows if (moment := row.receive_order_row_last_modified_newest_date)),
            default=None,
        ),
        platform_state=" ".join(word for word in words if word),
        state_known=status == SHIPPED or status in _OPEN,
    )


def _line(row: OrderRow) -> OrderLine:
    cancelled = _is_cancelled(row)
    shipped = row.receive_order_order_status_id == SHIPPED
    return OrderLine(
        external_id=row.receive_order_row_no,
        listing=row.receive_order_row_goods_id or None,
        ordered=row.receive_order_row_quantity,
        cancelled=row.receive_order_row_quantity if cancelled else 0,
        fulfilled=row.receive_order_row_quantity if shipped and not cancelled else 0,
        sku=row.receive_order_row_goods_id,
        title=row.receive_order_row_goods_name,
    )


def _is_deleted(row: OrderRow) -> bool:
    return row.receive_order_row_deleted_flag == "1"


def _is_cancelled(row: OrderRow) -> bool:
    return row.receive_order_row_cancel_flag == "1" or _is_deleted(row)


def listing_from(row: GoodsRow) -> Listing:
    """Return one goods row. Its code is its id: Next Engine keeps one row per code, and order rows
    name nothing else."""
    warnings = set()
    if row.goods_stock_management_flag == "0":
        warnings.add(ListingWarning.UNTRACKED)
    if row.goods_type_id in (_PRE_ORDER, _MADE_TO_ORDER):
        warnings.add(ListingWarning.SELLS_BELOW_ZERO)
    if row.goods_visible_flag == "0":
        warnings.add(ListingWarning.OFF_SALE)
    if row.stock_free_quantity is None:
        warnings.add(ListingWarning.NOT_STOCKED)
    return Listing(
        ref=ListingRef(row.goods_id),
        title=row.goods_name or row.goods_id,
        sku=row.goods_id,
        barcode=row.goods_jan_code,
        group_id=row.goods_representation_id,
        quantity=row.stock_free_quantity,
        warnings=frozenset(warnings),
    )


def set_from(row: SetRow) -> Listing:
    """Return a set, whose stock Next Engine computes from its parts. It is listed because an order
    may name it (UNCONFIRMED)."""
    ref = ListingRef(row.set_goods_id, SET)
    return Listing(
        ref,
        row.set_goods_name or row.set_goods_id,
        row.set_goods_id,
        warnings=frozenset({ListingWarning.READ_ONLY}),
    )
