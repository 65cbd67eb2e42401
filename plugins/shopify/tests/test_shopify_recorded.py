"""The connector understands every recorded body as exactly what it says, and the simulator's
replies have the same form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
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
    PlanTooLow,
    PlatformDown,
    SettingsInvalid,
    ShopContext,
    Throttled,
    Timeout,
    WriteOutcome,
    WriteResult,
)
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.shapes import differences, recorded
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer
from zaiko_shopify.connector import ShopifyConnector
from zaiko_shopify.documents import (
    ACTIVATE,
    BULK_RUN,
    BULK_STATUS,
    LEVELS,
    LISTINGS,
    LOCATIONS,
    ORDER_CHANGES,
    ORDERS_BY_ID,
    SET_STOCK,
    SHOP,
    bulk_listings,
)
from zaiko_shopify.replies import GraphqlRefused, TooDear
from zaiko_shopify.settings import ShopifySettings
from zaiko_shopify.simulator import ShopifySimulator

BODIES = recorded(Path(__file__).parent / "data" / "recorded")
ITEM, LOCATION, VARIANT = (
    "gid://shopify/InventoryItem/91",
    "gid://shopify/Location/4",
    "gid://shopify/ProductVariant/51",
)
REF = ListingRef(VARIANT, {"inventory_item": ITEM})
GONE = ListingRef(
    "gid://shopify/ProductVariant/52", {"inventory_item": "gid://shopify/InventoryItem/92"}
)

CLIENT_KEYS = {"client_id": "c", "client_secret": "shpss_1"}


class Played:
    """A connector to a shop that answers each operation with a recorded body; the last one of an
    operation is repeated."""

    def __init__(self, settings: dict[str, Any] | None = None, **bodies: str | list[str]) -> None:
        self._bodies = {
            name: [given] if isinstance(given, str) else list(given)
            for name, given in bodies.items()
        }
        self.clock = FakeClock()
        transport = httpx.MockTransport(self._answer)
        context = ShopContext(
            "s", self.clock, KeptLog(), lambda: httpx.AsyncClient(transport=transport), lambda: "id"
        )
        given = {"shop": "example.myshopify.com", **(settings or {"access_token": "shpat_1"})}
        self.connector = ShopifyConnector(context, ShopifySettings(**given))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            name = "File"
        elif request.url.path.endswith("access_token"):
            name = "Token"
        else:
            name = json.loads(request.content)["operationName"]
        left = self._bodies.get(name) or {"Locations": ["locations"], "Token": ["token"]}[name]
        body = BODIES[left.pop(0) if len(left) > 1 else left[0]]
        content = body.body
        if name == "Levels":
            # One row for each item that is asked for.
            document, ids = body.json(), json.loads(request.content)["variables"]["ids"]
            content = json.dumps(
                document | {"data": {"nodes": document["data"]["nodes"][: len(ids)]}}
            ).encode()
        return httpx.Response(body.status, content=content, headers=dict(body.headers))

    async def write(self) -> WriteResult:
        """Set the recorded item from the recorded 3 to 7, beside one that is gone."""
        writes = [InventoryWrite(REF, 7, 3), InventoryWrite(GONE, 7, 3)]
        results = {
            result.external_id: result for result in await self.connector.set_inventory(writes, "k")
        }
        assert type(results[GONE.external_id].error) is ListingGone
        return results[VARIANT]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ORDER = Order(
    external_id="gid://shopify/Order/801",
    number="#1042",
    state=OrderState.OPEN,
    placed_at=at("2026-11-22T03:10:00"),
    lines=[
        OrderLine(
            "gid://shopify/LineItem/9",
            VARIANT,
            3,
            cancelled=1,
            fulfilled=1,
            sku="TEE-M-R",
            title="Tee - M / red",
        )
    ],
    version=at("2026-11-23T00:41:07"),
    paid=True,
    platform_state="PARTIALLY_FULFILLED/PARTIALLY_REFUNDED",
    edited=False,
)
LISTING = Listing(
    REF, "Tee - M / red", sku="TEE-M-R", group_id="gid://shopify/Product/7", quantity=5
)


@pytest.mark.anyio
async def test_the_recorded_orders_are_understood() -> None:
    played = Played(OrderChanges="order_changes", OrdersById="orders_by_id")

    pages = [page async for page in played.connector.fetch_orders(None)]

    assert [list(page.orders) for page in pages] == [[ORDER]]


@pytest.mark.anyio
async def test_the_recorded_cancelled_order_holds_nothing_and_the_deleted_one_is_missing() -> None:
    played = Played(OrdersById="order_cancelled")

    (order,) = await played.connector.read_orders(
        ["gid://shopify/Order/802", "gid://shopify/Order/803"]
    )

    assert (order.external_id, order.state, order.platform_state) == (
        "gid://shopify/Order/802",
        OrderState.CANCELLED,
        "cancelled",
    )
    assert [(line.ordered, line.cancelled, line.fulfilled) for line in order.lines] == [(3, 3, 0)]


@pytest.mark.anyio
async def test_the_recorded_listings_are_understood_page_by_page_and_in_bulk() -> None:
    plain = Played(Listings="listings", ListingCount="http_404")
    (page,) = [page async for page in plain.connector._catalogue._plain("")]
    bulk = Played(
        {"access_token": "t", "bulk_listings_above": 0},
        BulkRun="bulk_begun",
        BulkStatus="bulk_done",
        File="bulk_lines",
    )

    in_bulk = [
        listing async for found in bulk.connector.list_listings(None) for listing in found.listings
    ]

    assert list(page.listings) == in_bulk == [LISTING]


@pytest.mark.anyio
async def test_a_recorded_refusal_of_a_bulk_operation_leads_to_plain_pages() -> None:
    played = Played(
        {"access_token": "t", "bulk_listings_above": 0}, BulkRun="bulk_busy", Listings="listings"
    )

    assert [
        listing async for page in played.connector.list_listings(None) for listing in page.listings
    ] == [LISTING]


@pytest.mark.anyio
async def test_the_recorded_levels_are_understood_and_a_null_is_an_item_that_is_gone() -> None:
    first, gone = await Played(Levels="levels").connector.read_inventory([REF, GONE])

    assert first == InventoryLevel(VARIANT, 3)
    assert (gone.external_id, gone.quantity, type(gone.error)) == (
        GONE.external_id,
        None,
        ListingGone,
    )


@pytest.mark.anyio
async def test_the_recorded_shop_passes_the_check() -> None:
    findings = await Played(Shop="shop", OrderAccess="order_changes").connector.check()

    assert [(finding.level.value, finding.reason) for finding in findings] == [
        ("OK", "CONNECTED"),
        ("OK", "LOCATION"),
        ("OK", "NO_WEBHOOKS"),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "outcome", "error"),
    [
        ("set_applied", WriteOutcome.APPLIED, None),
        ("set_nothing", WriteOutcome.APPLIED, None),
        ("set_stale", WriteOutcome.STALE, None),
        ("set_other_content", WriteOutcome.UNKNOWN, None),
        ("set_unknown_item", WriteOutcome.REFUSED, ListingGone),
        ("set_bundle", WriteOutcome.REFUSED, ItemRefused),
        ("set_too_high", WriteOutcome.REFUSED, ItemRefused),
    ],
)
async def test_each_recorded_answer_to_a_write_has_its_outcome(
    body: str, outcome: WriteOutcome, error: Any
) -> None:
    result = await Played(Levels="levels", SetStock=body).write()

    assert (result.external_id, result.outcome) == (VARIANT, outcome)
    assert type(result.error) is (error or type(None))


@pytest.mark.anyio
async def test_the_recorded_busy_key_is_asked_again_until_it_answers() -> None:
    played = Played(Levels="levels", SetStock=["set_busy", "set_busy", "set_applied"])

    assert (await played.write()).outcome is WriteOutcome.APPLIED
    assert played.clock.monotonic() == pytest.approx(3.0)


Kind = tuple[type[ConnectorError], str]
SAID = {
    "http_400": "query: Required parameter missing or invalid",
    "http_401": "[API] Invalid API key or access token (unrecognized login or wrong password)",
    "http_402": "Unavailable Shop",
    "http_402_list": "Unavailable Shop",
    "http_403": "User does not have access",
    "http_403_approval": "[API] This action requires merchant approval for read_orders scope.",
    "http_404": "Not Found",
    "http_423": "This shop is unavailable",
    "http_500": "An unexpected error occurred",
    "access_denied": "Access denied for orders field. Required access: `read_orders` access scope.",
    "bad_cursor": "Malformed cursor",
    "throttled": "Throttled",
}
"""Shopify's own words in each body, as a person is shown them."""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "reading", "writing"),
    [
        ("http_400", ContractBroken, ContractBroken),
        ("http_401", CredentialsRejected, CredentialsRejected),
        ("http_402", PlanTooLow, PlanTooLow),
        ("http_402_list", PlanTooLow, PlanTooLow),
        ("http_403", PermissionMissing, PermissionMissing),
        ("http_403_approval", PermissionMissing, PermissionMissing),
        ("http_404", SettingsInvalid, SettingsInvalid),
        ("http_404_page", SettingsInvalid, SettingsInvalid),
        ("http_423", PlanTooLow, PlanTooLow),
        ("http_429", Throttled, Throttled),
        ("http_430", Throttled, Throttled),
        ("http_500", PlatformDown, Timeout),
        ("http_502", PlatformDown, Timeout),
        ("throttled", Throttled, Throttled),
        ("too_dear", TooDear, TooDear),
        ("access_denied", PermissionMissing, PermissionMissing),
        ("not_approved", PermissionMissing, PermissionMissing),
        ("internal_error", PlatformDown, Timeout),
        ("shop_inactive", PlanTooLow, PlanTooLow),
        ("bad_cursor", GraphqlRefused, GraphqlRefused),
        ("ignored_filter", ContractBroken, ContractBroken),
        ("invalid_variable", GraphqlRefused, GraphqlRefused),
        ("too_many_entries", GraphqlRefused, GraphqlRefused),
        ("set_without_key", GraphqlRefused, GraphqlRefused),
        ("set_without_condition", GraphqlRefused, GraphqlRefused),
    ],
)
async def test_each_recorded_refusal_says_what_to_do_next(
    body: str, reading: type[ConnectorError], writing: type[ConnectorError]
) -> None:
    played = Played(Locations=body, SetStock=body)
    with pytest.raises(ConnectorError) as read:
        await played.connector._client.query(LOCATIONS)
    with pytest.raises(ConnectorError) as written:
        await played.connector._client.mutate(SET_STOCK, {})

    assert (type(read.value), type(written.value)) == (reading, writing)
    if body in SAID:
        assert read.value.platform_message == SAID[body]
    if isinstance(written.value, Timeout):
        assert written.value.sent is None


