"""The simulated RMS keeps to FACTS.md: spoken to over plain HTTP, without the connector."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_rakuten.times import order_time
from zaiko_sdk.testing.simulator import (
    NewListing,
    SimulationError,
    SimulatorClient,
    SimulatorServer,
)


@pytest.fixture
def rms(server: SimulatorServer) -> Iterator[httpx.Client]:
    keys = server.settings()
    pair = base64.b64encode(f"{keys['service_secret']}:{keys['license_key']}".encode()).decode()
    headers = {"authorization": f"ESA {pair}", "content-type": "application/json; charset=utf-8"}
    with httpx.Client(base_url=server.base_url, headers=headers) as client:
        yield client


def search_body(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "dateType": 1,
        "startDatetime": order_time(now - timedelta(days=1)),
        "endDatetime": order_time(now),
    } | changes


def codes(reply: httpx.Response) -> list[str]:
    body = reply.json()
    return [
        row.get("code") or row.get("messageCode")
        for row in body.get("errors") or body.get("MessageModelList")
    ]


def upsert(
    rms: httpx.Client, *rows: tuple[str, str, str, int], version: str = "2.0"
) -> httpx.Response:
    names = ("manageNumber", "variantId", "mode", "quantity")
    body = {"inventories": [dict(zip(names, row, strict=True)) for row in rows]}
    return rms.post(f"/es/{version}/inventories/bulk-upsert", json=body)


def test_an_unknown_sku_is_registered_silently_and_purged_a_day_later(
    rms: httpx.Client, shop: RakutenSimulator
) -> None:
    assert upsert(rms, ("nobody", "NOBODY", "ABSOLUTE", 5)).status_code == 204
    assert shop.orphans() == [("nobody", "NOBODY")]
    assert (
        rms.get("/es/2.0/inventories/manage-numbers/nobody/variants/NOBODY").json()["quantity"] == 5
    )

    shop.switch("clock_skew_seconds", 25 * 3600)

    missing = rms.get("/es/2.0/inventories/manage-numbers/nobody/variants/NOBODY")
    assert (missing.status_code, codes(missing)) == (404, ["GE0014"])
    assert "TEA-100" in shop.stock()


def test_a_relative_change_of_nothing_registered_is_refused(rms: httpx.Client) -> None:
    reply = upsert(rms, ("nobody", "NOBODY", "RELATIVE", 5))

    assert (reply.status_code, codes(reply)) == (400, ["IE0500"])


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (("tea-100", "TEA-100", "RELATIVE", -11), "IE0117"),
        (("tea-100", "TEA-100", "RELATIVE", 99_990), "IE0117"),
        (("tea-100", "TEA-100", "ABSOLUTE", -1), "IE0003"),
        (("tea-100", "TEA-100", "ABSOLUTE", 100_000), "IE0003"),
        (("tea-100", "TEA-100", "SOMEHOW", 1), "IE0002"),
        (("tea-100" * 5, "TEA-100", "ABSOLUTE", 1), "IE0004"),
    ],
)
def test_wrong_changes_are_refused_by_their_code(rms: httpx.Client, row: Any, code: str) -> None:
    reply = upsert(rms, row)

    assert (reply.status_code, codes(reply)) == (400, [code])


def test_a_refused_call_changes_nothing_or_what_came_before_by_the_switch(
    rms: httpx.Client, shop: RakutenSimulator
) -> None:
    rows = [
        ("tea-100", "TEA-100", "RELATIVE", -1),
        ("cup-200", "CUP-200", "RELATIVE", -99),
        ("box-300", "BOX-300", "RELATIVE", 1),
    ]
    upsert(rms, *rows)
    assert shop.stock() == {"TEA-100": 10, "CUP-200": 5, "BOX-300": 0}

    shop.switch("bulk_upsert_atomic", False)
    upsert(rms, *rows)

    assert shop.stock() == {"TEA-100": 9, "CUP-200": 5, "BOX-300": 0}


def test_the_same_sku_twice_is_refused_also_when_written_differently(rms: httpx.Client) -> None:
    assert codes(
        upsert(rms, ("tea-100", "TEA-100", "RELATIVE", 1), ("TEA-100", "TEA-100", "RELATIVE", 1))
    ) == ["IE1102"]
    many = [("tea-100", f"V{index}", "ABSOLUTE", 1) for index in range(60)]
    assert codes(upsert(rms, *many, many[0])) == ["IE1102"]


def test_the_newer_version_erases_lead_times(rms: httpx.Client, shop: RakutenSimulator) -> None:
    row = shop.stock_rows["tea-100", "TEA-100"]
    row.lead_time = {"normalDeliveryTimeId": 3}
    upsert(rms, ("tea-100", "TEA-100", "RELATIVE", 1), version="2.0")
    assert row.lead_time is not None

    upsert(rms, ("tea-100", "TEA-100", "RELATIVE", 1), version="2.1")

    assert row.lead_time is None


def test_single_reads_and_writes_and_the_list_of_variants(
    rms: httpx.Client, shop: RakutenSimulator
) -> None:
    one = "/es/2.1/inventories/manage-numbers/TEA-100/variants/TEA-100"
    assert rms.put(one, json={"mode": "ABSOLUTE", "quantity": 3}).status_code == 204
    assert rms.get(one).json()["quantity"] == 3
    listed = rms.get("/es/2.1/inventories/variant-lists/manage-numbers/tea-100").json()
    assert {name: listed[name] for name in ("manageNumber", "variantList")} == {
        "manageNumber": "tea-100",
        "variantList": ["TEA-100"],
    }
    assert rms.delete(one).status_code == 204
    assert rms.get(one).status_code == 404
    assert "TEA-100" not in shop.stock()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "IE0105"),
        ({"minQuantity": -1}, "IE0003"),
        ({"minQuantity": 5, "maxQuantity": 4}, "IE0113"),
        ({"maxQuantity": 9}, None),
    ],
)
def test_a_range_needs_good_bounds(
    rms: httpx.Client, query: dict[str, int], code: str | None
) -> None:
    reply = rms.get("/es/2.0/inventories/bulk-get/range", params=query)

    if code:
        assert codes(reply) == [code]
    else:
        assert {row["variantId"] for row in reply.json()["inventories"]} == {"CUP-200", "BOX-300"}


def test_a_range_with_too_many_hits_is_refused(rms: httpx.Client, shop: RakutenSimulator) -> None:
    shop.add_listings([NewListing(f"S{index}", 50) for index in range(1001)])

    assert codes(rms.get("/es/2.0/inventories/bulk-get/range", params={"minQuantity": 50})) == [
        "IE0116"
    ]


@pytest.mark.parametrize(
    "form",
    ["2026-11-20T00:00:00+09:00", "2026-11-20T00:00:00Z", "2026-11-20T00:00:00+0000", "2026-11-20"],
)
def test_order_times_are_taken_in_one_form_only(rms: httpx.Client, form: str) -> None:
    reply = rms.post("/es/2.0/order/searchOrder/", json=search_body(startDatetime=form))

    assert (reply.status_code, codes(reply)) == (400, ["ORDER_EXT_API_SEARCH_ORDER_ERROR_011"])
    assert reply.json()["orderNumberList"] is None


@pytest.mark.parametrize(("days", "good"), [(62, True), (64, False), (731, False)])
def test_a_search_spans_63_days_at_most(rms: httpx.Client, days: int, good: bool) -> None:
    start = order_time(datetime.now(UTC) - timedelta(days=days))

    assert (
        rms.post("/es/2.0/order/searchOrder/", json=search_body(startDatetime=start)).status_code
        == 200
    ) is good


def test_a_search_without_hits_returns_nulls(rms: httpx.Client) -> None:
    body = rms.post("/es/2.0/order/searchOrder", json=search_body()).json()

    assert body["PaginationResponseModel"] == {
        "totalRecordsAmount": None,
        "totalPages": None,
        "requestPage": None,
    }
    assert body["orderNumberList"] == []


def test_the_order_api_wants_the_charset(rms: httpx.Client) -> None:
    reply = rms.post(
        "/es/2.0/order/searchOrder/",
        json=search_body(),
        headers={"content-type": "application/json"},
    )

    assert (reply.status_code, reply.json()["Results"]["errorCode"]) == (415, "ES04-03")


@pytest.mark.parametrize(
    ("version", "status"), [(None, 400), (2, 400), (7, 200), ("10", 200), (11, 400)]
)
def test_get_order_wants_a_known_version(
    rms: httpx.Client, shop: RakutenSimulator, version: Any, status: int
) -> None:
    number = shop.place_order({"TEA-100": 1})
    body = {"orderNumberList": [number]} | ({"version": version} if version else {})

    assert rms.post("/es/2.0/order/getOrder/", json=body).status_code == status


def test_the_purchased_item_api_shows_nothing_of_the_buyer(
    rms: httpx.Client, shop: RakutenSimulator
) -> None:
    number = shop.place_order({"TEA-100": 1})

    with_buyer = rms.post(
        "/es/2.0/order/getOrder/", json={"orderNumberList": [number], "version": 10}
    ).text
    without = rms.post(
        "/es/2.0/purchaseItem/getOrderItem/", json={"orderNumberList": [number]}
    ).text

    assert "購入者" in with_buyer
    assert "購入者" not in without
    assert "deleteItemFlag" not in without


def test_wrong_keys_are_unauthorised(rms: httpx.Client, shop: RakutenSimulator) -> None:
    shop.issue_key()

    reply = rms.get("/es/2.0/items/search")

    assert (reply.status_code, codes(reply)) == (401, ["GA0001"])


def test_an_old_key_may_live_on_by_the_switch(rms: httpx.Client, shop: RakutenSimulator) -> None:
    shop.switch("old_key_dies", False)
    shop.issue_key()

    assert rms.get("/es/2.0/items/search").status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"cursorMark": "*", "offset": "0"}, "IE1003"),
        ({"cursorMark": "*", "sortKey": "created"}, "IE1004"),
        ({"colour": "red"}, "IE1005"),
        ({"hits": "101"}, "IE0003"),
    ],
)
def test_wrong_searches_for_items_are_refused(
    rms: httpx.Client, query: dict[str, str], code: str
) -> None:
    assert codes(rms.get("/es/2.0/items/search", params=query)) == [code]


def test_a_new_item_is_found_late(rms: httpx.Client, shop: RakutenSimulator) -> None:
    shop.add_listings([NewListing("NEW", extra={"searchable_after": 3600})])
    assert rms.get("/es/2.0/items/search").json()["numFound"] == 3

    shop.switch("clock_skew_seconds", 3601)

    assert rms.get("/es/2.0/items/search").json()["numFound"] == 4


def test_buying_lowers_the_number_and_sold_out_is_sold_out(shop: RakutenSimulator) -> None:
    shop.place_order({"CUP-200": 5})

    assert shop.stock()["CUP-200"] == 0
    with pytest.raises(SimulationError, match="sold out"):
        shop.place_order({"CUP-200": 1})


def test_a_back_order_leaves_the_number_at_zero(shop: RakutenSimulator) -> None:
    shop.add_listings([NewListing("BACK", 1, extra={"back_order": True})])
    shop.place_order({"BACK": 3})

    assert shop.stock()["BACK"] == 0


def test_stock_that_is_not_tracked_does_not_move(shop: RakutenSimulator) -> None:
    shop.add_listings([NewListing("FREE", 1, extra={"unlimited": True})])
    shop.place_order({"FREE": 3})

    assert shop.stock()["FREE"] == 1


@pytest.mark.parametrize(
    ("restocks", "choice", "left"),
    [(True, None, 10), (False, None, 7), (True, False, 7), (False, True, 10)],
)
@pytest.mark.parametrize("at", [800, 900])
def test_a_cancel_gives_back_by_the_item_or_by_the_staffs_choice(
    shop: RakutenSimulator, restocks: bool, choice: bool | None, left: int, at: int
) -> None:
    shop.switch("restore_at", at)
    shop.add_listings([NewListing("R", 10, extra={"restock_on_cancel": restocks})])
    order = shop.place_order({"R": 3})
    shop.cancel_order(order, restock=choice)
    shop.cancel_order(order, restock=choice)

    assert shop.stock()["R"] == left


def test_fewer_units_are_given_back_only_where_the_sku_restocks(shop: RakutenSimulator) -> None:
    shop.add_listings([NewListing("R", 10, extra={"restock_on_cancel": True})])
    order = shop.place_order({"R": 3, "TEA-100": 3})
    shop.edit_order(order, {"R": 1, "TEA-100": 1})
    shop.edit_order(order, {"CUP-200": 2})

    assert shop.stock() == {"TEA-100": 7, "CUP-200": 3, "BOX-300": 0, "R": 9}


def test_the_control_api_plays_buyers_and_staff(
    server: SimulatorServer, shop: RakutenSimulator
) -> None:
    control = SimulatorClient(server.base_url)
    try:
        control.add_listings([NewListing("X", 4)])
        order = control.place_order({"X": 1}, visible_after=5, packages=2)
        control.edit_order(order, {"X": 2})
        control.fulfil_order(order)
        control.set_stock("X", 9)
        control.switch("maintenance", "json")
        assert control.stock()["X"] == 9
        assert shop.orders[order].progress == 500
        with pytest.raises(SimulationError):
            control.archive_order(order)
        with pytest.raises(SimulationError):
            control.place_order({"nothing": 1})
        control.delete_order(order)
        assert httpx.get(server.base_url + "/es/2.0/items/search").status_code == 503
    finally:
        control.close()
