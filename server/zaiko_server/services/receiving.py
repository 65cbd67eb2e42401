"""ReceivingService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from zaiko.v1 import addition_pb2, receiving_service_pb2_grpc
from zaiko.v1 import receiving_service_pb2 as pb
from zaiko_core.app import catalogue, operations, receiving
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.addition import AdditionState

from zaiko_server import etags, names, views
from zaiko_server.convert import products
from zaiko_server.convert.operations import operation
from zaiko_server.services.calls import Calls, Context


class ReceivingServicer(receiving_service_pb2_grpc.ReceivingServiceServicer):
    """See proto/zaiko/v1/receiving_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._can_sync = calls, calls.engine.can_sync

    async def SetReceivingOnly(
        self, request: pb.SetReceivingOnlyRequest, context: Context
    ) -> pb.SetReceivingOnlyResponse:
        merchant, product = names.PRODUCT.ids(request.product)

        def work(uow: UnitOfWork) -> pb.SetReceivingOnlyResponse:
            etags.check(request.etag, catalogue.product(uow, product).revision)
            record = receiving.switch(uow, product, request.enabled, can_sync=self._can_sync)
            return pb.SetReceivingOnlyResponse(
                product=products.product(merchant, record), revision=uow.answer_revision
            )

        return await self._calls.write(
            context, merchant, request, pb.SetReceivingOnlyResponse, work
        )

    async def GetAddition(
        self, request: pb.GetAdditionRequest, context: Context
    ) -> pb.GetAdditionResponse:
        merchant, addition = names.ADDITION.ids(request.name)

        def work(uow: UnitOfWork) -> pb.GetAdditionResponse:
            (message,) = views.additions(uow, [receiving.get(uow, addition)])
            return pb.GetAdditionResponse(addition=message, revision=uow.revision)

        return await self._calls.read(merchant, work)

    async def ListAdditions(
        self, request: pb.ListAdditionsRequest, context: Context
    ) -> pb.ListAdditionsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        wanted = request.filter
        product = names.PRODUCT.ids(wanted.product)[1] if wanted.product else ""
        shop = names.SHOP.ids(wanted.shop)[1] if wanted.shop else ""
        states = [
            AdditionState(addition_pb2.Addition.State.Name(state).removeprefix("STATE_"))
            for state in wanted.states
            if state
        ]

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListAdditionsResponse,
            lambda uow, position: uow.additions.page(
                position.page, product=product, shop=shop, states=states
            ),
            key=lambda row: (row.created_at, row.addition),
            messages=lambda uow, found: views.additions(uow, found),
        )
        return await self._calls.read(merchant, query)

    async def ResolveAddition(
        self, request: pb.ResolveAdditionRequest, context: Context
    ) -> pb.ResolveAdditionResponse:
        merchant, addition = names.ADDITION.ids(request.name)
        added = request.outcome == pb.ResolveAdditionRequest.OUTCOME_ADDED

        def work(uow: UnitOfWork) -> pb.ResolveAdditionResponse:
            (message,) = views.additions(uow, [receiving.resolve(uow, addition, added=added)])
            return pb.ResolveAdditionResponse(addition=message, revision=uow.answer_revision)

        return await self._calls.write(context, merchant, request, pb.ResolveAdditionResponse, work)

    async def CutOver(self, request: pb.CutOverRequest, context: Context) -> pb.CutOverResponse:
        merchant, shop = names.SHOP.ids(request.parent)
        drawn = self._calls.new_id()

        def work(uow: UnitOfWork) -> pb.CutOverResponse:
            begun = operations.cut_over(
                uow, shop, dry_run=request.dry_run, drawn=drawn, can_sync=self._can_sync
            )
            return pb.CutOverResponse(
                operation=operation(merchant, begun), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.CutOverResponse, work)
