"""From rows to orders: who still holds stock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from zaiko_nextengine.mapping import order_from
from zaiko_nextengine.order_cursor import OrderCursor, read_cursor
from zaiko_nextengine.report import complaints
from zaiko_nextengine.rows import GoodsRow, OrderRow, StockRow, japanese
from zaiko_sdk import ContractBroken, Order, OrderState, read_row

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ROW: dict[str, Any] = {
    "receive_order_row_receive_order_id": "5120",
    "receive_order_row_no": "1",
    "receive_order_row_shop_cut_form_id": "R-1",
    "receive_order_row_goods_id": "towel-wm",
    "receive_order_row_goods_name": "タオル",
    "receive_order_row_quantity": "2",
    "receive_order_row_cancel_flag": "0",
    "receive_order_row_deleted_flag": "0",
    "receive_order_row_last_modified_newest_date": "2026-11-23 08:41:00",
    "receive_order_date": "2026-11-22 23:00:00",
    "receive_order_order_status_id": "2",
    "receive_order_order_status_name": "起票済(CSV/手入力)",
    "receive_order_cancel_type_id": "0",
}


def order_of(*changes: dict[str, Any]) -> Order:
    """Return the order of one row, or of one row per change."""
    return order_from(
        [read_row(OrderRow, ROW | change, what="a row") for change in changes or ({},)], read_at=NOW
    )


def to_leave(order: Order) -> int:
    """Units that the host takes for still to leave."""
    lines = sum(line.ordered - line.cancelled - line.fulfilled for line in order.lines)
    return lines if order.state is OrderState.OPEN else 0


def test_times_are_japans() -> None:
    order = order_of()

    assert order.placed_at == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert order.version == datetime(2026, 11, 22, 23, 41, tzinfo=UTC)
    assert japanese(order.placed_at) == "2026-11-22 23:00:00"


def test_the_buyers_number_is_shown_and_the_slips_is_the_id() -> None:
    assert (order_of().external_id, order_of().number) == ("5120", "R-1")
    assert order_of({"receive_order_row_shop_cut_form_id": None}).number == "5120"


@pytest.mark.parametrize("status", ["0", "1", "2", "20", "30", "40"])
def test_a_slip_holds_its_units_until_it_is_shipped(status: str) -> None:
    order = order_of({"receive_order_order_status_id": status})

    assert (order.state, order.state_known, to_leave(order)) == (OrderState.OPEN, True, 2)


def test_a_shipped_slip_has_left() -> None:
    order = order_of({"receive_order_order_status_id": "50"})

    assert (order.state, order.lines[0].fulfilled, order.lines[0].cancelled) == (
        OrderState.SHIPPED,
        2,
        0,
    )


def test_a_slip_cancelled_after_it_was_shipped_has_left_all_the_same() -> None:
    order = order_of({"receive_order_order_status_id": "50", "receive_order_cancel_type_id": "8"})

    assert (order.state, order.lines[0].fulfilled) == (OrderState.SHIPPED, 2)
    assert "cancelled 8" in order.platform_state


@pytest.mark.parametrize("cancel", ["1", "3", "4", "20", "99"])
def test_a_slip_with_any_cancel_type_holds_nothing(cancel: str) -> None:
    order = order_of({"receive_order_cancel_type_id": cancel})

    assert (order.state, to_leave(order)) == (OrderState.CANCELLED, 0)


def test_an_unknown_status_holds_its_units_and_is_shown_to_a_person() -> None:
    order = order_of({"receive_order_order_status_id": "35"})

    assert (order.state, order.state_known, to_leave(order)) == (OrderState.OPEN, False, 2)


@pytest.mark.parametrize(
    "flag", ["receive_order_row_cancel_flag", "receive_order_row_deleted_flag"]
)
def test_a_cancelled_or_deleted_line_releases_only_itself(flag: str) -> None:
    order = order_of({}, {"receive_order_row_no": "2", flag: "1"})

    assert (order.state, to_leave(order)) == (OrderState.OPEN, 2)
    assert [(line.ordered, line.cancelled) for line in order.lines] == [(2, 0), (2, 2)]


def test_a_slip_of_which_every_line_is_cancelled_or_deleted_has_ended() -> None:
    cancelled, deleted = (
        {"receive_order_row_cancel_flag": "1"},
        {"receive_order_row_deleted_flag": "1"},
    )

    assert order_of(deleted, {"receive_order_row_no": "2"} | deleted).state is OrderState.DELETED
    assert (
        order_of(cancelled, {"receive_order_row_no": "2"} | deleted).state is OrderState.CANCELLED
    )


def test_a_line_without_a_code_is_kept_without_a_listing() -> None:
    (line,) = order_of({"receive_order_row_goods_id": None}).lines

    assert (line.listing, line.ordered) == (None, 2)


def test_the_version_is_the_newest_change_of_any_line() -> None:
    order = order_of(
        {},
        {
            "receive_order_row_no": "2",
            "receive_order_row_last_modified_newest_date": "2026-11-23 09:00:00",
        },
    )

    assert order.version == datetime(2026, 11, 23, 0, 0, tzinfo=UTC)


def test_empty_dates_are_none() -> None:
    empty = {
        "receive_order_date": "0000-00-00 00:00:00",
        "receive_order_row_last_modified_newest_date": None,
    }

    order = order_of(empty)

    assert (order.placed_at, order.version) == (NOW, None)


@pytest.mark.parametrize(
    "change",
    [
        {"receive_order_row_quantity": None},
        {"receive_order_row_quantity": "-1"},
        {"receive_order_row_quantity": "1.5"},
        {"receive_order_row_quantity": True},
        {"receive_order_order_status_id": None},
        {"receive_order_cancel_type_id": ""},
        {"receive_order_date": "yesterday"},
        {"receive_order_date": "0001-01-01 00:00:00"},
        {"receive_order_date": "9999-12-31 23:59:59"},
        {"receive_order_row_no": None},
    ],
)
def test_what_decides_over_stock_is_never_guessed(change: dict[str, Any]) -> None:
    with pytest.raises(ContractBroken):
        order_of(change)


def test_an_error_shows_no_value_of_a_row() -> None:
    with pytest.raises(ContractBroken) as caught:
        order_of({"receive_order_row_quantity": "two towels for Hanako"})

    assert "Hanako" not in str(caught.value)
    assert "receive_order_row_quantity" in str(caught.value)


@pytest.mark.parametrize(("text", "number"), [("170", 170), ("170.00", 170), ("-3", -3), ("0", 0)])
def test_numbers_come_as_text(text: str, number: int) -> None:
    assert (
        read_row(
            StockRow, {"stock_goods_id": "A", "stock_free_quantity": text}, what="a row"
        ).stock_free_quantity
        == number
    )


def test_goods_without_a_stock_number_are_read() -> None:
    assert (
        read_row(
            GoodsRow, {"goods_id": "A", "stock_free_quantity": None}, what="a row"
        ).stock_free_quantity
        is None
    )


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("A-1: 在庫がありません\nB: x", {"A-1": "A-1: 在庫がありません", "B": "B: x"}),
        ("商品コード[B]が存在しません<br>", {"B": "商品コード[B]が存在しません"}),
        ("A-10: x", {}),
        ("AB: x", {}),
        ("3行目: x", {}),
        ("", {}),
    ],
)
def test_a_complaint_is_about_the_code_that_it_names_as_a_whole(
    message: str, named: dict[str, str]
) -> None:
    assert complaints(message, ["A", "A-1", "B"]) == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"changed":"x"}',
        '{"changed":[]}',
        '{"changed":1e999}',
        '{"changed":99999999999999}',
    ],
)
def test_a_cursor_that_cannot_be_understood_means_the_beginning(text: str) -> None:
    assert read_cursor(text) is None


def test_a_cursor_comes_back_as_it_went() -> None:
    assert read_cursor(OrderCursor(12).text()) == OrderCursor(12)
    assert read_cursor(None) == OrderCursor() == read_cursor(OrderCursor().text())
