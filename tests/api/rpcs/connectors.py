"""Connectors are listed and read, including one that cannot be loaded."""

from __future__ import annotations

from api.bench import Api, World
from api.rpcs import happy
from zaiko.v1 import connector_pb2, connector_service_pb2


@happy("ConnectorService.ListConnectors")
async def list_connectors(api: Api, world: World) -> None:
    answer = await api.call(
        "ConnectorService.ListConnectors", connector_service_pb2.ListConnectorsRequest()
    )
    assert [item.name for item in answer.connectors] == [
        "connectors/broken",
        "connectors/toy",
        "connectors/toy-readonly",
    ]


@happy("ConnectorService.GetConnector")
async def get_connector(api: Api, world: World) -> None:
    toy_type = await api.call(
        "ConnectorService.GetConnector",
        connector_service_pb2.GetConnectorRequest(name="connectors/toy"),
    )
    broken = await api.call(
        "ConnectorService.GetConnector",
        connector_service_pb2.GetConnectorRequest(name="connectors/broken"),
    )

    assert toy_type.connector.state == connector_pb2.Connector.STATE_LOADED
    assert '"writeOnly": true' in toy_type.connector.settings_schema
    assert (
        toy_type.connector.inventory_mode == connector_pb2.Connector.INVENTORY_MODE_COMPARE_AND_SET
    )
    assert broken.connector.failure.stage == connector_pb2.Connector.Failure.STAGE_IMPORT
    assert "nothing" in broken.connector.failure.hint
