"""Warehouses are created, read and listed."""

from __future__ import annotations

from api.bench import Api, World
from api.rpcs import happy
from zaiko.v1 import warehouse_pb2, warehouse_service_pb2


@happy("WarehouseService.CreateWarehouse")
async def create_warehouse(api: Api, world: World) -> None:
    answer = await api.call(
        "WarehouseService.CreateWarehouse",
        warehouse_service_pb2.CreateWarehouseRequest(
            parent=world.name,
            warehouse_id="nagoya",
            warehouse=warehouse_pb2.Warehouse(display_name="Nagoya"),
        ),
    )

    assert answer.warehouse.name == world("warehouses/nagoya")
    assert answer.revision == answer.warehouse.revision


@happy("WarehouseService.GetWarehouse")
async def get_warehouse(api: Api, world: World) -> None:
    request = warehouse_service_pb2.GetWarehouseRequest(name=world("warehouses/tokyo"))
    assert (
        await api.call("WarehouseService.GetWarehouse", request)
    ).warehouse.display_name == "Tokyo"


@happy("WarehouseService.ListWarehouses")
async def list_warehouses(api: Api, world: World) -> None:
    answer = await api.call(
        "WarehouseService.ListWarehouses",
        warehouse_service_pb2.ListWarehousesRequest(parent=world.name),
    )

    assert [item.name for item in answer.warehouses] == [
        world("warehouses/osaka"),
        world("warehouses/tokyo"),
    ]
    assert answer.revision > 0
