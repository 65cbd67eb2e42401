"""Promise 9: every movement has a cause key; the same fact sent twice, by a shop or a warehouse,
changes nothing."""

from __future__ import annotations

import pytest
from support.served_shops import PRODUCT, ServedShops
from zaiko_core.domain.errors import CauseKeyReused


def test_a_receipt_that_the_warehouse_sends_twice_is_recorded_once(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        for _ in range(2):
            merchant.world.receive(PRODUCT, 5, cause="delivery-1")

        assert merchant.world.free(PRODUCT) == 15


def test_another_fact_under_the_same_cause_key_is_refused(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.world.receive(PRODUCT, 5, cause="delivery-1")

        with pytest.raises(CauseKeyReused):
            merchant.world.receive(PRODUCT, 6, cause="delivery-1")
        assert merchant.world.free(PRODUCT) == 15


@pytest.mark.parametrize("platform", ["shopify", "rakuten", "ecforce"])
def test_an_order_that_is_read_many_times_counts_once(sqlite_url: str, platform: str) -> None:
    with ServedShops(sqlite_url, platform) as merchant:
        merchant.sell(platform, 2)
        for _ in range(3):
            merchant.run(after=600)

        assert merchant.world.free(PRODUCT) == 8
        merchant.world.assert_consistent()


def test_a_shipment_that_the_shop_and_the_warehouse_both_report_counts_once(
    sqlite_url: str,
) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        order = merchant.sell("shopify", 2)
        merchant.run(after=600)
        known = merchant.orders("shopify")[0]
        merchant.world.bind("allocate", "shopify", known, PRODUCT, 2)
        merchant.world.bind("ship", "shopify", known, PRODUCT, 2)
        merchant.shops["shopify"].fulfil_order(order)
        merchant.run(after=600)

        assert merchant.world.free(PRODUCT) == 8
        merchant.world.assert_consistent()
