"""The connector understands every recorded body as exactly what it says, and the simulator's
replies have the same form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from zaiko_ecforce.connector import EcforceConnector
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_ecforce.write_reply import read_write_reply
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    Listing,
    ListingGone,
    ListingRef,
    Order,
    OrderLine,
    OrderState,
    PermissionMissing,
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
SERUM = ListingRef("SERUM-30")


class Played:
    """A connector to ecforce as it was recorded: `bodies` by method and the end of a path; the last
    one of a list is repeated."""

    def __init__(self, bodies: dict[str, str | list[str]], **settings: Any) -> None:
        self._bodies = {
            key: [given] if isinstance(given, str) else list(given) for key, given in bodies.items()
        }
        transport = httpx.MockTransport(self._answer)
        clock = FakeClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
        context = ShopContext(
            "s", clock, KeptLog(), lambda: httpx.AsyncClient(transport=transport), lambda: "id"
        )
        given = {
            "origin": "https://shop.example",
            "location_code": "tokyo-1",
            **(settings or {"token": "t"}),
        }
        self.connector = EcforceConnector(context, EcforceSettings.model_validate(given))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        key = f"{request.method} {request.url.path.rpartition('/')[2].removesuffix('.json')}"
        left = self._bodies.get(key) or self._bodies[""]
        body = BODIES[left.pop(0) if len(left) > 1 else left[0]]
        return httpx.Response(body.status, content=body.body, headers=dict(body.headers))


ORDER = Order(
    external_id="31005",
    number="7fd20c41be",
    state=OrderState.OPEN,
    placed_at=datetime(2026, 11, 22, 15, 1, tzinfo=UTC),
    lines=[OrderLine("9", "SERUM-30", 2, sku="SERUM-30", title="美容液")],
    version=datetime(2026, 11, 22, 15, 10, 44, tzinfo=UTC),
    paid=True,
    platform_state="注文確定 / authed",
)


async def test_the_recorded_orders_are_understood() -> None:
    pages = [page async for page in Played({"GET orders": "orders"}).connector.fetch_orders(None)]

    assert [list(page.orders) for page in pages] == [[ORDER]]


@pytest.mark.parametrize(
    ("body", "state", "known", "fulfilled"),
    [
        ("orders_shipped", OrderState.SHIPPED, True, 2),
        ("orders_voided", OrderState.CANCELLED, True, 0),
        ("orders_own_state", OrderState.OPEN, False, 0),
    ],
)
async def test_each_recorded_state_is_reported(
    body: str, state: OrderState, known: bool, fulfilled: int
) -> None:
    (order,) = await Played({"GET orders": body}).connector.read_orders(["31005"])

    assert (order.state, order.state_known, order.lines[0].fulfilled) == (state, known, fulfilled)


async def test_the_recorded_single_order_is_the_way_round_a_list_that_ignores_its_filter() -> None:
    # The list returns 31005, which was not asked for, so the order is read alone.
    played = Played({"GET orders": "orders", "GET 31006": "order_missing", "GET 31007": "order"})

    orders = await played.connector.read_orders(["31006", "31007"])

    assert [order.external_id for order in orders] == ["31005"]


async def test_the_recorded_products_and_stock_make_the_listings() -> None:
    played = Played({"GET products": "products", "GET stock_items": "stock"})

    listings = [
        listing async for page in played.connector.list_listings(None) for listing in page.listings
    ]

    assert listings[0] == Listing(SERUM, "美容液 30ml", sku="SERUM-30", group_id="511", quantity=48)
    assert [(listing.sku, listing.title) for listing in listings] == [
        ("SERUM-30", "美容液 30ml"),
        ("SERUM-60", "美容液 60ml"),
    ]


@pytest.mark.parametrize("body", ["stock", "stock_without_pages", "stock_zero_pages"])
async def test_the_recorded_stock_is_understood_however_pages_are_counted(body: str) -> None:
    played = Played({"GET stock_items": body})

    assert await played.connector.read_inventory([SERUM]) == [InventoryLevel("SERUM-30", 48)]


async def test_a_recorded_empty_list_is_a_listing_that_cannot_be_synced() -> None:
    (level,) = await Played({"GET stock_items": "stock_none"}).connector.read_inventory([SERUM])

    assert (level.quantity, level.error is not None) == (None, True)


@pytest.mark.parametrize(
    ("body", "error"), [("write_unknown_sku", ListingGone), ("write_bad_value", ItemRefused)]
)
async def test_each_recorded_refusal_of_a_row_is_that_rows(
    body: str, error: type[Exception]
) -> None:
    (result,) = await Played(
        {"PUT stock_items": body, "GET stock_items": "stock"}
    ).connector.set_inventory([InventoryWrite(SERUM, 46, 48)], "k")

    assert (result.outcome, type(result.error)) == (WriteOutcome.REFUSED, error)


async def test_a_recorded_success_that_the_stock_does_not_show_is_not_believed() -> None:
    # The body says 46, the stock that is read back says 48.
    (result,) = await Played(
        {"PUT stock_items": "write_done", "GET stock_items": "stock"}
    ).connector.set_inventory([InventoryWrite(SERUM, 46, 48)], "k")

    assert result.outcome is not WriteOutcome.APPLIED


def test_a_recorded_partial_failure_inside_a_success_names_the_row() -> None:
    reply = read_write_reply(BODIES["write_partly"].json())

    assert reply.tells_of_rows
    assert reply.problem("SERUM-30") is None
    assert isinstance(reply.problem("SOAP-1"), ItemRefused)
    assert "ASI2002" in str(getattr(reply.problem("SOAP-1"), "platform_message"))  # noqa: B009 - of a ConnectorError


async def test_the_recorded_sign_in_gives_the_token() -> None:
    login = {"email": "staff@shop.example.test", "password": "recorded"}
    played = Played({"POST sign_in": "signed_in", "GET stock_items": "stock"}, **login)

    assert await played.connector.read_inventory([SERUM]) == [InventoryLevel("SERUM-30", 48)]


REFUSED: dict[str, tuple[type[ConnectorError], type[ConnectorError]]] = {
    # body → what reading and writing raise
    "unauthorised": (CredentialsRejected, CredentialsRejected),
    "forbidden": (PermissionMissing, PermissionMissing),
    "cdn_refusal": (PlatformDown, PlatformDown),
    "throttled": (Throttled, Throttled),
    "throttled_announced": (Throttled, Throttled),
    "internal": (PlatformDown, Timeout),
    "bad_gateway": (PlatformDown, Timeout),
    "maintenance": (PlatformDown, Timeout),
    "write_too_many": (ContractBroken, ItemRefused),
    "order_missing": (ContractBroken, ItemRefused),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_each_recorded_refusal_says_what_to_do_next(name: str) -> None:
    reading = Played({"": name}).connector.read_inventory([SERUM])
    write = [InventoryWrite(SERUM, 46, 48)]
    writing = Played({"PUT stock_items": name, "GET stock_items": "stock"}).connector.set_inventory(
        write, "k"
    )
    raised = []
    for work in (reading, writing):
        with pytest.raises(ConnectorError) as error:
            await work
        raised.append(error.value)

    assert tuple(type(error) for error in raised) == REFUSED[name]
    if BODIES[name].body.startswith(b"{"):
        assert raised[0].platform_message == "{code} {message}".format(
            **BODIES[name].json()["errors"][0]
        )
    if isinstance(raised[1], Timeout):
        assert raised[1].sent is not False
    if isinstance(raised[0], Throttled):
        assert raised[0].retry_after == (1.0 if name == "throttled_announced" else 60.0)


async def test_a_recorded_refusal_of_a_login_is_the_merchants_matter() -> None:
    played = Played(
        {"POST sign_in": "bad_login"}, email="staff@shop.example.test", password="wrong"
    )

    with pytest.raises(CredentialsRejected):
        await played.connector.read_inventory([SERUM])


# The simulator


class Asked:
    """Speaks to a simulated shop as the connector does, and shows what it answers."""

    def __init__(self, sim: EcforceSimulator, server: SimulatorServer) -> None:
        self.sim, self._base = sim, f"{server.base_url}/api/v2/"
        self.token = sim.static_token
        self.number = sim.place_order({"SERUM-30": 2})

    def __call__(
        self, method: str, path: str, body: Any = None, *, agent: str = "zaiko"
    ) -> httpx.Response:
        headers = {"authorization": f'Token token="{self.token}"', "user-agent": agent}
        return httpx.request(method, self._base + path, json=body, headers=headers)

    def switched(self, **switches: Any) -> Asked:
        for name, value in switches.items():
            self.sim.switch(name, value)
        return self

    def orders(self) -> httpx.Response:
        return self("GET", "admin/orders.json?lighter=0&include=order_items&per=100")

    def stock(self, **switches: Any) -> httpx.Response:
        return self.switched(**switches)("GET", "admin/stock_items.json?per=100")

    def write(self, *skus: str, stock: int = 46) -> httpx.Response:
        rows = [
            {"variant_sku": sku, "stock_location_code": "default", "stock": stock} for sku in skus
        ]
        return self("PUT", "admin/stock_items.json", {"stock_items": rows})

    def throttled(self, announced: str) -> httpx.Response:
        self.switched(quotas=True, retry_after=announced, requests_per_second=0.001)
        return [self.stock() for _ in range(12)][-1]


@pytest.fixture
def asked(server: SimulatorServer, shop: EcforceSimulator) -> Asked:
    shop.add_listings(
        [
            NewListing("SERUM-30", 48, "美容液", extra={"product": "SERUM", "option": "30ml"}),
            NewListing("SERUM-60", 5, "美容液", extra={"product": "SERUM", "option": "60ml"}),
            NewListing("SOAP-1", 5, extra={"stocked": False}),
        ]
    )
    return Asked(shop, server)


LOGIN = {"admin": {"email": "staff@shop.example.test", "password": "sim-password-7f3a"}}
SIMULATED: dict[str, Callable[[Asked], httpx.Response]] = {
    "signed_in": lambda shop: shop("POST", "admins/sign_in.json", LOGIN),
    "stock": lambda shop: shop.stock(total_pages="given"),
    "stock_without_pages": lambda shop: shop.stock(total_pages="missing"),
    "stock_zero_pages": lambda shop: shop.stock(total_pages="zero"),
    "stock_none": lambda shop: shop.switched(total_pages="given")(
        "GET", "admin/stock_items.json?q[variant_sku_eq]=NONE"
    ),
    "products": lambda shop: shop.switched(total_pages="given")(
        "GET", "admin/products.json?include=variants&q[number_eq]=SERUM"
    ),
    "orders": lambda shop: shop.switched(total_pages="given").orders(),
    "orders_shipped": lambda shop: (
        shop.sim.fulfil_order(shop.number),
        shop.switched(total_pages="given").orders(),
    )[1],
    "orders_voided": lambda shop: (
        shop.sim.cancel_order(shop.number, restock=True),
        shop.switched(total_pages="given").orders(),
    )[1],
    "orders_own_state": lambda shop: (
        shop.sim.set_state(shop.number, "wmswait"),
        shop.switched(total_pages="given").orders(),
    )[1],
    "order": lambda shop: shop(
        "GET", f"admin/orders/{shop.number}.json?lighter=0&include=order_items"
    ),
    "write_done": lambda shop: shop.write("SERUM-30"),
    "write_partly": lambda shop: shop.write("SERUM-30", "SOAP-1"),
    "write_unknown_sku": lambda shop: shop.write("NONE"),
    "write_bad_value": lambda shop: shop.write("SERUM-30", stock=-1),
    "write_too_many": lambda shop: shop.switched(most_write_rows=1).write("SERUM-30", "SERUM-60"),
    "order_missing": lambda shop: shop("GET", "admin/orders/7.json"),
    "unauthorised": lambda shop: (setattr(shop, "token", "wrong"), shop.orders())[1],
    "bad_login": lambda shop: shop(
        "POST", "admins/sign_in.json", {"admin": {"email": "x", "password": "y"}}
    ),
    "cdn_refusal": lambda shop: shop("GET", "admin/orders.json", agent=""),
    "throttled": lambda shop: shop.throttled("never"),
    "throttled_announced": lambda shop: shop.throttled("always"),
    "maintenance": lambda shop: shop.switched(maintenance=True).orders(),
}
BY_FAULT = {"internal", "forbidden", "bad_gateway"}
"""What a test injects as a fault, with the recorded body itself."""
BUYERS = ("email", "memo01")
"""A buyer's data: left out of recorded orders; the simulator sends invented ones, which must show
nowhere."""


def test_every_recorded_body_is_either_simulated_or_injected() -> None:
    assert SIMULATED.keys() | BY_FAULT == BODIES.keys()


@pytest.mark.parametrize("name", SIMULATED)
def test_the_simulator_answers_in_the_recorded_form(name: str, asked: Asked) -> None:
    reply, body = SIMULATED[name](asked), BODIES[name]

    assert reply.status_code == body.status
    assert ("retry-after" in reply.headers) == ("retry-after" in body.headers)
    try:
        expected = body.json()
    except ValueError:
        assert reply.text[:6] == body.body.decode()[:6]
        return
    assert differences(_comparable(expected), _comparable(reply.json())) == []


def _comparable(body: Any) -> Any:
    """Return the body without a buyer's data."""
    if isinstance(body, dict):
        return {
            name: _comparable(value)
            for name, value in body.items()
            if "number" not in body or name not in BUYERS
        }
    return [_comparable(entry) for entry in body] if isinstance(body, list) else body
