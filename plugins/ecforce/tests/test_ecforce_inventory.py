"""Writing stock: what may have been applied is never repeated, and a 200 proves nothing."""

from __future__ import annotations

import pytest
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_sdk import (
    CredentialsRejected,
    InventoryWrite,
    ItemRefused,
    ListingRef,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
    WriteOutcome,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing

pytestmark = pytest.mark.anyio

PUT = '{"stock_items"'
"""Only in the body of a stock update."""
READ_BACK = "variant_sku_in"
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


def _write(sku: str, quantity: int, expected: int | None) -> InventoryWrite:
    return InventoryWrite(ListingRef(sku), quantity, expected)


@pytest.fixture(autouse=True)
def _goods(shop: EcforceSimulator) -> None:
    shop.add_listings([NewListing(sku, 5) for sku in ("A", "B", "C", "D", "E")])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.DROP_AFTER, PUT),
        Fault(FaultKind.REFUSE_AFTER, PUT, status=502, body=HTML),
        Fault(
            FaultKind.REFUSE_AFTER,
            PUT,
            status=500,
            body='{"errors":[{"code":"ASI9999","message":"x"}]}',
        ),
    ],
    ids=["dropped", "html-502", "internal"],
)
async def test_an_outcome_that_nobody_knows_is_said_so_and_never_repeated(
    server, shop, connect, fault
):
    server.inject(fault)

    with pytest.raises(Timeout) as caught:
        await connect().set_inventory([_write("A", 9, 5)], "k")

    assert caught.value.sent is not False
    assert shop.counters()["put_stock_items"] == 1
    assert shop.stock()["A"] == 9


async def test_a_reply_cut_short_is_settled_by_reading_back(server, shop, connect):
    server.inject(Fault(FaultKind.MALFORMED, PUT))

    results = await connect().set_inventory([_write("A", 9, 5)], "k")

    assert [(result.outcome, result.quantity) for result in results] == [(WriteOutcome.APPLIED, 9)]
    assert shop.counters()["put_stock_items"] == 1


async def test_an_acknowledged_write_without_effect_is_unknown_at_first_and_then_refused(
    shop, connect
):
    shop.switch("put_is", "ignored")
    connector = connect()

    first = (await connector.set_inventory([_write("A", 9, 5)], "k1"))[0]
    second = (await connector.set_inventory([_write("A", 9, 5)], "k2"))[0]

    assert (first.outcome, first.quantity) == (WriteOutcome.UNKNOWN, 5)
    assert (second.outcome, second.quantity) == (WriteOutcome.REFUSED, 5)
    assert "accepted 9 for 'A' but still shows 5" in str(second.error)


async def test_a_platform_that_adds_instead_of_setting_is_not_believed(shop, connect):
    shop.switch("put_is", "relative")

    results = await connect().set_inventory([_write("A", 9, 5)], "k")

    assert [(result.outcome, result.quantity) for result in results] == [(WriteOutcome.UNKNOWN, 14)]


async def test_a_write_that_could_not_be_read_back_is_unknown(server, shop, connect):
    server.inject(Fault(FaultKind.REFUSE, READ_BACK, status=502, body=HTML, times=9))

    results = await connect().set_inventory([_write("A", 9, 5)], "k")

    assert [result.outcome for result in results] == [WriteOutcome.UNKNOWN]


async def test_a_sale_right_after_the_write_leaves_the_write_applied(server, shop, connect, clock):
    connector = connect()
    original = connector._inventory._verified

    async def verified(writes):
        shop.place_order({"A": 2})
        return await original(writes)

    connector._inventory._verified = verified

    results = await connector.set_inventory([_write("A", 9, 5)], "k")

    assert [(result.outcome, result.quantity) for result in results] == [(WriteOutcome.APPLIED, 7)]


async def test_writes_go_out_in_batches_of_the_set_size(shop, connect):
    writes = [_write(sku, 9, 5) for sku in "ABCDE"]

    results = await connect(write_batch=2).set_inventory(writes, "k")

    assert {result.outcome for result in results} == {WriteOutcome.APPLIED}
    assert len(results) == 5
    assert shop.counters()["put_stock_items"] == 3


