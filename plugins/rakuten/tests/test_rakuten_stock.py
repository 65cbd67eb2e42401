"""Stock: read by pairs, changed by relative amounts, and never sent twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import (
    ContractBroken,
    CredentialsRejected,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    PlanTooLow,
    PlatformDown,
    Throttled,
    Timeout,
    WriteOutcome,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

pytestmark = pytest.mark.anyio

Ref = Callable[[str], ListingRef]
APPLIED, STALE, REFUSED, UNKNOWN = (
    WriteOutcome.APPLIED,
    WriteOutcome.STALE,
    WriteOutcome.REFUSED,
    WriteOutcome.UNKNOWN,
)
UPSERT = "bulk-upsert"


async def outcomes(
    connector: RakutenConnector, *writes: InventoryWrite
) -> dict[str, tuple[WriteOutcome, int | None]]:
    results = await connector.set_inventory(writes, "key")
    assert sorted(result.external_id for result in results) == sorted(
        write.ref.external_id for write in writes
    )
    return {
        result.external_id.partition("/")[2]: (result.outcome, result.quantity)
        for result in results
    }


async def test_a_level_is_what_the_shop_shows_now(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.place_order({"TEA-100": 3})

    levels = await connector.read_inventory([ref("TEA-100"), ref("BOX-300")])

    assert {level.external_id: level.quantity for level in levels} == {
        "tea-100/TEA-100": 7,
        "box-300/BOX-300": 0,
    }


async def test_a_sku_that_was_never_registered_has_no_number(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.add_listings([NewListing("NEW", extra={"registered": False})])

    [level] = await connector.read_inventory([ref("NEW")])

    assert (level.quantity, level.error) == (None, None)


async def test_a_ref_that_is_not_a_sku_is_gone(connector: RakutenConnector) -> None:
    [level] = await connector.read_inventory([ListingRef("nonsense")])

    assert isinstance(level.error, ListingGone)


async def test_two_variants_that_differ_by_case_are_two_skus(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    small, large = (
        {"manage_number": "Shirt", "variant_id": "a"},
        {"manage_number": "Shirt", "variant_id": "A"},
    )
    shop.add_listings([NewListing("S1", 1, extra=small), NewListing("S2", 2, extra=large)])

    levels = await connector.read_inventory([ListingRef("shirt/a"), ListingRef("shirt/A")])

    assert {level.external_id: level.quantity for level in levels} == {"shirt/a": 1, "shirt/A": 2}


async def test_a_row_without_a_readable_number_fails_that_listing_only(
    connector: RakutenConnector, server: SimulatorServer, ref: Ref
) -> None:
    rows = (
        '{"manageNumber":"tea-100","variantId":"TEA-100","quantity":"many"},'
        '{"manageNumber":"cup-200","variantId":"CUP-200","quantity":5}'
    )
    server.inject(
        Fault(FaultKind.REFUSE, match="bulk-get", status=200, body=f'{{"inventories":[{rows}]}}')
    )

    tea, cup = await connector.read_inventory([ref("TEA-100"), ref("CUP-200")])

    assert isinstance(tea.error, ItemRefused)
    assert (cup.quantity, cup.error) == (5, None)


@pytest.mark.parametrize(
    "body",
    ["{}", '{"inventories":null}', "[]", '{"inventories":[{"manageNumber":"x","quantity":1}]}'],
)
async def test_a_reply_that_is_not_understood_is_not_taken_for_unregistered_skus(
    connector: RakutenConnector, server: SimulatorServer, ref: Ref, body: str
) -> None:
    server.inject(Fault(FaultKind.REFUSE, match="bulk-get", status=200, body=body, times=3))

    with pytest.raises(ContractBroken):
        await connector.read_inventory([ref("TEA-100")])


async def test_a_change_commutes_with_an_order_that_nobody_has_fetched(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.place_order({"TEA-100": 2})

    assert await outcomes(connector, InventoryWrite(ref("TEA-100"), 7, 10)) == {
        "TEA-100": (APPLIED, None)
    }
    assert shop.stock()["TEA-100"] == 5


async def test_a_change_of_nothing_is_applied_without_a_call(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    assert await outcomes(connector, InventoryWrite(ref("TEA-100"), 10, 10)) == {
        "TEA-100": (APPLIED, None)
    }
    assert "inventories.bulk.upsert" not in shop.counters()


async def test_the_first_registration_is_absolute(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.add_listings([NewListing("NEW", extra={"registered": False})])

    assert await outcomes(connector, InventoryWrite(ref("NEW"), 4, None)) == {
        "NEW": (APPLIED, None)
    }
    assert shop.stock()["NEW"] == 4


async def test_registering_zero_is_sent_too(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.add_listings([NewListing("NEW", extra={"registered": False})])

    assert await outcomes(connector, InventoryWrite(ref("NEW"), 0, None)) == {
        "NEW": (APPLIED, None)
    }
    assert shop.stock()["NEW"] == 0


@pytest.mark.parametrize("disabled", [["items.bulk.get"], []])
async def test_an_unknown_sku_is_never_registered(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref, disabled: list[str]
) -> None:
    shop.switch("disabled_functions", disabled)
    shop.add_listings(
        [
            NewListing("NEW", extra={"registered": False}),
            NewListing("NEWER", extra={"registered": False}),
        ]
    )
    writes = [
        InventoryWrite(ListingRef(name), 4, None) for name in ("new/NEW", "new/OTHER", "ne/NEW")
    ]

    results = {
        result.external_id: result for result in await connector.set_inventory(writes, "key")
    }

    assert results["new/NEW"].outcome is APPLIED
    for name in ("new/OTHER", "ne/NEW"):
        assert results[name].outcome is REFUSED
        assert isinstance(results[name].error, ListingGone)
    assert shop.orphans() == []


async def test_a_quantity_that_rms_cannot_show_is_refused_alone(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    writes = InventoryWrite(ref("TEA-100"), 100_000, 10), InventoryWrite(ref("CUP-200"), 6, 5)

    assert await outcomes(connector, *writes) == {
        "TEA-100": (REFUSED, None),
        "CUP-200": (APPLIED, None),
    }


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("atomic", [True, False])
async def test_an_oversold_sku_is_stale_and_the_rest_is_applied_exactly_once(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref, named: bool, atomic: bool
) -> None:
    shop.switch("property_path", named)
    shop.switch("bulk_upsert_atomic", atomic)
    shop.add_listings([NewListing(f"S{index}", 50) for index in range(20)])
    shop.place_order({"S7": 45})
    writes = [InventoryWrite(ref(f"S{index}"), 20, 50) for index in range(20)]

    found = await outcomes(connector, *writes)

    stock = shop.stock()
    before = range(7) if not atomic else ()
    for index in range(20):
        outcome, number = found[f"S{index}"]
        if index == 7:
            assert stock["S7"] == 5
            # Only when RMS names it, or nothing at all was applied, is it certain that this one was
            # not.
            assert (outcome, number) == ((STALE, 5) if named or atomic else (UNKNOWN, None))
        else:
            assert stock[f"S{index}"] == 20, "never applied twice"
            assert outcome is (UNKNOWN if index in before else APPLIED)


@pytest.mark.parametrize("named", [True, False])
async def test_a_stock_row_that_has_gone_is_registered_again_only_if_the_sku_exists(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref, named: bool
) -> None:
    shop.switch("property_path", named)
    shop.delete_stock_row("CUP-200")
    shop.delete_stock_row("BOX-300")
    shop.delete_item("BOX-300")
    writes = [
        InventoryWrite(ref(sku), 8, old)
        for sku, old in (("TEA-100", 10), ("CUP-200", 5), ("BOX-300", 0))
    ]

    results = {
        result.external_id: result for result in await connector.set_inventory(writes, "key")
    }

    assert results["tea-100/TEA-100"].outcome is APPLIED
    assert (results["cup-200/CUP-200"].outcome, results["cup-200/CUP-200"].quantity) == (
        STALE,
        None,
    )
    assert isinstance(results["box-300/BOX-300"].error, ListingGone)
    assert shop.stock() == {"TEA-100": 8}


@pytest.mark.parametrize("named", [True, False])
async def test_too_many_skus_of_an_item_fail_the_new_one_only(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref, named: bool
) -> None:
    shop.switch("property_path", named)
    many = [NewListing(f"M{index}", 1, extra={"manage_number": "many"}) for index in range(400)]
    shop.add_listings(
        [*many, NewListing("M400", extra={"manage_number": "many", "registered": False})]
    )
    writes = [
        InventoryWrite(ListingRef("many/M400"), 3, None),
        *[InventoryWrite(ListingRef(f"many/M{i}"), 2, 1) for i in range(7)],
    ]

    results = {
        result.external_id: result for result in await connector.set_inventory(writes, "key")
    }

    refused = results.pop("many/M400")
    assert refused.outcome is REFUSED
    assert "400" in str(refused.error)
    assert {result.outcome for result in results.values()} == {APPLIED}


async def test_an_answer_that_was_lost_is_never_sent_again(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    server.inject(Fault(FaultKind.DROP_AFTER, match=UPSERT))

    with pytest.raises(Timeout) as raised:
        await connector.set_inventory([InventoryWrite(ref("TEA-100"), 7, 10)], "key")

    assert raised.value.sent is None
    assert shop.counters()["inventories.bulk.upsert"] == 1
    assert shop.stock()["TEA-100"] == 7


@pytest.mark.parametrize("status", [500, 502, 504, 200, 418])
async def test_a_strange_answer_after_a_write_is_not_an_outcome(
    connector: RakutenConnector,
    server: SimulatorServer,
    shop: RakutenSimulator,
    ref: Ref,
    status: int,
) -> None:
    server.inject(
        Fault(FaultKind.REFUSE_AFTER, match=UPSERT, status=status, body="<html>oops</html>")
    )

    with pytest.raises(Timeout) as raised:
        await connector.set_inventory([InventoryWrite(ref("TEA-100"), 7, 10)], "key")

    assert raised.value.sent is None
    assert shop.counters()["inventories.bulk.upsert"] == 1


async def test_a_refusal_that_is_not_understood_is_not_an_outcome(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    server.inject(Fault(FaultKind.REFUSE_AFTER, match=UPSERT, status=400, body="<html>?</html>"))

    with pytest.raises(Timeout):
        await connector.set_inventory(
            [InventoryWrite(ref("TEA-100"), 7, 10), InventoryWrite(ref("CUP-200"), 4, 5)], "key"
        )

    assert shop.counters()["inventories.bulk.upsert"] == 1


async def test_a_call_that_is_refused_as_a_whole_is_our_fault_and_not_split(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    body = '{"errors":[{"code":"IE1102","message":"the same SKU twice"}]}'
    server.inject(Fault(FaultKind.REFUSE, match=UPSERT, status=400, body=body))

    with pytest.raises(ContractBroken, match="400"):
        await connector.set_inventory(
            [InventoryWrite(ref("TEA-100"), 7, 10), InventoryWrite(ref("CUP-200"), 4, 5)], "key"
        )

    assert "inventories.bulk.upsert" not in shop.counters()


async def test_a_refusal_that_names_nobody_is_split_until_the_culprit_stands_alone(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.add_listings([NewListing(f"S{index}", 50) for index in range(8)])
    body = '{"errors":[{"code":"IE0002","message":"m"}]}'
    server.inject(
        Fault(FaultKind.REFUSE, match='"variantId":"S5","mode"', status=400, body=body, times=100)
    )
    writes = [InventoryWrite(ref(f"S{index}"), 20, 50) for index in range(8)]

    found = await outcomes(connector, *writes)

    assert {name for name, (outcome, _) in found.items() if outcome is REFUSED} == {"S5"}


async def test_a_read_back_that_fails_leaves_the_outcome_open(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.place_order({"TEA-100": 8})
    server.inject(Fault(FaultKind.REFUSE, match="bulk-get", status=503, times=3))

    writes = InventoryWrite(ref("TEA-100"), 3, 10), InventoryWrite(ref("CUP-200"), 4, 5)

    assert await outcomes(connector, *writes) == {
        "TEA-100": (UNKNOWN, None),
        "CUP-200": (UNKNOWN, None),
    }


async def test_a_failure_after_a_first_outcome_does_not_hide_it(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.place_order({"TEA-100": 8})
    server.inject(Fault(FaultKind.DROP_AFTER, match=UPSERT, skip=1))

    found = await outcomes(
        connector, InventoryWrite(ref("TEA-100"), 3, 10), InventoryWrite(ref("CUP-200"), 4, 5)
    )

    assert found == {"TEA-100": (STALE, 2), "CUP-200": (UNKNOWN, None)}


async def test_a_conflict_is_sent_again_when_nothing_was_applied(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    body = '{"errors":[{"code":"CE0001","message":"conflict"}]}'
    server.inject(Fault(FaultKind.REFUSE, match=UPSERT, status=409, body=body))

    assert await outcomes(connector, InventoryWrite(ref("TEA-100"), 7, 10)) == {
        "TEA-100": (APPLIED, None)
    }
    assert shop.stock()["TEA-100"] == 7


async def test_a_conflict_after_which_the_number_moved_is_left_to_the_host(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    body = '{"errors":[{"code":"CE0001","message":"conflict"}]}'
    server.inject(Fault(FaultKind.REFUSE_AFTER, match=UPSERT, status=409, body=body))

    assert await outcomes(connector, InventoryWrite(ref("TEA-100"), 7, 10)) == {
        "TEA-100": (UNKNOWN, None)
    }
    assert shop.stock()["TEA-100"] == 7


async def test_throttling_is_waited_out_and_the_write_applied_once(
    connector: RakutenConnector, server: SimulatorServer, shop: RakutenSimulator, ref: Ref
) -> None:
    server.inject(Fault(FaultKind.REFUSE, match=UPSERT, status=429, body="", times=2))

    assert await outcomes(connector, InventoryWrite(ref("TEA-100"), 7, 10)) == {
        "TEA-100": (APPLIED, None)
    }
    assert shop.stock()["TEA-100"] == 7


async def test_a_long_wait_is_left_to_the_host(
    connector: RakutenConnector, server: SimulatorServer, ref: Ref
) -> None:
    server.inject(
        Fault(FaultKind.REFUSE, match=UPSERT, status=429, body="", headers=(("retry-after", "90"),))
    )

    with pytest.raises(Throttled) as raised:
        await connector.set_inventory([InventoryWrite(ref("TEA-100"), 7, 10)], "key")

    assert raised.value.retry_after == 90


async def test_the_old_form_of_throttling_is_known(
    connector: RakutenConnector, server: SimulatorServer, ref: Ref
) -> None:
    server.inject(
        Fault(
            FaultKind.REFUSE,
            match="bulk-get",
            status=403,
            body="<message>QPSLimit</message>",
            times=3,
        )
    )

    with pytest.raises(Throttled):
        await connector.read_inventory([ref("TEA-100")])


@pytest.mark.parametrize("kind", ["html", "json", "read_only"])
async def test_maintenance_is_ridden_out_with_a_long_wait(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref, kind: str
) -> None:
    shop.switch("maintenance", kind)

    with pytest.raises(PlatformDown) as raised:
        await connector.set_inventory([InventoryWrite(ref("TEA-100"), 7, 10)], "key")

    assert raised.value.retry_after is not None
    assert raised.value.retry_after >= 60
    assert shop.stock()["TEA-100"] == 10


async def test_a_shop_that_has_not_been_migrated_gets_a_finding(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    shop.switch("migrated", False)

    with pytest.raises(PlanTooLow, match="SKU移行"):
        await connector.set_inventory([InventoryWrite(ref("TEA-100"), 7, 10)], "key")
    with pytest.raises(PlanTooLow, match="SKU移行"):
        await connector.read_inventory([ref("TEA-100")])


async def test_writing_quantities_keeps_lead_times(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref
) -> None:
    row = shop.stock_rows["tea-100", "TEA-100"]
    row.lead_time = {"normalDeliveryTimeId": 3}

    await outcomes(connector, InventoryWrite(ref("TEA-100"), 7, 10))

    assert (row.quantity, row.lead_time) == (7, {"normalDeliveryTimeId": 3})


async def test_a_key_that_dies_before_a_write_promises_that_nothing_was_applied(
    connector: RakutenConnector, shop: RakutenSimulator, ref: Ref, clock: Any
) -> None:
    await connector.read_inventory([ref("TEA-100")])
    clock.advance(120)
    shop.issue_key()

    with pytest.raises(CredentialsRejected):
        await connector.set_inventory([InventoryWrite(ref("TEA-100"), 7, 10)], "key")

    assert shop.stock()["TEA-100"] == 10
