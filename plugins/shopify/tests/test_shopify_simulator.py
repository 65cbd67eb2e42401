"""The simulated shop answers as FACTS.md says that Shopify does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from zaiko_sdk.testing.simulator import (
    NewListing,
    SimulationError,
    SimulatorClient,
    SimulatorServer,
)
from zaiko_shopify.documents import LEVELS, SET_STOCK
from zaiko_shopify.simulator import ShopifySimulator

LISTINGS_OF_SHEET = """query Listings($after: String, $q: String) {
  productVariants(first: 250, after: $after, query: $q, sortKey: ID) {
    pageInfo { hasNextPage endCursor }
    nodes { id legacyResourceId title displayName sku barcode updatedAt inventoryPolicy inventoryQuantity
            inventoryItem { id tracked } product { id title status } } } }"""  # noqa: E501
ORDERS_OF_SHEET = """query Orders($q: String!, $after: String) {
  orders(first: 50, after: $after, query: $q, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes { id legacyResourceId name createdAt updatedAt processedAt cancelledAt cancelReason closed closedAt test edited
      displayFulfillmentStatus displayFinancialStatus sourceName
      lineItems(first: 100) { pageInfo { hasNextPage endCursor }
        nodes { id sku name quantity currentQuantity unfulfilledQuantity nonFulfillableQuantity requiresShipping
                variant { id inventoryItem { id } } } } } } }"""  # noqa: E501


class Shopper:
    """Speaks GraphQL to a simulated shop."""

    def __init__(self, sim: ShopifySimulator, server: SimulatorServer) -> None:
        self.sim, self.server = sim, server
        self.token = sim.static_settings(server.base_url)["access_token"]
        self.http = httpx.Client(base_url=server.base_url, timeout=5)

    def post(
        self, query: str, *, version: str = "2026-10", token: str | None = None, **variables: Any
    ) -> httpx.Response:
        headers = {"x-shopify-access-token": self.token if token is None else token}
        return self.http.post(
            f"/admin/api/{version}/graphql.json",
            json={"query": query, "variables": variables},
            headers=headers,
        )

    def ask(self, query: str, **variables: Any) -> Any:
        response = self.post(query, **variables)
        assert response.status_code == 200, response.text
        return response.json()

    def error(self, query: str, **variables: Any) -> Any:
        return self.ask(query, **variables)["errors"][0]

    def orders(self, search: str) -> Any:
        return self.ask(
            "query Q($q: String) { orders(first: 50, query: $q) { nodes { name } } }", q=search
        )

    def set(
        self, key: str | None = "k", name: str = "available", **changes: tuple[int | None, int]
    ) -> Any:
        return self.ask(SET_STOCK.text, key=key, input=self.input(name, **changes))["data"][
            "inventorySetQuantities"
        ]

    def input(self, name: str = "available", **changes: tuple[int | None, int]) -> dict[str, Any]:
        rows = [
            {
                "inventoryItemId": self.item(sku),
                "locationId": "gid://shopify/Location/4",
                "quantity": wanted,
                "changeFromQuantity": expected,
            }
            for sku, (expected, wanted) in changes.items()
        ]
        return {"name": name, "reason": "correction", "quantities": rows}

    def item(self, sku: str) -> str:
        return f"gid://shopify/InventoryItem/{self.sim.shop.by_sku(sku).item_number}"

    def states(self, sku: str) -> list[int]:
        """available, on_hand, committed."""
        reply = self.ask(LEVELS.text, ids=[self.item(sku)], location="gid://shopify/Location/4")
        return [
            row["quantity"] for row in reply["data"]["nodes"][0]["inventoryLevel"]["quantities"]
        ]


@pytest.fixture
def shop(simulated: tuple[ShopifySimulator, SimulatorServer]) -> Iterator[Shopper]:
    sim, server = simulated
    sim.add_listings([NewListing("A", 5), NewListing("B", 5)])
    shopper = Shopper(sim, server)
    yield shopper
    shopper.http.close()


# Costs and quotas


@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        (LISTINGS_OF_SHEET, {}, 35),
        (ORDERS_OF_SHEET, {"q": "updated_at:>='2026-11-23T00:00:00Z'"}, 212),
        (
            LEVELS.text,
            {"ids": ["gid://shopify/InventoryItem/1"], "location": "gid://shopify/Location/4"},
            3,
        ),
        ("{ locations(first: 10) { nodes { id } } }", {}, 6),
        ("{ shop { name } }", {}, 1),
    ],
)
def test_requests_cost_what_the_fact_sheet_says(
    shop: Shopper, query: str, variables: dict[str, Any], cost: int
) -> None:
    assert shop.ask(query, **variables)["extensions"]["cost"]["requestedQueryCost"] == cost


def test_setting_stock_costs_13_and_a_refused_mutation_10(shop: Shopper) -> None:
    good = shop.ask(SET_STOCK.text, key="k", input=shop.input(A=(5, 7), B=(5, 7)))
    bad = shop.ask(SET_STOCK.text, key="l", input=shop.input(A=(5, 7)))

    assert [reply["extensions"]["cost"]["actualQueryCost"] for reply in (good, bad)] == [13, 10]
    assert good["extensions"]["cost"]["requestedQueryCost"] == 13


def test_an_empty_connection_costs_2_and_rows_by_their_number(shop: Shopper) -> None:
    query = (
        "query Q($q: String) { productVariants(first: 250, query: $q) { nodes { product { id } "
        "} } }"
    )

    assert shop.ask(query, q="sku:none")["extensions"]["cost"]["actualQueryCost"] == 2
    assert shop.ask(query)["extensions"]["cost"]["actualQueryCost"] == 2 + 1 * 2


def test_a_request_beyond_the_bucket_is_throttled_and_not_executed(shop: Shopper) -> None:
    shop.sim.platform.bucket.available = 12.0
    shop.sim.platform.bucket.restore = 0.0

    reply = shop.ask(SET_STOCK.text, key="k", input=shop.input(A=(5, 7)))

    assert "data" not in reply
    assert reply["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert reply["extensions"]["cost"]["actualQueryCost"] is None
    assert reply["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 12
    assert shop.sim.stock()["A"] == 5


def test_unused_points_are_given_back(shop: Shopper) -> None:
    shop.sim.platform.bucket.restore = 0.0

    status = shop.ask(ORDERS_OF_SHEET, q="")["extensions"]["cost"]["throttleStatus"]

    assert status["currentlyAvailable"] == 2000 - 2


def test_quotas_can_be_switched_off(shop: Shopper) -> None:
    shop.sim.switch("quotas", False)
    shop.sim.platform.bucket.available = 0

    assert "data" in shop.ask("{ shop { name } }")


def test_a_request_that_is_too_dear_is_refused(shop: Shopper) -> None:
    place = 'locationId: "gid://shopify/Location/4"'
    level = (
        f"inventoryLevel({place}) {{ location {{ id }} quantities(names: []) {{ name }} item {{ "
        f"variant {{ id }} }} }}"
    )
    line = "variant { product { id } inventoryItem { " + level + " } }"

    error = shop.error(
        "{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { " + line + " } } } } }"
    )

    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert error["extensions"]["cost"] == 2 + 11 * (1 + 2 + 11 * (1 + 8))
    assert error["message"].startswith(
        "Query cost is 1124, which exceeds the single query max cost limit (1000)."
    )


# Documents, variables, pages


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ shop { nme } }", "undefinedField"),
        ("{ shop(x: 1) { name } }", "argumentNotAccepted"),
        ("{ order { id } }", "missingRequiredArguments"),
        ("{ orders(first: true) { nodes { id } } }", "argumentLiteralsIncompatible"),
        ("{ shop @bogus { name } }", "undefinedDirective"),
        ("query Q($a: Bogus) { shop { name } }", "undefinedType"),
        ("query Q($a: Int) { shop { name } }", "variableNotUsed"),
        ("{ shop }", "selectionMismatch"),
        ("{ shop {", "PARSE_ERROR"),
        ("mutation { inventoryActivate { userErrors { code } } }", "undefinedField"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_the_platforms_code(
    shop: Shopper, query: str, code: str
) -> None:
    reply = shop.ask(query)

    assert "data" not in reply
    assert code in [error["extensions"]["code"] for error in reply["errors"]]


def test_a_missing_input_field_has_its_own_code(shop: Shopper) -> None:
    literal = (
        'mutation { inventorySetQuantities(input: {name: "available", reason: "correction"}) { '
        "userErrors { message } } }"
    )

    assert shop.error(literal)["extensions"]["code"] == "missingRequiredInputObjectAttribute"


def test_an_old_field_is_an_invalid_variable_in_the_platforms_words(shop: Shopper) -> None:
    error = shop.error(
        SET_STOCK.text, key="k", input={**shop.input(A=(5, 7)), "ignoreCompareQuantity": True}
    )

    assert error["message"] == (
        "Variable $input of type InventorySetQuantitiesInput! was provided invalid value for "
        "ignoreCompareQuantity (Field is not defined on InventorySetQuantitiesInput)"
    )
    assert error["extensions"]["code"] == "INVALID_VARIABLE"


def test_a_malformed_id_is_an_invalid_variable_and_an_unknown_one_is_null(shop: Shopper) -> None:
    query = "query Q($id: ID!) { order(id: $id) { id } }"

    assert (
        shop.error(query, id="801")["extensions"]["problems"][0]["explanation"]
        == "Invalid global id '801'"
    )
    assert shop.ask(query, id="gid://shopify/Order/1") == {
        "data": {"order": None},
        **_extensions(shop, query),
    }
    wrong = shop.ask(query, id="gid://shopify/Product/1")
    assert (wrong["data"], wrong["errors"][0]["extensions"]["code"]) == (
        {"order": None},
        "RESOURCE_NOT_FOUND",
    )


def _extensions(shop: Shopper, query: str) -> dict[str, Any]:
    return {"extensions": shop.ask(query, id="gid://shopify/Order/1")["extensions"]}


def test_lists_of_more_than_250_are_refused(shop: Shopper) -> None:
    rows = shop.input(A=(5, 7))["quantities"] * 251

    error = shop.error(SET_STOCK.text, key="k", input={**shop.input(), "quantities": rows})

    assert (
        error["message"]
        == "The input array size of 251 is greater than the maximum allowed of 250."
    )
    assert error["path"] == ["inventorySetQuantities", "input", "quantities"]


@pytest.mark.parametrize(
    ("paging", "message"),
    [
        ("", "you must provide one of first or last"),
        ("(first: 1, last: 1)", "providing both first and last is not supported"),
        ('(first: 1, after: "bogus")', "Malformed cursor"),
    ],
)
def test_paging_mistakes_are_answered_in_the_platforms_words(
    shop: Shopper, paging: str, message: str
) -> None:
    reply = shop.ask(f"{{ orders{paging} {{ nodes {{ id }} }} }}")

    assert (reply["data"], reply["errors"][0]["message"]) == (None, message)
    assert reply["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_pages_follow_each_other_both_ways(shop: Shopper) -> None:
    shop.sim.add_listings([NewListing(f"S{number}") for number in range(5)])

    def page(arguments: str) -> Any:
        info = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        query = f"{{ productVariants({arguments}) {{ nodes {{ sku }} {info} }} }}"
        return shop.ask(query)["data"]["productVariants"]

    first = page("first: 3")
    second = page(f'first: 9, after: "{first["pageInfo"]["endCursor"]}"')
    back = page(f'last: 2, before: "{second["pageInfo"]["startCursor"]}"')
    reverse = page("first: 2, reverse: true")

    assert [row["sku"] for row in first["nodes"] + second["nodes"]] == [
        "A",
        "B",
        "S0",
        "S1",
        "S2",
        "S3",
        "S4",
    ]
    assert [row["sku"] for row in back["nodes"]] == ["B", "S0"]
    assert [row["sku"] for row in reverse["nodes"]] == ["S4", "S3"]
    assert (
        first["pageInfo"]["hasNextPage"],
        second["pageInfo"]["hasNextPage"],
        back["pageInfo"]["hasPreviousPage"],
    ) == (
        True,
        False,
        True,
    )


# Search


def test_a_filter_that_is_not_known_finds_everything_and_only_warns(shop: Shopper) -> None:
    shop.sim.place_order({"A": 1})

    reply = shop.orders("bogus:1")

    assert len(reply["data"]["orders"]["nodes"]) == 1
    assert reply["extensions"]["search"][0]["warnings"] == [
        {
            "field": "bogus",
            "message": "Invalid search field for this query.",
            "code": "invalid_field",
        }
    ]


def test_an_unquoted_time_is_cut_at_its_second_colon(shop: Shopper) -> None:
    shop.sim.place_order({"A": 1})

    cut = shop.orders("updated_at:<2000-01-01T00:00:00Z")
    quoted = shop.orders("updated_at:<'2000-01-01T00:00:00Z'")

    assert [row["field"] for row in cut["extensions"]["search"][0]["warnings"]] == ["00"]
    assert "search" not in quoted["extensions"]
    assert quoted["data"]["orders"]["nodes"] == []


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ("status:open", 1),
        ("status:cancelled", 1),
        ("-status:open", 1),
        ("NOT status:open", 1),
        ("status:open OR status:cancelled", 2),
        ("status:open status:cancelled", 0),
        ("sku:a", 1),
        ("updated_at:>='2020-01-01T00:00:00+09:00'", 2),
        ("updated_at:>'2999-01-01'", 0),
        ("created_at:<=2999-01-01", 2),
        ("", 2),
    ],
)
def test_searches_find_what_they_should(shop: Shopper, search: str, count: int) -> None:
    shop.sim.place_order({"A": 1})
    shop.sim.cancel_order(shop.sim.place_order({"B": 1}), restock=True)

    assert len(shop.orders(search)["data"]["orders"]["nodes"]) == count


def test_a_status_that_is_not_known_warns(shop: Shopper) -> None:
    assert (
        shop.orders("status:bogus")["extensions"]["search"][0]["warnings"][0]["code"]
        == "invalid_value"
    )


def test_the_index_lags_while_rows_are_fresh(shop: Shopper) -> None:
    placed = shop.sim.place_order({"A": 1})
    shop.sim.switch("index_lag", 100.0)
    shop.sim.switch("time_offset", 50.0)
    shop.sim.fulfil_order(placed)
    order = shop.sim.order(placed)
    since = order.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    before = shop.orders(f"updated_at:>='{since}'")
    fresh = shop.ask("{ orders(first: 1) { nodes { updatedAt } } }")["data"]["orders"]["nodes"]
    shop.sim.switch("time_offset", 151.0)
    after = shop.orders(f"updated_at:>='{since}'")

    assert (before["data"]["orders"]["nodes"], fresh) == ([], [{"updatedAt": since}])
    assert len(after["data"]["orders"]["nodes"]) == 1


# Setting stock


def test_a_set_moves_available_and_on_hand_alike(shop: Shopper) -> None:
    shop.sim.place_order({"A": 2})

    group = shop.set(A=(3, 7))["inventoryAdjustmentGroup"]

    assert [
        (row["name"], row["delta"], row["quantityAfterChange"]) for row in group["changes"]
    ] == [
        ("available", 4, None),
        ("on_hand", 4, None),
    ]
    assert shop.states("A") == [7, 9, 2]


def test_on_hand_can_be_set_and_never_below_zero(shop: Shopper) -> None:
    shop.sim.place_order({"A": 2})

    assert shop.set("k1", "on_hand", A=(5, 9))["userErrors"] == []
    assert shop.states("A") == [7, 9, 2]
    assert (
        shop.set("k2", "on_hand", A=(9, -1))["userErrors"][0]["code"] == "INVALID_QUANTITY_NEGATIVE"
    )


def test_one_stale_entry_refuses_the_whole_batch_and_is_not_named(shop: Shopper) -> None:
    payload = shop.set(A=(5, 7), B=(4, 7))

    assert payload["inventoryAdjustmentGroup"] is None
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [
        ("CHANGE_FROM_QUANTITY_STALE", None)
    ]
    assert shop.sim.stock() == {"A": 5, "B": 5}


def test_a_set_without_condition_writes_blindly(shop: Shopper) -> None:
    assert shop.set(A=(None, 7))["userErrors"] == []
    assert shop.sim.stock()["A"] == 7


def test_a_set_that_changes_nothing_succeeds_without_a_group(shop: Shopper) -> None:
    assert shop.set(A=(5, 5)) == {"inventoryAdjustmentGroup": None, "userErrors": []}


def test_the_same_key_answers_again_without_doing_it_again_for_a_day(shop: Shopper) -> None:
    first = shop.set(A=(5, 7))
    shop.sim.set_stock("A", 5)

    assert shop.set(A=(5, 7)) == first
    assert shop.sim.stock()["A"] == 5
    shop.sim.switch("time_offset", 24 * 3600.0 + 1)
    assert (
        shop.set(A=(5, 7))["inventoryAdjustmentGroup"]["id"]
        != first["inventoryAdjustmentGroup"]["id"]
    )


def test_the_same_key_for_something_else_is_refused(shop: Shopper) -> None:
    shop.set(A=(5, 7))

    assert shop.set(A=(7, 8))["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"


def test_the_key_and_the_condition_are_mandatory_at_run_time(shop: Shopper) -> None:
    bare = SET_STOCK.text.replace("@idempotent(key: $key) ", "").replace(", $key: String!", "")
    given = shop.input(A=(5, 7))
    without = json.loads(json.dumps(given))
    del without["quantities"][0]["changeFromQuantity"]

    no_key, neither = shop.ask(bare, input=given), shop.ask(bare, input=without)

    assert no_key["data"] == neither["data"] == {"inventorySetQuantities": None}
    assert (
        no_key["errors"][0]["message"]
        == "The @idempotent directive is required for this mutation but was not provided."
    )
    assert no_key["errors"][0]["path"] == ["inventorySetQuantities"]
    assert neither["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": "reserved"}, "INVALID_NAME", ["input", "name"]),
        ({"reason": "because"}, "INVALID_REASON", ["input", "reason"]),
        (
            {"referenceDocumentUri": "no uri"},
            "INVALID_REFERENCE_DOCUMENT",
            ["input", "referenceDocumentUri"],
        ),
        (
            {"inventoryItemId": "gid://shopify/InventoryItem/1"},
            "INVALID_INVENTORY_ITEM",
            ["input", "quantities", "0", "inventoryItemId"],
        ),
        (
            {"locationId": "gid://shopify/Location/1"},
            "INVALID_LOCATION",
            ["input", "quantities", "0", "locationId"],
        ),
        (
            {"quantity": 1_000_000_001},
            "INVALID_QUANTITY_TOO_HIGH",
            ["input", "quantities", "0", "quantity"],
        ),
        (
            {"quantity": -1_000_000_001},
            "INVALID_QUANTITY_TOO_LOW",
            ["input", "quantities", "0", "quantity"],
        ),
    ],
)
def test_wrong_input_is_a_user_error_that_points_to_it(
    shop: Shopper, change: dict[str, Any], code: str, field: list[str]
) -> None:
    given = shop.input(A=(5, 7), B=(5, 7))
    target = (
        given
        if next(iter(change)) in ("name", "reason", "referenceDocumentUri")
        else given["quantities"][0]
    )
    target.update(change)

    payload = shop.ask(SET_STOCK.text, key="k", input=given)["data"]["inventorySetQuantities"]

    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [(code, field)]
    assert shop.sim.stock() == {"A": 5, "B": 5}


def test_twins_in_a_batch_are_each_refused(shop: Shopper) -> None:
    given = shop.input(A=(5, 7))
    given["quantities"] *= 2

    errors = shop.ask(SET_STOCK.text, key="k", input=given)["data"]["inventorySetQuantities"][
        "userErrors"
    ]

    assert [error["field"][2] for error in errors] == ["0", "1"]


def test_a_number_at_a_place_where_it_is_not_stocked_is_accepted_and_not_sold_from(
    shop: Shopper,
) -> None:
    shop.sim.add_listings([NewListing("C", extra={"stocked": False})])

    assert shop.set(C=(0, 9))["userErrors"] == []

    assert shop.sim.stock()["C"] == 0
    level = "inventoryLevel(locationId: $l, includeInactive: true) { isActive }"
    query = "query Q($id: ID!, $l: ID!) { inventoryItem(id: $id) { " + level + " } }"
    reply = shop.ask(query, id=shop.item("C"), l="gid://shopify/Location/4")
    assert reply["data"]["inventoryItem"]["inventoryLevel"] == {"isActive": False}


# Orders and stock


@pytest.mark.parametrize(
    ("event", "states"),
    [
        (lambda sim, order: None, [3, 5, 2]),
        (lambda sim, order: sim.fulfil_order(order), [3, 3, 0]),
        (lambda sim, order: sim.cancel_order(order, restock=True), [5, 5, 0]),
        (lambda sim, order: sim.cancel_order(order, restock=False), [3, 3, 0]),
        (lambda sim, order: sim.edit_order(order, {"A": 1}), [4, 5, 1]),
        (lambda sim, order: sim.edit_order(order, {"A": 4}), [1, 5, 4]),
        (lambda sim, order: sim.refund_order(order, {"A": 1}, "CANCEL"), [4, 5, 1]),
        (lambda sim, order: sim.refund_order(order, {"A": 1}, "NO_RESTOCK"), [3, 4, 1]),
        (lambda sim, order: sim.archive_order(order), [3, 5, 2]),
        (lambda sim, order: sim.delete_order(order), [3, 5, 2]),
    ],
)
def test_orders_move_available_committed_and_on_hand(
    shop: Shopper, event: Any, states: list[int]
) -> None:
    event(shop.sim, shop.sim.place_order({"A": 2}))

    assert shop.states("A") == states


def test_a_return_comes_back_to_the_shelf(shop: Shopper) -> None:
    order = shop.sim.place_order({"A": 2})
    shop.sim.fulfil_order(order)
    shop.sim.refund_order(order, {"A": 1}, "RETURN")

    assert shop.states("A") == [4, 4, 0]


def test_a_delete_restocks_when_the_switch_says_so(shop: Shopper) -> None:
    shop.sim.switch("restock_on_delete", True)
    shop.sim.delete_order(shop.sim.place_order({"A": 2}))

    assert shop.states("A") == [5, 5, 0]


def test_an_order_made_by_api_or_of_what_is_untracked_moves_nothing(shop: Shopper) -> None:
    shop.sim.add_listings([NewListing("C", 5, extra={"tracked": False})])
    shop.sim.place_order({"A": 2}, moves_stock=False)
    shop.sim.place_order({"C": 2})

    assert shop.sim.stock() == {"A": 5, "B": 5, "C": 5}


def test_a_shop_may_refuse_what_is_sold_out(shop: Shopper) -> None:
    shop.sim.switch("refuse_sold_out", True)

    with pytest.raises(SimulationError, match="sold out"):
        shop.sim.place_order({"A": 6})


def test_orders_older_than_60_days_need_a_scope(shop: Shopper) -> None:
    shop.sim.place_order({"A": 1})
    shop.sim.switch("time_offset", 61 * 86_400.0)

    hidden = shop.orders("")
    shop.sim.switch("scopes", "read_orders,read_all_orders")
    shown = shop.orders("")

    assert [len(reply["data"]["orders"]["nodes"]) for reply in (hidden, shown)] == [0, 1]


# HTTP


def test_a_wrong_token_is_401_with_a_text_and_a_wrong_body_400_with_an_object(
    shop: Shopper,
) -> None:
    wrong = shop.post("{ shop { name } }", token="shpat_x")
    bare = shop.http.post(
        "/admin/api/2026-10/graphql.json", json={}, headers={"x-shopify-access-token": shop.token}
    )

    assert (wrong.status_code, wrong.json()["errors"][:5]) == (401, "[API]")
    assert (bare.status_code, bare.json()) == (
        400,
        {"errors": {"query": "Required parameter missing or invalid"}},
    )


@pytest.mark.parametrize(
    ("asked", "served"), [("2026-10", "2026-10"), ("2026-01", "2026-01"), ("2019-04", "2026-01")]
)
def test_an_ended_version_is_served_by_the_oldest_one(
    shop: Shopper, asked: str, served: str
) -> None:
    response = shop.post("{ shop { name } }", version=asked)

    assert response.headers["x-shopify-api-version"] == served
    assert response.headers["x-request-id"]


def test_a_missing_scope_nulls_the_data_and_names_itself(shop: Shopper) -> None:
    shop.sim.switch("scopes", "read_products")

    reply = shop.orders("")

    assert reply["data"] is None
    assert (
        reply["errors"][0]["message"]
        == "Access denied for orders field. Required access: `read_orders` access scope."
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{ shop { name } }", "at least one connection"),
        ("{ productVariants { nodes { id } } }", "not nodes"),
        ("{ shop { name } productVariants { edges { node { id } } } }", "exactly one"),
        (
            "query Q($q: String) { productVariants(query: $q) { edges { node { id } } } }",
            "variables",
        ),
        ("{ productVariants { edges { node { bogus } } } }", "bogus"),
    ],
)
def test_a_bulk_query_that_breaks_the_rules_is_refused(
    shop: Shopper, query: str, words: str
) -> None:
    mutation = (
        "mutation M($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } "
        "userErrors { code message } } }"
    )

    (error,) = shop.ask(mutation, q=query)["data"]["bulkOperationRunQuery"]["userErrors"]

    assert error["code"] == "INVALID"
    assert words in error["message"]


def test_children_of_a_bulk_result_follow_their_parent(shop: Shopper) -> None:
    shop.sim.place_order({"A": 1, "B": 2})
    operation, _ = shop.sim.platform.bulk.begin(
        "{ orders { edges { node { id name lineItems { edges { node { sku } } } } } } }"
    )
    assert operation is not None
    url = shop.sim.platform.bulk.polled(operation.id).url

    lines = [json.loads(line) for line in shop.http.get(url).text.splitlines()]

    assert lines == [
        {"id": lines[0]["id"], "name": lines[0]["name"]},
        {"sku": "A", "__parentId": lines[0]["id"]},
        {"sku": "B", "__parentId": lines[0]["id"]},
    ]
    assert shop.http.get(url, headers={"x-shopify-access-token": shop.token}).status_code == 403


def test_the_control_api_plays_buyers_and_staff(shop: Shopper) -> None:
    client = SimulatorClient(shop.server.base_url)
    order = client.place_order({"A": 3})
    client.edit_order(order, {"A": 2})
    client.fulfil_order(order, {"A": 1})
    client.archive_order(order)
    client.set_stock("B", 9)
    other = client.place_order({"B": 1})
    client.cancel_order(other, restock=True)
    client.delete_order(other)
    client.switch("quotas", False)

    assert client.stock() == {"A": 3, "B": 9}
    assert shop.sim.order(order).fulfilment == "PARTIALLY_FULFILLED"
    for name, value in (("bogus", 1), ("plan", "bogus"), ("state", "bogus")):
        with pytest.raises(SimulationError):
            client.switch(name, value)
    with pytest.raises(SimulationError):
        client.cancel_order(other, restock=True)
    client.close()


@pytest.mark.parametrize(("how", "shown"), [("CANCEL", 5), ("NO_RESTOCK", 4)])
def test_the_control_api_refunds_with_and_without_restocking(
    shop: Shopper, how: str, shown: int
) -> None:
    client = SimulatorClient(shop.server.base_url)
    placed = client.place_order({"A": 1})

    client.refund_order(placed, {"A": 1}, how)

    assert client.stock()["A"] == shown
    with pytest.raises(SimulationError):
        client.refund_order(placed, {"A": 1}, how)
    client.close()


def test_a_shop_under_maintenance_answers_with_a_page(shop: Shopper) -> None:
    shop.sim.switch("state", "maintenance")

    response = shop.post("{ shop { name } }")

    assert (response.status_code, response.text[:6]) == (503, "<html>")
