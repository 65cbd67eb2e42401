"""From the platform's rows to zaiko's words: every odd case is a short test of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from zaiko_example.mapping import level_from, listing_from, order_from, result_from
from zaiko_example.rows import ListingRow, OrderRow, ResultRow, StockRow
from zaiko_sdk import (
    ContractBroken,
    ItemRefused,
    ListingGone,
    ListingRef,
    ListingWarning,
    OrderState,
    WriteOutcome,
    read_row,
)

RECORDED = json.loads((Path(__file__).parent / "data" / "order.json").read_text())


def _order(**changes: Any) -> OrderRow:
    return read_row(OrderRow, RECORDED | changes, what="an order")


def test_a_recorded_order_keeps_what_was_bought_cancelled_and_shipped_apart() -> None:
    order = order_from(_order())

    line = order.lines[0]
    assert (line.ordered, line.cancelled, line.fulfilled) == (3, 1, 1)
    assert order.version == datetime(2026, 11, 21, 1, tzinfo=UTC)


def test_a_line_without_a_listing_is_kept() -> None:
    assert [line.listing for line in order_from(_order()).lines] == ["77", None]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("open", OrderState.OPEN),
        ("shipped", OrderState.SHIPPED),
        ("cancelled", OrderState.CANCELLED),
    ],
)
def test_each_documented_status_has_its_state(status: str, state: OrderState) -> None:
    order = order_from(_order(status=status))

    assert (order.state, order.state_known) == (state, True)


def test_an_unknown_status_holds_stock_and_is_shown_to_a_person() -> None:
    order = order_from(_order(status="in_customs"))

    assert (order.state, order.state_known, order.platform_state) == (
        OrderState.OPEN,
        False,
        "in_customs",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": None},
        {"lines": [{"id": "1"}]},
        {"updated_at": "yesterday"},
        {"updated_at": "2026-11-20T09:30:00"},
        {"id": ""},
    ],
)
def test_an_order_that_is_not_as_documented_is_refused_rather_than_guessed(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ContractBroken):
        _order(**changes)


@pytest.mark.parametrize("quantity", [-1, "3", 1.5, True, None, 10**30])
def test_a_quantity_is_a_whole_number_of_units(quantity: Any) -> None:
    line = RECORDED["lines"][0] | {"quantity": quantity}

    with pytest.raises(ContractBroken):
        _order(lines=[line])


def test_errors_about_a_row_show_no_value_of_it() -> None:
    with pytest.raises(ContractBroken) as caught:
        _order(placed_at="Ms. Buyer, 1-2-3 Chiyoda")

    assert "placed_at" in str(caught.value)
    assert "Buyer" not in str(caught.value)


def test_a_listing_says_what_a_person_should_know_before_linking() -> None:
    row = {
        "id": "7",
        "product_id": "5",
        "title": "Towel",
        "sku": " T-1 ",
        "barcode": None,
        "stock": None,
        "on_sale": False,
    }

    listing = listing_from(read_row(ListingRow, row, what="a listing"))

    assert (listing.sku, listing.barcode) == ("T-1", "")
    assert listing.warnings == {ListingWarning.NOT_STOCKED, ListingWarning.OFF_SALE}


def test_a_listing_that_the_platform_leaves_out_is_gone() -> None:
    assert isinstance(level_from(ListingRef("7"), None).error, ListingGone)
    assert level_from(ListingRef("7"), StockRow(id="7", quantity=-2)).quantity == -2


def test_results_are_never_better_than_the_reply() -> None:
    assert (
        result_from("7", ResultRow(id="7", status="applied", quantity=3)).outcome
        is WriteOutcome.APPLIED
    )
    assert (
        result_from("7", ResultRow(id="7", status="stale", quantity=4)).outcome
        is WriteOutcome.STALE
    )
    assert result_from("7", ResultRow(id="7", status="a new word")).outcome is WriteOutcome.UNKNOWN
    assert result_from("7", None).outcome is WriteOutcome.UNKNOWN


def test_a_refusal_says_whether_the_listing_is_gone() -> None:
    gone = result_from("7", ResultRow(id="7", status="refused", reason="unknown_listing"))
    other = result_from("7", ResultRow(id="7", status="refused", reason="out_of_range"))

    assert isinstance(gone.error, ListingGone)
    assert isinstance(other.error, ItemRefused)
