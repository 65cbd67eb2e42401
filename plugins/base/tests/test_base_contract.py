"""What zaiko relies on, over HTTP against the simulated shop (zaiko_sdk.testing.contract)."""

from __future__ import annotations

import pytest
from zaiko_base.plugin import BASE
from zaiko_base.simulator import BaseSimulator
from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract import ConnectorContract
from zaiko_sdk.testing.simulator import SimulatorType


@pytest.mark.thorough
class TestBase(ConnectorContract):
    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        return BASE

    @pytest.fixture
    def simulator_type(self) -> SimulatorType:
        return SimulatorType("base", BaseSimulator)
