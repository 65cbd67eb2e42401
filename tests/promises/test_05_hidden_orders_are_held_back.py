"""Promise 5: a number lower than explained is taken for an order that cannot be seen yet, for as
long as the platform may take to show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.served_shops import PRODUCT, ServedShops
from zaiko_ecforce.simulator.records import SimLine

HIDDEN = 100.0
"""Seconds; Shopify's orders may take 120 to appear."""


def test_units_of_an_order_that_cannot_be_seen_are_not_offered_again(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.sell("shopify", 2, visible_after=HIDDEN)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert merchant.shown() == {"shopify": 13}
        assert merchant.link("shopify").belief.unexplained == 2


def test_an_order_that_appears_in_time_is_subtracted_once(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.sell("shopify", 2, visible_after=0.2)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()
        merchant.wait(0.3)
        merchant.world.receive(PRODUCT, 1)
        merchant.run()

        assert merchant.world.free(PRODUCT) == 14
        assert merchant.shown() == {"shopify": 14}
        assert merchant.link("shopify").belief.unexplained == 0


def test_after_that_time_it_was_a_change_by_hand_and_is_corrected(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.shops["shopify"].set_stock(PRODUCT, 8)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()
        assert merchant.shown() == {"shopify": 13}

        merchant.clock.advance(121)
        merchant.run()

        assert merchant.shown() == {"shopify": 15}


def test_units_of_an_order_that_cannot_be_read_are_offered_in_no_shop_until_it_can(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ecforce answers with a line whose quantity is null."""
    real: Callable[[SimLine], dict[str, Any]] = SimLine.attributes
    with ServedShops(sqlite_url, "ecforce", "shopify") as merchant:
        monkeypatch.setattr(SimLine, "attributes", lambda line: real(line) | {"quantity": None})
        merchant.sell("ecforce", 2)
        for _ in range(3):
            merchant.run(after=601)
        assert merchant.shown() == {"ecforce": 8, "shopify": 8}
        assert merchant.shop("ecforce").unreadable_orders == 1

        monkeypatch.undo()
        merchant.run(after=601)
        merchant.run(after=601)
        assert merchant.shown() == {"ecforce": 8, "shopify": 8}
        assert (merchant.shop("ecforce").unreadable_orders, merchant.world.free(PRODUCT)) == (0, 8)
