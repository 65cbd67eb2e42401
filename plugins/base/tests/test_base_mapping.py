"""From BASE's bodies, made from its documentation, to zaiko's words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from zaiko_base.mapping import listings_from, order_from
from zaiko_base.rows import ItemRow, OrderRow
from zaiko_sdk import ContractBroken, ListingWarning, OrderState, read_row

DATA = Path(__file__).parent / "data"
ORDER: dict[str, Any] = json.loads((DATA / "order.json").read_text("utf-8"))["order"]
ITEMS: list[Any] = json.loads((DATA / "items.json").read_text("utf-8"))["items"]


def _order(statuses: tuple[str, str] = ("ordered", "ordered"), **changes: Any) -> OrderRow:
    lines = [
        line | {"status": status}
        for line, status in zip(ORDER["order_items"], statuses, strict=True)
    ]
    return read_row(OrderRow, ORDER | {"order_items": lines} | changes, what="an order")


def test_a_recorded_order_keeps_what_was_bought_and_cancelled_apart() -> None:
    order = order_from(read_row(OrderRow, ORDER, what="an order"))

    assert [(line.listing, line.sku, line.ordered, line.cancelled) for line in order.lines] == [
        ("70031-511", "TOWEL-WM", 2, 0),
        ("70032", "", 1, 1),
    ]
    assert (order.state, order.paid, order.state_known) == (OrderState.OPEN, False, True)
    # The cancelled line is newer than the header.
    assert order.version == datetime.fromtimestamp(1795393600, UTC)


@pytest.mark.parametrize(
    ("header", "lines", "state", "known"),
    [
        ("ordered", ("ordered", "ordered"), OrderState.OPEN, True),
        ("unpaid", ("ordered", "ordered"), OrderState.OPEN, True),
        ("shipping", ("ordered", "ordered"), OrderState.OPEN, True),
        ("unshippable", ("ordered", "ordered"), OrderState.OPEN, True),
        ("ordered", ("dispatched", "ordered"), OrderState.OPEN, True),
        ("dispatched", ("dispatched", "cancelled"), OrderState.SHIPPED, True),
        ("cancelled", ("cancelled", "cancelled"), OrderState.CANCELLED, True),
        ("cancelled", ("ordered", "ordered"), OrderState.CANCELLED, True),
        ("dispatched", ("dispatched", "ordered"), OrderState.OPEN, False),
        ("ordered", ("in_customs", "ordered"), OrderState.OPEN, False),
        ("lottery", ("ordered", "ordered"), OrderState.OPEN, False),
    ],
)
def test_lines_decide_what_an_order_still_holds(
    header: str, lines: tuple[str, str], state: OrderState, known: bool
) -> None:
    order = order_from(_order(lines, dispatch_status=header))

    assert (order.state, order.state_known) == (state, known)


@pytest.mark.parametrize("none", [None, 0, "0", ""])
def test_a_line_without_variation_is_of_the_item(none: Any) -> None:
    lines = [ORDER["order_items"][1] | {"variation_id": none}]

    assert order_from(_order(order_items=lines)).lines[0].listing == "70032"


@pytest.mark.parametrize(
    "changes",
    [
        {"order_items": []},
        {"order_items": None},
        {"modified": None},
        {"ordered": "yesterday"},
        {"unique_key": ""},
        {"modified": 10**14},
    ],
)
def test_an_order_that_is_not_as_documented_is_refused_rather_than_guessed(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ContractBroken):
        _order(**changes)


@pytest.mark.parametrize("amount", [-1, True, 1.5, None, "two", 10**12])
def test_an_amount_is_a_whole_number_of_units(amount: Any) -> None:
    with pytest.raises(ContractBroken):
        _order(order_items=[ORDER["order_items"][0] | {"amount": amount}])


def test_recorded_items_become_one_listing_per_variation() -> None:
    listings = [
        listing
        for item in ITEMS
        for listing in listings_from(read_row(ItemRow, item, what="an item"))
    ]

    assert [(listing.ref.external_id, listing.sku, listing.quantity) for listing in listings] == [
        ("70031-511", "TOWEL-WM", 12),
        ("70031-512", "", 5),
        ("70032", "SOAP", 3),
        ("70033", "", 4),
    ]
    assert [ListingWarning.OFF_SALE in listing.warnings for listing in listings] == [
        False,
        False,
        True,
        False,
    ]
