"""ConnectorService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from importlib.metadata import version

from zaiko.v1 import connector_pb2, connector_service_pb2_grpc
from zaiko.v1 import connector_service_pb2 as pb
from zaiko_core.domain.errors import NotFound

from zaiko_server.convert import connectors
from zaiko_server.interceptors import trailers
from zaiko_server.services.calls import Calls, Context

VERSION_KEY = "zaiko-version"
"""The trailer of ListConnectors with the server's release."""


class ConnectorServicer(connector_service_pb2_grpc.ConnectorServiceServicer):
    """See proto/zaiko/v1/connector_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def ListConnectors(
        self, request: pb.ListConnectorsRequest, context: Context
    ) -> pb.ListConnectorsResponse:
        trailers.add(context, (VERSION_KEY, version("zaiko")))
        position = self._calls.pages.begin("", request)
        found = self._connectors()
        after = position.after[0] if position.after else ""
        rows = [found[name] for name in sorted(found) if name > after][: position.size + 1]
        cut = self._calls.pages.cut(position, rows, lambda row: (row.name,), rows, 0)
        return pb.ListConnectorsResponse(connectors=cut.items, next_page_token=cut.next_page_token)

    async def GetConnector(
        self, request: pb.GetConnectorRequest, context: Context
    ) -> pb.GetConnectorResponse:
        connector = self._connectors().get(request.name)
        if connector is None:
            raise NotFound(request.name)
        return pb.GetConnectorResponse(connector=connector)

    def _connectors(self) -> dict[str, connector_pb2.Connector]:
        registry = self._calls.engine.registry
        found = [
            connectors.loaded(kind, registry.report_of(kind.id)) for kind in registry.types.values()
        ]
        found += [
            connectors.failed(report) for report in registry.plugins if report.failure is not None
        ]
        # A plugin that failed under the id of a loaded connector does not hide it.
        return {connector.name: connector for connector in reversed(found)}
