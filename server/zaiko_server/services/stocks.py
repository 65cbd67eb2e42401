"""StockService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import Any, TypeVar

from google.protobuf.message import Message
from zaiko.v1 import movement_pb2, oversell_pb2, stock_service_pb2_grpc
from zaiko.v1 import stock_service_pb2 as pb
from zaiko_core.app import catalogue, explain, stock
from zaiko_core.app.ports import Mergeable, UnitOfWork
from zaiko_core.app.posting import Posted, Posting
from zaiko_core.app.records import StockRecord
from zaiko_core.app.stock import Adjustment, Binding, Moment, Receipt
from zaiko_core.app.transfer import Transfer, transfer
from zaiko_core.domain.errors import CauseKeyReused, InvalidField, NotFound
from zaiko_core.domain.stock import MovementKind

from zaiko_server import etags, names, views
from zaiko_server.convert import movements, stocks
from zaiko_server.convert.explanations import link_explained, stock_explained
from zaiko_server.convert.oversells import oversell
from zaiko_server.ingest import MovementStream
from zaiko_server.refusals import MessageTooLarge
from zaiko_server.services.batches import indexed
from zaiko_server.services.calls import Calls, Context
from zaiko_server.times import micros_of
from zaiko_server.watch import WatchServer

Reply = TypeVar("Reply", bound=Message)

LARGEST_REPLY = 4 << 20
"""Bytes. gRPC clients refuse larger messages, if they are not told otherwise, and would not learn
what was recorded."""
_PROMISES, _MOST_PROMISES = 100, 1_000
"""Demands that an explanation lists one by one, by default and at most."""

_BINDS: Mapping[type[Message], Callable[[UnitOfWork, Binding], Posted]] = {
    pb.AllocateStockRequest: stock.post_allocation,
    pb.DeallocateStockRequest: stock.post_deallocation,
    pb.ShipStockRequest: stock.post_shipment,
}


class StockServicer(stock_service_pb2_grpc.StockServiceServicer):
    """See proto/zaiko/v1/stock_service.proto."""

    def __init__(self, calls: Calls, watcher: WatchServer) -> None:
        self._calls, self._watcher = calls, watcher

    async def GetStock(self, request: pb.GetStockRequest, context: Context) -> pb.GetStockResponse:
        merchant, product = names.STOCK.ids(request.name)
        reply = await self._calls.read(merchant, Mergeable(_replies, product))
        if reply is None:
            raise NotFound(f"merchants/{merchant}/products/{product}")
        return reply

    async def BatchGetStocks(
        self, request: pb.BatchGetStocksRequest, context: Context
    ) -> pb.BatchGetStocksResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        ids = [names.STOCK.ids(name)[1] for name in request.names]

        def work(uow: UnitOfWork) -> pb.BatchGetStocksResponse:
            found = [stocks.stock(merchant, record) for record in _stocks(uow, ids)]
            return pb.BatchGetStocksResponse(stocks=found, revision=uow.revision)

        return await self._calls.read(merchant, work)

    async def ListStocks(
        self, request: pb.ListStocksRequest, context: Context
    ) -> pb.ListStocksResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        products = [names.PRODUCT.ids(name)[1] for name in request.filter.products]

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListStocksResponse,
            lambda uow, position: uow.stocks.page(
                position.page, products=products, oversold=request.filter.oversold
            ),
            key=lambda row: (row.product,),
            messages=lambda uow, found: (stocks.stock(merchant, row) for row in found),
        )
        return await self._calls.read(merchant, query)

    async def SetReserve(
        self, request: pb.SetReserveRequest, context: Context
    ) -> pb.SetReserveResponse:
        merchant, product = names.PRODUCT.ids(request.product)
        command = Mergeable(_reserved, request, frozenset({product}))
        return await self._calls.write(context, merchant, request, pb.SetReserveResponse, command)

    async def BatchSetReserves(
        self, request: pb.BatchSetReservesRequest, context: Context
    ) -> pb.BatchSetReservesResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)

        def work(uow: UnitOfWork) -> pb.BatchSetReservesResponse:
            with indexed([(item.product,) for item in request.requests]) as item_at:
                records, scheduled = _set_reserves(uow, request.requests, item_at)
            return pb.BatchSetReservesResponse(
                stocks=[stocks.stock(merchant, record) for record in records],
                scheduled_link_count=scheduled,
                revision=uow.answer_revision,
            )

        return await self._calls.write(
            context, merchant, request, pb.BatchSetReservesResponse, work
        )

    async def SetEscrow(
        self, request: pb.SetEscrowRequest, context: Context
    ) -> pb.SetEscrowResponse:
        merchant, product = names.PRODUCT.ids(request.product)

        def work(uow: UnitOfWork) -> pb.SetEscrowResponse:
            (before,) = _stocks(uow, [product])
            etags.check(request.etag, before.revision)
            record, scheduled = stock.set_escrow(uow, product, request.escrow_below)
            return pb.SetEscrowResponse(
                stock=stocks.stock(merchant, record),
                scheduled_link_count=scheduled,
                revision=uow.answer_revision,
            )

        return await self._calls.write(context, merchant, request, pb.SetEscrowResponse, work)

    async def RecordReceipt(
        self, request: pb.RecordReceiptRequest, context: Context
    ) -> pb.RecordReceiptResponse:
        receipt = Receipt(**self._fact(request), quantity=request.quantity)
        merchant, _ = names.PRODUCT.ids(request.product)
        command = Mergeable(_received, receipt, receipt.conflict_keys)
        return await self._calls.write(
            context, merchant, request, pb.RecordReceiptResponse, command
        )

    async def BatchRecordReceipts(
        self, request: pb.BatchRecordReceiptsRequest, context: Context
    ) -> pb.BatchRecordReceiptsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        receipts = [
            Receipt(**self._fact(item), quantity=item.quantity) for item in request.requests
        ]

        def work(uow: UnitOfWork) -> pb.BatchRecordReceiptsResponse:
            with indexed([(item.product, item.warehouse) for item in request.requests]) as item_at:
                try:
                    postings = stock.receive(uow, receipts)
                except CauseKeyReused as refusal:
                    with item_at(
                        [receipt.cause for receipt in receipts].index(refusal.metadata["cause"])
                    ):
                        raise
            reply = _all_recorded(uow, postings)
            if (size := reply.ByteSize()) > LARGEST_REPLY:
                raise MessageTooLarge(LARGEST_REPLY, size, "answer")
            return reply

        return await self._calls.write(
            context, merchant, request, pb.BatchRecordReceiptsResponse, work
        )

    async def AdjustStock(
        self, request: pb.AdjustStockRequest, context: Context
    ) -> pb.AdjustStockResponse:
        adjustment = self._adjustment(request)

        def post(uow: UnitOfWork) -> Posting:
            # A fact that is repeated is recorded whatever has changed since.
            if not uow.stocks.by_cause([adjustment.cause]):
                etags.check(request.etag, _stocks(uow, [adjustment.product])[0].revision)
            return stock.adjust(uow, adjustment)

        return await self._post(context, request, pb.AdjustStockResponse, post)

    async def TransferStock(
        self, request: pb.TransferStockRequest, context: Context
    ) -> pb.TransferStockResponse:
        if request.from_warehouse == request.to_warehouse:
            text = "is the warehouse that the units leave; name another one"
            raise InvalidField([("to_warehouse", "different", text)])
        merchant, product = names.PRODUCT.ids(request.product)
        move = Transfer(
            product,
            names.WAREHOUSE.ids(request.from_warehouse)[1],
            names.WAREHOUSE.ids(request.to_warehouse)[1],
            request.quantity,
            **self._known_by(request),
        )

        def work(uow: UnitOfWork) -> pb.TransferStockResponse:
            postings = transfer(uow, move)
            return pb.TransferStockResponse(
                movements=[movements.movement(merchant, one.movement) for one in postings],
                stock=stocks.stock(merchant, postings[0].stock),
                already_recorded=postings[0].already_recorded,
                revision=uow.answer_revision,
            )

        return await self._calls.write(context, merchant, request, pb.TransferStockResponse, work)

    async def AllocateStock(
        self, request: pb.AllocateStockRequest, context: Context
    ) -> pb.AllocateStockResponse:
        binding = self._binding(request)
        return await self._post(
            context, request, pb.AllocateStockResponse, lambda uow: stock.allocate(uow, binding)
        )

    async def DeallocateStock(
        self, request: pb.DeallocateStockRequest, context: Context
    ) -> pb.DeallocateStockResponse:
        binding = self._binding(request)
        return await self._post(
            context, request, pb.DeallocateStockResponse, lambda uow: stock.deallocate(uow, binding)
        )

    async def ShipStock(
        self, request: pb.ShipStockRequest, context: Context
    ) -> pb.ShipStockResponse:
        binding = self._binding(request)
        return await self._post(
            context, request, pb.ShipStockResponse, lambda uow: stock.ship(uow, binding)
        )

    async def StreamMovements(
        self, request_iterator: AsyncIterator[pb.StreamMovementsRequest], context: Context
    ) -> AsyncIterator[pb.StreamMovementsResponse]:
        stream = MovementStream(self._calls.record, self._posting, self._watcher.hub.slots)
        async with aclosing(stream.responses(request_iterator, context)) as responses:
            async for response in responses:
                yield response

    async def ListMovements(
        self, request: pb.ListMovementsRequest, context: Context
    ) -> pb.ListMovementsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        wanted = request.filter
        products = [names.PRODUCT.ids(wanted.product)[1]] if wanted.product else []
        warehouse = names.WAREHOUSE.ids(wanted.warehouse)[1] if wanted.warehouse else ""
        kinds = [
            MovementKind(movement_pb2.Movement.Kind.Name(kind).removeprefix("KIND_"))
            for kind in wanted.kinds
        ]

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListMovementsResponse,
            lambda uow, position: uow.stocks.movements(
                position.page, products=products, warehouse=warehouse, kinds=kinds
            ),
            key=lambda row: (row.seq,),
            messages=lambda uow, found: (movements.movement(merchant, row) for row in found),
        )
        return await self._calls.read(merchant, query)

    async def ExplainStock(
        self, request: pb.ExplainStockRequest, context: Context
    ) -> pb.ExplainStockResponse:
        of_link = request.WhichOneof("subject") == "link"
        merchant, *ids = (
            names.LINK.ids(request.link) if of_link else names.PRODUCT.ids(request.product)
        )
        limit = min(request.promise_limit or _PROMISES, _MOST_PROMISES)
        finding = explain.link if of_link else explain.product

        def work(uow: UnitOfWork) -> pb.ExplainStockResponse:
            found = finding(uow, *ids, at_revision=request.at_revision, limit=limit)
            statuses = views.link_statuses(
                uow, [item.link for item in found.links], self._calls.engine.can_sync
            )
            return pb.ExplainStockResponse(
                stocks=[stock_explained(merchant, item) for item in found.stocks],
                links=[
                    link_explained(merchant, item, status, current=found.current)
                    for item, status in zip(found.links, statuses, strict=True)
                ],
                more_link_count=found.more_links,
                revision=found.revision,
            )

        return await self._calls.read(merchant, work)

    async def GetOversell(
        self, request: pb.GetOversellRequest, context: Context
    ) -> pb.GetOversellResponse:
        merchant, movement = names.OVERSELL.ids(request.name)

        def work(uow: UnitOfWork) -> pb.GetOversellResponse:
            found = (
                uow.oversells.get(int(movement))
                if movement.isdecimal() and len(movement) <= len(names.movement_id(0))
                else None
            )
            if found is None:
                raise NotFound(request.name)
            return pb.GetOversellResponse(oversell=oversell(merchant, found), revision=uow.revision)

        return await self._calls.read(merchant, work)

    async def ListOversells(
        self, request: pb.ListOversellsRequest, context: Context
    ) -> pb.ListOversellsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        wanted = request.filter
        product = names.PRODUCT.ids(wanted.product)[1] if wanted.product else ""
        causes = [
            oversell_pb2.Oversell.Cause.Name(cause).removeprefix("CAUSE_")
            for cause in wanted.causes
        ]

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListOversellsResponse,
            lambda uow, position: uow.oversells.page(
                position.page, product=product, causes=causes, open_only=wanted.open
            ),
            key=lambda row: (row.by.seq,),
            messages=lambda uow, found: (oversell(merchant, row) for row in found),
        )
        return await self._calls.read(merchant, query)

    async def WatchStocks(
        self, request: pb.WatchStocksRequest, context: Context
    ) -> AsyncIterator[pb.WatchStocksResponse]:
        async with aclosing(self._watcher.watch_stocks(request, context)) as responses:
            async for response in responses:
                yield response

    def _posting(self, request: Any) -> Receipt | Callable[[UnitOfWork], Posted]:
        """Return a streamed fact, or the function that posts it. `zaiko_core.app.stock` checks
        everything before it writes."""
        if isinstance(request, pb.RecordReceiptRequest):
            return Receipt(**self._fact(request), quantity=request.quantity)
        if isinstance(request, pb.AdjustStockRequest):
            adjustment = self._adjustment(request)
            return lambda uow: stock.post_adjustment(uow, adjustment)
        binding, bind = self._binding(request), _BINDS[type(request)]
        return lambda uow: bind(uow, binding)

    def _fact(self, request: Any) -> dict[str, Any]:
        """Return the fields that every fact of one warehouse has."""
        return {
            "product": names.PRODUCT.ids(request.product)[1],
            "warehouse": names.WAREHOUSE.ids(request.warehouse)[1],
            **self._known_by(request),
        }

    def _known_by(self, request: Any) -> dict[str, Any]:
        """Return the fields of a fact that say which one it is, and when it happened."""
        return {
            "cause": request.cause_key or self._calls.new_id(),
            "note": request.note,
            "occurred_at": micros_of(request.occur_time) if request.HasField("occur_time") else 0,
        }

    def _adjustment(self, request: pb.AdjustStockRequest) -> Adjustment:
        """Return a correction. Raises InvalidField for a count without its moment, and for a
        moment without a count."""
        moment = request.WhichOneof("as_of")
        if request.HasField("counted") and moment is None:
            text = "is required with counted; read a revision before the count begins"
            raise InvalidField([("as_of_revision", "required", text)])
        if request.HasField("delta"):
            if moment is not None:
                raise InvalidField([(moment, "absent", "belongs to a count, not to a delta")])
            return Adjustment(**self._fact(request), delta=request.delta)
        as_of = (
            Moment(request.as_of_revision)
            if moment == "as_of_revision"
            else Moment(None, micros_of(request.as_of_time))
        )
        return Adjustment(**self._fact(request), counted=request.counted, as_of=as_of)

    def _binding(self, request: Any) -> Binding:
        return Binding(
            **self._fact(request),
            demand=movements.demand_ref(request.demand),
            quantity=request.quantity,
        )

    async def _post(
        self,
        context: Context,
        request: Any,
        reply: type[Reply],
        post: Callable[[UnitOfWork], Posting],
    ) -> Reply:
        merchant, _ = names.PRODUCT.ids(request.product)

        return await self._calls.write(
            context, merchant, request, reply, lambda uow: _recorded(uow, reply, post(uow))
        )


def _recorded(uow: UnitOfWork, reply: type[Reply], posting: Posting) -> Reply:
    return reply(
        movement=movements.movement(uow.merchant, posting.movement),
        stock=stocks.stock(uow.merchant, posting.stock),
        already_recorded=posting.already_recorded,
        revision=uow.answer_revision,
    )


def _all_recorded(uow: UnitOfWork, postings: Sequence[Posting]) -> pb.BatchRecordReceiptsResponse:
    after = {posting.stock.product: posting.stock for posting in postings}
    return pb.BatchRecordReceiptsResponse(
        results=[
            pb.BatchRecordReceiptsResponse.Result(
                movement=movements.movement(uow.merchant, posting.movement),
                already_recorded=posting.already_recorded,
            )
            for posting in postings
        ],
        stocks=[stocks.stock(uow.merchant, record) for record in after.values()],
        revision=uow.answer_revision,
    )


def _received(uow: UnitOfWork, receipts: Sequence[Receipt]) -> list[pb.RecordReceiptResponse]:
    return [
        _recorded(uow, pb.RecordReceiptResponse, posting)
        for posting in stock.receive(uow, receipts)
    ]


def _replies(uow: UnitOfWork, products: Sequence[str]) -> list[pb.GetStockResponse | None]:
    found = uow.stocks.get(products)
    return [
        pb.GetStockResponse(stock=stocks.stock(uow.merchant, found[product]), revision=uow.revision)
        if product in found
        else None
        for product in products
    ]


def _stocks(uow: UnitOfWork, products: Sequence[str]) -> list[StockRecord]:
    """Return stocks in the order of `products`. Raises NotFound."""
    found = uow.stocks.get(products)
    catalogue.check_found(uow, products, found)
    return [found[product] for product in products]


def _reserved(
    uow: UnitOfWork, requests: Sequence[pb.SetReserveRequest]
) -> list[pb.SetReserveResponse]:
    records, _ = _set_reserves(uow, requests, lambda index: nullcontext())
    scheduled = uow.links.synced(
        [record.product for record in records if record.revision == uow.revision]
    )
    return [
        pb.SetReserveResponse(
            stock=stocks.stock(uow.merchant, record),
            scheduled_link_count=scheduled.get(record.product, 0),
            revision=uow.answer_revision,
        )
        for record in records
    ]


def _set_reserves(
    uow: UnitOfWork,
    requests: Sequence[pb.SetReserveRequest],
    item_at: Callable[[int], AbstractContextManager[None]],
) -> tuple[list[StockRecord], int]:
    ids = [names.PRODUCT.ids(item.product)[1] for item in requests]
    for index, (item, record) in enumerate(zip(requests, _stocks(uow, ids), strict=True)):
        with item_at(index):
            etags.check(item.etag, record.revision)
    records, scheduled = stock.set_reserves(
        uow, {product: item.reserve for product, item in zip(ids, requests, strict=True)}
    )
    return [records[product] for product in ids], scheduled
