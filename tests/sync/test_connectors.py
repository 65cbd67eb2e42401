"""One connector per shop is open, shared by all that use it, and none for long that nobody uses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from zaiko_core.app.records import ShopRecord
from zaiko_core.sync.connectors import IDLE, Connectors
from zaiko_sdk.testing.clock import FakeClock

pytestmark = pytest.mark.anyio
SHOP = ShopRecord("one", "toy", "One", {"domain": "a"}, 600_000_000)


class Opened:
    """A connector that knows whether it was closed."""

    def __init__(self, shop: ShopRecord, closing: asyncio.Event | None) -> None:
        self.shop, self.closed, self._closing = shop, False, closing

    async def aclose(self) -> None:
        if self._closing is not None:
            await self._closing.wait()
        self.closed = True


class Platform:
    """Counts what is opened."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.opened: list[Opened] = []
        self.closing: asyncio.Event | None = None
        self.connectors = Connectors(self._open, clock=self.clock)

    def _open(self, merchant: str, shop: ShopRecord) -> Any:
        self.opened.append(Opened(shop, self.closing))
        return self.opened[-1]

    async def used(self, shop: ShopRecord = SHOP) -> Any:
        async with self.connectors.use("acme", shop) as connector:
            return connector


async def test_all_uses_of_a_shop_share_one() -> None:
    platform = Platform()
    async with platform.connectors.use("acme", SHOP) as first:
        assert await platform.used() is first
    assert await platform.used() is first
    assert [opened.closed for opened in platform.opened] == [False]


async def test_each_shop_and_merchant_has_its_own() -> None:
    platform = Platform()
    await platform.used()
    await platform.used(replace(SHOP, shop="two"))
    async with platform.connectors.use("other", SHOP):
        pass
    assert len(platform.opened) == 3


async def test_other_credentials_open_it_anew_and_the_old_one_ends_with_its_last_user() -> None:
    platform = Platform()
    async with platform.connectors.use("acme", SHOP) as old:
        new = await platform.used(replace(SHOP, secrets=b"other"))
        assert new is not old
        assert not old.closed  # type: ignore[attr-defined]
    assert old.closed  # type: ignore[attr-defined]
    assert not new.closed
    assert platform.connectors.count == 1


async def test_whoever_comes_while_the_old_one_is_closed_shares_the_new_one() -> None:
    platform = Platform()
    platform.closing = asyncio.Event()
    await platform.used()
    changed = replace(SHOP, settings={"domain": "b"})
    both = [asyncio.create_task(platform.used(changed)) for _ in range(2)]
    await asyncio.sleep(0)
    platform.closing.set()

    assert len({id(connector) for connector in await asyncio.gather(*both)}) == 1
    assert len(platform.opened) == 2
    assert platform.opened[0].closed


async def test_what_nobody_uses_is_closed_and_what_somebody_uses_is_not() -> None:
    platform = Platform()
    await platform.used(replace(SHOP, shop="idle"))
    async with platform.connectors.use("acme", replace(SHOP, shop="busy")):
        platform.clock.advance(IDLE + 61)
        await platform.used()
        assert [opened.closed for opened in platform.opened] == [True, False, False]
    assert platform.connectors.count == 2


async def test_a_shop_whose_connector_cannot_be_opened_keeps_nothing() -> None:
    platform = Platform()

    def refuse(merchant: str, shop: ShopRecord) -> Any:
        raise KeyError("nowhere")

    connectors = Connectors(refuse, clock=platform.clock)
    with pytest.raises(KeyError):
        async with connectors.use("acme", SHOP):
            pass
    assert connectors.count == 0


async def test_at_the_end_all_are_closed() -> None:
    platform = Platform()
    await platform.used()
    await platform.used(replace(SHOP, shop="two"))
    await platform.connectors.aclose()
    assert all(opened.closed for opened in platform.opened)
