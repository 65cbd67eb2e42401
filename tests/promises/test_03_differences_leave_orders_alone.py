"""Promise 3: where the platform adjusts, a write is a difference, so it does not disturb an order
that nobody has read yet."""

from __future__ import annotations

from support.served_shops import PRODUCT, ServedShops


def test_an_order_that_comes_just_before_the_write_stays_subtracted(sqlite_url: str) -> None:
    shown = []
    with ServedShops(sqlite_url, "rakuten") as merchant:
        merchant.once("before", "rakuten", "set_inventory", lambda: merchant.sell("rakuten", 2))
        merchant.once(
            "after", "rakuten", "set_inventory", lambda: shown.append(merchant.shown()["rakuten"])
        )
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert shown == [13]


def test_the_number_that_is_sent_is_a_difference(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "rakuten") as merchant:
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert merchant.writes[-1].delta == 5