@pytest.mark.anyio
async def test_the_recorded_waits_are_taken_as_announced() -> None:
    for body, seconds in (("http_429", 2.0), ("throttled", 5.2)):
        with pytest.raises(Throttled) as raised:
            await Played(Locations=body).connector._client._once(
                LOCATIONS, b'{"operationName":"Locations"}', writing=False
            )
        assert raised.value.retry_after == pytest.approx(seconds)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "word"),
    [("grant_not_permitted", "organisation"), ("grant_not_installed", "not installed")],
)
async def test_a_recorded_refusal_of_a_token_says_what_to_change(body: str, word: str) -> None:
    with pytest.raises(CredentialsRejected) as raised:
        await Played(CLIENT_KEYS, Token=body).connector.read_orders(["gid://shopify/Order/801"])

    assert word in raised.value.message


@pytest.mark.anyio
async def test_the_recorded_token_is_used() -> None:
    assert (
        await Played(CLIENT_KEYS, Token="token").connector._client._credentials.token()
        == "shpat_0a1b2c"
    )


@pytest.mark.anyio
async def test_the_recorded_answers_to_activating_are_understood() -> None:
    stocked = Played({"access_token": "t", "unstocked": "activate"}, Activate="activated")
    again = Played({"access_token": "t", "unstocked": "activate"}, Activate="already_active")
    variables = {"item": ITEM, "location": LOCATION, "available": 7, "key": "k"}

    done = await stocked.connector._client.mutate(ACTIVATE, variables)
    refused = await again.connector._client.mutate(ACTIVATE, variables)

    assert done.data.inner("inventoryActivate").rows("userErrors") == []
    assert "already active" in refused.data.inner("inventoryActivate").each("userErrors")[0].text(
        "message"
    )


