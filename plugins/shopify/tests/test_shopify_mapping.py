"""Bodies in the shapes that were recorded, and broken ones, become orders, listings and levels."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from zaiko_sdk import ContractBroken, ListingWarning, Order, OrderLine, OrderState, ReplyFields
from zaiko_shopify.levels import level_of
from zaiko_shopify.listings import listing_of
from zaiko_shopify.orders import draft_of, order_of

DATA = Path(__file__).parent / "data"


def body(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return parsed


def mapped(row: dict[str, Any]) -> tuple[Order, list[str]]:
    draft = draft_of(row, "order")
    return order_of(draft), draft.problems


def line(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = row["lineItems"]["nodes"][0]
    return found


def test_the_order_of_the_fact_sheet_is_understood() -> None:
    order, problems = mapped(body("order"))

    assert problems == []
    assert order == Order(
        external_id="gid://shopify/Order/801",
        number="#1042",
        state=OrderState.OPEN,
        placed_at=datetime(2026, 11, 22, 3, 10, tzinfo=UTC),
        version=datetime(2026, 11, 23, 0, 41, 7, tzinfo=UTC),
        lines=[
            OrderLine(
                external_id="gid://shopify/LineItem/9",
                listing="gid://shopify/ProductVariant/51",
                ordered=3,
                cancelled=1,
                fulfilled=1,
                sku="TEE-M-R",
                title="Tee - M / red",
            )
        ],
        paid=True,
        platform_state="PARTIALLY_FULFILLED/PARTIALLY_REFUNDED",
        edited=False,
    )


def test_a_cancelled_order_releases_everything_although_it_stays_unfulfilled() -> None:
    row = body("order") | {
        "cancelledAt": "2026-11-23T01:00:00Z",
        "closed": True,
        "displayFulfillmentStatus": "UNFULFILLED",
        "refunds": [],
    }
    line(row).update(currentQuantity=3, unfulfilledQuantity=3)

    order, _ = mapped(row)

    assert (order.state, order.archived, order.lines[0].cancelled) == (
        OrderState.CANCELLED,
        False,
        3,
    )


def test_a_closed_order_is_archived_and_keeps_its_units() -> None:
    order, _ = mapped(body("order") | {"closed": True, "closedAt": "2026-11-23T01:00:00Z"})

    assert (order.state, order.archived) == (OrderState.OPEN, True)
    assert order.lines[0].ordered - order.lines[0].cancelled - order.lines[0].fulfilled == 1


def test_a_fulfilled_order_is_shipped_unless_a_line_still_holds_units() -> None:
    row = body("order") | {"displayFulfillmentStatus": "FULFILLED"}
    held, _ = mapped(row)
    line(row)["unfulfilledQuantity"] = 0
    shipped, _ = mapped(row)

    assert (held.state, shipped.state) == (OrderState.OPEN, OrderState.SHIPPED)


def test_a_fulfilment_status_that_is_new_keeps_the_order_open_and_is_shown() -> None:
    order, _ = mapped(body("order") | {"displayFulfillmentStatus": "TELEPORTED"})

    assert (order.state, order.state_known, order.platform_state) == (
        OrderState.OPEN,
        False,
        "TELEPORTED/PARTIALLY_REFUNDED",
    )


@pytest.mark.parametrize(
    ("status", "paid"),
    [("PENDING", False), ("AUTHORIZED", False), ("PAID", True), (None, None), ("NEW", None)],
)
def test_paid_is_what_shopify_says_or_unknown(status: str | None, paid: bool | None) -> None:
    assert mapped(body("order") | {"displayFinancialStatus": status})[0].paid is paid


def test_a_custom_line_and_a_deleted_variant_have_no_listing() -> None:
    row = body("order")
    line(row)["variant"] = None

    assert mapped(row)[0].lines[0].listing is None


@pytest.mark.parametrize(
    "variant",
    [
        None,
        {"id": "gid://shopify/ProductVariant/1", "inventoryItem": {"id": "i", "tracked": False}},
    ],
)
def test_a_gift_card_or_fee_is_left_out(variant: dict[str, Any] | None) -> None:
    row = body("order")
    line(row).update(requiresShipping=False, variant=variant)

    assert mapped(row)[0].lines == []


def test_a_line_without_shipping_is_kept_when_shopify_counts_its_stock() -> None:
    row = body("order")
    line(row)["requiresShipping"] = False

    assert len(mapped(row)[0].lines) == 1


def test_more_refunds_than_were_read_release_nothing() -> None:
    row = body("order")
    row["refunds"][0]["refundLineItems"]["pageInfo"]["hasNextPage"] = True

    found = mapped(row)[0].lines[0]

    assert (found.cancelled, found.fulfilled) == (0, 2)


@pytest.mark.parametrize("counter", ["quantity", "currentQuantity", "unfulfilledQuantity"])
@pytest.mark.parametrize("value", [None, "3", 2.5, True, [], "gone"])
def test_a_line_with_an_unreadable_counter_holds_the_most_it_may(counter: str, value: Any) -> None:
    row = body("order")
    line(row).update(quantity=3, currentQuantity=3, unfulfilledQuantity=3)
    if value == "gone":
        del line(row)[counter]
    else:
        line(row)[counter] = value

    order, problems = mapped(row)

    assert (order.lines[0].ordered, order.lines[0].cancelled, order.lines[0].fulfilled) == (3, 0, 0)
    assert order.state_known is False
    assert counter in problems[0]


NAMES = [
    "cancelledAt",
    "closed",
    "createdAt",
    "displayFinancialStatus",
    "displayFulfillmentStatus",
    "name",
    "refunds",
    "updatedAt",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [7, {}, "gone", "2026-11-22T03:10:00"])
def test_a_wrong_field_is_reported_and_does_not_lose_the_order(name: str, value: Any) -> None:
    row = body("order")
    if value == "gone":
        del row[name]
    else:
        row[name] = value

    order, _ = mapped(row)

    assert order.external_id == "gid://shopify/Order/801"
    assert order.lines[0].ordered == 3
    assert order.lines[0].ordered - order.lines[0].cancelled - order.lines[0].fulfilled == 1


@pytest.mark.parametrize(
    "row", [None, [], "x", {}, {"id": 7}, {"id": "gid://shopify/Order/1", "lineItems": None}]
)
def test_an_order_without_id_or_lines_is_refused_in_words(row: Any) -> None:
    with pytest.raises(ContractBroken, match=r"^orders\[0\]"):
        draft_of(row, "orders[0]")


def test_the_variant_of_the_fact_sheet_is_understood() -> None:
    listing = listing_of(ReplyFields("variant", body("variant")))

    assert (listing.ref.external_id, dict(listing.ref.data)) == (
        "gid://shopify/ProductVariant/51",
        {"inventory_item": "gid://shopify/InventoryItem/91"},
    )
    assert (listing.title, listing.sku, listing.barcode, listing.group_id) == (
        "Tee - M / red",
        "TEE-M-R",
        "",
        "gid://shopify/Product/7",
    )
    assert (listing.quantity, listing.warnings) == (5, frozenset())


@pytest.mark.parametrize(
    ("path", "value", "warning"),
    [
        (("inventoryItem", "tracked"), False, ListingWarning.UNTRACKED),
        (("inventoryPolicy",), "CONTINUE", ListingWarning.SELLS_BELOW_ZERO),
        (("product", "status"), "DRAFT", ListingWarning.OFF_SALE),
        (("requiresComponents",), True, ListingWarning.READ_ONLY),
        (("inventoryItem", "inventoryLevel"), None, ListingWarning.NOT_STOCKED),
        (("inventoryItem", "inventoryLevel", "isActive"), False, ListingWarning.NOT_STOCKED),
    ],
)
def test_a_listing_carries_the_warning_that_fits(
    path: tuple[str, ...], value: Any, warning: ListingWarning
) -> None:
    row = copy.deepcopy(body("variant"))
    at = row
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value

    listing = listing_of(ReplyFields("variant", row))

    assert listing.warnings == {warning}
    assert (listing.quantity is None) is (warning is ListingWarning.NOT_STOCKED)


def test_a_level_without_the_number_asked_for_is_refused_in_words() -> None:
    row = {
        "id": "i",
        "tracked": True,
        "inventoryLevel": {"isActive": True, "quantities": [{"name": "on_hand", "quantity": 1}]},
    }

    with pytest.raises(ContractBroken, match="available"):
        level_of(row, "nodes[0]")
