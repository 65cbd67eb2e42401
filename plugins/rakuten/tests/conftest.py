"""A simulated shop on Rakuten Ichiba on a port, and connectors to it on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import ListingRef
from zaiko_sdk.testing.clock import NowClock
from zaiko_sdk.testing.fixtures import anyio_backend, clock, log
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.opener import ConnectorOpener
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

__all__ = ["anyio_backend", "clock", "log"]

Open = ConnectorOpener[RakutenConnector]


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(RakutenSimulator()) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """Return the one server of all tests, with three listings and without quotas."""
    running.reset()
    running.simulator.switch("quotas", False)
    running.simulator.add_listings(
        [NewListing("TEA-100", 10, "煎茶"), NewListing("CUP-200", 5), NewListing("BOX-300", 0)]
    )
    return running


@pytest.fixture
def shop(server: SimulatorServer) -> RakutenSimulator:
    assert isinstance(server.simulator, RakutenSimulator)
    return server.simulator


@pytest.fixture
async def connect(server: SimulatorServer, log: KeptLog, clock: NowClock) -> AsyncIterator[Open]:
    """Opens connectors to the simulated shop."""
    async with ConnectorOpener(
        RakutenConnector, RakutenSettings, server.settings, clock, log, timeout=2
    ) as opener:
        yield opener


@pytest.fixture
def connector(connect: Open) -> RakutenConnector:
    return connect()


@pytest.fixture
def ref() -> Callable[[str], ListingRef]:
    """Return the listing of a sku that was added without `manage_number`."""
    return lambda sku: ListingRef(f"{sku.lower()}/{sku}")
