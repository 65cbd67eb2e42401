"""The connector understands every recorded body as exactly what it says, and the simulator's
replies have the same form."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from zaiko_rakuten.client import KEY_GRACE, Client
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.functions import GET_STOCK, SEARCH_ORDERS, SET_STOCK, Function
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    FindingLevel,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    Listing,
    ListingGone,
    ListingRef,
    ListingWarning,
    Order,
    OrderLine,
    OrderState,
    PermissionMissing,
    PlanTooLow,
    PlatformDown,
    ShopContext,
    Throttled,
    Timeout,
    WriteOutcome,
)
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.shapes import differences, recorded
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

pytestmark = pytest.mark.anyio

BODIES = recorded(Path(__file__).parent / "data" / "recorded")
TEA, LARGE = ListingRef("tea-001/tea-001-100"), ListingRef("tea-001/tea-001-300")
NUMBER = "987001-20261120-0412300077"
KEYS = {"service_secret": "SP987001_aaaaaaaaaaaaaaaa", "license_key": "SL987001_bbbbbbbbbbbbbbbb"}


class Played:
    """A connector to RMS as it was recorded: `bodies` by the end of a path; of a list the last one
    is repeated."""

    def __init__(self, bodies: dict[str, str | list[str]], **settings: Any) -> None:
        self._bodies = {
            path: [given] if isinstance(given, str) else list(given)
            for path, given in bodies.items()
        }
        self.asked: list[str] = []
        transport = httpx.MockTransport(self._answer)
        now = datetime(2026, 11, 23, tzinfo=UTC)
        self.context = ShopContext(
            "s",
            FakeClock(now),
            KeptLog(),
            lambda: httpx.AsyncClient(transport=transport),
            lambda: "00000000-0000-4000-8000-000000000000",
        )
        self.settings = RakutenSettings.model_validate(
            KEYS | {"origin": "https://rms.example"} | settings
        )
        self.connector = RakutenConnector(self.context, self.settings)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rstrip("/")
        self.asked.append(path.rpartition("/")[2])
        left = next(bodies for end, bodies in self._bodies.items() if path.endswith(end))
        body = BODIES[left.pop(0) if len(left) > 1 else left[0]]
        return httpx.Response(body.status, content=body.body, headers=dict(body.headers))


ORDER = Order(
    external_id=NUMBER,
    number=NUMBER,
    state=OrderState.OPEN,
    placed_at=datetime(2026, 11, 20, 11, 3, 43, tzinfo=UTC),
    lines=[
        OrderLine("950100001", "tea-001/tea-001-100", 2, sku="TEA-100", title="煎茶 サイズ:100g")
    ],
    platform_state="300 発送待ち",
)
LISTINGS = [
    Listing(
        TEA,
        "煎茶 100g / 100g",
        sku="TEA-100",
        barcode="4900000000001",
        group_id="tea-001",
        warnings=frozenset({ListingWarning.RESTOCKS_ON_CANCEL}),
    ),
    Listing(LARGE, "煎茶 100g / 300g", group_id="tea-001"),
]


@pytest.mark.parametrize(
    ("source", "bodies"),
    [
        ("orders", {"/searchOrder": "search", "/getOrder": "order"}),
        ("purchased_items", {"/searchOrderItem": "search", "/getOrderItem": "purchase"}),
        (
            "auto",
            {
                "/searchOrderItem": "refused_function_old",
                "/searchOrder": "search",
                "/getOrder": "order",
            },
        ),
    ],
)
async def test_the_recorded_orders_are_understood_from_either_api(
    source: str, bodies: dict[str, str | list[str]]
) -> None:
    played = Played(bodies, order_source=source)

    orders = [order async for page in played.connector.fetch_orders(None) for order in page.orders]

    assert {order.external_id for order in orders} == {NUMBER}
    assert orders[0] == ORDER


async def test_a_recorded_search_without_hits_is_an_empty_page() -> None:
    played = Played({"/searchOrder": "search_none"}, order_source="orders")

    pages = [page async for page in played.connector.fetch_orders(None)]

    assert [list(page.orders) for page in pages] == [[]] * len(pages)
    assert "getOrder" not in played.asked


async def test_a_recorded_warning_of_an_unknown_number_is_an_order_that_is_missing() -> None:
    played = Played({"/getOrder": "order_unknown"}, order_source="orders")

    assert await played.connector.read_orders(["987001-20261120-0412300099"]) == []


async def test_the_recorded_items_are_understood_until_the_mark_repeats() -> None:
    played = Played({"/search": ["items_search", "items_search_end"]})

    listings = [
        listing async for page in played.connector.list_listings(None) for listing in page.listings
    ]

    assert listings == LISTINGS
    assert played.asked == ["search", "search"]


async def test_the_recorded_stock_is_understood_and_a_missing_row_was_never_registered() -> None:
    other = ListingRef("tea-001/tea-001-500")

    levels = await Played({"/bulk-get": "stock"}).connector.read_inventory([TEA, LARGE, other])

    assert levels == [
        InventoryLevel(TEA.external_id, 37),
        InventoryLevel(LARGE.external_id, 0),
        InventoryLevel(other.external_id, None),
    ]


async def test_the_recorded_success_of_a_write_is_applied() -> None:
    (result,) = await Played({"/bulk-upsert": "written"}).connector.set_inventory(
        [InventoryWrite(TEA, 30, 37)], "k"
    )

    assert (result.outcome, result.error) == (WriteOutcome.APPLIED, None)


async def test_a_first_registration_asks_the_recorded_items_whether_the_sku_exists() -> None:
    gone = ListingRef("tea-001/tea-001-999")
    played = Played({"/items/bulk-get": "items_bulk", "/bulk-upsert": "written"})

    known, unknown = await played.connector.set_inventory(
        [InventoryWrite(TEA, 3, None), InventoryWrite(gone, 3, None)], "k"
    )

    assert (known.outcome, unknown.outcome, type(unknown.error)) == (
        WriteOutcome.APPLIED,
        WriteOutcome.REFUSED,
        ListingGone,
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("write_out_of_range", None),
        ("write_too_many_skus", ItemRefused),
    ],
)
async def test_each_recorded_refusal_of_a_row_is_that_rows_after_reading_back(
    body: str, error: type | None
) -> None:
    # The number that was read back is the one expected, so nothing was applied.
    played = Played(
        {"/bulk-upsert": body, "/inventories/bulk-get": "stock", "/items/bulk-get": "items_bulk"}
    )

    (result,) = await played.connector.set_inventory([InventoryWrite(TEA, 30, 37)], "k")

    assert result.outcome is (WriteOutcome.STALE if error is None else WriteOutcome.REFUSED)
    assert type(result.error) is (error or type(None))


async def test_a_recorded_refusal_of_a_sku_without_stock_data_leaves_it_to_be_registered() -> None:
    played = Played(
        {
            "/bulk-upsert": "write_unregistered",
            "/inventories/bulk-get": "stock_none",
            "/items/bulk-get": "items_bulk",
        }
    )

    (result,) = await played.connector.set_inventory([InventoryWrite(TEA, 30, 37)], "k")

    assert (result.outcome, result.quantity, result.error) == (WriteOutcome.STALE, None, None)


async def test_the_recorded_end_of_the_licence_key_is_shown_in_days() -> None:
    played = Played(
        {
            "/expiry-date": "licence",
            "/searchOrder": "search_none",
            "/search": "items_search",
            "/bulk-get": "stock_none",
        },
        order_source="orders",
    )

    findings = {finding.reason: finding for finding in await played.connector.check()}

    assert findings["CONNECTED"].level is FindingLevel.OK
    licence = findings["LICENSE_KEY_VALID"]
    assert licence.expires_at == datetime(2027, 2, 20, 14, 59, 59, tzinfo=UTC)
    assert "89 days left" in licence.message


ACCESS = PermissionMissing
REFUSED: dict[str, tuple[Function, type[ConnectorError], type[ConnectorError]]] = {
    # body → a reading function, and what reading and writing raise
    "search_refused": (SEARCH_ORDERS, ContractBroken, ContractBroken),
    "order_without_version": (SEARCH_ORDERS, ContractBroken, ContractBroken),
    "items_wrong_parameter": (GET_STOCK, ContractBroken, ContractBroken),
    "stock_one_missing": (GET_STOCK, ContractBroken, ContractBroken),
    "write_missing_field": (GET_STOCK, ContractBroken, ContractBroken),
    "write_bad_value": (GET_STOCK, ContractBroken, ContractBroken),
    "write_too_many_rows": (GET_STOCK, ContractBroken, ContractBroken),
    "write_twice": (GET_STOCK, ContractBroken, ContractBroken),
    "no_body": (GET_STOCK, ContractBroken, ContractBroken),
    "content_type": (GET_STOCK, ContractBroken, ContractBroken),
    "content_type_old": (SEARCH_ORDERS, ContractBroken, ContractBroken),
    "not_migrated": (GET_STOCK, PlanTooLow, PlanTooLow),
    "read_only": (GET_STOCK, PlatformDown, PlatformDown),
    "conflict": (GET_STOCK, PlatformDown, Timeout),
    "lookup_failed": (GET_STOCK, PlatformDown, Timeout),
    "system_error": (GET_STOCK, PlatformDown, Timeout),
    "bad_gateway": (GET_STOCK, PlatformDown, Timeout),
    "maintenance": (GET_STOCK, PlatformDown, PlatformDown),
    "overloaded": (GET_STOCK, PlatformDown, PlatformDown),
    "throttled": (GET_STOCK, Throttled, Throttled),
    "throttled_old": (GET_STOCK, Throttled, Throttled),
    "refused_key": (GET_STOCK, ACCESS, ACCESS),
    "refused_key_old": (SEARCH_ORDERS, ACCESS, ACCESS),
    "refused_function_old": (SEARCH_ORDERS, ACCESS, ACCESS),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_each_recorded_refusal_says_what_to_do_next(name: str) -> None:
    function, *kinds = REFUSED[name]
    # The licence API answers, so what is refused to a good key is a function that is off.
    played = Played({"/expiry-date": "licence", "": name})
    client = Client(played.context, played.settings)
    raised = []
    for called in (function, SET_STOCK):
        with pytest.raises(ConnectorError) as error:
            await client.call(called, body={})
        raised.append(error.value)
    await client.aclose()

    assert [type(error) for error in raised] == kinds
    if BODIES[name].body.startswith(b'{"errors"') and not isinstance(raised[0], ACCESS):
        assert raised[0].platform_message == "{code} {message}".format(
            **BODIES[name].json()["errors"][0]
        )
    if isinstance(raised[1], Timeout):
        assert raised[1].sent is None


async def test_a_recorded_refusal_of_the_key_is_the_keys_fault_once_it_cannot_be_too_new() -> None:
    played = Played({"": "refused_key"})
    with pytest.raises(PlatformDown) as too_new:
        await played.connector.read_inventory([TEA])
    await played.context.clock.sleep(KEY_GRACE)
    with pytest.raises(CredentialsRejected):
        await played.connector.read_inventory([TEA])

    assert too_new.value.retry_after == 120


# The simulator


class Asked:
    """Speaks to a simulated shop as the connector does, and shows what it answers."""

    def __init__(self, sim: RakutenSimulator, server: SimulatorServer) -> None:
        self.sim = sim
        self.settings = server.settings()
        self.base_url = server.base_url
        self.number = sim.place_order({"TEA-100": 2})
        sim.fulfil_order(self.number)
        self.key = self.settings["license_key"]

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json; charset=utf-8",
    ) -> httpx.Response:
        authorization = "ESA " + b64(f"{self.settings['service_secret']}:{self.key}")
        headers = {"authorization": authorization, "content-type": kind}
        content = None if body is None else json.dumps(body).encode()
        return httpx.request(method, f"{self.base_url}/es/{path}", content=content, headers=headers)

    def switched(self, **switches: Any) -> Asked:
        for name, value in switches.items():
            self.sim.switch(name, value)
        return self

    def throttled(self, **switches: Any) -> httpx.Response:
        self.switched(quotas=True, **switches)
        self.sim.quotas.monotonic = lambda: 0.0  # all within one second, however slow the machine
        return [self.write({"quantity": 0}) for _ in range(2)][-1]

    def write(self, *rows: dict[str, Any]) -> httpx.Response:
        row = {
            "manageNumber": "tea-001",
            "variantId": "tea-001-100",
            "mode": "RELATIVE",
            "quantity": -1,
        }
        given = [
            {name: value for name, value in (row | change).items() if value != "left out"}
            for change in rows
        ]
        return self("POST", "2.0/inventories/bulk-upsert", {"inventories": given})

    def read(self) -> httpx.Response:
        pairs = [
            {"manageNumber": "tea-001", "variantId": name}
            for name in ("tea-001-100", "tea-001-300")
        ]
        return self("POST", "2.0/inventories/bulk-get", {"inventories": pairs})

    def search(self, **change: Any) -> httpx.Response:
        now = self.sim.now()
        ends = {"startDatetime": now - timedelta(days=2), "endDatetime": now + timedelta(days=2)}
        window = {name: f"{moment:%Y-%m-%dT%H:%M:%S}+0900" for name, moment in ends.items()}
        return self("POST", "2.0/order/searchOrder/", {"dateType": 1, **window, **change})

    def order(self, *numbers: str, **version: Any) -> httpx.Response:
        return self("POST", "2.0/order/getOrder/", {"orderNumberList": list(numbers), **version})


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def asked(server: SimulatorServer, shop: RakutenSimulator) -> Asked:
    shop.__init__()  # type: ignore[misc]
    shop.switch("quotas", False)
    shop.switch("disabled_functions", [])
    of_one = {"manage_number": "tea-001", "item_number": "T1"}
    shop.add_listings(
        [
            NewListing(
                "TEA-100",
                10,
                "煎茶",
                "4900000000001",
                {**of_one, "variant_id": "tea-001-100", "choice": "100g"},
            ),
            NewListing(
                "TEA-300",
                0,
                extra={**of_one, "variant_id": "tea-001-300", "choice": "300g", "code": None},
            ),
            NewListing("GONE", 0),
        ]
    )
    shop.delete_item("GONE")
    return Asked(shop, server)


ONE = "2.0/inventories/manage-numbers/tea-001/variants/"
SIMULATED: dict[str, Callable[[Asked], httpx.Response]] = {
    "licence": lambda shop: shop(
        "GET", f"1.0/license-management/license-key/expiry-date?licenseKey={shop.key}"
    ),
    "items_search": lambda shop: shop("GET", "2.0/items/search?cursorMark=*&hits=100"),
    "items_search_end": lambda shop: shop("GET", "2.0/items/search?cursorMark=AoE2&hits=100"),
    "items_bulk": lambda shop: shop("POST", "2.0/items/bulk-get", {"manageNumbers": ["tea-001"]}),
    "items_wrong_parameter": lambda shop: shop("GET", "2.0/items/search?colour=red"),
    "stock": lambda shop: shop.read(),
    "stock_none": lambda shop: (shop.sim.stock_rows.clear(), shop.read())[1],
    "stock_one": lambda shop: shop("GET", f"{ONE}tea-001-100"),
    "stock_one_missing": lambda shop: shop("GET", f"{ONE}tea-001-999"),
    "variant_list": lambda shop: shop(
        "GET", "2.1/inventories/variant-lists/manage-numbers/tea-001"
    ),
    "written": lambda shop: shop.write({}),
    "write_out_of_range": lambda shop: shop.write({"quantity": -99}),
    "write_unregistered": lambda shop: shop.write({"variantId": "other"}),
    "write_too_many_skus": lambda shop: (
        [shop.sim.new_stock(("tea-001", f"v{number}"), 0) for number in range(400)],
        shop.write({"variantId": "other", "mode": "ABSOLUTE", "quantity": 1}),
    )[1],
    "write_too_many_rows": lambda shop: shop.write(*[{}] * 401),
    "write_twice": lambda shop: shop.write({}, {}),
    "write_missing_field": lambda shop: shop.write({"quantity": "left out"}),
    "write_bad_value": lambda shop: shop.write({"mode": "MAYBE"}),
    "not_migrated": lambda shop: shop.switched(migrated=False).read(),
    "read_only": lambda shop: shop.switched(maintenance="read_only").write({}),
    "no_body": lambda shop: shop("POST", "2.0/inventories/bulk-get"),
    "search": lambda shop: shop.search(),
    "search_none": lambda shop: shop.search(orderProgressList=[100]),
    "search_refused": lambda shop: shop.search(startDatetime="2026-11-01T00:00:00+09:00"),
    "order": lambda shop: shop.order(shop.number, version=10),
    "order_unknown": lambda shop: shop.order("987001-20261120-0412300099", version=10),
    "order_without_version": lambda shop: shop.order(shop.number),
    "purchase": lambda shop: shop(
        "POST", "2.0/purchaseItem/getOrderItem/", {"orderNumberList": [shop.number]}
    ),
    "refused_key": lambda shop: (setattr(shop, "key", "SL987001_wrong"), shop.read())[1],
    "refused_key_old": lambda shop: (
        setattr(shop, "key", "SL987001_wrong"),
        shop.switched(auth_error_shape="results").search(),
    )[1],
    "refused_function_old": lambda shop: shop.switched(
        auth_error_shape="results", disabled_functions=["order.searchOrder"]
    ).search(),
    "content_type": lambda shop: shop("POST", "2.0/inventories/bulk-get", {}, kind="text/plain"),
    "content_type_old": lambda shop: shop(
        "POST", "2.0/order/searchOrder/", {}, kind="application/json"
    ),
    "throttled": lambda shop: shop.throttled(),
    "throttled_old": lambda shop: shop.throttled(throttle_shape="403"),
    "maintenance": lambda shop: shop.switched(maintenance="html").read(),
    "overloaded": lambda shop: shop.switched(maintenance="json").read(),
}
BY_FAULT = {"conflict", "lookup_failed", "system_error", "bad_gateway"}
"""What a test injects as a fault, with the recorded body itself."""
BUYERS = ("OrdererModel", "SenderModel", "SettlementModel", "WrappingModel1")
"""Left out of the recorded bodies on purpose; the simulator sends invented ones, which must show
nowhere."""


def test_every_recorded_body_is_either_simulated_or_injected() -> None:
    assert SIMULATED.keys() | BY_FAULT == BODIES.keys()


@pytest.mark.parametrize("name", SIMULATED)
def test_the_simulator_answers_in_the_recorded_form(name: str, asked: Asked) -> None:
    reply, body = SIMULATED[name](asked), BODIES[name]

    assert reply.status_code == body.status
    try:
        expected = body.json()
    except ValueError:
        assert reply.text[:8] == body.body.decode()[:8]
        return
    assert differences(_comparable(expected), _comparable(reply.json())) == []


def _comparable(body: Any) -> Any:
    """Return the body without buyers, and with the variants of an item, which are a map by their
    ids, as a list."""
    if isinstance(body, dict):
        rows = {name: _comparable(value) for name, value in body.items() if name not in BUYERS}
        return rows | {"variants": list(rows["variants"].values())} if "variants" in rows else rows
    return [_comparable(entry) for entry in body] if isinstance(body, list) else body
