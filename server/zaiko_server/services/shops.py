"""ShopService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message
from zaiko.v1 import shop_pb2, shop_service_pb2_grpc
from zaiko.v1 import shop_service_pb2 as pb
from zaiko_core.app import accounts, closing, operations, shops
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkState, ListingRecord, ShopRecord
from zaiko_core.domain.errors import PlatformUnavailable, SecretKeyMissing
from zaiko_core.sync.guard import ConnectorBug
from zaiko_sdk import ConnectorError, ConnectorType, Finding, FindingLevel, Retry

from zaiko_server import etags, masks, names, pages, settings, views
from zaiko_server.convert import shops as messages
from zaiko_server.convert.operations import operation
from zaiko_server.pages import PagePosition
from zaiko_server.refusals import ConnectorContractBroken
from zaiko_server.services.calls import Calls, Context
from zaiko_server.times import span_of

Reply = TypeVar("Reply", bound=Message)


class ShopServicer(shop_service_pb2_grpc.ShopServiceServicer):
    """See proto/zaiko/v1/shop_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def CreateShop(
        self, request: pb.CreateShopRequest, context: Context
    ) -> pb.CreateShopResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        kind = self._kind(names.CONNECTOR.ids(request.shop.connector)[0])
        open_settings, secrets = settings.divided(
            kind, settings.settings_of(request.shop.settings), request.shop.secrets
        )
        secrets = settings.merged({}, secrets)
        settings.check(kind, open_settings, secrets)
        draft = ShopRecord(
            shop=request.shop_id,
            connector=kind.id,
            display_name=request.shop.display_name,
            settings=open_settings,
            interval=_interval(request.shop, kind),
            hold_drift=request.shop.drift_policy == shop_pb2.Shop.DRIFT_POLICY_HOLD,
            shipped_frees=messages.shipped_frees_of(request.shop.shipped_frees),
            keeps_unrestocked=request.shop.keep_unrestocked,
            auto_link=messages.auto_link_of(request.shop.auto_link),
            secrets=self._calls.engine.secrets.seal(secrets) if secrets else None,
        )
        return await self._change(
            context,
            merchant,
            request,
            pb.CreateShopResponse,
            lambda uow: self._confirmed(uow, shops.create(uow, draft)),
        )

    async def UpdateShop(
        self, request: pb.UpdateShopRequest, context: Context
    ) -> pb.UpdateShopResponse:
        merchant, shop = names.SHOP.ids(request.shop.name)
        mask = masks.mask_of(request)

        def work(uow: UnitOfWork) -> ShopRecord:
            record = shops.get(uow, shop)
            etags.check(request.shop.etag, record.revision)
            masks.check_fixed(
                mask, request.shop, shop_pb2.Shop(connector=names.CONNECTOR(record.connector))
            )
            changed = self._changed(record, request.shop, mask.changes)
            return self._confirmed(uow, shops.update(uow, changed))

        return await self._change(context, merchant, request, pb.UpdateShopResponse, work)

    async def DeleteShop(
        self, request: pb.DeleteShopRequest, context: Context
    ) -> pb.DeleteShopResponse:
        merchant, shop = names.SHOP.ids(request.name)

        def work(uow: UnitOfWork) -> pb.DeleteShopResponse:
            etags.check(request.etag, shops.get(uow, shop).revision)
            closing.delete(uow, shop, messages.open_orders_of(request.open_orders))
            return pb.DeleteShopResponse(revision=uow.answer_revision)

        return await self._calls.write(context, merchant, request, pb.DeleteShopResponse, work)

    async def GetShop(self, request: pb.GetShopRequest, context: Context) -> pb.GetShopResponse:
        merchant, shop = names.SHOP.ids(request.name)

        def work(uow: UnitOfWork) -> pb.GetShopResponse:
            return pb.GetShopResponse(
                shop=self._shown(uow, shops.get(uow, shop)), revision=uow.revision
            )

        return await self._calls.read(merchant, work)

    async def ListShops(
        self, request: pb.ListShopsRequest, context: Context
    ) -> pb.ListShopsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListShopsResponse,
            lambda uow, position: uow.shops.page(position.page),
            key=lambda row: (row.shop,),
            messages=lambda uow, found: views.shops(
                uow, found, self._calls.engine.can_sync, self._secret_names
            ),
        )
        return await self._calls.read(merchant, query)

    async def CheckShop(
        self, request: pb.CheckShopRequest, context: Context
    ) -> pb.CheckShopResponse:
        merchant, shop = names.SHOP.ids(request.name)
        record = await self._calls.read(merchant, lambda uow: shops.get(uow, shop))
        try:
            found = list(await self._calls.engine.check_shop(merchant, shop))
        except ConnectorBug as error:
            raise ConnectorContractBroken(record.connector, error.message) from error
        except Retry as error:
            raise PlatformUnavailable(
                f"the platform could not be asked: {error.message}; try again later"
            ) from error
        except ConnectorError as error:
            found = [Finding(FindingLevel.ERROR, error.reason, error.message)]
        head = await self._calls.read(merchant, lambda uow: uow.revision)
        return pb.CheckShopResponse(findings=messages.findings(found), revision=head)

    async def PauseShop(
        self, request: pb.PauseShopRequest, context: Context
    ) -> pb.PauseShopResponse:
        return await self._turn(context, request, pb.PauseShopResponse, shops.pause)

    async def ResumeShop(
        self, request: pb.ResumeShopRequest, context: Context
    ) -> pb.ResumeShopResponse:
        return await self._turn(context, request, pb.ResumeShopResponse, shops.resume)

    async def ListListings(
        self, request: pb.ListListingsRequest, context: Context
    ) -> pb.ListListingsResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        wanted = request.filter
        linked = wanted.linked if wanted.HasField("linked") else None
        vanished = wanted.vanished if wanted.HasField("vanished") else None

        def rows(uow: UnitOfWork, position: PagePosition) -> Sequence[ListingRecord]:
            one = "" if shop == names.ANY else shops.get(uow, shop).shop
            alive: dict[str, bool] = {}

            def is_alive(owner: str) -> bool:
                if owner not in alive:
                    alive[owner] = owner in uow.shops.get([owner])
                return alive[owner]

            return pages.collect(
                position,
                lambda page: uow.listings.page(
                    page, shop=one, linked=linked, sku=wanted.query, vanished=vanished
                ),
                lambda row: (row.shop, row.listing),
                # SQLite's LIKE ignores case; the contract does not.
                lambda row: is_alive(row.shop) and row.sku.startswith(wanted.query),
            )

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListListingsResponse,
            rows,
            key=lambda row: (row.shop, row.listing),
            messages=lambda uow, found: views.listings(uow, found, self._calls.engine.can_sync),
        )
        return await self._calls.read(merchant, query)

    async def ListShadowDifferences(
        self, request: pb.ListShadowDifferencesRequest, context: Context
    ) -> pb.ListShadowDifferencesResponse:
        merchant, shop = names.SHOP.ids(request.parent, wildcard=True)
        every = request.filter.include_equal

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListShadowDifferencesResponse,
            lambda uow, position: uow.links.page(
                position.page,
                shop="" if shop == names.ANY else shops.get(uow, shop).shop,
                products=(),
                states=[LinkState.SHADOW],
                sync_enabled=True,
                differing=not every,
            ),
            key=lambda row: (row.shop, row.listing),
            messages=lambda uow, found: views.shadow_differences(uow, found),
        )
        return await self._calls.read(merchant, query)

    async def RefreshListings(
        self, request: pb.RefreshListingsRequest, context: Context
    ) -> pb.RefreshListingsResponse:
        merchant, shop = names.SHOP.ids(request.parent)
        drawn = self._calls.new_id()

        def work(uow: UnitOfWork) -> pb.RefreshListingsResponse:
            begun = operations.refresh_listings(
                uow, shop, drawn=drawn, can_sync=self._calls.engine.can_sync
            )
            return pb.RefreshListingsResponse(
                operation=operation(merchant, begun), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.RefreshListingsResponse, work)

    async def _turn(
        self,
        context: Context,
        request: Any,
        reply: type[Reply],
        turn: Callable[[UnitOfWork, str], ShopRecord],
    ) -> Reply:
        merchant, shop = names.SHOP.ids(request.name)

        def work(uow: UnitOfWork) -> ShopRecord:
            etags.check(request.etag, shops.get(uow, shop).revision)
            return turn(uow, shop)

        return await self._change(context, merchant, request, reply, work)

    async def _change(
        self,
        context: Context,
        merchant: str,
        request: Any,
        reply: type[Reply],
        work: Callable[[UnitOfWork], ShopRecord],
    ) -> Reply:
        """Run a mutation of a shop, and reply with the shop."""

        def run(uow: UnitOfWork) -> Reply:
            record = work(uow)
            return reply(shop=self._shown(uow, record), revision=uow.answer_revision)

        return await self._calls.write(context, merchant, request, reply, run)

    def _changed(
        self, record: ShopRecord, given: shop_pb2.Shop, changes: frozenset[str]
    ) -> ShopRecord:
        """Return the shop with the changes of the request, checked by the connector where that
        concerns it."""
        if "display_name" in changes:
            record = replace(record, display_name=given.display_name)
        if "sync_interval" in changes:
            record = replace(record, interval=_interval(given, self._kind(record.connector)))
        if "drift_policy" in changes:
            record = replace(
                record, hold_drift=given.drift_policy == shop_pb2.Shop.DRIFT_POLICY_HOLD
            )
        if "shadow" in changes:
            record = replace(record, shadow=given.shadow)
        if "shipped_frees" in changes:
            record = replace(record, shipped_frees=messages.shipped_frees_of(given.shipped_frees))
        if "keep_unrestocked" in changes:
            record = replace(record, keeps_unrestocked=given.keep_unrestocked)
        if "auto_link" in changes:
            record = replace(record, auto_link=messages.auto_link_of(given.auto_link))
        if "suspect_policy" in changes:
            record = replace(record, suspect_policy=messages.policy_of(given.suspect_policy))
        if not changes & {"settings", "secrets"}:
            return record
        kind = self._kind(record.connector)
        new_settings = (
            settings.settings_of(given.settings) if "settings" in changes else record.settings
        )
        new_secrets = given.secrets if "secrets" in changes else {}
        stored = self._opened(record.secrets)
        open_settings, strays = settings.divided(kind, new_settings, new_secrets)
        secrets = settings.merged(stored, strays)
        settings.check(kind, open_settings, secrets)
        if secrets != stored:
            record = replace(
                record, secrets=self._calls.engine.secrets.seal(secrets) if secrets else None
            )
        return replace(record, settings=open_settings)

    def _confirmed(self, uow: UnitOfWork, record: ShopRecord) -> ShopRecord:
        """Store which account new settings name, where they name one. Raises AccountChanged and
        AccountTaken."""
        found = self._calls.engine.account_of(record) if record.account_at is None else None
        if found is None:
            return record
        accounts.confirm(uow, record, found)
        return shops.get(uow, record.shop)

    def _shown(self, uow: UnitOfWork, record: ShopRecord) -> shop_pb2.Shop:
        return views.shops(uow, [record], self._calls.engine.can_sync, self._secret_names)[0]

    def _secret_names(self, sealed: bytes | None) -> list[str]:
        return sorted(self._opened(sealed))

    def _opened(self, sealed: bytes | None) -> dict[str, str]:
        """Open the credentials. Where this server does not have the key there are none: the shop
        can be read, and all its credentials entered again."""
        try:
            return self._calls.engine.secrets.open(sealed)
        except SecretKeyMissing:
            return {}

    def _kind(self, connector: str) -> ConnectorType:
        kind = self._calls.engine.registry.types.get(connector)
        if kind is None:
            refusal = self._calls.engine.can_sync(connector)
            assert refusal is not None
            report = self._calls.engine.registry.report_of(connector)
            if report is not None and report.failure is not None:
                refusal.metadata["stage"] = report.failure.stage.name
            raise refusal
        return kind


def _interval(given: shop_pb2.Shop, kind: ConnectorType) -> int:
    """Return the interval in µs: the one that is given, else the platform's."""
    if given.HasField("sync_interval"):
        return span_of(given.sync_interval)
    return int(kind.interval.total_seconds() * 1_000_000)
