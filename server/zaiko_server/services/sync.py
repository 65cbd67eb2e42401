"""SyncService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from zaiko.v1 import drift_pb2, link_pb2, sync_run_pb2, sync_service_pb2_grpc
from zaiko.v1 import sync_service_pb2 as pb
from zaiko_core.app import audit, catalogue, links, runs, settling, shops
from zaiko_core.app.operations import check_runnable
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import DriftRecord, Page, RunRecord
from zaiko_core.domain.errors import NotFound

from zaiko_server import names, views
from zaiko_server.convert import drifts
from zaiko_server.convert.runs import run as run_message
from zaiko_server.pages import PagePosition
from zaiko_server.services.calls import Calls, Context, clock, waiting_until
from zaiko_server.services.links import states_of
from zaiko_server.times import MICROS, duration, span_of
from zaiko_server.watch import WatchServer

_BEHIND = 60 * MICROS
"""µs by which a clock may be behind the highest time without being a problem."""


def sync_status(uow: UnitOfWork, can_sync: links.CanSync) -> pb.GetSyncStatusResponse:
    """Return the state of a merchant's sync."""
    found = list(views.every(uow.shops.page, lambda row: (row.shop,)))
    statuses = views.shop_statuses(uow, found, can_sync)
    counts = link_pb2.LinkCounts()
    for status in statuses:
        for field, number in status.link_counts.ListFields():
            setattr(counts, field.name, getattr(counts, field.name) + number)
    behind = uow.system.time().behind
    return pb.GetSyncStatusResponse(
        link_counts=counts,
        shop_statuses=statuses,
        oversold_product_count=uow.stocks.count_oversold(),
        suspect_order_count=uow.orders.count(suspect=True),
        unlinked_order_count=uow.orders.count(uncounted=True),
        clock_behind=duration(behind) if behind > _BEHIND else None,
        committed_differ_count=uow.links.differing_counts(),
        unshipped_order_count=uow.demands.count_unshipped(),
        unrestocked_order_count=uow.orders.count_doubtful(),
        revision=uow.revision,
    )


