"""Operations that have ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.requests import OPERATION, furnish
from zaiko.v1 import operation_service_pb2
from zaiko_core.app.records import OperationState


@case("OperationService.CancelOperation", "OPERATION_DONE")
async def cancelling_what_has_ended(api: Api, world: World) -> Any:
    await world.write(furnish)

    def end(uow: Any) -> None:
        record = uow.operations.get(OPERATION)
        uow.operations.put(
            replace(
                record, state=OperationState.SUCCEEDED, ended_at=uow.now, result={"listings": 0}
            )
        )

    await world.write(end)
    return operation_service_pb2.CancelOperationRequest(name=world(f"operations/{OPERATION}"))
