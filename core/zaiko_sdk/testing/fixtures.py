"""The fixtures that every connector's tests need. Import the ones that you use into conftest.py:

from zaiko_sdk.testing.fixtures import anyio_backend, clock, log, state

__all__ = ["anyio_backend", "clock", "log", "state"]
"""

from __future__ import annotations

import pytest

from zaiko_sdk import MemoryState
from zaiko_sdk.testing.clock import NowClock
from zaiko_sdk.testing.kept_log import KeptLog


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio only, as the host does."""
    return "asyncio"


@pytest.fixture
def log() -> KeptLog:
    """Return a log that the test can read."""
    return KeptLog()


@pytest.fixture
def clock() -> NowClock:
    """Return virtual time that begins now."""
    return NowClock()


@pytest.fixture
def state() -> MemoryState:
    """Return what the shop remembers over restarts. All connectors of a test share it."""
    return MemoryState()
