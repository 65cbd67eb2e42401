"""Rules about what a plugin registers, before any shop is opened."""

from __future__ import annotations

import json
import re

import pytest
from pydantic import ValidationError

from zaiko_sdk import SDK_API, Capability, Connector
from zaiko_sdk.testing.contract.bench import ContractBench
from zaiko_sdk.testing.contract.rule import rule

_METHODS = {
    Capability.READ_ORDERS: "read_orders",
    Capability.SET_INVENTORY: "set_inventory",
    Capability.WEBHOOKS: "parse_webhook",
}
_SIZES = ("read_batch", "write_batch", "order_batch", "max_quantity")


class DescriptionRules:
    """What the host lists of a connector."""

    @rule(
        why=(
            "The id is part of resource names and of stored shops; when it changes, stored shops "
            "lose their connector."
        ),
        fix=(
            "ConnectorType.id: lower-case letters, digits and dashes, beginning with a letter; a "
            "display name; a version."
        ),
    )
    def test_a_connector_has_a_name_and_a_version(self, bench: ContractBench) -> None:
        """The id is a resource name's part; display name and version are there; sdk_api fits this
        SDK."""
        kind = bench.kind
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,62}", kind.id), (
            f"the id {kind.id!r} cannot be part of a resource name"
        )
        assert kind.display_name.strip(), "display_name is empty"
        assert kind.version.strip(), "version is empty"
        assert kind.sdk_api[0] == SDK_API[0], (
            f"sdk_api {kind.sdk_api} has another major than the SDK's {SDK_API}"
        )
        assert kind.sdk_api[1] <= SDK_API[1], (
            f"sdk_api {kind.sdk_api} is newer than the SDK's {SDK_API}"
        )

    @rule(
        why="The host cuts its calls to these sizes; with 0 it would call for nothing without end.",
        fix="Limits: sizes ≥ 1, order_visibility ≥ 0, as the platform documents them.",
    )
    def test_limits_are_sizes(self, bench: ContractBench) -> None:
        """Every limit is at least 1, and order_visibility is not negative."""
        limits = bench.kind.limits
        small = [name for name in _SIZES if getattr(limits, name) < 1]
        assert not small, f"these limits are below 1: {', '.join(small)}"
        assert limits.order_visibility.total_seconds() >= 0, "order_visibility is negative"

    @rule(
        why=(
            "A number cannot be written safely without reading it, nor fenced without knowing how "
            "the platform changes it."
        ),
        fix=(
            "With SET_INVENTORY declare READ_INVENTORY and an inventory_mode (docs/connectors.md "
            "§3)."
        ),
    )
    def test_capabilities_fit_together(self, bench: ContractBench) -> None:
        """SET_INVENTORY comes with READ_INVENTORY and a mode; ORDER_UPDATES comes with
        FETCH_ORDERS."""
        if bench.can(Capability.SET_INVENTORY):
            assert bench.can(Capability.READ_INVENTORY), "SET_INVENTORY without READ_INVENTORY"
            assert bench.kind.inventory_mode is not None, "SET_INVENTORY without an inventory_mode"
        if bench.can(Capability.ORDER_UPDATES):
            assert bench.can(Capability.FETCH_ORDERS), "ORDER_UPDATES without FETCH_ORDERS"

    @rule(
        why=(
            "The host relies on each declared capability, and would find out in the middle of a "
            "sale that it is missing."
        ),
        fix=(
            "Implement the method, or do not declare the capability: zaiko works around what is "
            "missing."
        ),
    )
    def test_declared_capabilities_are_implemented(self, bench: ContractBench) -> None:
        """Each declared capability's method is the connector's own."""
        kind = type(bench.open())
        bare = [
            capability.value
            for capability, method in _METHODS.items()
            if _inherited(kind, method) and bench.can(capability)
        ]
        assert not bare, f"declared, and not implemented: {', '.join(bare)}"

    @rule(
        why=(
            "User interfaces draw the settings from their JSON Schema; a merchant reads the "
            "descriptions to find each value."
        ),
        fix=(
            "Give every field of the settings a Field(description=…) that says where in the "
            "platform the value is found."
        ),
    )
    def test_every_setting_says_where_it_is_found(self, bench: ContractBench) -> None:
        """The settings have a JSON Schema in which every field has a description, and credentials
        are write-only."""
        document = json.loads(json.dumps(bench.kind.settings.schema_document()))
        silent = [
            name
            for name, field in document["properties"].items()
            if not field.get("description", "").strip()
        ]
        assert not silent, f"no description: {', '.join(silent)}"

    @rule(
        why=(
            "A misspelt setting that is ignored leaves the shop on a default that its owner did "
            "not choose."
        ),
        fix="Derive the settings from ConnectorSettings and do not change its model_config.",
    )
    def test_a_misspelt_setting_is_refused(self, bench: ContractBench) -> None:
        """Settings with a field that does not exist are refused."""
        with pytest.raises(ValidationError):
            bench.kind.settings.model_validate(bench.settings | {"no_such_setting": 1})

    @rule(
        why="Credentials in plain text end up in replies and logs.",
        fix="Declare every credential as pydantic.SecretStr, and raise no error that quotes it.",
    )
    def test_credentials_are_never_shown(self, bench: ContractBench) -> None:
        """There is a secret among the settings, and no text of settings or connector holds it."""
        settings = bench.kind.settings.model_validate(bench.settings)
        secrets = bench.secrets()
        assert secrets, (
            "no field of the settings is a SecretStr; with what does the connector prove who it is?"
        )
        connector = bench.open()
        texts = {
            "the settings": f"{settings!r} {settings}",
            "the connector": f"{connector!r} {vars(connector)!r}",
        }
        for what, text in texts.items():
            assert not any(secret in text for secret in secrets), (
                f"the repr of {what} shows a credential"
            )


def _inherited(kind: type[Connector], method: str) -> bool:
    return getattr(kind, method) is getattr(Connector, method)
