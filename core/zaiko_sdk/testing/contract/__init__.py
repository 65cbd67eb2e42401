"""The conformance kit: what zaiko relies on, as tests that any connector runs against its own
simulator.

    from zaiko_sdk.testing.contract import ConnectorContract

    class TestMyMall(ConnectorContract):
        @pytest.fixture
        def connector_type(self) -> ConnectorType:
            return MY_MALL

        @pytest.fixture
        def simulator_type(self) -> SimulatorType:
            return SimulatorType("my-mall", MyMallSimulator)

Name `zaiko_sdk.testing.pytest_plugin` in `pytest_plugins` of the conftest.py at the root of your
tests. It prints the report, and with each failure why the rule exists and what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract.bench import ContractBench
from zaiko_sdk.testing.contract.description import DescriptionRules
from zaiko_sdk.testing.contract.hostile import HostileRules
from zaiko_sdk.testing.contract.inventory import InventoryRules
from zaiko_sdk.testing.contract.listings import ListingRules
from zaiko_sdk.testing.contract.orders import OrderRules
from zaiko_sdk.testing.contract.pace import PaceRules
from zaiko_sdk.testing.contract.rule import ContractRule, Tier
from zaiko_sdk.testing.contract.shop import ShopRules
from zaiko_sdk.testing.contract.webhooks import WebhookRules
from zaiko_sdk.testing.simulator import SimulatorType

__all__ = ["FINDING", "ConnectorContract", "ContractBench", "ContractRule", "Tier", "rules"]

FINDING = "zaiko_contract"
"""The name of the user property by which the pytest plugin knows a rule's test."""


class ConnectorContract(
    DescriptionRules,
    ShopRules,
    ListingRules,
    OrderRules,
    InventoryRules,
    HostileRules,
    WebhookRules,
    PaceRules,
):
    """Derive a test class of your own from it, with the two fixtures `connector_type` and
    `simulator_type`.

    A rule about a capability that the connector does not declare, or about another inventory mode,
    is skipped with that reason; so is one that the simulator cannot play. Each test has a simulated
    shop of its own.
    """

    @pytest.fixture
    def connector_type(self) -> ConnectorType:
        """Return what the plugin registers."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture connector_type")

    @pytest.fixture
    def simulator_type(self) -> SimulatorType:
        """Return the platform's simulator."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture simulator_type")

    @pytest.fixture(autouse=True)
    def concerned(self, request: pytest.FixtureRequest, connector_type: ConnectorType) -> None:
        """Skip a rule that does not concern the connector."""
        rule: ContractRule | None = getattr(request.function, "contract_rule", None)
        if rule is None:
            return
        request.node.user_properties.append(
            (FINDING, {"connector": connector_type.id, "rule": rule.name, "tier": rule.tier.value})
        )
        if reason := rule.not_for(connector_type.capabilities, connector_type.inventory_mode):
            pytest.skip(reason)

    @pytest.fixture
    def bench(
        self, concerned: None, connector_type: ConnectorType, simulator_type: SimulatorType
    ) -> Iterator[ContractBench]:
        """Provide one simulated shop and connectors to it."""
        bench = ContractBench(connector_type, simulator_type)
        try:
            yield bench
        finally:
            bench.close()


def rules() -> dict[str, ContractRule]:
    """Return every rule of the contract by its name, in the order of the modules."""
    found = inspect.getmembers(ConnectorContract, lambda member: hasattr(member, "contract_rule"))
    return {method.contract_rule.name: method.contract_rule for _, method in found}
