"""Products that are synced already, additions that are settled, and shops that cannot be cut
over."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.refusals.links import update_link
from api.refusals.merchants import withdraw_sync
from api.requests import REQUESTS, furnish
from zaiko.v1 import receiving_service_pb2, shop_service_pb2


def _receiving(world: World, product: str = "fig", enabled: bool = True) -> Any:
    return receiving_service_pb2.SetReceivingOnlyRequest(
        product=world(f"products/{product}"), enabled=enabled
    )


@case("ReceivingService.SetReceivingOnly", "MODE_CONFLICT", {"link": "{}/shops/one/links/l5"})
async def receiving_only_of_what_is_synced(api: Api, world: World) -> Any:
    await world.write(furnish)
    return _receiving(world, "pear")


@case("ReceivingService.SetReceivingOnly", "MODE_CONFLICT")
async def receiving_only_of_what_is_not_linked(api: Api, world: World) -> Any:
    return _receiving(world, "apple")


@case("ReceivingService.SetReceivingOnly", "RECEIVING_ONLY_ENDED", {"product": "fig"})
async def receiving_only_after_sync(api: Api, world: World) -> Any:
    await world.write(furnish)
    await api.call("ReceivingService.SetReceivingOnly", _receiving(world))
    await api.call("LinkService.UpdateLink", update_link(world, "l9", sync_enabled=True))
    return _receiving(world)


@case("ReceivingService.ResolveAddition", "ADDITION_SETTLED", {"state": "ADDED"})
async def deciding_what_is_decided(api: Api, world: World) -> Any:
    await world.write(furnish)
    request = REQUESTS["ReceivingService.ResolveAddition"](world)
    await api.call("ReceivingService.ResolveAddition", request)
    request.outcome = receiving_service_pb2.ResolveAdditionRequest.OUTCOME_NOT_ADDED
    return request


@case("ReceivingService.CutOver", "OPERATION_ACTIVE")
async def cutting_over_twice(api: Api, world: World) -> Any:
    request = REQUESTS["ReceivingService.CutOver"](world)
    await api.call("ReceivingService.CutOver", request)
    return request


@case("ReceivingService.CutOver", "SHOP_PAUSED")
async def cutting_over_a_paused_shop(api: Api, world: World) -> Any:
    await api.call(
        "ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one"))
    )
    return REQUESTS["ReceivingService.CutOver"](world)


@case("ReceivingService.CutOver", "SYNC_NOT_OFFERED")
async def cutting_over_where_sync_is_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return REQUESTS["ReceivingService.CutOver"](world)


@case("ReceivingService.CutOver", "CONNECTOR_NOT_LOADED")
async def cutting_over_without_connector(api: Api, world: World) -> Any:
    return receiving_service_pb2.CutOverRequest(parent=world("shops/lost"))


@case("ReceivingService.CutOver", "CONNECTOR_CANNOT_SET_INVENTORY")
async def cutting_over_what_cannot_be_set(api: Api, world: World) -> Any:
    return receiving_service_pb2.CutOverRequest(parent=world("shops/look"))
