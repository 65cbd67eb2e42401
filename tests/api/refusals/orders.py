"""Orders that are not there or have nothing open, and what cannot be asked of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.requests import ORDER, REQUESTS
from zaiko.v1 import order_service_pb2
from zaiko_core.app import orders
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.demand import DemandState


@case("OrderService.ReleaseOrder", "ORDER_NOT_OPEN")
@case("OrderService.HoldOrder", "ORDER_NOT_OPEN")
async def an_order_with_nothing_open(api: Api, world: World) -> Any:
    def close(uow: UnitOfWork) -> None:
        record = uow.orders.get("one", ["gid://toy/1"])["gid://toy/1"]
        orders.ingest(
            uow, "one", [replace(record, state=DemandState.CANCELLED, version=record.version + 1)]
        )

    await world.write(close)
    return order_service_pb2.ReleaseOrderRequest(name=world(ORDER))


@case(
    "OrderService.PreviewSuspectPolicy",
    "INVALID_FIELD",
    violations={"policy.archived_release_days": "int32.lte"},
)
async def a_policy_of_too_many_days(api: Api, world: World) -> Any:
    request = REQUESTS["OrderService.PreviewSuspectPolicy"](world)
    request.policy.archived_release_days = 366
    return request


@case("OrderService.AssignOrderLines", "ORDER_LINE_NOT_ASSIGNABLE", {"order": "gid://toy/1"})
async def assigning_lines_whose_listings_can_be_linked(api: Api, world: World) -> Any:
    return order_service_pb2.AssignOrderLinesRequest(name=world(ORDER))


@case("OrderService.GetOrder", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/orders/7"})
async def no_such_order(api: Api, world: World) -> Any:
    request = REQUESTS["OrderService.GetOrder"](world)
    request.name = world("shops/one/orders/7")
    return request


@case("OrderService.ListOrders", "INVALID_FIELD", violations={"filter.external_ids": "parent"})
async def platform_ids_in_all_shops(api: Api, world: World) -> Any:
    request = REQUESTS["OrderService.ListOrders"](world)
    request.parent = world("shops/-")
    request.filter.external_ids.append("1")
    return request
