"""From what ecforce sends to zaiko's words, without a network."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zaiko_ecforce.documents import read_document
from zaiko_ecforce.fields import moment, query_time
from zaiko_ecforce.order_mapping import LinesMissing, order_from
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.stock_items import stock_item
from zaiko_ecforce.verdict import Verdict, verdict
from zaiko_ecforce.write_reply import read_write_reply
from zaiko_sdk import ContractBroken, ItemRefused, ListingGone, Order, OrderState
from zaiko_sdk.fields import whole

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SETTINGS = EcforceSettings.model_validate({"origin": "https://shop.example.test", "token": "t"})


def _recorded(name: str) -> Any:
    return json.loads((Path(__file__).parent / "data" / f"{name}.json").read_text())


def _order(settings: EcforceSettings = SETTINGS, *, body: Any = None, **attributes: Any) -> Order:
    body = copy.deepcopy(body or _recorded("orders"))
    body["data"][0]["attributes"].update(attributes)
    document = read_document(body, what="orders")
    return order_from(document, document.rows[0], settings, read_at=NOW)


def test_a_recorded_order_is_understood():
    order = _order()

    assert (order.external_id, order.number, order.state) == (
        "31005",
        "7fd20c41be",
        OrderState.OPEN,
    )
    # Japan time; placed when checkout ended, not when the id was given out.
    assert order.placed_at == datetime(2026, 11, 22, 15, 1, tzinfo=UTC)
    assert order.version == datetime(2026, 11, 22, 15, 10, 44, tzinfo=UTC)
    assert order.paid is True
    assert order.platform_state == "注文確定 / authed"
    # An enclosed bundle item uses stock; the composition of a set does not multiply it.
    assert [(line.external_id, line.listing, line.ordered) for line in order.lines] == [
        ("9", "SERUM-30", 2),
        ("10", "SAMPLE-1", 1),
    ]


def test_nothing_of_the_buyer_enters_an_order():
    assert "hanako" not in repr(_order())


@pytest.mark.parametrize(
    ("linkage", "included"),
    [
        ("order_item", "order-items"),
        ("order-item", "order_item"),
        ("order_items", "order_item"),
        ("order_item", "order_items"),
    ],
)
def test_lines_are_joined_however_their_type_is_spelt(linkage: str, included: str):
    body = _recorded("orders")
    for link in body["data"][0]["relationships"]["order_items"]["data"]:
        link["type"] = linkage
    for row in body["included"]:
        row["type"] = included

    assert len(_order(body=body).lines) == 2


def test_a_single_linked_line_may_come_as_an_object():
    body = _recorded("orders")
    body["data"][0]["relationships"]["order_items"]["data"] = {"id": 9, "type": "order_item"}

    assert [line.external_id for line in _order(body=body).lines] == ["9"]


def test_an_order_that_does_not_tell_its_lines_is_never_taken_for_an_order_without_lines():
    body = _recorded("orders")
    del body["data"][0]["relationships"]
    with pytest.raises(LinesMissing):
        _order(body=body)

    body = _recorded("orders")
    del body["included"][1]
    with pytest.raises(ContractBroken, match="order_items 10, which was not included"):
        _order(body=body)


@pytest.mark.parametrize("quantity", [None, "two", 1.5, -1, True, [1], {}])
def test_a_quantity_that_is_none_breaks_the_contract_and_is_never_guessed(quantity: Any):
    body = _recorded("orders")
    body["included"][0]["attributes"]["quantity"] = quantity

    with pytest.raises(ContractBroken, match="quantity"):
        _order(body=body)


@pytest.mark.parametrize(
    ("attributes", "state", "known"),
    [
        ({"state": "complete"}, OrderState.OPEN, True),
        ({"state": "shipped"}, OrderState.SHIPPED, True),
        ({"state": "delivered"}, OrderState.SHIPPED, True),
        ({"state": "complete", "shipped_at": "2026/11/23 10:00:00"}, OrderState.SHIPPED, True),
        ({"state": "canceled"}, OrderState.CANCELLED, True),
        ({"state": "complete", "payment_state": "voided"}, OrderState.CANCELLED, True),
        ({"state": "returned"}, OrderState.SHIPPED, True),
        ({"state": "block"}, OrderState.SHIPPED, True),
        ({"state": "wmswait"}, OrderState.OPEN, False),
        ({"state": "出荷待ち"}, OrderState.OPEN, False),
        ({"state": None}, OrderState.OPEN, False),
        ({"state": "complete", "deleted_at": "2026/11/23 10:00:00"}, OrderState.DELETED, True),
        ({"state": "complete", "deleted_at": None}, OrderState.OPEN, True),
    ],
)
def test_states_have_the_meaning_of_the_fact_sheet_and_unknown_ones_hold_stock(
    attributes, state, known
):
    order = _order(**attributes)

    assert (order.state, order.state_known) == (state, known)
    assert all(
        line.fulfilled == (line.ordered if state is OrderState.SHIPPED else 0)
        for line in order.lines
    )


def test_a_shop_gives_its_own_states_a_meaning():
    given_states = {"open_states": ["complete", "wmswait"], "shipped_states": ["handed_over"]}
    settings = EcforceSettings.model_validate(
        {"origin": "https://s.example.test", "token": "t", **given_states}
    )

    assert (
        _order(settings, state="wmswait").state,
        _order(settings, state="wmswait").state_known,
    ) == (OrderState.OPEN, True)
    assert _order(settings, state="handed_over").state is OrderState.SHIPPED
    # The list replaces the default one.
    assert _order(settings, state="shipped").state is OrderState.OPEN


@pytest.mark.parametrize(
    ("payment", "paid"),
    [
        ("authed", True),
        ("completed", True),
        ("auth_failed", False),
        ("credit_exam_hold", None),
        (None, None),
    ],
)
def test_an_order_is_paid_only_when_the_shop_says_so(payment: Any, paid: Any):
    assert _order(payment_state=payment).paid is paid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026/11/23 09:05:07", datetime(2026, 11, 23, 0, 5, 7, tzinfo=UTC)),
        ("2026/11/23", datetime(2026, 11, 22, 15, tzinfo=UTC)),
        ("2026-11-23 09:05:07", datetime(2026, 11, 23, 0, 5, 7, tzinfo=UTC)),
        ("2026-11-23T09:05:07+09:00", datetime(2026, 11, 23, 0, 5, 7, tzinfo=UTC)),
        ("2026-11-23T00:05:07Z", datetime(2026, 11, 23, 0, 5, 7, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("soon", None),
        (20261123, None),
        ("0001/01/01 00:00:00", None),
    ],
)
def test_times_are_japan_time_unless_they_say_otherwise(text: Any, expected: Any):
    assert moment(text) == expected


def test_a_lower_bound_in_a_query_never_moves_up():
    assert query_time(datetime(2026, 11, 23, 0, 5, 7, 999_999, tzinfo=UTC)) == "2026-11-23 09:05:07"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12),
        ("12", 12),
        (" -3 ", -3),
        (4.0, 4),
        (4.5, None),
        (True, None),
        ("1,000", None),
        ("²", None),
    ],
)
def test_a_whole_number_may_come_as_text(value: Any, expected: Any):
    assert whole(value) == expected


def test_a_recorded_stock_record_is_understood():
    row = read_document(_recorded("stock_items"), what="stock").rows[0]
    item = stock_item(row)

    assert item is not None
    assert (item.sku, item.location, item.variant, item.stock, item.unlimited) == (
        "SERUM-30",
        "tokyo-1",
        "902",
        48,
        False,
    )


def test_a_deleted_stock_record_does_not_count():
    body = _recorded("stock_items")
    body["data"][0]["attributes"]["deleted_at"] = "2026/11/23 10:00:00"

    assert stock_item(read_document(body, what="stock").rows[0]) is None


def test_a_stock_that_is_no_number_is_reported_for_that_record_only():
    body = _recorded("stock_items")
    body["data"][0]["attributes"]["stock"] = "many"
    item = stock_item(read_document(body, what="stock").rows[0])

    assert item is not None
    assert (item.stock, item.problem) == (
        None,
        "stock_item 70021.stock should be a whole number, not str",
    )


def test_a_recorded_write_reply_distinguishes_the_refused_row_from_the_accepted_one():
    reply = read_write_reply(_recorded("stock_write"))

    assert reply.tells_of_rows
    assert reply.problem("SERUM-30") is None
    refused = reply.problem("SOAP-1")
    assert isinstance(refused, ItemRefused)
    assert refused.platform_message == "ASI2002 (text)"


def test_a_write_reply_may_lack_any_key():
    only_failure = read_write_reply({"failure": [{"variant_sku": "A", "stock": 1}]})
    only_errors = read_write_reply(
        {"errors": [{"id": "A", "code": "ASI0000", "errors": [{"code": "ASI2001"}]}]}
    )

    assert isinstance(only_failure.problem("A"), ItemRefused)
    assert isinstance(only_errors.problem("A"), ListingGone)
    assert not read_write_reply({}).tells_of_rows
    assert not read_write_reply(
        {"errors": [{"code": "ASI3001", "message": "whole request"}]}
    ).tells_of_rows


def test_an_sku_that_is_reported_on_both_sides_or_failed_internally_is_left_to_the_reading():
    both = {"success": [{"variant_sku": "A"}], "failure": [{"variant_sku": "A"}]}
    internal = {
        "failure": [{"variant_sku": "A"}],
        "errors": [{"id": "A", "code": "ASI0000", "errors": [{"code": "ASI9999"}]}],
    }

    assert read_write_reply(both).problem("A") is None
    assert read_write_reply(internal).problem("A") is None


@pytest.mark.parametrize(
    ("expected", "written", "shown", "says"),
    [
        (5, 8, 8, Verdict.APPLIED),
        (8, 5, 5, Verdict.APPLIED),
        (5, 5, 5, Verdict.APPLIED),
        (5, 8, 5, Verdict.UNCHANGED),
        (8, 5, 8, Verdict.UNCHANGED),
        (None, 5, None, Verdict.UNCHANGED),
        # An order slipped in after the write.
        (5, 8, 7, Verdict.APPLIED),
        (8, 5, 4, Verdict.APPLIED),
        (None, 5, 4, Verdict.APPLIED),
        # Below both numbers, or between them the wrong way round: it can have come from either.
        (5, 8, 4, Verdict.UNCLEAR),
        (8, 5, 7, Verdict.UNCLEAR),
        (5, 8, 9, Verdict.UNCLEAR),
        (5, 8, None, Verdict.UNCLEAR),
    ],
)
def test_what_is_read_back_says_whether_the_write_was_applied(expected, written, shown, says):
    assert verdict(expected=expected, written=written, shown=shown) is says


@pytest.mark.parametrize(
    ("meta", "rows", "page", "last"),
    [
        ({"total_pages": 2}, 3, 1, False),
        ({"total_pages": 2}, 3, 2, True),
        ({"total_pages": "2"}, 3, 1, False),
        # A page may be empty in the middle; the number of pages is believed where there is one.
        ({"total_pages": 3}, 0, 2, False),
        ({"total_pages": 0}, 3, 1, False),
        ({"total_pages": 0}, 2, 1, True),
        ({}, 3, 1, False),
        ({}, 0, 1, True),
        # Fewer rows than asked for are no end when the platform caps them lower.
        ({"per": 2}, 2, 1, False),
        ({"per": 0}, 2, 1, True),
    ],
)
def test_the_end_of_a_list_is_reported_by_its_pages_or_by_a_page_that_is_not_full(
    meta, rows, page, last
):
    data = [{"id": str(number)} for number in range(rows)]

    assert read_document({"data": data, "meta": meta}, what="any").is_last(page, 3) is last


_KEYS = [
    *(
        "data",
        "id",
        "type",
        "quantity",
        "variant_sku",
        "state",
        "stock",
        "errors",
        "code",
        "success",
        "failure",
    ),
    *("updated_at", "deleted_at", "stock_location_code", "order_items"),
]
_LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8)
)
_JSON = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)
_ROW = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", 3]) | _LEAF,
        "type": st.sampled_from(["order_item", "orders"]) | _LEAF,
    },
    optional={
        "attributes": st.dictionaries(st.sampled_from(_KEYS), _LEAF, max_size=8) | _JSON,
        "relationships": st.fixed_dictionaries(
            {"order_items": _JSON | st.just({"data": [{"id": "1", "type": "order_item"}]})}
        ),
    },
)


@settings(deadline=None)
@given(
    data=st.lists(_ROW | _JSON, max_size=4) | _JSON,
    included=st.lists(_ROW | _JSON, max_size=4) | _JSON,
    meta=_JSON,
)
def test_whatever_is_sent_nothing_but_contract_broken_is_raised(
    data: Any, included: Any, meta: Any
):
    read_write_reply(data)
    document = read_document({"data": data, "included": included, "meta": meta}, what="any")
    document.is_last(1, 100)
    for row in document.rows:
        for understand in (
            lambda row=row: order_from(document, row, SETTINGS, read_at=NOW),
            lambda row=row: stock_item(row),
        ):
            try:
                understand()
            except ContractBroken as error:
                # What is said of it can be stored and sent.
                str(error).encode()
