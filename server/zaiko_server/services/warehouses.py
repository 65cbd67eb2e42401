"""WarehouseService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from zaiko.v1 import warehouse_service_pb2 as pb
from zaiko.v1 import warehouse_service_pb2_grpc
from zaiko_core.app import catalogue
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import WarehouseRecord

from zaiko_server import names
from zaiko_server.convert import warehouses
from zaiko_server.services.calls import Calls, Context


class WarehouseServicer(warehouse_service_pb2_grpc.WarehouseServiceServicer):
    """See proto/zaiko/v1/warehouse_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def CreateWarehouse(
        self, request: pb.CreateWarehouseRequest, context: Context
    ) -> pb.CreateWarehouseResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        draft = WarehouseRecord(request.warehouse_id, request.warehouse.display_name)

        def work(uow: UnitOfWork) -> pb.CreateWarehouseResponse:
            record = catalogue.create_warehouse(uow, draft)
            return pb.CreateWarehouseResponse(
                warehouse=warehouses.warehouse(merchant, record), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.CreateWarehouseResponse, work)

    async def GetWarehouse(
        self, request: pb.GetWarehouseRequest, context: Context
    ) -> pb.GetWarehouseResponse:
        merchant, warehouse = names.WAREHOUSE.ids(request.name)

        def work(uow: UnitOfWork) -> pb.GetWarehouseResponse:
            record = catalogue.warehouse(uow, warehouse)
            return pb.GetWarehouseResponse(
                warehouse=warehouses.warehouse(merchant, record), revision=uow.answer_revision
            )

        return await self._calls.read(merchant, work)

    async def ListWarehouses(
        self, request: pb.ListWarehousesRequest, context: Context
    ) -> pb.ListWarehousesResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListWarehousesResponse,
            lambda uow, position: uow.warehouses.page(position.page),
            key=lambda row: (row.warehouse,),
            messages=lambda uow, found: (warehouses.warehouse(merchant, row) for row in found),
        )
        return await self._calls.read(merchant, query)
