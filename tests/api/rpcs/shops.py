"""Shops are created, configured, checked, paused and deleted; and their listings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.bench import SECRET, Api, World
from api.rpcs import happy
from api.rpcs.links import linked
from google.protobuf import duration_pb2, struct_pb2
from zaiko.v1 import listing_pb2, operation_pb2, shop_pb2, shop_service_pb2
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, LinkState
from zaiko_sdk import Finding, FindingLevel


def toy(**fields: Any) -> shop_pb2.Shop:
    settings = struct_pb2.Struct()
    settings.update({"domain": "shop.example", "page": 5})
    values: dict[str, Any] = {
        "connector": "connectors/toy",
        "display_name": "Shop",
        "settings": settings,
    }
    return shop_pb2.Shop(**values | {"secrets": {"token": SECRET}} | fields)


@happy("ShopService.CreateShop")
async def create_shop(api: Api, world: World) -> None:
    request = shop_service_pb2.CreateShopRequest(parent=world.name, shop_id="new", shop=toy())

    answer = await api.call("ShopService.CreateShop", request)

    shop = answer.shop
    assert shop.name == world("shops/new")
    assert list(shop.secret_names) == ["token"]
    assert not shop.secrets
    assert shop.settings["page"] == 5
    assert shop.sync_interval.seconds == 600
    assert shop.state == shop_pb2.Shop.STATE_ACTIVE
    assert shop.status.state == shop_pb2.ShopStatus.STATE_SCHEDULED
    assert SECRET not in str(answer)


@happy("ShopService.UpdateShop")
async def update_shop(api: Api, world: World) -> None:
    given = shop_pb2.Shop(
        name=world("shops/one"),
        secrets={"token": "another"},
        sync_interval=duration_pb2.Duration(seconds=60),
    )

    answer = await api.call(
        "ShopService.UpdateShop", shop_service_pb2.UpdateShopRequest(shop=given)
    )

    assert answer.shop.sync_interval.seconds == 60
    assert answer.shop.display_name == "One"
    assert answer.shop.settings["domain"] == "shop.example"
    record = await world.write(lambda uow: uow.shops.get(["one"])["one"])
    assert api.engine.secrets.open(record.secrets) == {"token": "another"}


@happy("ShopService.ListShadowDifferences")
async def list_shadow_differences(api: Api, world: World) -> None:
    await linked(api, world)
    shadowed = shop_pb2.Shop(name=world("shops/one"), shadow=True)
    answer = await api.call(
        "ShopService.UpdateShop", shop_service_pb2.UpdateShopRequest(shop=shadowed)
    )
    assert answer.shop.shadow
    request = shop_service_pb2.ListShadowDifferencesRequest(parent=world("shops/-"))
    assert not (await api.call("ShopService.ListShadowDifferences", request)).differences

    def compared(uow: UnitOfWork) -> None:
        record = uow.links.get("one", ["l1"])["l1"]
        found = replace(
            record,
            state=LinkState.SHADOW,
            target=8,
            confirmed=5,
            differ_since=uow.now,
            last_attempt_at=uow.now,
        )
        uow.links.save([found])
        uow.changed(ChangeKind.LINK, ["one/l1"])

    await world.write(compared)
    answer = await api.call("ShopService.ListShadowDifferences", request)

    (found,) = answer.differences
    assert (found.link, found.sku) == (world("shops/one/links/l1"), "A-1")
    assert (found.shown, found.target, found.difference) == (5, 8, 3)
    assert found.HasField("read_time")
    assert found.HasField("differ_time")
    shop = (
        await api.call(
            "ShopService.GetShop", shop_service_pb2.GetShopRequest(name=world("shops/one"))
        )
    ).shop
    assert (shop.status.shadow_difference_count, shop.status.link_counts.shadow) == (1, 1)
    request.filter.include_equal = True
    assert len((await api.call("ShopService.ListShadowDifferences", request)).differences) == 1


@happy("ShopService.DeleteShop")
async def delete_shop(api: Api, world: World) -> None:
    answer = await api.call(
        "ShopService.DeleteShop", shop_service_pb2.DeleteShopRequest(name=world("shops/two"))
    )

    assert answer.revision > 0
    shops = await api.call(
        "ShopService.ListShops", shop_service_pb2.ListShopsRequest(parent=world.name)
    )
    assert world("shops/two") not in [shop.name for shop in shops.shops]
    listings = await api.call(
        "ShopService.ListListings", shop_service_pb2.ListListingsRequest(parent=world("shops/-"))
    )
    assert not [item for item in listings.listings if item.name.startswith(world("shops/two/"))]


@happy("ShopService.GetShop")
async def get_shop(api: Api, world: World) -> None:
    answer = await api.call(
        "ShopService.GetShop", shop_service_pb2.GetShopRequest(name=world("shops/lost"))
    )

    assert answer.shop.connector == "connectors/gone"
    assert answer.shop.status.state == shop_pb2.ShopStatus.STATE_HELD
    assert answer.shop.status.problem.action_ja
    assert SECRET not in str(answer)


@happy("ShopService.ListShops")
async def list_shops(api: Api, world: World) -> None:
    answer = await api.call(
        "ShopService.ListShops", shop_service_pb2.ListShopsRequest(parent=world.name)
    )
    assert [shop.name.rpartition("/")[2] for shop in answer.shops] == ["look", "lost", "one", "two"]


@happy("ShopService.CheckShop")
async def check_shop(api: Api, world: World) -> None:
    api.answers.check = [
        Finding(FindingLevel.OK, "SCOPES", "all scopes are granted"),
        Finding(FindingLevel.ERROR, "LOCATION_UNKNOWN", "no such location; choose one of 1, 2"),
    ]

    answer = await api.call(
        "ShopService.CheckShop", shop_service_pb2.CheckShopRequest(name=world("shops/one"))
    )

    level = shop_service_pb2.CheckShopResponse.Finding
    assert [(item.level, item.reason) for item in answer.findings] == [
        (level.LEVEL_ERROR, "LOCATION_UNKNOWN"),
        (level.LEVEL_OK, "SCOPES"),
    ]


@happy("ShopService.PauseShop")
async def pause_shop(api: Api, world: World) -> None:
    await linked(api, world)

    answer = await api.call(
        "ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one"))
    )
    again = await api.call(
        "ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one"))
    )

    assert answer.shop.state == shop_pb2.Shop.STATE_PAUSED
    assert answer.shop.status.state == shop_pb2.ShopStatus.STATE_PAUSED
    assert answer.shop.status.link_counts.held == 1
    assert not answer.shop.status.HasField("next_run_time")
    assert again.revision == answer.revision


@happy("ShopService.ResumeShop")
async def resume_shop(api: Api, world: World) -> None:
    await linked(api, world)
    await api.call(
        "ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one"))
    )

    answer = await api.call(
        "ShopService.ResumeShop", shop_service_pb2.ResumeShopRequest(name=world("shops/one"))
    )

    assert answer.shop.state == shop_pb2.Shop.STATE_ACTIVE
    assert answer.shop.status.link_counts.pending == 1
    assert answer.shop.status.state == shop_pb2.ShopStatus.STATE_SCHEDULED


@happy("ShopService.ListListings")
async def list_listings(api: Api, world: World) -> None:
    await linked(api, world)

    async def found(parent: str = "shops/one", **fields: Any) -> list[str]:
        wanted = shop_service_pb2.ListListingsRequest.Filter(**fields)
        request = shop_service_pb2.ListListingsRequest(parent=world(parent), filter=wanted)
        return [
            item.name.rpartition("/")[2]
            for item in (await api.call("ShopService.ListListings", request)).listings
        ]

    assert await found() == ["l1", "l2", "l3", "l4", "l5"]
    assert await found(linked=True) == ["l1"]
    assert await found(linked=False, vanished=False) == ["l2", "l3", "l5"]
    assert await found(vanished=True) == ["l4"]
    assert await found(query="X-") == ["l3", "l4", "l5"]
    assert await found("shops/-", query="X-") == ["l7", "l8", "l3", "l4", "l5", "l6"]
    request = shop_service_pb2.ListListingsRequest(parent=world("shops/look"))
    (listing,) = (await api.call("ShopService.ListListings", request)).listings
    refusals = listing_pb2.Listing.DESCRIPTOR.fields_by_name["sync_refusal"].enum_type
    assert (
        refusals.values_by_number[listing.sync_refusal].name
        == "ERROR_REASON_CONNECTOR_CANNOT_SET_INVENTORY"
    )


@happy("ShopService.RefreshListings")
async def refresh_listings(api: Api, world: World) -> None:
    request = shop_service_pb2.RefreshListingsRequest(parent=world("shops/one"))

    answer = await api.call("ShopService.RefreshListings", request)
    again = await api.call("ShopService.RefreshListings", request)

    assert answer.operation.kind == operation_pb2.Operation.KIND_REFRESH_LISTINGS
    assert answer.operation.state == operation_pb2.Operation.STATE_QUEUED
    assert answer.operation.refresh_listings.shop == world("shops/one")
    assert again.operation.name == answer.operation.name
