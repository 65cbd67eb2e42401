"""Promise 2: where the platform can compare, a write names the number it expects; a stale one is
refused and computed again."""

from __future__ import annotations

from support.served_shops import PRODUCT, ServedShops


def test_a_write_names_the_number_that_it_expects(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        last = merchant.writes[-1]
        assert (last.expected, last.quantity) == (10, 15)


def test_a_stale_write_changes_nothing_in_the_shop(sqlite_url: str) -> None:
    shown = []
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.once("before", "shopify", "set_inventory", lambda: merchant.sell("shopify", 2))
        merchant.once(
            "after", "shopify", "set_inventory", lambda: shown.append(merchant.shown()["shopify"])
        )
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert shown == [8]


def test_a_stale_write_is_computed_again_with_the_order_that_made_it_stale(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.once("before", "shopify", "set_inventory", lambda: merchant.sell("shopify", 2))
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert merchant.shown() == {"shopify": 13}
        assert merchant.pushes("shopify") == ["ACKNOWLEDGED", "STALE", "ACKNOWLEDGED"]