class SyncServicer(sync_service_pb2_grpc.SyncServiceServicer):
    """See proto/zaiko/v1/sync_service.proto."""

    def __init__(self, calls: Calls, watcher: WatchServer) -> None:
        self._calls, self._watcher = calls, watcher
        self._can_sync = calls.engine.can_sync

    async def SyncNow(self, request: pb.SyncNowRequest, context: Context) -> pb.SyncNowResponse:
        subject = str(request.WhichOneof("subject"))
        merchant = names.merchant_of(getattr(request, subject))

        def work(uow: UnitOfWork) -> pb.SyncNowResponse:
            if subject == "shop":
                triggered = self._sync_shop(uow, names.SHOP.ids(request.shop)[1])
            elif subject == "link":
                triggered = self._sync_link(uow, *names.LINK.ids(request.link)[1:])
            else:
                triggered = self._sync_product(uow, names.PRODUCT.ids(request.product)[1])
            records = uow.shops.get(triggered)
            statuses = views.shop_statuses(
                uow, [records[shop] for shop in triggered], self._can_sync
            )
            scheduled = [
                pb.SyncNowResponse.ScheduledShop(
                    shop=status.shop,
                    joined_run=_running(uow, shop) if records[shop].running else None,
                    status=status,
                )
                for shop, status in zip(triggered, statuses, strict=True)
            ]
            return pb.SyncNowResponse(shops=scheduled, revision=uow.answer_revision)

        return await self._calls.write(context, merchant, request, pb.SyncNowResponse, work)

    async def GetSyncRun(
        self, request: pb.GetSyncRunRequest, context: Context
    ) -> pb.GetSyncRunResponse:
        merchant, shop, run = names.RUN.ids(request.name)

        def work(uow: UnitOfWork) -> pb.GetSyncRunResponse:
            record = uow.runs.get(shop, run)
            if record is None:
                raise NotFound(request.name)
            return pb.GetSyncRunResponse(
                sync_run=run_message(merchant, record), revision=uow.revision
            )

        return await self._calls.read(merchant, work)

    async def CancelSyncRun(
        self, request: pb.CancelSyncRunRequest, context: Context
    ) -> pb.CancelSyncRunResponse:
        merchant, shop, run = names.RUN.ids(request.name)

        def work(uow: UnitOfWork) -> pb.CancelSyncRunResponse:
            found = runs.cancel_run(uow, shop, run)
            return pb.CancelSyncRunResponse(
                sync_run=run_message(merchant, found), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.CancelSyncRunResponse, work)

    async def ListSyncRuns(
        self, request: pb.ListSyncRunsRequest, context: Context
    ) -> pb.ListSyncRunsResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        states = {
            sync_run_pb2.SyncRun.State.Name(state).removeprefix("STATE_")
            for state in request.filter.states
        }

        def rows(uow: UnitOfWork, position: PagePosition) -> Sequence[RunRecord]:
            one = "" if shop == names.ANY else shops.get(uow, shop).shop
            return uow.runs.page(position.page, shop=one, states=states)

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListSyncRunsResponse,
            rows,
            key=lambda row: (row.run, row.shop),
            messages=lambda uow, found: (run_message(merchant, row) for row in found),
        )
        return await self._calls.read(merchant, query)

    async def WaitSettled(
        self, request: pb.WaitSettledRequest, context: Context
    ) -> pb.WaitSettledResponse:
        subject = str(request.WhichOneof("subject"))
        name = getattr(request, subject)
        merchant = names.merchant_of(name)
        question = settling.Question(
            revision=request.revision,
            shops=[names.SHOP.ids(name)[1]] if subject == "shop" else (),
            product=names.PRODUCT.ids(name)[1] if subject == "product" else "",
            with_orders=request.include_orders,
        )
        until = waiting_until(request, context)

        def work(uow: UnitOfWork) -> tuple[bool, pb.WaitSettledResponse]:
            found = settling.unsettled(
                uow,
                question,
                can_run=self._can_run,
                reads_orders=self._calls.engine.reads_orders,
            )
            return any(shop.may_settle for shop in found), pb.WaitSettledResponse(
                unsettled_shops=views.unsettled_shops(uow, found, self._can_sync),
                revision=uow.revision,
            )

        while True:
            may_settle, answer = await self._calls.read(merchant, work)
            # "The newest" is that of the first reading.
            question = replace(question, revision=question.revision or answer.revision)
            if not may_settle or clock() >= until:
                return answer
            await self._calls.engine.feed.wait(merchant, answer.revision, until - clock())

    async def GetSyncStatus(
        self, request: pb.GetSyncStatusRequest, context: Context
    ) -> pb.GetSyncStatusResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        answer = await self._calls.read(merchant, lambda uow: sync_status(uow, self._can_sync))
        if not self._calls.engine.has_witness:
            answer.devices_off.append(pb.SAFETY_DEVICE_RESTORE_WITNESS)
        if self._calls.engine.lacks_witness:
            answer.devices_off.append(pb.SAFETY_DEVICE_SHOP_RUNS)
        return answer

    async def GetAuditSummary(
        self, request: pb.GetAuditSummaryRequest, context: Context
    ) -> pb.GetAuditSummaryResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        window = span_of(request.window) if request.HasField("window") else audit.PERIOD

        def work(uow: UnitOfWork) -> pb.GetAuditSummaryResponse:
            one = "" if shop == names.ANY else shops.get(uow, shop).shop
            return drifts.summary(audit.summary(uow, one, since=uow.now - window), uow.revision)

        return await self._calls.read(merchant, work)

    async def ListDrifts(
        self, request: pb.ListDriftsRequest, context: Context
    ) -> pb.ListDriftsResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        wanted = request.filter
        causes = [
            drift_pb2.Drift.Cause.Name(cause).removeprefix("CAUSE_") for cause in wanted.causes
        ]

        def rows(uow: UnitOfWork, position: PagePosition) -> Sequence[DriftRecord]:
            one, listing = "" if shop == names.ANY else shops.get(uow, shop).shop, ""
            if wanted.link:
                _, one, listing = names.LINK.ids(wanted.link)
            return uow.drifts.page(position.page, shop=one, listing=listing, causes=causes)

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListDriftsResponse,
            rows,
            key=lambda row: (row.at, row.shop, row.listing),
            messages=lambda uow, found: (drifts.drift(merchant, row) for row in found),
        )
        return await self._calls.read(merchant, query)

    async def ListLinkStatuses(
        self, request: pb.ListLinkStatusesRequest, context: Context
    ) -> pb.ListLinkStatusesResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        wanted = request.filter

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListLinkStatusesResponse,
            lambda uow, position: uow.links.page(
                position.page,
                shop="" if shop == names.ANY else shops.get(uow, shop).shop,
                products=[names.PRODUCT.ids(wanted.product)[1]] if wanted.product else [],
                states=states_of(wanted.states),
                sync_enabled=None,
            ),
            key=lambda row: (row.shop, row.listing),
            messages=lambda uow, found: views.link_statuses(uow, found, self._can_sync),
        )
        return await self._calls.read(merchant, query)

    async def WatchSync(
        self, request: pb.WatchSyncRequest, context: Context
    ) -> AsyncIterator[pb.WatchSyncResponse]:
        async with aclosing(self._watcher.watch_sync(request, context)) as responses:
            async for response in responses:
                yield response

    async def WatchSyncSession(
        self, request_iterator: AsyncIterator[pb.WatchSyncSessionRequest], context: Context
    ) -> AsyncIterator[pb.WatchSyncSessionResponse]:
        async with aclosing(
            self._watcher.watch_sync_session(request_iterator, context)
        ) as responses:
            async for response in responses:
                yield response

    def _can_run(self, connector: str) -> bool:
        refusal = self._can_sync(connector)
        return refusal is None or refusal.reason != "CONNECTOR_NOT_LOADED"

    def _sync_shop(self, uow: UnitOfWork, shop: str) -> list[str]:
        check_runnable(uow, shops.get(uow, shop), self._can_sync)
        return runs.sync_now(uow, shops=[shop])

    def _sync_link(self, uow: UnitOfWork, shop: str, listing: str) -> list[str]:
        links.get(uow, shop, listing)
        check_runnable(uow, shops.get(uow, shop), self._can_sync)
        return runs.sync_now(uow, link=(shop, listing))

    def _sync_product(self, uow: UnitOfWork, product: str) -> list[str]:
        catalogue.product(uow, product)
        return shops.sync_product(uow, product, can_sync=self._can_sync)


def _running(uow: UnitOfWork, shop: str) -> sync_run_pb2.SyncRun | None:
    """Return the shop's present run."""
    newest = uow.runs.page(Page(1), shop=shop)
    return run_message(uow.merchant, newest[0]) if newest and newest[0].ended_at is None else None
