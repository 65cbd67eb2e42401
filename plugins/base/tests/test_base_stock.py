"""Numbers: one per call, absolute, echoed by the reply."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from zaiko_base.connector import BaseConnector
from zaiko_base.simulator import BaseSimulator
from zaiko_sdk import (
    ContractBroken,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    Throttled,
    Timeout,
    WriteOutcome,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., BaseConnector]

pytestmark = pytest.mark.anyio


def _write(listing: str, quantity: int, expected: int | None = 0) -> list[InventoryWrite]:
    return [InventoryWrite(ListingRef(listing), quantity, expected)]


async def test_one_variation_is_set_and_its_sisters_stay(
    connect: Open, shop: BaseSimulator
) -> None:
    _, second = shop.add_listings(
        [NewListing("W", 12, extra={"item": "towel"}), NewListing("G", 5, extra={"item": "towel"})]
    )

    (result,) = await connect().set_inventory(_write(second, 7), "key")

    assert (result.outcome, result.quantity) == (WriteOutcome.APPLIED, 7)
    assert shop.stock() == {"W": 12, "G": 7}


async def test_an_item_without_variations_is_set(connect: Open, shop: BaseSimulator) -> None:
    (only,) = shop.add_listings([NewListing("A", 3)])

    (result,) = await connect().set_inventory(_write(only, 0), "key")

    assert (result.outcome, shop.stock()["A"]) == (WriteOutcome.APPLIED, 0)


@pytest.mark.parametrize("listing", ["999", "70001-999", "70001-0"])
async def test_what_is_no_longer_there_is_gone(
    connect: Open, shop: BaseSimulator, listing: str
) -> None:
    shop.add_listings([NewListing("A", 3)])

    (result,) = await connect().set_inventory(_write(listing, 1), "key")
    (level,) = await connect().read_inventory([ListingRef(listing)])

    assert result.outcome is WriteOutcome.REFUSED
    assert isinstance(result.error, ListingGone)
    assert isinstance(level.error, ListingGone)


async def test_an_item_that_got_variations_is_not_overwritten(
    connect: Open, shop: BaseSimulator
) -> None:
    listing, _ = shop.add_listings(
        [NewListing("W", 12, extra={"item": "towel"}), NewListing("G", 5, extra={"item": "towel"})]
    )
    whole = listing.split("-")[0]

    (result,) = await connect().set_inventory(_write(whole, 99), "key")

    assert result.outcome is WriteOutcome.REFUSED
    assert shop.stock() == {"W": 12, "G": 5}


async def test_an_uneditable_item_is_refused_alone_and_costs_one_refresh(
    connect: Open, shop: BaseSimulator
) -> None:
    (listing,) = shop.add_listings([NewListing("E", 3, extra={"editable": False})])

    (result,) = await connect().set_inventory(_write(listing, 1), "key")

    assert isinstance(result.error, ItemRefused)
    assert shop.counters()["token"] == 2


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.REFUSE_AFTER])
async def test_a_write_whose_reply_is_lost_is_left_open_and_sent_once(
    connect: Open, shop: BaseSimulator, server: SimulatorServer, kind: FaultKind
) -> None:
    (listing,) = shop.add_listings([NewListing("A", 3)])
    server.inject(Fault(kind, match="/edit_stock"))

    with pytest.raises(Timeout) as caught:
        await connect().set_inventory(_write(listing, 1), "key")

    assert caught.value.sent is not False
    assert (shop.stock()["A"], shop.counters()["edit_stock"]) == (1, 1)


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "{}",
        '{"item": {"item_id": 1}}',
        json.dumps({"item": {"item_id": 9, "title": "", "stock": 1}}),
    ],
)
async def test_a_reply_that_does_not_echo_the_number_leaves_it_open(
    connect: Open, shop: BaseSimulator, server: SimulatorServer, body: str
) -> None:
    (listing,) = shop.add_listings([NewListing("A", 3)])
    server.inject(Fault(FaultKind.REFUSE_AFTER, match="/edit_stock", status=200, body=body))

    (result,) = await connect().set_inventory(_write(listing, 1), "key")

    assert (result.outcome, result.quantity) == (WriteOutcome.UNKNOWN, None)


async def test_an_echo_of_another_number_leaves_it_open(
    connect: Open, shop: BaseSimulator, server: SimulatorServer
) -> None:
    (listing,) = shop.add_listings([NewListing("A", 3)])
    body = json.dumps({"item": shop.items[int(listing)].document()})
    server.inject(Fault(FaultKind.REFUSE, match="/edit_stock", status=200, body=body))

    (result,) = await connect().set_inventory(_write(listing, 1), "key")

    assert (result.outcome, result.quantity) == (WriteOutcome.UNKNOWN, 3)


async def test_writes_behind_one_that_failed_are_left_open(
    connect: Open, shop: BaseSimulator, server: SimulatorServer
) -> None:
    first, second = shop.add_listings([NewListing("A", 3), NewListing("B", 3)])
    server.inject(Fault(FaultKind.REFUSE, match="/edit_stock", skip=1, status=429))

    results = await connect().set_inventory(_write(first, 1) + _write(second, 1), "key")

    assert [result.outcome for result in results] == [WriteOutcome.APPLIED, WriteOutcome.UNKNOWN]


async def test_a_few_items_are_read_by_themselves_and_many_from_the_list(
    connect: Open, shop: BaseSimulator
) -> None:
    listings = shop.add_listings([NewListing(f"S{number}", number) for number in range(250)])
    connector = connect()

    few = await connector.read_inventory([ListingRef(listing) for listing in listings[:3]])
    assert [level.quantity for level in few] == [0, 1, 2]
    assert (shop.counters().get("items", 0), shop.counters()["item"]) == (0, 3)

    many = await connector.read_inventory([ListingRef(listing) for listing in listings])
    assert [level.quantity for level in many] == list(range(250))
    assert (shop.counters()["items"], shop.counters()["item"]) == (3, 3)


async def test_some_items_of_a_large_shop_cost_at_most_twice_reading_them_alone(
    connect: Open, shop: BaseSimulator
) -> None:
    listings = shop.add_listings([NewListing(f"S{number}", number) for number in range(1500)])
    connector = connect()
    wanted = [ListingRef(listing) for listing in listings[-6:]]

    levels = await connector.read_inventory(wanted)
    assert shop.counters()["items"] + shop.counters()["item"] <= 12
    again = await connector.read_inventory(wanted)

    assert (
        [level.quantity for level in levels]
        == [level.quantity for level in again]
        == list(range(1494, 1500))
    )
    assert shop.counters()["item"] == 12


async def test_stock_work_stops_before_the_calls_that_orders_need(
    connect: Open, shop: BaseSimulator
) -> None:
    shop.switch("calls_per_hour", 20)
    (listing,) = shop.add_listings([NewListing("A", 3)])
    connector = connect(calls_per_hour=20)
    written = 0
    with contextlib.suppress(Throttled):
        while written < 30:
            await connector.set_inventory(_write(listing, 1), "key")
            written += 1

    pages = [page async for page in connector.fetch_orders(None)]

    # 20 calls, of which 2 are kept, and one was for a token.
    assert (written, len(pages), shop.counters()["throttled"]) == (17, 1, 0)


async def test_a_quota_that_others_used_up_is_believed_until_the_hour_ends(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    await connector.check()
    shop.switch("exhaust_hour", True)

    with pytest.raises(Throttled) as caught:
        await connector.read_orders(["X"])
    with pytest.raises(Throttled):
        await connector.read_orders(["X"])

    assert 0 < caught.value.retry_after <= 3602
    assert (shop.counters()["throttled"], shop.counters()["order"]) == (1, 1)


async def test_another_item_than_asked_for_is_not_believed(
    connect: Open, shop: BaseSimulator, server: SimulatorServer
) -> None:
    first, second = shop.add_listings([NewListing("A", 3), NewListing("B", 8)])
    body = json.dumps({"item": shop.items[int(second)].document()})
    server.inject(Fault(FaultKind.REFUSE, match="/items/detail/", status=200, body=body))

    with pytest.raises(ContractBroken):
        await connect().read_inventory([ListingRef(first)])