# The simulator


class Asked:
    """Speaks to a simulated shop as the connector does, and shows what it answers."""

    def __init__(self, sim: ShopifySimulator, server: SimulatorServer) -> None:
        self.sim = sim
        self.token = sim.static_settings(server.base_url)["access_token"]
        self.http = httpx.Client(base_url=server.base_url)
        self.variant = sim.shop.by_sku("TEE-M-R")
        self.item = f"gid://shopify/InventoryItem/{self.variant.item_number}"
        self.order = sim.place_order({"TEE-M-R": 3})
        sim.fulfil_order(self.order, {"TEE-M-R": 1})
        sim.refund_order(self.order, {"TEE-M-R": 1}, "CANCEL")

    def __call__(self, text: str, **variables: Any) -> httpx.Response:
        headers = {"x-shopify-access-token": self.token}
        return self.http.post(
            "/admin/api/2026-10/graphql.json",
            json={"query": text, "variables": variables},
            headers=headers,
        )

    def set(
        self, key: str | None = "k", text: str = SET_STOCK.text, **change: Any
    ) -> httpx.Response:
        entry = {
            "inventoryItemId": self.item,
            "locationId": LOCATION,
            "quantity": 7,
            "changeFromQuantity": 3,
        } | change
        entry = {name: value for name, value in entry.items() if value != "left out"}
        given = {
            "name": "available",
            "reason": "correction",
            "referenceDocumentUri": "gid://zaiko/Push/1",
            "quantities": [entry],
        }
        return self(text, input=given, **({} if key is None else {"key": key}))

    def switched(self, **switches: Any) -> Asked:
        for name, value in switches.items():
            self.sim.switch(name, value)
        return self

    def grant(self, **form: str) -> httpx.Response:
        keys = {
            "grant_type": "client_credentials",
            "client_id": "simulated-client",
            "client_secret": "shpss_simulated_3d4e5f",
        }
        return self.http.post("/admin/oauth/access_token", data=keys | form)

    def bulk(self) -> httpx.Response:
        return self(BULK_RUN.text, query=bulk_listings(LOCATION))

    def bulk_done(self) -> httpx.Response:
        identity = self.bulk().json()["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
        return self(BULK_STATUS.text, id=identity)

    def bulk_lines(self) -> httpx.Response:
        return self.http.get(self.bulk_done().json()["data"]["bulkOperation"]["url"])

    def changes(
        self, q: str = "updated_at:>='2020-01-01T00:00:00Z'", after: str | None = None
    ) -> httpx.Response:
        return self(ORDER_CHANGES.text, first=250, after=after, q=q)

    def exhausted(self) -> httpx.Response:
        bucket = self.sim.platform.bucket
        bucket.available, bucket.restore = 0, 0.001
        return self(LOCATIONS.text)


@pytest.fixture
def asked(simulated: tuple[ShopifySimulator, SimulatorServer]) -> Iterator[Asked]:
    sim, server = simulated
    sim.add_listings([NewListing("TEE-M-R", 6, title="Tee")])
    shop = Asked(sim, server)
    yield shop
    shop.http.close()


UNKEYED = SET_STOCK.text.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
OLD_FIELD = {
    "name": "available",
    "reason": "correction",
    "quantities": [],
    "ignoreCompareQuantity": True,
}
SIMULATED: dict[str, Callable[[Asked], httpx.Response]] = {
    "token": lambda shop: shop.grant(),
    "shop": lambda shop: shop(SHOP.text),
    "locations": lambda shop: shop(LOCATIONS.text),
    "listings": lambda shop: shop(LISTINGS.text, first=250, after=None, location=LOCATION),
    "levels": lambda shop: shop(
        LEVELS.text, ids=[shop.item, "gid://shopify/InventoryItem/1"], location=LOCATION
    ),
    "order_changes": lambda shop: shop.changes(),
    "orders_by_id": lambda shop: shop(ORDERS_BY_ID.text, ids=[shop.order]),
    "order_cancelled": lambda shop: (
        shop.sim.cancel_order(shop.order, restock=True),
        shop(ORDERS_BY_ID.text, ids=[shop.order, "gid://shopify/Order/1"]),
    )[1],
    "set_applied": lambda shop: shop.set(changeFromQuantity=4),
    "set_nothing": lambda shop: shop.set(quantity=4, changeFromQuantity=4),
    "set_stale": lambda shop: shop.set(changeFromQuantity=9),
    "set_busy": lambda shop: shop.switched(busy_keys=1).set(),
    "set_other_content": lambda shop: (shop.set(changeFromQuantity=4), shop.set(quantity=8))[1],
    "set_unknown_item": lambda shop: shop.set(inventoryItemId="gid://shopify/InventoryItem/1"),
    "set_unknown_location": lambda shop: shop.set(locationId="gid://shopify/Location/1"),
    "set_bundle": lambda shop: (setattr(shop.variant, "bundle", True), shop.set())[1],
    "set_too_high": lambda shop: shop.set(quantity=1_000_000_001),
    "set_without_key": lambda shop: shop.set(None, UNKEYED),
    "set_without_condition": lambda shop: shop.set(changeFromQuantity="left out"),
    "invalid_variable": lambda shop: shop(SET_STOCK.text, input=OLD_FIELD, key="k"),
    "too_many_entries": lambda shop: shop(LEVELS.text, ids=[shop.item] * 251, location=LOCATION),
    "activated": lambda shop: (
        shop.variant.levels.clear(),
        shop(ACTIVATE.text, item=shop.item, location=LOCATION, available=7, key="k"),
    )[1],
    "already_active": lambda shop: shop(
        ACTIVATE.text, item=shop.item, location=LOCATION, available=7, key="k"
    ),
    "throttled": lambda shop: shop.exhausted(),
    "too_dear": lambda shop: shop.switched(max_cost=5)(LOCATIONS.text),
    "access_denied": lambda shop: shop.switched(scopes="read_products").changes(),
    "not_approved": lambda shop: shop.switched(protected_data_approved=False).changes(),
    "internal_error": lambda shop: shop.switched(internal_errors=1)(SHOP.text),
    "shop_inactive": lambda shop: shop.switched(state="inactive")(SHOP.text),
    "bad_cursor": lambda shop: shop.changes(after="bogus"),
    "ignored_filter": lambda shop: shop.changes(q="x:1"),
    "bulk_begun": lambda shop: shop.bulk(),
    "bulk_busy": lambda shop: [shop.switched(bulk_seconds=60.0).bulk() for _ in range(6)][-1],
    "bulk_done": lambda shop: shop.bulk_done(),
    "bulk_lines": lambda shop: shop.bulk_lines(),
    "http_400": lambda shop: shop(7),  # type: ignore[arg-type]
    "http_401": lambda shop: (setattr(shop, "token", "shpat_wrong"), shop(SHOP.text))[1],
    "http_402": lambda shop: shop.switched(state="frozen")(SHOP.text),
    "http_403": lambda shop: shop.switched(state="banned")(SHOP.text),
    "http_404": lambda shop: shop.switched(state="missing")(SHOP.text),
    "http_423": lambda shop: shop.switched(state="locked")(SHOP.text),
    "grant_not_permitted": lambda shop: shop.switched(grant_refusal="shop_not_permitted").grant(),
    "grant_not_installed": lambda shop: shop.switched(grant_refusal="app_not_installed").grant(),
}
BY_FAULT = {
    "http_402_list",
    "http_403_approval",
    "http_404_page",
    "http_429",
    "http_430",
    "http_500",
    "http_502",
}
"""What a test injects as a fault, with the recorded body itself."""


def test_every_recorded_body_is_either_simulated_or_injected() -> None:
    assert SIMULATED.keys() | BY_FAULT == BODIES.keys()


@pytest.mark.parametrize("name", SIMULATED)
def test_the_simulator_answers_in_the_recorded_form(name: str, asked: Asked) -> None:
    reply, body = SIMULATED[name](asked), BODIES[name]

    assert reply.status_code == body.status
    try:
        expected = body.json()
    except ValueError:
        assert reply.text.lstrip()[:5] == body.body.decode().lstrip()[:5]
        return
    assert differences(_comparable(expected), _comparable(reply.json())) == []


def _comparable(body: Any) -> Any:
    """Return the body without what depends on the query's text, which was abridged: where an error
    stands, and how a search was parsed."""
    if isinstance(body, dict):
        return {
            name: _comparable(value)
            for name, value in body.items()
            if name not in ("locations", "parsed", "value")
        }
    return [_comparable(entry) for entry in body] if isinstance(body, list) else body
