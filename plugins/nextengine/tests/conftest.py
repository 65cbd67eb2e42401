"""A simulated account of Next Engine on a port, and connectors to it on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from zaiko_nextengine.connector import NextEngineConnector
from zaiko_nextengine.settings import NextEngineSettings
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import MemoryState
from zaiko_sdk.testing.clock import NowClock
from zaiko_sdk.testing.fixtures import anyio_backend, clock, log, state
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.opener import ConnectorOpener
from zaiko_sdk.testing.simulator import SimulatorServer

__all__ = ["anyio_backend", "clock", "log", "state"]

Open = ConnectorOpener[NextEngineConnector]


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(NextEngineSimulator()) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """Return the one server of all tests, with an empty account."""
    running.reset()
    return running


@pytest.fixture
def shop(server: SimulatorServer) -> NextEngineSimulator:
    assert isinstance(server.simulator, NextEngineSimulator)
    # The connectors' clock is virtual, so that they keep a pace that the server does not see.
    server.simulator.switch("quotas", False)
    return server.simulator


@pytest.fixture
async def connect(
    server: SimulatorServer, log: KeptLog, clock: NowClock, state: MemoryState
) -> AsyncIterator[Open]:
    """Opens connectors to the simulated shop."""
    settings = server.settings()
    async with ConnectorOpener(
        NextEngineConnector, NextEngineSettings, lambda: settings, clock, log, state=state
    ) as opener:
        yield opener
