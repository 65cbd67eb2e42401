"""Convert connectors, loaded or not."""

from __future__ import annotations

import json

from zaiko.v1 import connector_pb2
from zaiko_core.plugin_host.loader import PluginReport
from zaiko_sdk import Capability, ConnectorType

from zaiko_server import names


def loaded(kind: ConnectorType, report: PluginReport | None) -> connector_pb2.Connector:
    """Return a connector that is loaded."""
    mode = (
        f"INVENTORY_MODE_{kind.inventory_mode.name}"
        if kind.inventory_mode
        else "INVENTORY_MODE_UNSPECIFIED"
    )
    return connector_pb2.Connector(
        name=names.CONNECTOR(kind.id),
        display_name=kind.display_name,
        version=kind.version,
        distribution=report.distribution if report else "",
        sdk_api=".".join(str(part) for part in kind.sdk_api),
        capabilities=[
            connector_pb2.Connector.Capability.Value(f"CAPABILITY_{capability.name}")
            for capability in Capability
            if capability in kind.capabilities
        ],
        inventory_mode=connector_pb2.Connector.InventoryMode.Value(mode),
        settings_schema=json.dumps(kind.settings.schema_document(), ensure_ascii=False),
        state=connector_pb2.Connector.STATE_LOADED,
    )


def failed(report: PluginReport) -> connector_pb2.Connector:
    """Return a plugin that was found but could not be loaded, under the name of its entry point."""
    assert report.failure is not None
    return connector_pb2.Connector(
        name=names.CONNECTOR(report.name),
        display_name=report.name,
        version=report.version,
        distribution=report.distribution,
        state=connector_pb2.Connector.STATE_FAILED,
        failure=connector_pb2.Connector.Failure(
            stage=connector_pb2.Connector.Failure.Stage.Value(f"STAGE_{report.failure.stage.name}"),
            message=report.failure.message[:1000],
            hint=report.failure.hint,
        ),
    )
