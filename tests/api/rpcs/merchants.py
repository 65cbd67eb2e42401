"""Merchants are created, read, listed and changed."""

from __future__ import annotations

from api.bench import Api, World
from api.rpcs import happy
from api.rpcs.links import linked
from zaiko.v1 import link_pb2, link_service_pb2, merchant_pb2, merchant_service_pb2


@happy("MerchantService.CreateMerchant")
async def create_merchant(api: Api, world: World) -> None:
    made = merchant_pb2.Merchant(name="ignored", display_name="New", revision=99)

    answer = await api.call(
        "MerchantService.CreateMerchant",
        merchant_service_pb2.CreateMerchantRequest(merchant_id=f"{world.id}-new", merchant=made),
    )

    assert answer.merchant.name == f"{world.name}-new"
    assert answer.merchant.inventory_sync_available is True
    assert answer.revision == answer.merchant.revision == 1
    assert answer.merchant.etag == 'W/"r1"'
    assert answer.merchant.create_time.seconds > 1_700_000_000


@happy("MerchantService.GetMerchant")
async def get_merchant(api: Api, world: World) -> None:
    answer = await api.call(
        "MerchantService.GetMerchant", merchant_service_pb2.GetMerchantRequest(name=world.name)
    )

    assert answer.merchant.display_name == "Acme"
    assert answer.revision > answer.merchant.revision


@happy("MerchantService.ListMerchants")
async def list_merchants(api: Api, world: World) -> None:
    answer = await api.call(
        "MerchantService.ListMerchants", merchant_service_pb2.ListMerchantsRequest(page_size=1000)
    )

    names = [merchant.name for merchant in answer.merchants]
    assert world.name in names
    assert names == sorted(names)


@happy("MerchantService.UpdateMerchant")
async def update_merchant(api: Api, world: World) -> None:
    await linked(api, world, sync=True)
    off = merchant_pb2.Merchant(name=world.name, inventory_sync_available=False)

    answer = await api.call(
        "MerchantService.UpdateMerchant", merchant_service_pb2.UpdateMerchantRequest(merchant=off)
    )

    assert answer.merchant.inventory_sync_available is False
    assert answer.merchant.display_name == "Acme"
    held = await api.call(
        "LinkService.GetLink", link_service_pb2.GetLinkRequest(name=world("shops/one/links/l1"))
    )
    assert held.link.sync_enabled
    assert held.link.status.state == link_pb2.LinkStatus.STATE_HELD
    assert held.link.status.problem.owner == 1  # the merchant's, who asks the operator

    on = merchant_pb2.Merchant(name=world.name, inventory_sync_available=True)
    await api.call(
        "MerchantService.UpdateMerchant", merchant_service_pb2.UpdateMerchantRequest(merchant=on)
    )
    again = await api.call(
        "LinkService.GetLink", link_service_pb2.GetLinkRequest(name=world("shops/one/links/l1"))
    )
    assert again.link.status.state == link_pb2.LinkStatus.STATE_PENDING
    assert not again.link.status.HasField("problem")
