"""Numbers of the simulated shop, read and set over HTTP, with everything that may come between."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from zaiko_sdk import (
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
    WriteOutcome,
    WriteResult,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing
from zaiko_shopify.settings import ShopifySettings

if TYPE_CHECKING:
    from conftest import Open, ShopifyBench

pytestmark = pytest.mark.anyio

APPLIED, STALE, REFUSED, UNKNOWN = (
    WriteOutcome.APPLIED,
    WriteOutcome.STALE,
    WriteOutcome.REFUSED,
    WriteOutcome.UNKNOWN,
)


async def refs(bench: ShopifyBench) -> dict[str, ListingRef]:
    return {sku: listing.ref for sku, listing in (await bench.listings()).items()}


async def push(
    bench: ShopifyBench, key: str = "run-1", **changes: tuple[int | None, int]
) -> dict[str, tuple[WriteOutcome, int | None]]:
    """Ask for changes (sku = (expected, quantity)); the outcomes by sku."""
    known = await refs(bench)
    writes = [
        InventoryWrite(known[sku], quantity, expected)
        for sku, (expected, quantity) in changes.items()
    ]
    results = await bench.connector.set_inventory(writes, key)
    assert sorted(result.external_id for result in results) == sorted(
        write.ref.external_id for write in writes
    )
    names = {ref.external_id: sku for sku, ref in known.items()}
    return {names[result.external_id]: (result.outcome, result.quantity) for result in results}


async def test_what_is_read_leaves_out_units_of_open_orders(open_bench: Open) -> None:
    async with open_bench({"A": 5, "B": 0}) as bench:
        bench.sim.place_order({"A": 2})
        known = await refs(bench)

        levels = await bench.connector.read_inventory(list(known.values()))

    assert {level.external_id: level.quantity for level in levels} == {
        known["A"].external_id: 3,
        known["B"].external_id: 0,
    }


async def test_a_number_is_set_when_the_shop_still_shows_the_expected_one(open_bench: Open) -> None:
    async with open_bench({"A": 5, "B": 7}) as bench:
        assert await push(bench, A=(5, 8), B=(7, 0)) == {"A": (APPLIED, None), "B": (APPLIED, None)}

        assert bench.sim.stock() == {"A": 8, "B": 0}
        assert bench.sim.counters()["inventorySetQuantities"] == 1


async def test_setting_the_number_that_is_shown_already_is_a_success(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        assert await push(bench, A=(5, 5)) == {"A": (APPLIED, None)}


async def test_an_order_that_slips_in_is_never_overwritten(open_bench: Open) -> None:
    async with open_bench({"A": 5, "B": 5, "C": 5}) as bench:
        await bench.connector.read_inventory(list((await refs(bench)).values()))
        bench.sim.place_order({"B": 2})

        outcomes = await push(bench, A=(5, 9), B=(5, 9), C=(5, 9))

        assert outcomes == {"A": (APPLIED, None), "B": (STALE, 3), "C": (APPLIED, None)}
        assert bench.sim.stock() == {"A": 9, "B": 3, "C": 9}


async def test_the_rest_of_a_stale_batch_goes_under_a_key_that_follows_from_the_given_one(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench({"A": 5, "B": 5}) as bench:
        await bench.connector.read_inventory(list((await refs(bench)).values()))
        bench.sim.place_order({"B": 2})
        sent: list[dict[str, Any]] = []
        mutate = bench.connector._client.mutate

        async def noted(document: Any, variables: Any) -> Any:
            sent.append(variables)
            return await mutate(document, variables)

        monkeypatch.setattr(bench.connector._client, "mutate", noted)
        await push(bench, A=(5, 9), B=(5, 9))
        first, second = sent
        await push(bench, A=(9, 9), B=(3, 3))

    assert uuid.UUID(first["key"]).version == uuid.UUID(second["key"]).version == 5
    assert first["key"] != second["key"]
    assert sent[2]["key"] == first["key"]
    assert first["input"]["referenceDocumentUri"] == "gid://zaiko/Push/run-1"
    assert [len(call["input"]["quantities"]) for call in sent[:2]] == [2, 1]


async def test_the_same_call_twice_under_one_key_is_applied_once(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        await push(bench, A=(5, 8))
        bench.sim.place_order({"A": 8 - 5})

        assert await push(bench, A=(5, 8)) == {"A": (APPLIED, None)}
        assert bench.sim.stock() == {"A": 5}


async def test_a_key_used_for_something_else_leaves_the_outcome_unknown(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        await push(bench, A=(5, 8))

        assert await push(bench, A=(8, 9)) == {"A": (UNKNOWN, None)}
        assert bench.sim.stock() == {"A": 8}


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_AFTER, FaultKind.REFUSE_AFTER, FaultKind.MALFORMED]
)
async def test_a_lost_answer_is_asked_for_again_and_nothing_is_applied_twice(
    open_bench: Open, kind: FaultKind
) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.server.inject(Fault(kind, match="SetStock"))

        assert await push(bench, A=(5, 8)) == {"A": (APPLIED, None)}
        assert bench.sim.stock() == {"A": 8}
        assert bench.sim.counters()["quantities_changed"] == 1


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.REFUSE])
async def test_a_request_that_failed_before_it_was_applied_is_repeated(
    open_bench: Open, kind: FaultKind
) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.server.inject(Fault(kind, match="SetStock", times=2))

        assert await push(bench, A=(5, 8)) == {"A": (APPLIED, None)}
        assert bench.sim.stock() == {"A": 8}


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.REFUSE_AFTER, FaultKind.DROP])
async def test_an_outcome_that_stays_unknown_is_reported_after_a_bounded_number_of_tries(
    open_bench: Open, kind: FaultKind
) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.server.inject(Fault(kind, match="SetStock", times=99))

        with pytest.raises(Timeout) as raised:
            await push(bench, A=(5, 8))

        assert raised.value.sent is None
        assert bench.clock.slept == [1.0, 2.0, 4.0]


async def test_a_refusal_after_a_lost_answer_is_not_taken_for_certain(open_bench: Open) -> None:
    async with open_bench({"A": 5, "B": 5}) as bench:
        bench.sim.switch("idempotency", False)
        bench.server.inject(Fault(FaultKind.DROP_AFTER, match="SetStock"))

        assert await push(bench, A=(5, 8), B=(5, 1)) == {"A": (UNKNOWN, None), "B": (UNKNOWN, None)}
        assert bench.sim.stock() == {"A": 8, "B": 1}


async def test_losing_access_after_a_lost_answer_is_still_an_unknown_outcome(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.server.inject(Fault(FaultKind.DROP_AFTER, match="SetStock"))
        bench.server.inject(Fault(FaultKind.REFUSE, match="SetStock", status=402))

        with pytest.raises(Timeout) as raised:
            await push(bench, A=(5, 8))

        assert raised.value.sent is None


async def test_shopifys_internal_error_is_repeated_under_the_same_key(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        known = await refs(bench)
        await bench.connector.read_inventory(list(known.values()))
        bench.sim.switch("internal_errors", 1)

        results = await bench.connector.set_inventory([InventoryWrite(known["A"], 8, 5)], "k")

    assert results == [WriteResult(known["A"].external_id, APPLIED)]


async def test_a_failed_attempt_that_shopify_remembers_is_settled_with_a_new_key(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5, "B": 5}) as bench:
        bench.sim.switch("failed_keys_remembered", True)
        known = await refs(bench)
        await bench.connector.read_inventory(list(known.values()))
        bench.sim.place_order({"B": 1})
        # The refusal of the first attempt is lost; its repetition learns that it failed.
        bench.server.inject(Fault(FaultKind.DROP_AFTER, match="SetStock"))

        assert await push(bench, A=(5, 8), B=(5, 8)) == {"A": (APPLIED, None), "B": (STALE, 4)}
        assert bench.sim.stock() == {"A": 8, "B": 4}


async def test_a_request_in_progress_is_waited_for(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.switch("busy_keys", 2)

        assert await push(bench, A=(5, 8)) == {"A": (APPLIED, None)}
        assert bench.clock.slept == [1.0, 2.0]


async def test_a_request_in_progress_for_ever_has_an_unknown_outcome(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.switch("busy_keys", 99)

        with pytest.raises(Timeout) as raised:
            await push(bench, A=(5, 8))

        assert raised.value.sent is None


async def test_one_bad_item_is_refused_alone(open_bench: Open) -> None:
    async with open_bench({"A": 5, "B": 5}) as bench:
        bench.sim.add_listings([NewListing("SET", 5, extra={"bundle": True})])
        known = await refs(bench)
        await bench.connector.read_inventory(list(known.values()))
        bench.sim.shop.delete_variant(bench.sim.shop.by_sku("B"))

        writes = [InventoryWrite(known[sku], 9, 5) for sku in ("A", "B", "SET")]
        results = {
            result.external_id: result
            for result in await bench.connector.set_inventory(writes, "k")
        }

        assert results[known["A"].external_id].outcome is APPLIED
        assert isinstance(results[known["B"].external_id].error, ListingGone)
        assert isinstance(results[known["SET"].external_id].error, ItemRefused)
        assert bench.sim.stock()["A"] == 9


async def test_a_listing_that_is_gone_is_reported_when_read(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        known = await refs(bench)
        bench.sim.shop.delete_variant(bench.sim.shop.by_sku("A"))

        (level,) = await bench.connector.read_inventory([known["A"]])

    assert isinstance(level.error, ListingGone)


async def test_a_ref_without_its_inventory_item_is_refused_with_what_to_do(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        ref = ListingRef("gid://shopify/ProductVariant/1")

        (level,) = await bench.connector.read_inventory([ref])
        (result,) = await bench.connector.set_inventory([InventoryWrite(ref, 1, 1)], "k")

    assert isinstance(level.error, ItemRefused)
    assert "refresh" in level.error.message
    assert result.outcome is REFUSED


@pytest.mark.parametrize("extra", [{"stocked": False}, {"tracked": False}])
async def test_what_cannot_be_synced_is_reported_and_never_written(
    open_bench: Open, extra: dict[str, Any]
) -> None:
    async with open_bench() as bench:
        bench.sim.add_listings([NewListing("A", 4, extra=extra)])
        known = await refs(bench)

        (level,) = await bench.connector.read_inventory([known["A"]])
        (result,) = await bench.connector.set_inventory([InventoryWrite(known["A"], 9, 4)], "k")

        assert isinstance(level.error, ItemRefused)
        assert result.outcome is REFUSED
        assert "inventorySetQuantities" not in bench.sim.counters()


async def test_an_unstocked_variant_is_stocked_with_its_first_number_when_the_setting_says_so(
    open_bench: Open,
) -> None:
    async with open_bench(unstocked="activate") as bench:
        bench.sim.add_listings([NewListing("A", extra={"stocked": False})])
        known = await refs(bench)

        (level,) = await bench.connector.read_inventory([known["A"]])
        outcomes = await push(bench, A=(None, 6))

        assert (level.quantity, level.error) == (None, None)
        assert outcomes == {"A": (APPLIED, None)}
        assert bench.sim.stock() == {"A": 6}


async def test_an_untracked_variant_is_tracked_and_its_old_number_compared_first(
    open_bench: Open,
) -> None:
    async with open_bench(untracked="track") as bench:
        bench.sim.add_listings([NewListing("A", 4, extra={"tracked": False})])

        assert await push(bench, "k1", A=(None, 6)) == {"A": (STALE, 4)}
        assert await push(bench, "k2", A=(4, 6)) == {"A": (APPLIED, None)}
        assert bench.sim.stock() == {"A": 6}


async def test_a_number_that_appeared_meanwhile_is_not_overwritten(open_bench: Open) -> None:
    async with open_bench({"A": 4}, unstocked="activate") as bench:
        assert await push(bench, A=(None, 6)) == {"A": (STALE, 4)}


async def test_a_level_that_was_deactivated_is_noticed_after_a_while(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        known = await refs(bench)
        await bench.connector.read_inventory([known["A"]])
        bench.sim.shop.by_sku("A").levels[bench.sim.shop.main.number].active = False
        bench.clock.advance(601)

        (result,) = await bench.connector.set_inventory([InventoryWrite(known["A"], 9, 5)], "k")

    assert (result.outcome, type(result.error)) == (REFUSED, ItemRefused)


async def test_a_number_is_never_set_on_an_inactive_level(open_bench: Open) -> None:
    async with open_bench({"A": 5}, unstocked="activate") as bench:
        level = bench.sim.shop.by_sku("A").levels[bench.sim.shop.main.number]
        level.active = False

        # The inactive level holds 5 as expected, so Shopify would accept the number and not sell
        # from it.
        assert await push(bench, A=(5, 9)) == {"A": (STALE, None)}
        assert level.available == 5


async def test_a_deleted_location_stops_the_shop_and_names_the_setting(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        known = await refs(bench)
        await bench.connector.read_inventory([known["A"]])
        bench.sim.shop.locations.clear()

        with pytest.raises(SettingsInvalid, match="location"):
            await bench.connector.set_inventory([InventoryWrite(known["A"], 9, 5)], "k")


async def test_without_a_choice_the_only_location_that_sells_online_is_taken(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.shop.add_location("Shop floor", sells_online=False)
        bench.sim.shop.add_location("Closed", active=False)

        assert await push(bench, A=(5, 6)) == {"A": (APPLIED, None)}


async def test_several_possible_locations_are_listed_for_the_merchant_to_choose(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        tokyo = bench.sim.shop.add_location("Tokyo")

        with pytest.raises(SettingsInvalid, match=rf"Osaka \(4\), Tokyo \({tokyo.number}\)"):
            await bench.listings()


async def test_the_chosen_location_is_the_one_that_is_written_to(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        tokyo = bench.sim.shop.add_location("Tokyo")
        chosen = ShopifySettings(
            **{**bench.server.settings(), "location": str(tokyo.number), "unstocked": "activate"}
        )
        other = type(bench.connector)(bench.context, chosen)
        try:
            listings = [row async for page in other.list_listings(None) for row in page.listings]
            (result,) = await other.set_inventory([InventoryWrite(listings[0].ref, 3, None)], "k")
        finally:
            await other.aclose()

        assert result.outcome is APPLIED
        levels = bench.sim.shop.by_sku("A").levels
        assert (levels[4].available, levels[tokyo.number].available) == (5, 3)


async def test_a_whole_batch_of_250_goes_in_one_request(open_bench: Open) -> None:
    async with open_bench({f"S{number:03}": 1 for number in range(250)}) as bench:
        known = await refs(bench)
        await bench.connector.read_inventory(list(known.values()))

        results = await bench.connector.set_inventory(
            [InventoryWrite(ref, 2, 1) for ref in known.values()], "k"
        )

        assert {result.outcome for result in results} == {APPLIED}
        assert bench.sim.counters()["inventorySetQuantities"] == 1


async def test_a_throttled_write_waits_for_its_points_and_goes_through(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        known = await refs(bench)
        await bench.connector.read_inventory([known["A"]])
        # Somebody else has drunk the bucket; the connector does not know.
        bench.sim.platform.bucket.available = 0

        (result,) = await bench.connector.set_inventory([InventoryWrite(known["A"], 8, 5)], "k")

        assert result.outcome is APPLIED
        assert bench.sim.counters()["throttled"] == 1


async def test_a_long_throttle_is_left_to_the_host_and_nothing_was_applied(
    open_bench: Open,
) -> None:
    async with open_bench({"A": 5}) as bench:
        headers = (("retry-after", "120"),)
        bench.server.inject(
            Fault(FaultKind.REFUSE, match="SetStock", status=429, body="<html>", headers=headers)
        )

        with pytest.raises(Throttled) as raised:
            await push(bench, A=(5, 8))

        assert raised.value.retry_after == 120
        assert bench.sim.stock() == {"A": 5}


async def test_a_shop_that_cannot_be_reached_was_certainly_not_written_to(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        known = await refs(bench)
        await bench.connector.read_inventory([known["A"]])
        # A port of this machine where nobody listens.
        bench.connector._client._endpoint = "http://127.0.0.1:9/admin"

        with pytest.raises(PlatformDown):
            await bench.connector.set_inventory([InventoryWrite(known["A"], 8, 5)], "k")
