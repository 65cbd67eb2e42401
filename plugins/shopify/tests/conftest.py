"""An opened connector beside its simulated shop, over real HTTP, on virtual time."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from zaiko_sdk import Listing, Order, ShopContext
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.fixtures import anyio_backend
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer
from zaiko_shopify.connector import ShopifyConnector
from zaiko_shopify.settings import ShopifySettings
from zaiko_shopify.simulator import ShopifySimulator
from zaiko_shopify.simulator.state import Shop

__all__ = ["anyio_backend"]

DATA = Path(__file__).parent / "data"


class SharedClock(FakeClock):
    """Virtual time that passes for the simulated shop too, so that a wait refills its bucket."""

    def __init__(self, shop: Shop | None = None) -> None:
        super().__init__()
        self._shop = shop

    async def sleep(self, seconds: float) -> None:
        if self._shop is not None:
            self._shop.time_offset += max(0.0, seconds)
        await super().sleep(seconds)


@dataclass
class ShopifyBench:
    """A shop, its connector, and what both use."""

    server: SimulatorServer
    sim: ShopifySimulator
    connector: ShopifyConnector
    clock: SharedClock
    log: KeptLog

    @property
    def context(self) -> ShopContext:
        """For another connector to the same shop."""
        return context_of(self.clock, self.log)

    async def listings(self) -> dict[str, Listing]:
        """Return the listings by sku."""
        return {
            row.sku: row
            async for page in self.connector.list_listings(None)
            for row in page.listings
        }

    async def orders(self, cursor: str | None = None) -> list[Order]:
        return [
            order async for page in self.connector.fetch_orders(cursor) for order in page.orders
        ]

    async def order(self) -> Order:
        """Return the only order."""
        (order,) = await self.orders()
        return order


def context_of(
    clock: FakeClock, log: KeptLog, transport: httpx.AsyncBaseTransport | None = None
) -> ShopContext:
    def http() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=transport, timeout=5, follow_redirects=False)

    return ShopContext("merchants/m/shops/s", clock, log, http, lambda: str(uuid.uuid4()))


Open = Callable[..., contextlib.AbstractAsyncContextManager[ShopifyBench]]


@pytest.fixture
def simulated() -> Iterator[tuple[ShopifySimulator, SimulatorServer]]:
    simulator = ShopifySimulator()
    with SimulatorServer(simulator) as server:
        yield simulator, server


@pytest.fixture
def open_bench(simulated: tuple[ShopifySimulator, SimulatorServer]) -> Open:
    """Opens a connector to a shop with `stock` (sku → number); `static` uses the static token, the
    rest are settings."""
    sim, server = simulated

    @contextlib.asynccontextmanager
    async def open_(
        stock: dict[str, int] | None = None, *, static: bool = False, **settings: Any
    ) -> AsyncIterator[ShopifyBench]:
        sim.add_listings([NewListing(sku, units) for sku, units in (stock or {}).items()])
        base = sim.static_settings(server.base_url) if static else server.settings()
        clock, log = SharedClock(sim.shop), KeptLog()
        connector = ShopifyConnector(
            context_of(clock, log), ShopifySettings(**{**base, **settings})
        )
        try:
            yield ShopifyBench(server, sim, connector, clock, log)
        finally:
            await connector.aclose()

    return open_
