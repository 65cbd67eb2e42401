"""Settings that do not fit, shops in use, and connectors and platforms that do not answer."""

from __future__ import annotations

from typing import Any

from api.bench import SECRET, Api, World
from api.refusals import case
from api.requests import REQUESTS, furnish
from zaiko.v1 import shop_pb2, shop_service_pb2
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.stock import Binding, allocate
from zaiko_core.domain.stock import DemandRef
from zaiko_sdk import PlatformDown, Throttled, Timeout


@case("ShopService.CreateShop", "RESOURCE_EXISTS", {"resource": "{}/shops/one"})
async def shop_exists(api: Api, world: World) -> Any:
    request = REQUESTS["ShopService.CreateShop"](world)
    request.shop_id = "one"
    return request


@case("ShopService.CreateShop", "CONNECTOR_NOT_LOADED", {"connector": "broken", "stage": "IMPORT"})
async def shop_of_a_broken_connector(api: Api, world: World) -> Any:
    request = REQUESTS["ShopService.CreateShop"](world)
    request.shop.connector = "connectors/broken"
    return request


@case(
    "ShopService.CreateShop",
    "INVALID_FIELD",
    violations={
        "shop.settings.domain": "settings.string_pattern_mismatch",
        "shop.settings.colour": "settings.extra_forbidden",
        "shop.settings.page": "settings.less_than_equal",
        "shop.secrets.token": "settings.missing",
        "shop.secrets.password": "settings.unknown",
    },
)
async def settings_that_do_not_fit(api: Api, world: World) -> Any:
    request = REQUESTS["ShopService.CreateShop"](world)
    request.shop.settings.update({"domain": "UPPER", "colour": "red", "page": 51})
    request.shop.secrets.clear()
    request.shop.secrets["password"] = SECRET
    return request


def _update_shop(world: World, shop: str = "one", **fields: Any) -> Any:
    return shop_service_pb2.UpdateShopRequest(
        shop=shop_pb2.Shop(name=world(f"shops/{shop}"), **fields)
    )


@case("ShopService.UpdateShop", "FIELD_MASK_INVALID", {"paths": "connector"})
async def moving_a_shop_to_another_platform(api: Api, world: World) -> Any:
    return _update_shop(world, display_name="Other", connector="connectors/toy-readonly")


@case(
    "ShopService.UpdateShop", "INVALID_FIELD", violations={"shop.secrets.token": "settings.missing"}
)
async def removing_a_secret_that_is_needed(api: Api, world: World) -> Any:
    return _update_shop(world, secrets={"token": ""})


@case("ShopService.UpdateShop", "INVALID_FIELD", violations={"shop.sync_interval": "duration.gte"})
async def too_short_an_interval(api: Api, world: World) -> Any:
    return _update_shop(world, sync_interval={"seconds": 9})


@case("ShopService.UpdateShop", "CONNECTOR_NOT_LOADED")
async def configuring_a_lost_shop(api: Api, world: World) -> Any:
    return _update_shop(world, "lost", secrets={"token": "new"})


@case("ShopService.DeleteShop", "SHOP_HAS_LINKS", {"count": "2"})
async def deleting_a_linked_shop(api: Api, world: World) -> Any:
    await world.write(furnish)
    return shop_service_pb2.DeleteShopRequest(name=world("shops/one"))


@case("ShopService.DeleteShop", "SHOP_HAS_OPEN_ORDERS", {"count": "1"})
async def deleting_a_shop_with_open_orders(api: Api, world: World) -> Any:
    def hold(uow: UnitOfWork) -> None:
        allocate(uow, Binding(DemandRef("two", "7"), "apple", "tokyo", 1, "for two"))

    await world.write(hold)
    return shop_service_pb2.DeleteShopRequest(name=world("shops/two"))


@case("ShopService.CheckShop", "CONNECTOR_NOT_LOADED")
async def checking_a_lost_shop(api: Api, world: World) -> Any:
    return shop_service_pb2.CheckShopRequest(name=world("shops/lost"))


@case("ShopService.CheckShop", "PLATFORM_UNAVAILABLE", {"owner": "PLATFORM"})
async def checking_while_the_platform_is_down(api: Api, world: World) -> Any:
    api.answers.check = PlatformDown("maintenance until 6:00")
    return shop_service_pb2.CheckShopRequest(name=world("shops/one"))


@case("ShopService.CheckShop", "PLATFORM_UNAVAILABLE")
async def checking_without_an_answer(api: Api, world: World) -> Any:
    api.answers.check = Timeout("no answer", sent=None)
    return shop_service_pb2.CheckShopRequest(name=world("shops/one"))


@case("ShopService.CheckShop", "PLATFORM_UNAVAILABLE")
async def checking_too_often(api: Api, world: World) -> Any:
    api.answers.check = Throttled("slow down", retry_after=2)
    return shop_service_pb2.CheckShopRequest(name=world("shops/one"))


@case("ShopService.CheckShop", "CONNECTOR_CONTRACT_BROKEN", {"connector": "toy"})
async def checking_with_a_buggy_connector(api: Api, world: World) -> Any:
    api.answers.check = ZeroDivisionError("division by zero")
    return shop_service_pb2.CheckShopRequest(name=world("shops/one"))


@case("ShopService.RefreshListings", "CONNECTOR_NOT_LOADED")
async def refreshing_a_lost_shop(api: Api, world: World) -> Any:
    return shop_service_pb2.RefreshListingsRequest(parent=world("shops/lost"))


@case("ShopService.RefreshListings", "SHOP_PAUSED", {"owner": "MERCHANT"})
async def refreshing_a_paused_shop(api: Api, world: World) -> Any:
    await api.call(
        "ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one"))
    )
    return shop_service_pb2.RefreshListingsRequest(parent=world("shops/one"))
