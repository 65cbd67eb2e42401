"""Operations are read, listed, cancelled, waited for and watched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.bench import Api, World
from api.rpcs import happy
from google.protobuf import duration_pb2
from zaiko.v1 import operation_pb2, operation_service_pb2, shop_service_pb2
from zaiko_core.app.records import OperationState


@happy("OperationService.GetOperation")
async def get_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    request = operation_service_pb2.GetOperationRequest(name=begun.name)
    assert (await api.call("OperationService.GetOperation", request)).operation == begun


async def refreshing(api: Api, world: World, shop: str = "one") -> Any:
    request = shop_service_pb2.RefreshListingsRequest(parent=world(f"shops/{shop}"))
    return (await api.call("ShopService.RefreshListings", request)).operation


async def end_operation(
    world: World, name: str, state: OperationState, result: dict[str, Any] | None = None
) -> None:
    """End an operation, as the engine does."""

    def end(uow: Any) -> None:
        record = uow.operations.get(name.rpartition("/")[2])
        uow.operations.put(
            replace(record, state=state, started_at=uow.now, ended_at=uow.now, result=result)
        )
        uow.advance()

    await world.write(end)


@happy("OperationService.ListOperations")
async def list_operations(api: Api, world: World) -> None:
    first, second = await refreshing(api, world), await refreshing(api, world, "two")
    await end_operation(world, first.name, OperationState.SUCCEEDED, {"listings": 5, "vanished": 1})

    async def found(**fields: Any) -> list[Any]:
        wanted = operation_service_pb2.ListOperationsRequest.Filter(**fields)
        request = operation_service_pb2.ListOperationsRequest(parent=world.name, filter=wanted)
        return list((await api.call("OperationService.ListOperations", request)).operations)

    assert [item.name for item in await found()] == [second.name, first.name]
    (done,) = await found(states=[operation_pb2.Operation.STATE_SUCCEEDED])
    assert done.refresh_listings_report.vanished_count == 1
    assert await found(kinds=[operation_pb2.Operation.KIND_BULK_LINK]) == []


@happy("OperationService.CancelOperation")
async def cancel_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    request = operation_service_pb2.CancelOperationRequest(name=begun.name)

    answer = await api.call("OperationService.CancelOperation", request)
    again = await api.call("OperationService.CancelOperation", request)

    assert answer.operation.state == operation_pb2.Operation.STATE_CANCELLED  # it had not begun
    assert again.operation == answer.operation


@happy("OperationService.WaitOperation")
async def wait_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    asked = operation_service_pb2.WaitOperationRequest(
        name=begun.name, timeout=duration_pb2.Duration(nanos=50_000_000)
    )

    waiting = await api.call("OperationService.WaitOperation", asked)
    call = api.method("OperationService.WaitOperation")(
        operation_service_pb2.WaitOperationRequest(name=begun.name), timeout=20
    )
    await end_operation(world, begun.name, OperationState.SUCCEEDED, {"listings": 5, "vanished": 0})
    done = await call

    assert waiting.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert done.operation.state == operation_pb2.Operation.STATE_SUCCEEDED
    assert done.operation.refresh_listings_report.listing_count == 5


@happy("OperationService.WatchOperation")
async def watch_operation(api: Api, world: World) -> None:
    begun = await refreshing(api, world)
    stream = api.method("OperationService.WatchOperation")(
        operation_service_pb2.WatchOperationRequest(name=begun.name), timeout=20
    )

    states = aiter(stream)
    first = await anext(states)
    await end_operation(world, begun.name, OperationState.SUCCEEDED, {"listings": 5, "vanished": 0})
    rest = [response async for response in states]

    assert first.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert rest[-1].operation.state == operation_pb2.Operation.STATE_SUCCEEDED
    assert [response.revision for response in rest] == sorted(
        {response.revision for response in rest}
    )
