"""Bodies of RMS, as recorded and as broken, to zaiko's words. No HTTP."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zaiko_rakuten.item_mapping import listings_from
from zaiko_rakuten.order_mapping import listing_id, order_from
from zaiko_rakuten.times import moment, order_time
from zaiko_sdk import ContractBroken, Listing, ListingWarning, Order, OrderState

DATA = Path(__file__).parent / "data"
READ_AT = datetime(2026, 11, 23, tzinfo=UTC)


def recorded(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def recorded_order() -> dict[str, Any]:
    return recorded("get_order.json")["OrderModelList"][0]  # type: ignore[no-any-return]


def recorded_items() -> list[Any]:
    return [row["item"] for row in recorded("items_search.json")["results"]]


def test_a_recorded_order_is_understood() -> None:
    order = order_from(recorded_order(), read_at=READ_AT)

    assert order.external_id == order.number == "987001-20261120-0412300077"
    assert order.placed_at == datetime(2026, 11, 20, 11, 3, 43, tzinfo=UTC)
    assert (order.state, order.state_known, order.version) == (OrderState.OPEN, True, None)


def test_lines_of_all_packages_are_kept_apart_by_their_id() -> None:
    order = order_from(recorded_order(), read_at=READ_AT)

    assert [(line.external_id, line.listing, line.ordered) for line in order.lines] == [
        ("950100001", "tea-001/tea-001-100", 2),
        ("950100002", "tea-001/tea-001-300", 1),
        ("950100003", "tea-001/tea-001-100", 3),
    ]


def test_a_line_that_rakuten_does_not_count_still_leaves_the_warehouse() -> None:
    order = order_from(recorded_order(), read_at=READ_AT)

    assert order.lines[2].ordered == 3


def test_nothing_of_the_buyer_is_taken_over() -> None:
    text = repr(order_from(recorded_order(), read_at=READ_AT))

    for private in ("購入者姓", "buyer-private", "090", "私邸市", "4400-5500-6600"):
        assert private not in text


@pytest.mark.parametrize(
    ("progress", "state"),
    [
        *[(progress, OrderState.OPEN) for progress in (100, 200, 300, 400, 800)],
        *[(progress, OrderState.SHIPPED) for progress in (500, 600, 700)],
        (900, OrderState.CANCELLED),
    ],
)
def test_each_state_holds_or_releases_stock(progress: int, state: OrderState) -> None:
    order = order_from(recorded_order() | {"orderProgress": progress}, read_at=READ_AT)

    assert (order.state, order.state_known) == (state, True)
    assert [line.fulfilled for line in order.lines] == (
        [2, 1, 3] if state is OrderState.SHIPPED else [0, 0, 0]
    )


@pytest.mark.parametrize("progress", [150, None, "neu"])
def test_an_unknown_state_holds_stock_and_is_shown(progress: Any) -> None:
    row = recorded_order() | {"orderProgress": progress}
    if progress == "neu":
        with pytest.raises(ContractBroken):
            order_from(row, read_at=READ_AT)
        return

    order = order_from(row, read_at=READ_AT)

    assert (order.state, order.state_known) == (OrderState.OPEN, False)


def test_an_order_from_before_the_move_to_skus_names_no_listing() -> None:
    row = recorded_order()
    row["PackageModelList"][0]["ItemModelList"][0]["SkuModelList"] = [
        {"variantId": "", "merchantDefinedSkuId": None}
    ]
    row["PackageModelList"][0]["ItemModelList"][1]["SkuModelList"] = None

    first, second, _ = order_from(row, read_at=READ_AT).lines

    assert (first.listing, first.sku, first.ordered) == (None, "T1", 2)
    assert (second.listing, second.ordered) == (None, 1)


def test_a_deleted_package_counts_no_units() -> None:
    row = recorded_order()
    row["PackageModelList"][1]["packageDeleteFlag"] = 1

    assert [line.ordered - line.cancelled for line in order_from(row, read_at=READ_AT).lines] == [
        2,
        1,
        0,
    ]


def test_a_line_with_several_skus_counts_each() -> None:
    row = recorded_order()
    row["PackageModelList"][1]["ItemModelList"][0]["SkuModelList"].append(
        {"variantId": "tea-001-300"}
    )

    lines = order_from(row, read_at=READ_AT).lines

    assert [(line.external_id, line.listing, line.ordered) for line in lines[2:]] == [
        ("950100003/tea-001-100", "tea-001/tea-001-100", 3),
        ("950100003/tea-001-300", "tea-001/tea-001-300", 3),
    ]


def test_ids_that_occur_twice_stay_two_lines() -> None:
    row = recorded_order()
    row["PackageModelList"][1]["ItemModelList"][0]["itemDetailId"] = 950100001

    assert [line.external_id for line in order_from(row, read_at=READ_AT).lines] == [
        "950100001",
        "950100002",
        "950100001#2",
    ]


@pytest.mark.parametrize("units", [None, "two", -1, 1.5, True, [2]])
def test_an_order_with_a_line_that_cannot_be_counted_is_not_half_understood(units: Any) -> None:
    row = recorded_order()
    row["PackageModelList"][0]["ItemModelList"][0]["units"] = units

    with pytest.raises(ContractBroken, match="units"):
        order_from(row, read_at=READ_AT)


def test_flags_and_numbers_as_text_are_understood() -> None:
    row = recorded_order()
    row["PackageModelList"][0]["ItemModelList"][0] |= {
        "units": "2",
        "itemDetailId": "950100001",
        "deleteItemFlag": "0",
    }

    assert order_from(row, read_at=READ_AT) == order_from(recorded_order(), read_at=READ_AT)


def test_a_recorded_item_becomes_a_listing_per_sku() -> None:
    tea_small, tea_large = listings_from(recorded_items()[0])

    assert (tea_small.ref.external_id, tea_small.group_id) == ("tea-001/tea-001-100", "tea-001")
    assert (tea_small.sku, tea_small.barcode, tea_small.title) == (
        "TEA-100",
        "4900000000001",
        "煎茶 / 100g",
    )
    assert tea_small.warnings == {ListingWarning.RESTOCKS_ON_CANCEL}
    assert tea_large.ref.external_id == "tea-001/Tea-001-300"
    assert tea_large.warnings == {ListingWarning.OFF_SALE, ListingWarning.SELLS_BELOW_ZERO}


def test_the_numbers_of_an_item_name_a_sku_only_where_there_is_one() -> None:
    _, of_two = listings_from(recorded_items()[0])
    [by_item_number] = listings_from(recorded_items()[1])
    [by_manage_number] = listings_from(recorded_items()[2])

    assert (of_two.sku, by_item_number.sku, by_manage_number.sku) == ("", "C7", "box-9")


def test_flags_of_the_item_warn_on_every_sku_of_it() -> None:
    [cup] = listings_from(recorded_items()[1])

    assert cup.warnings == {ListingWarning.OFF_SALE, ListingWarning.UNTRACKED}


def test_a_deleted_item_has_no_listings() -> None:
    assert listings_from(recorded_items()[3]) == []


def test_an_order_and_a_listing_name_a_sku_alike() -> None:
    assert listing_id("Tea-001", "A-b") == "tea-001/A-b"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T09:05:07+0900",
        "2026-11-23T09:05:07+09:00",
        "2026-11-23T00:05:07Z",
        "2026-11-23T09:05:07",
    ],
)
def test_every_form_of_time_is_read(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 23, 0, 5, 7, tzinfo=UTC)


def test_times_are_sent_in_the_one_form_that_orders_take() -> None:
    assert (
        order_time(datetime(2026, 11, 23, 0, 5, 7, 999_999, tzinfo=UTC))
        == "2026-11-23T09:05:07+0900"
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [
        place for key, member in inner for place in [(*path, key), *_places(member, (*path, key))]
    ]


def _broken(whole: Any, place: tuple[Any, ...], value: Any) -> Any:
    whole = copy.deepcopy(whole)
    inner = whole
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return whole


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_places(recorded_order())), _json)
def test_whatever_stands_in_an_order_it_is_read_or_refused_as_broken(
    place: tuple[Any, ...], value: Any
) -> None:
    try:
        order = order_from(_broken(recorded_order(), place, value), read_at=READ_AT)
    except ContractBroken:
        return
    assert isinstance(order, Order)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [(number, *place) for number in range(3) for place in _places(recorded_items()[number])]
    ),
    _json,
)
def test_whatever_stands_in_an_item_it_is_read_or_refused_as_broken(
    place: tuple[Any, ...], value: Any
) -> None:
    number, *rest = place
    try:
        listings = listings_from(_broken(recorded_items()[number], tuple(rest), value))
    except ContractBroken:
        return
    assert all(isinstance(listing, Listing) for listing in listings)


@settings(deadline=None)
@given(_json)
def test_what_is_no_object_is_refused_as_broken(value: Any) -> None:
    if isinstance(value, dict):
        return
    with pytest.raises(ContractBroken):
        order_from(value, read_at=READ_AT)
    with pytest.raises(ContractBroken):
        listings_from(value)
