"""The connector against the simulated shop, over real HTTP."""

from __future__ import annotations

import json

import pytest
from zaiko_example.change import MODE
from zaiko_example.connector import ExampleConnector
from zaiko_example.simulator import ExampleSimulator
from zaiko_example.simulator.state import WEBHOOK_SECRET
from zaiko_example.webhooks import sign
from zaiko_sdk import (
    CredentialsRejected,
    FindingLevel,
    InventoryMode,
    InventoryWrite,
    ListingRef,
    OrderState,
    PlatformDown,
    Throttled,
    Timeout,
    WriteOutcome,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

pytestmark = pytest.mark.anyio


async def test_orders_are_read_over_pages_oldest_change_first(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    shop.switch("page_size", 2)
    shop.add_listings([NewListing("A", 10)])
    first, second, third = (shop.place_order({"A": 1}) for _ in range(3))
    shop.cancel_order(first, restock=True)

    pages = [page async for page in connector.fetch_orders(None)]

    assert [order.external_id for page in pages for order in page.orders] == [second, third, first]
    assert pages[-1].orders[-1].state is OrderState.CANCELLED


async def test_an_order_that_the_search_shows_late_is_delivered_by_a_later_fetch(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    shop.add_listings([NewListing("A", 10)])
    late = shop.place_order({"A": 1}, visible_after=60)
    shop.place_order({"A": 1})
    (page,) = [page async for page in connector.fetch_orders(None)]
    assert late not in [order.external_id for order in page.orders]
    shop.orders[late].visible_at = shop.now()

    found = [
        order.external_id
        async for later in connector.fetch_orders(page.cursor)
        for order in later.orders
    ]

    assert late in found


async def test_a_deleted_order_is_missing_in_what_is_read(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    shop.add_listings([NewListing("A", 10)])
    kept, deleted = shop.place_order({"A": 1}), shop.place_order({"A": 1})
    shop.delete_order(deleted)

    assert [order.external_id for order in await connector.read_orders([kept, deleted])] == [kept]


async def test_the_catalogue_continues_after_any_page(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    shop.switch("page_size", 2)
    shop.add_listings([NewListing(f"S{number}", number) for number in range(5)])
    pages = [page async for page in connector.list_listings(None)]
    assert [listing.sku for page in pages for listing in page.listings] == [
        "S0",
        "S1",
        "S2",
        "S3",
        "S4",
    ]

    rest = [
        listing.sku
        async for page in connector.list_listings(pages[0].cursor)
        for listing in page.listings
    ]

    assert rest == ["S2", "S3", "S4"]


async def test_an_order_that_cannot_be_understood_is_reported_and_hides_no_other(
    connector: ExampleConnector, shop: ExampleSimulator, server: SimulatorServer
) -> None:
    shop.add_listings([NewListing("A", 10)])
    good = shop.place_order({"A": 1})
    body = {"rows": [{"id": "9", "lines": "?"}, "?", *_rows(shop, good)], "next": None}
    server.inject(Fault(FaultKind.REFUSE, match="/api/orders", status=200, body=json.dumps(body)))

    (page,) = [page async for page in connector.fetch_orders(None)]

    assert [(order.external_id, order.lines_known) for order in page.orders] == [
        ("9", False),
        (good, True),
    ]


async def test_an_order_from_the_future_does_not_hide_later_ones(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    shop.add_listings([NewListing("A", 10)])
    shop.switch("clock_skew_seconds", 86_400)
    shop.place_order({"A": 1})
    *_, last = [page async for page in connector.fetch_orders(None)]
    shop.switch("clock_skew_seconds", 0)
    later = shop.place_order({"A": 1})

    found = [
        order.external_id
        async for page in connector.fetch_orders(last.cursor)
        for order in page.orders
    ]

    assert later in found


async def test_a_change_does_what_the_mode_promises(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    (identifier,) = shop.add_listings([NewListing("A", 10)])
    shop.place_order({"A": 3})

    (result,) = await connector.set_inventory(
        [InventoryWrite(ListingRef(identifier), quantity=8, expected=10)], "key"
    )

    # 10 were believed, 7 are there. A condition refuses, a relative change keeps the order, an
    # absolute one overwrites it.
    expected = {
        InventoryMode.COMPARE_AND_SET: (WriteOutcome.STALE, 7),
        InventoryMode.ADJUST: (WriteOutcome.APPLIED, 5),
        InventoryMode.SET: (WriteOutcome.APPLIED, 8),
    }
    assert (result.outcome, shop.stock()["A"]) == expected[MODE]


async def test_the_first_number_of_a_listing_can_be_written(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    (identifier,) = shop.add_listings([NewListing("A", extra={"stocked": False})])
    (level,) = await connector.read_inventory([ListingRef(identifier)])

    (result,) = await connector.set_inventory(
        [InventoryWrite(ListingRef(identifier), 4, level.quantity)], "key"
    )

    assert (level.quantity, result.outcome, shop.stock()["A"]) == (None, WriteOutcome.APPLIED, 4)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.REFUSE_AFTER, match="changes", status=500),
        Fault(FaultKind.DROP_AFTER, match="changes"),
        Fault(FaultKind.MALFORMED, match="changes"),
    ],
)
async def test_a_write_whose_outcome_is_open_is_said_to_be_and_sent_once(
    connector: ExampleConnector, shop: ExampleSimulator, server: SimulatorServer, fault: Fault
) -> None:
    (identifier,) = shop.add_listings([NewListing("A", 10)])
    server.inject(fault)

    with pytest.raises(Timeout) as caught:
        await connector.set_inventory([InventoryWrite(ListingRef(identifier), 8, 10)], "key")

    assert caught.value.sent is not False
    assert shop.stock()["A"] == 8
    assert shop.counters()["stock_write"] == 1


async def test_a_reply_to_a_write_in_other_words_leaves_its_outcome_open(
    connector: ExampleConnector, shop: ExampleSimulator, server: SimulatorServer
) -> None:
    (identifier,) = shop.add_listings([NewListing("A", 10)])
    server.inject(
        Fault(FaultKind.REFUSE_AFTER, match="changes", status=200, body='{"rows": [{"id": 7}]}')
    )

    (result,) = await connector.set_inventory(
        [InventoryWrite(ListingRef(identifier), 8, 10)], "key"
    )

    assert result.outcome is WriteOutcome.UNKNOWN


async def test_a_quota_that_is_used_up_says_how_long_to_wait(
    connector: ExampleConnector, server: SimulatorServer
) -> None:
    server.inject(Fault(FaultKind.REFUSE, status=429, headers=(("retry-after", "7"),)))

    with pytest.raises(Throttled) as caught:
        await connector.read_inventory([ListingRef("1")])

    assert caught.value.retry_after == 7


async def test_maintenance_is_the_platforms_and_passes(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    shop.switch("maintenance", True)

    with pytest.raises(PlatformDown) as caught:
        await connector.set_inventory([InventoryWrite(ListingRef("1"), 8, 10)], "key")

    assert caught.value.retry_after == 600


async def test_a_missing_scope_is_found_by_check(
    connector: ExampleConnector, shop: ExampleSimulator
) -> None:
    shop.switch("scopes", ["orders:read"])

    (finding,) = await connector.check()

    assert (finding.level, finding.reason) == (FindingLevel.ERROR, "PERMISSION_MISSING")
    assert "stock:write" in finding.message


async def test_a_notification_is_believed_only_with_its_signature(
    connector: ExampleConnector,
) -> None:
    body = json.dumps({"delivery_id": "d1", "topic": "order.updated", "order_id": "9"}).encode()

    hint = connector.parse_webhook({"X-Example-Signature": sign(WEBHOOK_SECRET, body)}, body)

    assert hint is not None
    assert (hint.delivery_id, list(hint.order_ids)) == ("d1", ["9"])
    with pytest.raises(CredentialsRejected):
        connector.parse_webhook({"X-Example-Signature": sign("another", body)}, body)
    with pytest.raises(CredentialsRejected):
        connector.parse_webhook({}, body)


def _rows(shop: ExampleSimulator, order: str) -> list[object]:
    found = shop.orders[order]
    return [
        {
            "id": order,
            "number": order,
            "status": "open",
            "placed_at": found.placed_at.isoformat(),
            "updated_at": found.updated_at.isoformat(),
            "lines": [],
        }
    ]
