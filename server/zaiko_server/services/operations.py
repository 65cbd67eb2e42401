"""OperationService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from zaiko.v1 import operation_pb2, operation_service_pb2_grpc
from zaiko.v1 import operation_service_pb2 as pb
from zaiko_core.app import operations
from zaiko_core.app.ports import UnitOfWork

from zaiko_server import names
from zaiko_server.convert.operations import operation
from zaiko_server.services.calls import Calls, Context, clock, waiting_until
from zaiko_server.watch import WatchServer

_WAIT = 60.0
"""Seconds after which a watched operation is looked at although nothing was told."""


class OperationServicer(operation_service_pb2_grpc.OperationServiceServicer):
    """See proto/zaiko/v1/operation_service.proto."""

    def __init__(self, calls: Calls, watcher: WatchServer) -> None:
        self._calls, self._watcher = calls, watcher

    async def GetOperation(
        self, request: pb.GetOperationRequest, context: Context
    ) -> pb.GetOperationResponse:
        merchant, name = names.OPERATION.ids(request.name)

        def work(uow: UnitOfWork) -> pb.GetOperationResponse:
            found = operations.get(uow, name)
            return pb.GetOperationResponse(
                operation=operation(merchant, found), revision=uow.revision
            )

        return await self._calls.read(merchant, work)

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: Context
    ) -> pb.ListOperationsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        wanted = request.filter
        kinds = {
            operation_pb2.Operation.Kind.Name(kind).removeprefix("KIND_") for kind in wanted.kinds
        }
        states = {
            operation_pb2.Operation.State.Name(state).removeprefix("STATE_")
            for state in wanted.states
        }

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListOperationsResponse,
            lambda uow, position: uow.operations.page(position.page, kinds=kinds, states=states),
            key=lambda row: (row.operation,),
            messages=lambda uow, found: (operation(merchant, row, rows=False) for row in found),
        )
        return await self._calls.read(merchant, query)

    async def CancelOperation(
        self, request: pb.CancelOperationRequest, context: Context
    ) -> pb.CancelOperationResponse:
        merchant, name = names.OPERATION.ids(request.name)

        def work(uow: UnitOfWork) -> pb.CancelOperationResponse:
            changed = operations.cancel(uow, name)
            return pb.CancelOperationResponse(
                operation=operation(merchant, changed), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.CancelOperationResponse, work)

    async def WaitOperation(
        self, request: pb.WaitOperationRequest, context: Context
    ) -> pb.WaitOperationResponse:
        merchant, name = names.OPERATION.ids(request.name)
        until = waiting_until(request, context)
        while True:
            found, revision = await self._calls.read(
                merchant, lambda uow: (operations.get(uow, name), uow.revision)
            )
            if found.ended_at is not None or clock() >= until:
                return pb.WaitOperationResponse(
                    operation=operation(merchant, found), revision=revision
                )
            await self._calls.engine.feed.wait(merchant, revision, until - clock())

    async def WatchOperation(
        self, request: pb.WatchOperationRequest, context: Context
    ) -> AsyncIterator[pb.WatchOperationResponse]:
        async with aclosing(self._watcher.guarded(self._states(request), context)) as responses:
            async for response in responses:
                yield response

    async def _states(
        self, request: pb.WatchOperationRequest
    ) -> AsyncGenerator[pb.WatchOperationResponse, None]:
        merchant, name = names.OPERATION.ids(request.name)
        shown = -1
        while True:
            found, revision = await self._calls.read(
                merchant, lambda uow: (operations.get(uow, name), uow.revision)
            )
            if found.revision != shown:
                shown = found.revision
                yield pb.WatchOperationResponse(
                    operation=operation(merchant, found), revision=revision
                )
            if found.ended_at is not None:
                return
            await self._calls.engine.feed.wait(merchant, revision, _WAIT)
