"""What people see of a shop whose runs cannot begin, or fail by a bug of zaiko."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest
from api.bench import Api, World, served
from structlog.testing import capture_logs
from zaiko.v1 import error_pb2, shop_pb2, shop_service_pb2
from zaiko_core.storage.secrets import SecretBox
from zaiko_core.sync.shop_run import ShopRun

pytestmark = pytest.mark.anyio


async def troubled(api: Api, world: World, reason: Any) -> shop_pb2.Shop:
    """Return shop one as soon as it shows a problem of this reason."""
    async with asyncio.timeout(60):
        while True:
            shop = await shown(api, world)
            if shop.status.problem.reason == reason:
                return shop
            await asyncio.sleep(0.05)


async def shown(api: Api, world: World) -> shop_pb2.Shop:
    found: shop_pb2.Shop = (
        await api.call(
            "ShopService.GetShop", shop_service_pb2.GetShopRequest(name=world("shops/one"))
        )
    ).shop
    return found


def locked(uow: Any) -> None:
    """Seal the credentials of shop one under a key that is lost."""
    lost = SecretBox([SecretBox.new_key()]).seal({"token": "entered"})
    uow.shops.update(replace(uow.shops.get(["one"])["one"], secrets=lost))


async def test_a_run_that_fails_by_a_bug_of_zaiko_is_shown_at_its_shop(
    module_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bug(cycle: ShopRun) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(ShopRun, "execute", bug)
    with capture_logs() as logs:
        async with served(module_store, run_shops=True) as api:
            world = await api.merchant()
            shop = await troubled(api, world, error_pb2.ERROR_REASON_INTERNAL)

    assert shop.status.state == shop_pb2.ShopStatus.STATE_BACKING_OFF
    assert shop.status.HasField("next_run_time")
    incident = shop.status.problem.metadata["incident"]
    assert incident == shop.status.last_run.rpartition("/")[2]
    assert incident in shop.status.problem.message
    assert "KeyError('bug')" in {line["error"] for line in logs if line["event"] == "run_crashed"}


async def test_a_shop_whose_credentials_no_key_decrypts_is_held_and_can_be_read(
    module_store: str,
) -> None:
    async with served(module_store, run_shops=True) as api:
        world = await api.merchant()
        await world.write(locked)

        shop = await troubled(api, world, error_pb2.ERROR_REASON_SECRET_KEY_MISSING)
        refused = await api.refusal(
            "ShopService.CheckShop", shop_service_pb2.CheckShopRequest(name=world("shops/one"))
        )

    assert shop.status.state == shop_pb2.ShopStatus.STATE_HELD
    assert shop.status.problem.owner == error_pb2.OWNER_SYSTEM
    assert "UpdateShop" in shop.status.problem.action_en
    assert shop.status.credentials_state == shop_pb2.ShopStatus.CREDENTIALS_STATE_UNSPECIFIED
    assert list(shop.secret_names) == []
    # Not UNAVAILABLE, which clients repeat by themselves.
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "SECRET_KEY_MISSING",
    )


async def test_credentials_that_no_key_decrypts_are_replaced_by_entering_all_of_them_again(
    module_store: str,
) -> None:
    async with served(module_store) as api:
        world = await api.merchant()
        await world.write(locked)

        some = await api.refusal("ShopService.UpdateShop", _update(world, {"page": "x"}))
        renamed = shop_service_pb2.UpdateShopRequest(
            shop=shop_pb2.Shop(name=world("shops/one"), display_name="Renamed")
        )
        await api.call("ShopService.UpdateShop", renamed)
        kept = await world.write(lambda uow: uow.shops.get(["one"])["one"].secrets)
        await api.call("ShopService.UpdateShop", _update(world, {"token": "entered again"}))
        entered = await world.write(lambda uow: uow.shops.get(["one"])["one"].secrets)

    assert some.reason == "INVALID_FIELD"
    with pytest.raises(Exception, match="cannot be decrypted"):
        api.engine.secrets.open(kept)
    assert api.engine.secrets.open(entered) == {"token": "entered again"}


def _update(world: World, secrets: dict[str, str]) -> shop_service_pb2.UpdateShopRequest:
    shop = shop_pb2.Shop(name=world("shops/one"), secrets=secrets)
    return shop_service_pb2.UpdateShopRequest(shop=shop, update_mask={"paths": ["secrets"]})
