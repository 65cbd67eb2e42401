"""Promise 10: a shop that is slow, down or locked out delays no other shop; it shows why, who must
act, and what to do."""

from __future__ import annotations

import time

import pytest
from support.served_shops import PRODUCT, ServedShops
from support.waiting import until
from zaiko.v1.error_pb2 import ErrorReason, Owner
from zaiko_sdk import CredentialsRejected, PlatformDown
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_server.convert.problems import problem

SLOW = 3.0


def test_a_slow_shop_delays_no_other(sqlite_url: str) -> None:
    with ServedShops(sqlite_url, "shopify", "rakuten") as merchant:
        merchant.servers["rakuten"].inject(Fault(FaultKind.LATENCY, seconds=SLOW, times=100))
        with merchant.another_server(run_shops=True):
            begun = time.monotonic()
            merchant.world.receive(PRODUCT, 5)
            until(lambda: merchant.shown()["shopify"] == 15, "the other shop shows the receipt")

            assert time.monotonic() - begun < SLOW
            assert merchant.shown()["rakuten"] == 10
            merchant.servers["rakuten"].clear_faults()


@pytest.mark.parametrize(
    ("error", "reason", "owner"),
    [
        (PlatformDown("maintenance"), "PLATFORM_DOWN", "PLATFORM"),
        (CredentialsRejected("the key has expired"), "CREDENTIALS_REJECTED", "MERCHANT"),
    ],
)
def test_a_shop_in_trouble_says_why_who_must_act_and_what_to_do_and_the_others_go_on(
    sqlite_url: str, error: Exception, reason: str, owner: str
) -> None:
    def fail() -> None:
        raise error

    with ServedShops(sqlite_url, "ecforce", "shopify") as merchant:
        merchant.once("before", "ecforce", "fetch_orders", fail)
        merchant.world.receive(PRODUCT, 5)
        merchant.run()

        shown = problem(merchant.shop("ecforce").problem)
        assert shown is not None
        assert ErrorReason.Name(shown.reason) == f"ERROR_REASON_{reason}"
        assert Owner.Name(shown.owner) == f"OWNER_{owner}"
        assert shown.action_en
        assert shown.action_ja
        assert merchant.shop("shopify").problem is None
        assert merchant.shown() == {"ecforce": 10, "shopify": 15}
