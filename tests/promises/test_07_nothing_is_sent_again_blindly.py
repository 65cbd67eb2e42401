"""Promise 7: a write is recorded before it is sent; after a crash or a timeout zaiko reads the
shop's number before it sends again."""

from __future__ import annotations

import pytest
from support.served_shops import PRODUCT, Killed, ServedShops
from zaiko_sdk import Timeout

PLATFORMS = ["shopify", "rakuten", "ecforce"]


def test_a_write_is_recorded_before_it_is_sent(sqlite_url: str) -> None:
    recorded: list[str] = []
    with ServedShops(sqlite_url, "shopify") as merchant:
        merchant.once(
            "before",
            "shopify",
            "set_inventory",
            lambda: recorded.extend(merchant.pushes("shopify")),
        )
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert recorded == ["ACKNOWLEDGED", "SENT"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_after_a_timeout_the_number_is_read_before_anything_is_sent_again(
    sqlite_url: str, platform: str
) -> None:
    def lost() -> None:
        raise Timeout("the reply was lost", sent=None)

    with ServedShops(sqlite_url, platform) as merchant:
        merchant.calls.clear()
        merchant.once("after", platform, "set_inventory", lost)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()
        merchant.sell(platform, 2)
        merchant.clock.advance(60)
        merchant.run()

        assert read_between_writes(merchant)
        assert merchant.shown() == {platform: 13}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_after_a_crash_the_number_is_read_before_anything_is_sent_again(
    sqlite_url: str, platform: str
) -> None:
    def kill() -> None:
        raise Killed

    with ServedShops(sqlite_url, platform) as merchant:
        merchant.calls.clear()
        merchant.once("after", platform, "set_inventory", kill)
        merchant.world.receive(PRODUCT, 5)
        with pytest.raises(Killed):
            merchant.run()
        merchant.restart()
        merchant.run()

        assert read_between_writes(merchant)
        assert merchant.shown() == {platform: 15}


def read_between_writes(merchant: ServedShops) -> bool:
    """Whether a reading follows the first write before any other."""
    asked = [operation for _, operation in merchant.calls if operation != "fetch_orders"]
    after = asked[asked.index("set_inventory") + 1 :]
    return after[:1] == ["read_inventory"]
