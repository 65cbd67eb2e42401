"""Merchants that are there already, fields that do not change; and sync that a merchant does not
offer."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from zaiko.v1 import merchant_pb2, merchant_service_pb2


async def withdraw_sync(api: Api, world: World) -> None:
    merchant = merchant_pb2.Merchant(name=world.name, inventory_sync_available=False)
    await api.call(
        "MerchantService.UpdateMerchant",
        merchant_service_pb2.UpdateMerchantRequest(merchant=merchant),
    )


@case("MerchantService.CreateMerchant", "RESOURCE_EXISTS", {"resource": "{}"})
async def merchant_exists(api: Api, world: World) -> Any:
    merchant = merchant_pb2.Merchant(display_name="Again")
    return merchant_service_pb2.CreateMerchantRequest(merchant_id=world.id, merchant=merchant)


@case("MerchantService.UpdateMerchant", "FIELD_MASK_INVALID", {"paths": "create_time"})
async def updating_a_merchants_time(api: Api, world: World) -> Any:
    request = merchant_service_pb2.UpdateMerchantRequest(
        merchant=merchant_pb2.Merchant(name=world.name)
    )
    request.update_mask.paths.append("create_time")
    return request
