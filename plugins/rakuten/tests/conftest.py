"""A simulated shop on a port, and connectors to it on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import ListingRef, ShopContext
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., RakutenConnector]


class KeptLog:
    """A log that a test reads."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def _keep(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    debug = info = warning = error = _keep

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


class NowClock(FakeClock):
    """Waiting takes no time; the wall clock begins at the real one, as the simulated shop's
    does."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
        await super().sleep(seconds)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(RakutenSimulator()) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """One server for all tests, because stopping one takes a fifth of a second; its shop begins
    anew with each."""
    simulator = running.simulator
    simulator.__init__()
    running.clear_faults()
    simulator.switch("quotas", False)
    simulator.add_listings(
        [NewListing("TEA-100", 10, "煎茶"), NewListing("CUP-200", 5), NewListing("BOX-300", 0)]
    )
    return running


@pytest.fixture
def shop(server: SimulatorServer) -> RakutenSimulator:
    assert isinstance(server.simulator, RakutenSimulator)
    return server.simulator


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


@pytest.fixture
def clock() -> NowClock:
    return NowClock()


@pytest.fixture
async def connect(server: SimulatorServer, log: KeptLog, clock: NowClock) -> AsyncIterator[Open]:
    """Open connectors to the simulated shop, with changed settings if wanted; they are closed at
    the end."""
    async with AsyncExitStack() as stack:

        def http() -> httpx.AsyncClient:
            return httpx.AsyncClient(timeout=2, headers={"user-agent": "zaiko-test"})

        def open_one(**changes: Any) -> RakutenConnector:
            context = ShopContext("merchants/m/shops/s", clock, log, http, lambda: "id")
            connector = RakutenConnector(
                context, RakutenSettings.model_validate(server.settings() | changes)
            )
            stack.push_async_callback(connector.aclose)
            return connector

        yield open_one


@pytest.fixture
def connector(connect: Open) -> RakutenConnector:
    return connect()


@pytest.fixture
def ref() -> Callable[[str], ListingRef]:
    """The listing of a sku that was added without `manage_number`."""
    return lambda sku: ListingRef(f"{sku.lower()}/{sku}")
