"""What zaiko relies on, over HTTP against the simulated account (zaiko_sdk.testing.contract)."""

from __future__ import annotations

import pytest
from zaiko_nextengine.plugin import NEXT_ENGINE
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract import ConnectorContract
from zaiko_sdk.testing.simulator import SimulatorType


@pytest.mark.thorough
class TestNextEngine(ConnectorContract):
    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        return NEXT_ENGINE

    @pytest.fixture
    def simulator_type(self) -> SimulatorType:
        return SimulatorType("nextengine", NextEngineSimulator)
