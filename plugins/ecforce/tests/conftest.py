"""A simulated ecforce shop on a port, and connectors to it on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from zaiko_ecforce.auth import shared_logins
from zaiko_ecforce.connector import EcforceConnector
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_sdk.testing.clock import NowClock
from zaiko_sdk.testing.fixtures import anyio_backend, clock, log
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.opener import ConnectorOpener
from zaiko_sdk.testing.simulator import SimulatorServer

__all__ = ["anyio_backend", "clock", "log"]

Open = ConnectorOpener[EcforceConnector]


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(EcforceSimulator()) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """Return the one server of all tests, with an empty shop that refuses nobody for load."""
    shared_logins.clear()
    running.reset()
    running.simulator.switch("quotas", False)
    return running


@pytest.fixture
def shop(server: SimulatorServer) -> EcforceSimulator:
    assert isinstance(server.simulator, EcforceSimulator)
    return server.simulator


@pytest.fixture
async def connect(server: SimulatorServer, log: KeptLog, clock: NowClock) -> AsyncIterator[Open]:
    """Opens connectors to the simulated shop."""
    async with ConnectorOpener(
        EcforceConnector, EcforceSettings, server.settings, clock, log
    ) as opener:
        yield opener
