"""Warehouses that are there already, or are not."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.requests import REQUESTS
from zaiko.v1 import warehouse_service_pb2


@case("WarehouseService.CreateWarehouse", "RESOURCE_EXISTS", {"resource": "{}/warehouses/tokyo"})
async def warehouse_exists(api: Api, world: World) -> Any:
    request = REQUESTS["WarehouseService.CreateWarehouse"](world)
    request.warehouse_id = "tokyo"
    return request


@case("WarehouseService.GetWarehouse", "RESOURCE_NOT_FOUND", {"resource": "{}/warehouses/kobe"})
async def no_such_warehouse(api: Api, world: World) -> Any:
    return warehouse_service_pb2.GetWarehouseRequest(name=world("warehouses/kobe"))
