"""What `check` reports to the merchant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zaiko_sdk import FindingLevel, PlatformDown
from zaiko_sdk.testing.faults import Fault, FaultKind

if TYPE_CHECKING:
    from conftest import Open, ShopifyBench

pytestmark = pytest.mark.anyio


async def found(bench: ShopifyBench) -> dict[str, tuple[FindingLevel, str]]:
    return {
        finding.reason: (finding.level, finding.message)
        for finding in await bench.connector.check()
    }


async def test_a_good_shop_has_no_complaints(open_bench: Open) -> None:
    async with open_bench() as bench:
        findings = await found(bench)

    assert {level for level, _ in findings.values()} == {FindingLevel.OK}
    assert "Osaka (4)" in findings["LOCATION"][1]


async def test_missing_scopes_are_listed(open_bench: Open) -> None:
    async with open_bench() as bench:
        bench.sim.switch("scopes", "read_orders,read_inventory,read_locations,read_products")
        findings = await found(bench)

    assert findings["PERMISSION_MISSING"] == (
        FindingLevel.ERROR,
        "The app lacks the scopes write_inventory. Grant them and install the app again.",
    )


async def test_a_missing_approval_for_orders_is_found(open_bench: Open) -> None:
    async with open_bench() as bench:
        bench.sim.switch("protected_data_approved", False)
        level, message = (await found(bench))["PERMISSION_MISSING"]

    assert level is FindingLevel.ERROR
    assert "protected customer data" in message


@pytest.mark.parametrize(
    ("switch", "value", "reason"),
    [
        ("state", "frozen", "PLAN_TOO_LOW"),
        ("state", "locked", "PLAN_TOO_LOW"),
        ("state", "inactive", "PLAN_TOO_LOW"),
        ("state", "banned", "PERMISSION_MISSING"),
        ("state", "missing", "SETTINGS_INVALID"),
        ("grant_refusal", "shop_not_permitted", "CREDENTIALS_REJECTED"),
    ],
)
async def test_a_shop_that_says_no_is_a_finding(
    open_bench: Open, switch: str, value: str, reason: str
) -> None:
    async with open_bench() as bench:
        bench.sim.switch(switch, value)

        assert (await found(bench))[reason][0] is FindingLevel.ERROR


async def test_several_locations_are_a_finding_that_lists_them(open_bench: Open) -> None:
    async with open_bench() as bench:
        bench.sim.shop.add_location("Tokyo")

        level, message = (await found(bench))["SETTINGS_INVALID"]

    assert level is FindingLevel.ERROR
    assert "Osaka (4)" in message
    assert "Tokyo" in message


@pytest.mark.parametrize(("location", "words"), [("99", "no location 99"), ("4", "deactivated")])
async def test_a_location_that_cannot_be_used_is_found(
    open_bench: Open, location: str, words: str
) -> None:
    async with open_bench(location=location) as bench:
        bench.sim.shop.main.active = False

        assert words in (await found(bench))["SETTINGS_INVALID"][1]


async def test_another_api_version_and_invisible_old_orders_are_warnings(open_bench: Open) -> None:
    async with open_bench(first_fetch_days=90, static=True) as bench:
        bench.sim.switch("served_version", "2027-01")
        findings = await found(bench)

    assert findings["API_VERSION"][0] is FindingLevel.WARNING
    assert findings["OLD_ORDERS_INVISIBLE"][0] is FindingLevel.WARNING
    assert findings["NO_WEBHOOKS"][0] is FindingLevel.OK


async def test_a_platform_that_cannot_be_asked_is_raised(open_bench: Open) -> None:
    async with open_bench() as bench:
        bench.server.inject(Fault(FaultKind.REFUSE, status=503, times=99))

        with pytest.raises(PlatformDown):
            await bench.connector.check()
