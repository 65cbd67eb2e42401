"""A simulated shop on a port, and connectors to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from zaiko_example.connector import ExampleConnector
from zaiko_example.settings import ExampleSettings
from zaiko_example.simulator import ExampleSimulator
from zaiko_sdk import SystemClock
from zaiko_sdk.testing.fixtures import anyio_backend, log
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.opener import ConnectorOpener
from zaiko_sdk.testing.simulator import SimulatorServer

__all__ = ["anyio_backend", "log"]

pytest_plugins = ["zaiko_sdk.testing.pytest_plugin"]


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(ExampleSimulator()) as running:
        yield running


@pytest.fixture
def shop(server: SimulatorServer) -> ExampleSimulator:
    assert isinstance(server.simulator, ExampleSimulator)
    return server.simulator


@pytest.fixture
async def connector(server: SimulatorServer, log: KeptLog) -> AsyncIterator[ExampleConnector]:
    """Open a connector to the simulated shop, over real HTTP."""
    async with ConnectorOpener(
        ExampleConnector, ExampleSettings, server.settings, SystemClock(), log, timeout=2
    ) as opener:
        yield opener()
