"""Shops and links that cannot be synced, and runs that have ended or never were."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from zaiko.v1 import shop_service_pb2, sync_service_pb2


@case("SyncService.CancelSyncRun", "OPERATION_DONE", {"operation": "{}/shops/one/runs/0001-aaaa"})
async def cancelling_a_run_that_has_ended(api: Api, world: World) -> Any:
    return sync_service_pb2.CancelSyncRunRequest(name=world("shops/one/runs/0001-aaaa"))


@case("SyncService.CancelSyncRun", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/runs/0009"})
async def no_such_run_to_cancel(api: Api, world: World) -> Any:
    return sync_service_pb2.CancelSyncRunRequest(name=world("shops/one/runs/0009"))


@case("SyncService.SyncNow", "SHOP_PAUSED", {"shop": "{}/shops/one"})
async def syncing_a_paused_shop(api: Api, world: World) -> Any:
    await api.call(
        "ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one"))
    )
    return sync_service_pb2.SyncNowRequest(shop=world("shops/one"))


@case("SyncService.SyncNow", "CONNECTOR_NOT_LOADED")
async def syncing_a_lost_shop(api: Api, world: World) -> Any:
    return sync_service_pb2.SyncNowRequest(shop=world("shops/lost"))


@case("SyncService.SyncNow", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/links/l1"})
async def syncing_no_link(api: Api, world: World) -> Any:
    return sync_service_pb2.SyncNowRequest(link=world("shops/one/links/l1"))


@case("SyncService.GetSyncRun", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/runs/0009"})
async def no_such_run(api: Api, world: World) -> Any:
    return sync_service_pb2.GetSyncRunRequest(name=world("shops/one/runs/0009"))


@case("SyncService.WaitSettled", "REVISION_IN_FUTURE")
async def waiting_for_what_is_not_yet(api: Api, world: World) -> Any:
    return sync_service_pb2.WaitSettledRequest(merchant=world.name, revision=10**9)


@case("SyncService.WaitSettled", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/none"})
async def waiting_for_no_shop(api: Api, world: World) -> Any:
    return sync_service_pb2.WaitSettledRequest(shop=world("shops/none"))
