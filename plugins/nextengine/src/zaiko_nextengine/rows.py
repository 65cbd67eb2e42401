"""What Next Engine sends, row by row, checked before anything is believed (FACTS.md §2, §4, §5 and
§7).

Every value is text or null, numbers too. Unknown fields are ignored: a reply holds only the fields
that were asked for, and tokens.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from zaiko_sdk import Row

JAPAN = timezone(timedelta(hours=9), "JST")
"""UNCONFIRMED: Next Engine states no zone for its times; it is a service for Japan."""
_MOST = 1_000_000_000
_FIRST_YEAR, _LAST_YEAR = 1990, 2999
_FORMAT = "%Y-%m-%d %H:%M:%S"


def _whole(value: Any) -> Any:
    """Return a whole number: `"170"` and `"170.00"` are the same."""
    if isinstance(value, bool | float):
        raise ValueError("a whole number is wanted")
    if isinstance(value, str):
        head, dot, tail = value.partition(".")
        return head if dot and tail and not tail.strip("0") else value
    return value


def _time(value: Any) -> Any:
    if value is None or value == "" or (isinstance(value, str) and value.startswith("0000-00-00")):
        return None
    if not isinstance(value, str):
        raise ValueError("a time as text is wanted")
    moment = datetime.strptime(value, _FORMAT).replace(tzinfo=JAPAN)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError("a time of our age is wanted")
    return moment.astimezone(UTC)


def _text(value: Any) -> Any:
    return (
        ""
        if value is None
        else str(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
    )


Whole = Annotated[int, BeforeValidator(_whole), Field(ge=-_MOST, le=_MOST)]
Units = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=_MOST)]
Moment = Annotated[datetime, BeforeValidator(_time)]
OptionalMoment = Annotated[datetime | None, BeforeValidator(_time)]
Text = Annotated[str, BeforeValidator(_text)]
"""A text. Null and missing are empty."""
Key = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=100)]


def japanese(moment: datetime) -> str:
    """Return a time as Next Engine expects it in a condition."""
    return moment.astimezone(JAPAN).strftime(_FORMAT)


class GoodsRow(Row):
    """One row of /api_v1_master_goods/search."""

    goods_id: Key
    goods_name: Text = ""
    goods_jan_code: Text = ""
    goods_representation_id: Text = ""
    goods_type_id: Text = ""
    goods_stock_management_flag: Text = ""
    goods_visible_flag: Text = ""
    stock_free_quantity: Annotated[int | None, BeforeValidator(_whole)] = None


class SetRow(Row):
    """One component of a set: a row of /api_v1_master_setgoods/search."""

    set_goods_id: Key
    set_goods_name: Text = ""


class StockRow(Row):
    """One row of /api_v1_master_stock/search."""

    stock_goods_id: Key
    stock_free_quantity: Whole
    stock_deleted_flag: Text = ""


class QueueRow(Row):
    """One row of /api_v1_system_que/search."""

    que_id: Key
    que_status_id: Whole
    que_message: Text = ""


class ChangedRow(Row):
    """A line of an order, with the fields that finding changed orders needs."""

    receive_order_row_receive_order_id: Key
    receive_order_row_last_modified_newest_date: OptionalMoment = None


class OrderRow(Row):
    """A line of an order, with the needed fields of its slip: a row of
    /api_v1_receiveorder_row/search."""

    receive_order_row_receive_order_id: Key
    receive_order_row_no: Key
    receive_order_row_shop_cut_form_id: Text = ""
    receive_order_row_goods_id: Text = ""
    receive_order_row_goods_name: Text = ""
    receive_order_row_quantity: Units
    receive_order_row_cancel_flag: Text
    receive_order_row_deleted_flag: Text
    receive_order_row_last_modified_newest_date: OptionalMoment = None
    receive_order_date: OptionalMoment = None
    receive_order_import_date: OptionalMoment = None
    receive_order_order_status_id: Key
    receive_order_order_status_name: Text = ""
    receive_order_cancel_type_id: Key
    receive_order_cancel_type_name: Text = ""
    receive_order_include_to_order_id: Text = ""


def fields_of(kind: type[Row]) -> str:
    """Return the fields to ask for, so that a row of this kind can be read."""
    return ",".join(kind.model_fields)
