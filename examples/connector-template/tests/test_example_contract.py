"""What zaiko relies on, over HTTP against the simulated shop. A failure says why the rule exists
and what to do."""

from __future__ import annotations

import pytest
from zaiko_example.plugin import EXAMPLE
from zaiko_example.simulator import ExampleSimulator
from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract import ConnectorContract
from zaiko_sdk.testing.simulator import SimulatorType


class TestExample(ConnectorContract):
    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        return EXAMPLE

    @pytest.fixture
    def simulator_type(self) -> SimulatorType:
        return SimulatorType("example", ExampleSimulator)
