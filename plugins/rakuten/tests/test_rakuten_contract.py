"""What zaiko relies on, over HTTP against the simulated shop (zaiko_sdk.testing.contract)."""

from __future__ import annotations

import pytest
from zaiko_rakuten.plugin import RAKUTEN
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract import ConnectorContract
from zaiko_sdk.testing.simulator import SimulatorType


@pytest.mark.thorough
class TestRakuten(ConnectorContract):
    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        return RAKUTEN

    @pytest.fixture
    def simulator_type(self) -> SimulatorType:
        return SimulatorType("rakuten", RakutenSimulator)
