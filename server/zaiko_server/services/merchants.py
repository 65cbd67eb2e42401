"""MerchantService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zaiko.v1 import merchant_service_pb2 as pb
from zaiko.v1 import merchant_service_pb2_grpc
from zaiko_core.app import catalogue
from zaiko_core.app.ports import UnitOfWork

from zaiko_server import etags, names
from zaiko_server.convert import merchants
from zaiko_server.masks import mask_of
from zaiko_server.security.calling import caller
from zaiko_server.services.calls import Calls, Context


class MerchantServicer(merchant_service_pb2_grpc.MerchantServiceServicer):
    """See proto/zaiko/v1/merchant_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def CreateMerchant(
        self, request: pb.CreateMerchantRequest, context: Context
    ) -> pb.CreateMerchantResponse:
        draft = merchants.drafted(request.merchant_id, request.merchant)

        def work(uow: UnitOfWork) -> pb.CreateMerchantResponse:
            return pb.CreateMerchantResponse(
                merchant=merchants.merchant(uow.merchants), revision=uow.answer_revision
            )

        return await self._calls.create(context, draft, request, pb.CreateMerchantResponse, work)

    async def GetMerchant(
        self, request: pb.GetMerchantRequest, context: Context
    ) -> pb.GetMerchantResponse:
        (merchant,) = names.MERCHANT.ids(request.name)
        record = await self._calls.read(merchant, lambda uow: uow.merchants)
        return pb.GetMerchantResponse(merchant=merchants.merchant(record), revision=record.head)

    async def ListMerchants(
        self, request: pb.ListMerchantsRequest, context: Context
    ) -> pb.ListMerchantsResponse:
        by = caller()
        position = self._calls.pages.begin(f"caller {by.id}", request)
        rows = await self._calls.engine.db.directory.read(
            lambda directory: directory.page(position.page, among=by.merchants)
        )
        cut = self._calls.pages.cut(
            position,
            rows,
            lambda row: (row.merchant,),
            (merchants.merchant(row) for row in rows),
            0,
        )
        return pb.ListMerchantsResponse(merchants=cut.items, next_page_token=cut.next_page_token)

    async def UpdateMerchant(
        self, request: pb.UpdateMerchantRequest, context: Context
    ) -> pb.UpdateMerchantResponse:
        (merchant,) = names.MERCHANT.ids(request.merchant.name)
        given, mask = merchants.drafted(merchant, request.merchant), mask_of(request)
        changes: dict[str, Any] = {}
        if "display_name" in mask.changes:
            changes["display_name"] = given.display_name
        if "inventory_sync_available" in mask.changes:
            changes["sync_available"] = given.sync_available

        def work(uow: UnitOfWork) -> pb.UpdateMerchantResponse:
            etags.check(request.merchant.etag, uow.merchants.revision)
            record = catalogue.update_merchant(uow, replace(uow.merchants, **changes))
            return pb.UpdateMerchantResponse(
                merchant=merchants.merchant(record), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.UpdateMerchantResponse, work)
