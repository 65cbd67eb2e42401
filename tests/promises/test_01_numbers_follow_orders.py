"""Promise 1: a number is computed from orders that were read after the shop's number; otherwise the
write is refused if the shop's number has changed."""

from __future__ import annotations

import pytest
from support.served_shops import PRODUCT, ServedShops


@pytest.mark.parametrize("platform", ["ecforce", "rakuten"])
def test_orders_are_read_after_the_shops_number_and_before_the_write(
    sqlite_url: str, platform: str
) -> None:
    with ServedShops(sqlite_url, platform) as merchant:
        merchant.calls.clear()
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        asked = [operation for _, operation in merchant.calls]
        assert asked[:3] == ["read_inventory", "fetch_orders", "set_inventory"]


def test_an_order_that_is_in_the_shops_number_is_in_the_number_that_is_sent(
    sqlite_url: str,
) -> None:
    with ServedShops(sqlite_url, "rakuten") as merchant:
        merchant.sell("rakuten", 2)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert merchant.shown() == {"rakuten": 13}


def test_a_write_without_a_reading_is_refused_if_the_shops_number_has_changed(
    sqlite_url: str,
) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.calls.clear()
        merchant.once("before", "shopify", "set_inventory", lambda: merchant.sell("shopify", 2))
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        asked = [operation for _, operation in merchant.calls]
        assert asked.index("set_inventory") < asked.index("read_inventory")
        assert merchant.pushes("shopify")[1] == "STALE"
