"""Promise 4: where the platform can only set, zaiko reads, sets, and reads again; an order in
between is corrected at once."""

from __future__ import annotations

import pytest
from support.served_shops import PRODUCT, ServedShops


@pytest.mark.parametrize("platform", ["ecforce", "base"])
def test_an_order_between_reading_and_setting_is_corrected_in_the_same_run(
    sqlite_url: str, platform: str
) -> None:
    shown = []
    with ServedShops(sqlite_url, platform) as merchant:
        merchant.once("before", platform, "set_inventory", lambda: merchant.sell(platform, 2))
        merchant.once(
            "after", platform, "set_inventory", lambda: shown.append(merchant.shown()[platform])
        )
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert shown == [15], "the write has overwritten the order"
        assert merchant.shown() == {platform: 13}
