"""A simulated shop on a port, and connectors to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from zaiko_example.connector import ExampleConnector
from zaiko_example.settings import ExampleSettings
from zaiko_example.simulator import ExampleSimulator
from zaiko_sdk import ShopContext, SystemClock
from zaiko_sdk.testing.simulator import SimulatorServer

pytest_plugins = ["zaiko_sdk.testing.pytest_plugin"]


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


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(ExampleSimulator()) as running:
        yield running


@pytest.fixture
def shop(server: SimulatorServer) -> ExampleSimulator:
    assert isinstance(server.simulator, ExampleSimulator)
    return server.simulator


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


@pytest.fixture
async def connector(server: SimulatorServer, log: KeptLog) -> AsyncIterator[ExampleConnector]:
    """A connector to the simulated shop, over real HTTP."""
    context = ShopContext(
        "merchants/m/shops/s",
        SystemClock(),
        log,
        lambda: httpx.AsyncClient(timeout=2),
        lambda: "id",
    )
    opened = ExampleConnector(context, ExampleSettings.model_validate(server.settings()))
    yield opened
    await opened.aclose()
