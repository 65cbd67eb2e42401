"""Promise 8: a shop has one run at a time, over all servers; the database checks the run's lease
token on every write."""

from __future__ import annotations

from support.served_shops import PRODUCT, ServedShops


def test_another_server_does_not_run_a_shop_that_is_running(sqlite_url: str) -> None:
    during: list[int] = []
    with ServedShops(sqlite_url, "shopify") as merchant, merchant.another_server() as other:
        merchant.once("before", "shopify", "set_inventory", lambda: during.append(other.run_due()))
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert during == [0]
        assert merchant.shown() == {"shopify": 15}


def test_a_run_that_lost_its_lease_writes_nothing(sqlite_url: str) -> None:
    seen: list[tuple[str, int | None]] = []

    with ServedShops(sqlite_url, "rakuten") as merchant, merchant.another_server() as other:

        def sleep_past_the_lease() -> None:
            merchant.clock.advance(6)
            other.run_due()
            link = merchant.link("rakuten")
            seen.append((link.state, link.confirmed))

        merchant.once("after", "rakuten", "set_inventory", sleep_past_the_lease)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        assert seen == [("SYNCED", 15)], "the other server has settled the write"
        assert merchant.pushes("rakuten")[-1] == "READ", "not what the first server was answered"
