"""Promise 6: a number higher than explained cannot be an order, and is adopted at once."""

from __future__ import annotations

import pytest
from support.served_shops import PRODUCT, ServedShops


@pytest.mark.parametrize("platform", ["shopify", "rakuten", "ecforce"])
def test_a_number_that_was_raised_by_hand_is_adopted_and_corrected_in_one_run(
    sqlite_url: str, platform: str
) -> None:
    with ServedShops(sqlite_url, platform) as merchant:
        merchant.shops[platform].set_stock(PRODUCT, 50)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert merchant.shown() == {platform: 15}
        assert merchant.link(platform).belief.unexplained == 0
        assert merchant.link(platform).belief.adopted_at > 0
