"""LinkService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from zaiko.v1 import link_pb2, link_service_pb2_grpc
from zaiko.v1 import link_service_pb2 as pb
from zaiko_core.app import links, operations, shops
from zaiko_core.app.bulk_link import BulkLinkOrder
from zaiko_core.app.links import LinkDraft
from zaiko_core.app.ports import Mergeable, UnitOfWork
from zaiko_core.app.records import LinkRecord, LinkState
from zaiko_core.domain.errors import (
    ConnectorCannotSetInventory,
    ConnectorNotLoaded,
    NotFound,
    ServiceError,
    SyncNotOffered,
)
from zaiko_core.domain.matching import AutoLink

from zaiko_server import etags, masks, names, views
from zaiko_server.convert import links as messages
from zaiko_server.convert.operations import operation
from zaiko_server.services.batches import indexed
from zaiko_server.services.calls import Calls, Context


class LinkServicer(link_service_pb2_grpc.LinkServiceServicer):
    """See proto/zaiko/v1/link_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._can_sync = calls.engine.can_sync

    async def CreateLink(
        self, request: pb.CreateLinkRequest, context: Context
    ) -> pb.CreateLinkResponse:
        merchant, _ = names.SHOP.ids(request.parent)
        draft = messages.drafted(request.link)

        def work(uow: UnitOfWork) -> pb.CreateLinkResponse:
            records, counted = links.create(uow, [draft], can_sync=self._can_sync)
            return pb.CreateLinkResponse(
                link=self._shown(uow, records)[0],
                counted=messages.counted(merchant, counted),
                counted_units=sum(item.units for item in counted),
                revision=uow.answer_revision,
            )

        return await self._calls.write(context, merchant, request, pb.CreateLinkResponse, work)

    async def BatchCreateLinks(
        self, request: pb.BatchCreateLinksRequest, context: Context
    ) -> pb.BatchCreateLinksResponse:
        merchant, _ = names.SHOP.ids(request.parent, wildcard=True)
        drafts = [messages.drafted(item.link) for item in request.requests]

        def work(uow: UnitOfWork) -> pb.BatchCreateLinksResponse:
            with indexed([_named_by(merchant, draft) for draft in drafts]):
                try:
                    records, counted = links.create(uow, drafts, can_sync=self._can_sync)
                except (SyncNotOffered, ConnectorNotLoaded, ConnectorCannotSetInventory) as refusal:
                    _point_at_sync(uow, refusal, drafts)
                    raise
            return pb.BatchCreateLinksResponse(
                links=self._shown(uow, records),
                counted=messages.counted(merchant, counted),
                counted_units=sum(item.units for item in counted),
                revision=uow.answer_revision,
            )

        return await self._calls.write(
            context, merchant, request, pb.BatchCreateLinksResponse, work
        )

    async def UpdateLink(
        self, request: pb.UpdateLinkRequest, context: Context
    ) -> pb.UpdateLinkResponse:
        merchant, shop, listing = names.LINK.ids(request.link.name)
        mask = masks.mask_of(request)

        def work(uow: UnitOfWork) -> pb.UpdateLinkResponse:
            record = links.get(uow, shop, listing)
            etags.check(request.link.etag, record.revision)
            masks.check_fixed(mask, request.link, self._shown(uow, [record])[0])
            if "sync_enabled" in mask.changes:
                record = links.set_sync(
                    uow, shop, listing, request.link.sync_enabled, can_sync=self._can_sync
                )
            return pb.UpdateLinkResponse(
                link=self._shown(uow, [record])[0], revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.UpdateLinkResponse, work)

    async def DeleteLink(
        self, request: pb.DeleteLinkRequest, context: Context
    ) -> pb.DeleteLinkResponse:
        merchant, shop, listing = names.LINK.ids(request.name)

        def work(uow: UnitOfWork) -> pb.DeleteLinkResponse:
            etags.check(request.etag, links.get(uow, shop, listing).revision)
            released = links.delete(uow, [(shop, listing)], release_orders=request.release_orders)
            return pb.DeleteLinkResponse(
                released=messages.counted(merchant, released),
                released_units=sum(item.units for item in released),
                revision=uow.answer_revision,
            )

        return await self._calls.write(context, merchant, request, pb.DeleteLinkResponse, work)

    async def BatchDeleteLinks(
        self, request: pb.BatchDeleteLinksRequest, context: Context
    ) -> pb.BatchDeleteLinksResponse:
        merchant, _ = names.SHOP.ids(request.parent, wildcard=True)
        keys = [names.LINK.ids(name)[1:] for name in request.names]

        def work(uow: UnitOfWork) -> pb.BatchDeleteLinksResponse:
            with indexed([(name,) for name in request.names]):
                released = links.delete(
                    uow,
                    [(shop, listing) for shop, listing in keys],
                    release_orders=request.release_orders,
                )
            return pb.BatchDeleteLinksResponse(
                released=messages.counted(merchant, released),
                released_units=sum(item.units for item in released),
                revision=uow.answer_revision,
            )

        return await self._calls.write(
            context, merchant, request, pb.BatchDeleteLinksResponse, work
        )

    async def GetLink(self, request: pb.GetLinkRequest, context: Context) -> pb.GetLinkResponse:
        merchant, shop, listing = names.LINK.ids(request.name)
        reply = await self._calls.read(merchant, Mergeable(self._replies, (shop, listing)))
        if reply is None:
            raise NotFound(f"merchants/{merchant}/shops/{shop}/links/{listing}")
        return reply

    async def ListLinks(
        self, request: pb.ListLinksRequest, context: Context
    ) -> pb.ListLinksResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        wanted = request.filter
        enabled = wanted.sync_enabled if wanted.HasField("sync_enabled") else None

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListLinksResponse,
            lambda uow, position: uow.links.page(
                position.page,
                shop="" if shop == names.ANY else shops.get(uow, shop).shop,
                products=[names.PRODUCT.ids(wanted.product)[1]] if wanted.product else [],
                states=states_of(wanted.states),
                sync_enabled=enabled,
            ),
            key=lambda row: (row.shop, row.listing),
            messages=lambda uow, found: self._shown(uow, found),
        )
        return await self._calls.read(merchant, query)

    async def BulkLink(self, request: pb.BulkLinkRequest, context: Context) -> pb.BulkLinkResponse:
        merchant, shop = names.SHOP.ids(request.parent)
        asked = BulkLinkOrder(shop, request.match_barcode, request.enable_sync, request.dry_run)
        drawn = self._calls.new_id()

        def work(uow: UnitOfWork) -> pb.BulkLinkResponse:
            begun = operations.bulk_link(uow, asked, drawn=drawn, can_sync=self._can_sync)
            if request.auto_link and not request.dry_run:
                auto = AutoLink.SYNC if request.enable_sync else AutoLink.LINK
                shops.update(uow, replace(shops.get(uow, shop), auto_link=auto))
            return pb.BulkLinkResponse(
                operation=operation(merchant, begun), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.BulkLinkResponse, work)

    def _replies(
        self, uow: UnitOfWork, keys: Sequence[tuple[str, str]]
    ) -> list[pb.GetLinkResponse | None]:
        by_shop: dict[str, list[str]] = defaultdict(list)
        for shop, listing in keys:
            by_shop[shop].append(listing)
        records = [
            record
            for shop, wanted in by_shop.items()
            for record in uow.links.get(shop, wanted).values()
        ]
        shown = zip(records, self._shown(uow, records), strict=True)
        replies = {
            (record.shop, record.listing): pb.GetLinkResponse(link=link, revision=uow.revision)
            for record, link in shown
        }
        return [replies.get(key) for key in keys]

    def _shown(self, uow: UnitOfWork, records: Sequence[LinkRecord]) -> list[link_pb2.Link]:
        return views.links(uow, records, self._can_sync)


def states_of(states: Sequence[link_pb2.LinkStatus.State.ValueType]) -> list[LinkState]:
    """Return the states of a filter."""
    return [
        LinkState(link_pb2.LinkStatus.State.Name(state).removeprefix("STATE_")) for state in states
    ]


def _named_by(merchant: str, draft: LinkDraft) -> list[str]:
    """Return the names that an error about this link may have."""
    own = [
        names.LISTING(merchant, draft.shop, draft.listing),
        names.LINK(merchant, draft.shop, draft.listing),
    ]
    products = [names.PRODUCT(merchant, part.product) for part in draft.parts]
    return [*own, *products, names.SHOP(merchant, draft.shop)]


def _point_at_sync(uow: UnitOfWork, refusal: ServiceError, drafts: Sequence[LinkDraft]) -> None:
    """Add an index to an error that says why sync cannot be enabled: that of the first link that
    asks for it, of the connector that the error names."""
    connector = refusal.metadata.get("connector")
    owners = uow.shops.get({draft.shop for draft in drafts})
    for index, draft in enumerate(drafts):
        if draft.sync_enabled and connector in (None, owners[draft.shop].connector):
            refusal.metadata["index"] = str(index)
            return
