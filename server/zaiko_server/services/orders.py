"""OrderService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message
from zaiko.v1 import order_pb2, order_service_pb2_grpc
from zaiko.v1 import order_service_pb2 as pb
from zaiko_core.app import assigning, shops, suspects
from zaiko_core.app.order_numbers import spellings
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import StoredOrder
from zaiko_core.domain.errors import NotFound

from zaiko_server import etags, names, views
from zaiko_server.convert import orders as order_messages
from zaiko_server.convert.shops import policy_of
from zaiko_server.pages import PagePosition
from zaiko_server.services.calls import Calls, Context

R = TypeVar("R", bound=Message)
_Verb = Callable[[UnitOfWork, str, str], StoredOrder]


class OrderServicer(order_service_pb2_grpc.OrderServiceServicer):
    """See proto/zaiko/v1/order_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        merchant, shop, order = names.ORDER.ids(request.name)
        external = names.external_order_id(order)

        def work(uow: UnitOfWork) -> pb.GetOrderResponse:
            found = _stored(uow, shop, [external])
            if not found:
                raise NotFound(request.name)
            return pb.GetOrderResponse(order=views.orders(uow, found)[0], revision=uow.revision)

        return await self._calls.read(merchant, work)

    async def ListOrders(
        self, request: pb.ListOrdersRequest, context: Context
    ) -> pb.ListOrdersResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        wanted = request.filter
        states = [
            order_pb2.Order.State.Name(state).removeprefix("STATE_") for state in wanted.states
        ]

        def rows(uow: UnitOfWork, position: PagePosition) -> Sequence[StoredOrder]:
            one = "" if shop == names.ANY else shops.known(uow, shop)
            return uow.orders.page(
                position.page,
                shop=one,
                states=states,
                suspect=wanted.suspect,
                uncounted=wanted.unlinked,
                unshipped=wanted.unshipped,
                doubtful=wanted.unrestocked,
                orders=wanted.external_ids,
                numbers={each for given in wanted.numbers for each in spellings(given)},
            )

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListOrdersResponse,
            rows,
            key=lambda row: (row.shop, row.record.order),
            messages=lambda uow, found: views.orders(uow, found),
        )
        return await self._calls.read(merchant, query)

    async def ReleaseOrder(
        self, request: pb.ReleaseOrderRequest, context: Context
    ) -> pb.ReleaseOrderResponse:
        verb = suspects.settle if request.only_unrestocked else suspects.release
        return await self._decide(context, request, pb.ReleaseOrderResponse, verb)

    async def HoldOrder(
        self, request: pb.HoldOrderRequest, context: Context
    ) -> pb.HoldOrderResponse:
        return await self._decide(context, request, pb.HoldOrderResponse, suspects.hold)

    async def AssignOrderLines(
        self, request: pb.AssignOrderLinesRequest, context: Context
    ) -> pb.AssignOrderLinesResponse:
        merchant, shop, order = names.ORDER.ids(request.name)
        product = names.PRODUCT.ids(request.product)[1] if request.product else ""
        external = names.external_order_id(order)

        def work(uow: UnitOfWork) -> pb.AssignOrderLinesResponse:
            found = _stored(uow, shop, [external])
            if not found:
                raise NotFound(request.name)
            etags.check(request.etag, found[0].revision)
            assigned, units = assigning.assign(
                uow, shop, external, line=request.line, product=product
            )
            return pb.AssignOrderLinesResponse(
                order=views.orders(uow, [assigned])[0],
                counted_units=units,
                revision=uow.answer_revision,
            )

        return await self._calls.write(
            context, merchant, request, pb.AssignOrderLinesResponse, work
        )

    async def PreviewSuspectPolicy(
        self, request: pb.PreviewSuspectPolicyRequest, context: Context
    ) -> pb.PreviewSuspectPolicyResponse:
        merchant, shop = names.SHOP.ids(request.shop)
        policy = policy_of(request.policy)

        def work(uow: UnitOfWork) -> pb.PreviewSuspectPolicyResponse:
            reply = order_messages.preview(merchant, *suspects.preview(uow, shop, policy))
            reply.revision = uow.revision
            return reply

        return await self._calls.read(merchant, work)

    async def _decide(self, context: Context, request: Any, reply: type[R], verb: _Verb) -> R:
        merchant, shop, order = names.ORDER.ids(request.name)
        external = names.external_order_id(order)

        def work(uow: UnitOfWork) -> R:
            found = _stored(uow, shop, [external])
            if not found:
                raise NotFound(request.name)
            etags.check(request.etag, found[0].revision)
            decided = verb(uow, shop, external)
            return reply(order=views.orders(uow, [decided])[0], revision=uow.answer_revision)

        return await self._calls.write(context, merchant, request, reply, work)


def _stored(uow: UnitOfWork, shop: str, orders: Sequence[str]) -> list[StoredOrder]:
    """Return the orders that exist, by the platform's ids, in the same order."""
    found = uow.orders.stored(shop, orders)
    return [found[order] for order in orders if order in found]
