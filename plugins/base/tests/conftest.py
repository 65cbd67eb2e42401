"""A simulated BASE shop on a port, and connectors to it on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from zaiko_base.connector import BaseConnector
from zaiko_base.settings import BaseSettings
from zaiko_base.simulator import BaseSimulator
from zaiko_sdk import ConnectorState, MemoryState, ShopContext
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.simulator import SimulatorServer

Open = Callable[..., BaseConnector]


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
    """Waiting takes no time; the wall clock is the real one, as the simulated shop's is."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    """One server for all tests: starting one takes longer than most tests."""
    with SimulatorServer(BaseSimulator()) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """The server with an empty shop behind it."""
    running.clear_faults()
    running.simulator.__init__()  # type: ignore[misc]
    return running


@pytest.fixture
def shop(server: SimulatorServer) -> BaseSimulator:
    assert isinstance(server.simulator, BaseSimulator)
    return server.simulator


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


@pytest.fixture
def clock() -> NowClock:
    return NowClock()


@pytest.fixture
def state() -> MemoryState:
    """What the shop remembers over restarts; shared by all connectors of a test, as the host shares
    it."""
    return MemoryState()


@pytest.fixture
async def connect(
    server: SimulatorServer, log: KeptLog, clock: NowClock, state: MemoryState
) -> AsyncIterator[Open]:
    """Open connectors to the simulated shop, as a restarted process would; they are closed at the
    end."""
    async with AsyncExitStack() as stack:
        settings = server.settings()

        def open_one(*, remember: ConnectorState = state, **changes: Any) -> BaseConnector:
            given = {key: value for key, value in (settings | changes).items() if value is not None}
            http = lambda: httpx.AsyncClient(timeout=5)  # noqa: E731 - the host's factory, in a line
            context = ShopContext("merchants/m/shops/s", clock, log, http, lambda: "id", remember)
            connector = BaseConnector(context, BaseSettings.model_validate(given))
            stack.push_async_callback(connector.aclose)
            return connector

        yield open_one