async def test_a_failure_after_an_applied_batch_leaves_the_rest_unknown(server, shop, connect):
    server.inject(Fault(FaultKind.REFUSE, PUT, skip=1, status=403, body=HTML))

    results = await connect(write_batch=2).set_inventory(
        [_write(sku, 9, 5) for sku in "ABCDE"], "k"
    )

    assert {result.external_id: result.outcome for result in results} == {
        "A": WriteOutcome.APPLIED,
        "B": WriteOutcome.APPLIED,
        "C": WriteOutcome.UNKNOWN,
        "D": WriteOutcome.UNKNOWN,
        "E": WriteOutcome.UNKNOWN,
    }
    assert shop.stock()["C"] == 5


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize("keys", ["missing", "present"])
async def test_rows_are_distinguished_whatever_the_status_and_whichever_keys_are_there(
    shop, connect, status, keys
):
    shop.switch("all_failed_status", status)
    shop.switch("empty_keys", keys)

    results = await connect().set_inventory([_write("NO-1", 9, 5), _write("NO-2", 9, 5)], "k")

    assert [result.outcome for result in results] == [WriteOutcome.REFUSED] * 2


async def test_a_batch_refused_as_a_whole_is_left_to_the_host_to_split(shop, connect):
    shop.switch("most_write_rows", 1)

    with pytest.raises(ItemRefused) as caught:
        await connect().set_inventory([_write("A", 9, 5), _write("B", 9, 5)], "k")

    assert "ASI3001" in caught.value.platform_message
    assert shop.stock()["A"] == shop.stock()["B"] == 5


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, HTML, PlatformDown),
        (404, HTML, SettingsInvalid),
        (401, '{"errors":[{"code":"ASS1001","message":"x"}]}', CredentialsRejected),
    ],
)
async def test_a_reply_that_denies_the_write_promises_that_nothing_was_applied(
    server, shop, connect, status, body, kind
):
    server.inject(Fault(FaultKind.REFUSE, PUT, status=status, body=body))

    with pytest.raises(kind):
        await connect().set_inventory([_write("A", 9, 5)], "k")

    assert shop.stock()["A"] == 5


async def test_a_throttled_write_is_tried_again_a_little_later(server, shop, connect, clock):
    server.inject(Fault(FaultKind.REFUSE, PUT, status=429, body=HTML))
    server.inject(
        Fault(FaultKind.REFUSE, PUT, status=429, body="", headers=(("retry-after", "2"),))
    )

    results = await connect().set_inventory([_write("A", 9, 5)], "k")

    assert [result.outcome for result in results] == [WriteOutcome.APPLIED]
    assert clock.slept == [3.0, 2.0]


async def test_a_long_announced_wait_is_the_hosts_to_wait(server, shop, connect, clock):
    server.inject(
        Fault(FaultKind.REFUSE, PUT, status=429, body="", headers=(("retry-after", "120"),))
    )

    with pytest.raises(Throttled) as caught:
        await connect().set_inventory([_write("A", 9, 5)], "k")

    assert caught.value.retry_after == 120
    assert clock.slept == []


async def test_a_refused_row_is_not_written_to_an_unlimited_record(shop, connect):
    shop.item("A").stock_unlimited = True

    results = await connect().set_inventory([_write("A", 9, 5)], "k")

    assert results[0].outcome is WriteOutcome.REFUSED
    assert "在庫無制限" in str(results[0].error)


@pytest.mark.parametrize("filters", ["ignored", "all"])
async def test_a_hundred_long_codes_are_read_in_addresses_that_servers_take(shop, connect, filters):
    shop.switch("unknown_filters", filters)
    codes = [f"化粧品・詰め合わせ・特別版・{number:04d}" for number in range(100)]
    shop.add_listings([NewListing(code, number) for number, code in enumerate(codes)])

    levels = await connect().read_inventory([ListingRef(code) for code in codes])

    assert {level.external_id: level.quantity for level in levels} == {
        code: number for number, code in enumerate(codes)
    }
    assert shop.counters()["list_stock_items"] > 1


@pytest.mark.parametrize("total_pages", ["given", "missing", "zero"])
async def test_a_shop_that_ignores_the_sku_filter_is_still_read_right(shop, connect, total_pages):
    shop.switch("total_pages", total_pages)
    shop.switch("unknown_filters", "all")
    shop.add_listings(
        [
            NewListing(f"X{number}", number, extra={"locations": {"osaka": 77}})
            for number in range(150)
        ]
    )

    levels = await connect().read_inventory([ListingRef("X149"), ListingRef("A")])

    assert {level.external_id: level.quantity for level in levels} == {"X149": 149, "A": 5}


async def test_each_location_has_its_own_number(shop, connect):
    shop.add_listings([NewListing("L", 1, extra={"locations": {"osaka": 7}})])
    osaka = connect(location_code="osaka")

    before = await osaka.read_inventory([ListingRef("L")])
    await osaka.set_inventory([_write("L", 9, 7)], "k")

    assert before[0].quantity == 7
    assert (shop.item("L", "osaka").stock, shop.item("L").stock) == (9, 1)
