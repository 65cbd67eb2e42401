"""What zaiko relies on, over HTTP against the simulated shop (zaiko_sdk.testing.contract)."""

from __future__ import annotations

import pytest
from zaiko_ecforce.plugin import ECFORCE
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract import ConnectorContract
from zaiko_sdk.testing.simulator import SimulatorType


@pytest.mark.thorough
class TestEcforce(ConnectorContract):
    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        return ECFORCE

    @pytest.fixture
    def simulator_type(self) -> SimulatorType:
        return SimulatorType("ecforce", EcforceSimulator)
