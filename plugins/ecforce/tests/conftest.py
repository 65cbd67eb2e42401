"""A simulated shop on a port, and connectors to it on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from zaiko_ecforce.auth import shared_logins
from zaiko_ecforce.connector import EcforceConnector
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_sdk import Clock, ShopContext
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.simulator import SimulatorServer

Open = Callable[..., EcforceConnector]


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


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    """One server for all tests: starting one takes longer than most tests."""
    with SimulatorServer(EcforceSimulator()) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """The server with an empty shop behind it that refuses nobody for load."""
    running.clear_faults()
    shared_logins.clear()
    running.simulator.__init__()  # type: ignore[misc]
    running.simulator.switch("quotas", False)
    return running


@pytest.fixture
def shop(server: SimulatorServer) -> EcforceSimulator:
    assert isinstance(server.simulator, EcforceSimulator)
    return server.simulator


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


class NowClock(FakeClock):
    """Waiting takes no time; the wall clock is the real one, as the simulated shop's is."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
        await super().sleep(seconds)


@pytest.fixture
def clock() -> NowClock:
    return NowClock()


@pytest.fixture
async def connect(server: SimulatorServer, log: KeptLog, clock: NowClock) -> AsyncIterator[Open]:
    """Open connectors to the simulated shop, with changed settings or on another clock if wanted;
    they are closed at the end."""
    async with AsyncExitStack() as stack:
        names = iter(range(1_000_000))

        def http() -> httpx.AsyncClient:
            return httpx.AsyncClient(timeout=5, headers={"user-agent": "zaiko-test"})

        def open_one(*, on: Clock = clock, **changes: Any) -> EcforceConnector:
            given = {
                key: value
                for key, value in (server.settings() | changes).items()
                if value is not None
            }
            context = ShopContext("merchants/m/shops/s", on, log, http, lambda: f"id-{next(names)}")
            connector = EcforceConnector(context, EcforceSettings.model_validate(given))
            stack.push_async_callback(connector.aclose)
            return connector

        yield open_one
