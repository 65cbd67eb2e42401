"""Connectors that are not there."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.requests import REQUESTS


@case("ConnectorService.GetConnector", "RESOURCE_NOT_FOUND", {"resource": "connectors/base"})
async def no_such_connector(api: Api, world: World) -> Any:
    request = REQUESTS["ConnectorService.GetConnector"](world)
    request.name = "connectors/base"
    return request
