"""A simulated BASE shop on a port, and connectors to it on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from zaiko_base.connector import BaseConnector
from zaiko_base.settings import BaseSettings
from zaiko_base.simulator import BaseSimulator
from zaiko_sdk import MemoryState
from zaiko_sdk.testing.clock import NowClock
from zaiko_sdk.testing.fixtures import anyio_backend, clock, log, state
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.opener import ConnectorOpener
from zaiko_sdk.testing.simulator import SimulatorServer

__all__ = ["anyio_backend", "clock", "log", "state"]

Open = ConnectorOpener[BaseConnector]


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(BaseSimulator()) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """Return the one server of all tests, with an empty shop."""
    running.reset()
    return running


@pytest.fixture
def shop(server: SimulatorServer) -> BaseSimulator:
    assert isinstance(server.simulator, BaseSimulator)
    return server.simulator


@pytest.fixture
async def connect(
    server: SimulatorServer, log: KeptLog, clock: NowClock, state: MemoryState
) -> AsyncIterator[Open]:
    """Opens connectors to the simulated shop."""
    # Asked for once: each time the simulator hands out another refresh token.
    settings = server.settings()
    async with ConnectorOpener(
        BaseConnector, BaseSettings, lambda: settings, clock, log, state=state
    ) as opener:
        yield opener
