"""The simulated platform behaves as FACTS.md describes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_ecforce.simulator.state import EMAIL, PASSWORD, TOKEN
from zaiko_sdk.testing.simulator import (
    NewListing,
    SimulationError,
    SimulatorClient,
    SimulatorServer,
)

AUTH = f'Token token="{TOKEN}"'


@pytest.fixture
def api(server: SimulatorServer) -> Iterator[httpx.Client]:
    headers = {"authorization": AUTH, "user-agent": "test"}
    with httpx.Client(base_url=f"{server.base_url}/api/v2", headers=headers) as client:
        yield client


def _sign_in(api: httpx.Client) -> httpx.Response:
    return api.post("/admins/sign_in.json", json={"admin": {"email": EMAIL, "password": PASSWORD}})


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (AUTH, 200),
        (f"Token token={TOKEN}", 200),
        (f"Bearer {TOKEN}", 401),
        ("", 401),
        ('Token token=""', 401),
        ("Token", 401),
    ],
)
def test_only_the_token_scheme_is_taken_with_or_without_quotes(
    api: httpx.Client, header: str, status: int
):
    reply = api.get("/admin/orders.json", headers={"authorization": header})

    assert reply.status_code == status
    if status == 401:
        assert reply.json()["errors"][0]["code"] == "ASS1001"


def test_five_sign_ins_an_hour_and_signing_out_revokes(api: httpx.Client, shop: EcforceSimulator):
    shop.switch("quotas", True)
    shop.quotas.requests.rate = 1000
    tokens = {_sign_in(api).json()["authentication_token"] for _ in range(5)}

    assert len(tokens) == 1
    assert _sign_in(api).status_code == 429
    session = {"authorization": f'Token token="{tokens.pop()}"'}
    assert api.get("/admin/orders.json", headers=session).status_code == 200
    assert api.get("/admins/sign_out.json", headers=session).status_code == 204
    assert api.get("/admin/orders.json", headers=session).status_code == 401


def test_requests_too_many_get_html_with_and_without_a_wait(
    api: httpx.Client, shop: EcforceSimulator
):
    shop.switch("quotas", True)
    shop.switch("requests_per_second", 0.001)

    refused = [
        reply
        for reply in (api.get("/admin/orders.json") for _ in range(14))
        if reply.status_code == 429
    ]

    assert len(refused) >= 3
    assert {"retry-after" in reply.headers for reply in refused} == {True, False}
    assert refused[0].headers["content-type"].startswith("text/html")


def test_a_request_without_an_agent_is_blocked_in_front(api: httpx.Client):
    assert api.get("/admin/orders.json", headers={"user-agent": ""}).status_code == 403


def test_pages_are_capped_at_a_hundred_rows_and_total_pages_is_not_always_there(
    api: httpx.Client, shop: EcforceSimulator
):
    shop.add_listings([NewListing(f"S{number}") for number in range(130)])

    replies = [api.get("/admin/stock_items", params={"per": "1000"}).json() for _ in range(3)]

    assert {len(reply["data"]) for reply in replies} == {100}
    assert {reply["meta"].get("total_pages", "missing") for reply in replies} == {2, 0, "missing"}
    assert len(api.get("/admin/stock_items.json").json()["data"]) == 25


def test_ids_are_text_outside_and_numbers_inside_and_times_are_japan_time(
    api: httpx.Client, shop: EcforceSimulator
):
    shop.add_listings([NewListing("A", 3)])
    shop.place_order({"A": 1})

    row = api.get("/admin/orders.json", params={"lighter": "0"}).json()["data"][0]

    assert row["id"] == str(row["attributes"]["id"])
    assert row["attributes"]["updated_at"].count("/") == 2
    assert "relationships" not in row


def test_unknown_filters_and_body_keys_are_ignored_with_a_200(
    api: httpx.Client, shop: EcforceSimulator
):
    shop.add_listings([NewListing("A", 3), NewListing("B", 4)])

    everything = api.get(
        "/admin/stock_items.json", params={"q[colour_eq]": "red", "q[variant_sku_sounds]": "A"}
    ).json()
    nested_wrongly = api.put(
        "/admin/stock_items.json", json={"items": [{"variant_sku": "A", "stock": 9}]}
    )

    assert len(everything["data"]) == 2
    assert nested_wrongly.status_code == 200
    assert shop.stock() == {"A": 3, "B": 4}


def test_a_partly_refused_write_is_a_200_with_text_in_success_and_numbers_in_failure(
    api: httpx.Client, shop: EcforceSimulator
):
    shop.add_listings([NewListing("A", 3), NewListing("B", 4), NewListing("C", 5)])
    rows = [("A", 7), ("NONE", 8), ("B", -1), ("C", "9")]
    body = {
        "stock_items": [
            {"variant_sku": s, "stock_location_code": "default", "stock": n} for s, n in rows
        ]
    }

    reply = api.put("/admin/stock_items.json", json=body)

    assert reply.status_code == 200
    assert [row["stock"] for row in reply.json()["success"]] == ["7"]
    assert [row["stock"] for row in reply.json()["failure"]] == [8, -1, "9"]
    assert [row["errors"][0]["code"] for row in reply.json()["errors"]] == [
        "ASI2001",
        "ASI3002",
        "ASI3002",
    ]


def test_deleted_orders_are_hidden_and_only_cancelled_ones_can_be_deleted(
    api: httpx.Client, shop: EcforceSimulator
):
    shop.add_listings([NewListing("A", 9)])
    order, kept = int(shop.place_order({"A": 1})), int(shop.place_order({"A": 1}))

    refused = api.request(
        "DELETE", "/admin/orders/bulk_destroy.json", json={"order_ids": [order]}
    ).json()
    api.post(
        "/admin/orders/payment_status/bulk_update.json",
        json={"method": "void", "order_ids": [order]},
    )
    deleted = api.request(
        "DELETE", "/admin/orders/bulk_destroy.json", json={"order_ids": [order]}
    ).json()

    assert (refused["failure"], deleted["success"]) == ([order], [order])
    shown = [row["attributes"]["id"] for row in api.get("/admin/orders.json").json()["data"]]
    hidden_too = [
        row["attributes"]["id"]
        for row in api.get("/admin/orders.json", params={"q[with_deleted]": "1"}).json()["data"]
    ]
    assert (shown, hidden_too) == ([kept], [order, kept])
    assert api.get(f"/admin/orders/{order}.json").status_code == 404


def test_shipping_reports_and_state_changes_are_taken(api: httpx.Client, shop: EcforceSimulator):
    shop.add_listings([NewListing("A", 9)])
    order, other = int(shop.place_order({"A": 1})), int(shop.place_order({"A": 1}))

    shipped = api.put(
        "/admin/orders/shipping.json",
        json={"orders": [{"id": order, "shipped_at": "2026/11/23 10:00:00"}, {"id": 1}]},
    )
    changed = api.put(f"/admin/orders/{other}.json", json={"order": {"state": "wmswait", "tbc": 1}})
    many = api.put(
        "/admin/orders/bulk_update.json",
        json={"orders": [{"id": other, "state": "calling"}, {"id": 1}]},
    )

    assert (shipped.json()["success"], shipped.json()["failure"]) == ([order], [1])
    assert shop.order(str(order)).state == "shipped"
    assert changed.json()["data"]["attributes"]["state"] == "wmswait"
    assert (many.json()["success"], shop.order(str(other)).state) == ([other], "calling")


def test_nobody_can_buy_what_is_sold_out(shop: EcforceSimulator):
    shop.add_listings([NewListing("A", 1), NewListing("FREE", 0, extra={"stock_unlimited": True})])

    with pytest.raises(SimulationError, match="sold out"):
        shop.place_order({"A": 2})
    shop.place_order({"FREE": 5})
    assert shop.stock() == {"A": 1, "FREE": 0}


def test_the_control_api_plays_buyers_and_staff(server: SimulatorServer):
    control = SimulatorClient(server.base_url)
    try:
        control.add_listings([NewListing("A", 10), NewListing("B", 10)])
        control.set_stock("B", 4)
        order = control.place_order({"A": 3, "B": 1})
        control.edit_order(order, {"A": 1})
        gone = control.place_order({"A": 2})
        control.delete_order(gone)
        control.switch("restock_on_payment_cancel", False)
        control.cancel_order(control.place_order({"A": 1}), restock=True)
        control.fulfil_order(order)

        assert control.stock() == {"A": 8, "B": 3}
        assert control.counters()["throttled"] == 0
        assert control.settings()["origin"] == server.base_url
        with pytest.raises(SimulationError, match="no switch"):
            control.switch("nonsense", 1)
        with pytest.raises(SimulationError):
            control.archive_order(order)
    finally:
        control.close()
