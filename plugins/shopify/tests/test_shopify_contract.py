"""What zaiko relies on, over HTTP against the simulated shop (zaiko_sdk.testing.contract)."""

from __future__ import annotations

import pytest
from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract import ConnectorContract
from zaiko_sdk.testing.simulator import SimulatorType
from zaiko_shopify.plugin import SHOPIFY
from zaiko_shopify.simulator import ShopifySimulator


class TestShopify(ConnectorContract):
    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        return SHOPIFY

    @pytest.fixture
    def simulator_type(self) -> SimulatorType:
        return SimulatorType("shopify", ShopifySimulator)
