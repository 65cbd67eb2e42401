"""Every reason that the protos document for an RPC, made to happen; and nothing is left out."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from api.bench import SECRET, Api, World
from api.requests import OPERATION, ORDER, REQUESTS, furnish
from zaiko.v1 import (
    link_pb2,
    link_service_pb2,
    merchant_pb2,
    merchant_service_pb2,
    movement_pb2,
    operation_service_pb2,
    order_service_pb2,
    product_pb2,
    product_service_pb2,
    receiving_service_pb2,
    shop_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
    token_service_pb2,
    warehouse_service_pb2,
)
from zaiko_core.app import orders
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import OperationState, WarehouseRecord
from zaiko_core.domain.demand import OrderState
from zaiko_sdk import ContractBroken, CredentialsRejected, PlatformDown, Throttled, Timeout
from zaiko_server.reasons import REASONS

pytestmark = pytest.mark.anyio

PROTOS = Path(__file__).parents[2] / "proto" / "zaiko" / "v1"
Setup = Callable[[Api, World], Awaitable[Any]]


@dataclass(frozen=True)
class Case:
    """`setup` makes the state and gives the request; `metadata` is what the error must tell, `{}` standing for the merchant."""

    rpc: str
    reason: str
    setup: Setup
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)


CASES: list[Case] = []


def case(
    rpc: str, reason: str, metadata: dict[str, str] | None = None, violations: dict[str, str] | None = None
) -> Callable[[Setup], Setup]:
    """Registers the setup of one case; may be used several times on one."""

    def register(setup: Setup) -> Setup:
        CASES.append(Case(rpc, reason, setup, metadata or {}, violations or {}))
        return setup

    return register


def documented() -> set[tuple[str, str]]:
    """(RPC, reason) of every reason in the comment of an RPC."""
    found: set[tuple[str, str]] = set()
    for path in PROTOS.glob("*_service.proto"):
        text = path.read_text()
        service = re.search(r"^service (\w+)", text, re.MULTILINE)
        assert service is not None
        for comment, rpc in re.findall(r"((?:  //.*\n)+)  rpc (\w+)", text[service.start() :]):
            found |= {(f"{service[1]}.{rpc}", word) for word in re.findall(r"\b[A-Z][A-Z_]{4,}\b", comment) if word in REASONS}
    return found


ELSEWHERE: set[tuple[str, str]] = {
    # test_every_rpc.py: every RPC with an etag
    (rpc, "ETAG_MISMATCH")
    for rpc in (
        "LinkService.UpdateLink",
        "LinkService.DeleteLink",
        "MerchantService.UpdateMerchant",
        "ProductService.UpdateProduct",
        "ShopService.UpdateShop",
        "ShopService.DeleteShop",
        "ShopService.PauseShop",
        "ShopService.ResumeShop",
        "StockService.SetEscrow",
        "StockService.SetReserve",
        "StockService.AdjustStock",
        "OrderService.ReleaseOrder",
        "OrderService.HoldOrder",
        "ReceivingService.SetReceivingOnly",
    )
} | {
    # test_stream_movements.py
    ("StockService.StreamMovements", "SEQUENCE_GAP"),
    ("StockService.StreamMovements", "SERVER_DRAINING"),
    ("StockService.StreamMovements", "STORAGE_UNAVAILABLE"),
    # tests/watch/test_watch_sessions.py, and tests/watch/test_watch_streams.py for what both share
    ("SyncService.WatchSyncSession", "TOO_MANY_STREAMS"),
    ("SyncService.WatchSyncSession", "SERVER_DRAINING"),
    ("SyncService.WatchSyncSession", "SLOW_CONSUMER"),
    # test_rates.py
    ("SyncService.WatchSyncSession", "RATE_LIMITED"),
    # test_server.py, and tests/watch/test_watch_streams.py for what all streams share
    ("OperationService.WaitOperation", "SERVER_DRAINING"),
    ("OperationService.WatchOperation", "SERVER_DRAINING"),
    ("OperationService.WatchOperation", "TOO_MANY_STREAMS"),
    ("OperationService.WatchOperation", "SLOW_CONSUMER"),
    # test_troubled_shops.py
    ("ShopService.CheckShop", "SECRET_KEY_MISSING"),
    # test_authentication.py
    ("TokenService.CreateToken", "PERMISSION_MISSING"),
    ("TokenService.RevokeToken", "PERMISSION_MISSING"),
}


def test_every_documented_refusal_has_a_case() -> None:
    assert documented() - ELSEWHERE - {(case.rpc, case.reason) for case in CASES} == set()


# Explanations


@case("StockService.ExplainStock", "REVISION_IN_FUTURE", {"owner": "SYSTEM"})
async def explaining_what_is_to_come(api: Api, world: World) -> Any:
    return stock_service_pb2.ExplainStockRequest(product=world("products/apple"), at_revision=1_000_000)


@case("StockService.ExplainStock", "REVISION_COMPACTED", {"compactRevision": "9", "owner": "SYSTEM"})
async def explaining_what_is_forgotten(api: Api, world: World) -> Any:
    await world.write(lambda uow: uow.ledger.forget(older_than=0, known_from=9))
    await world.write(furnish)
    for _ in range(10):
        await world.write(lambda uow: uow.advance())
    return stock_service_pb2.ExplainStockRequest(link=world("shops/one/links/l5"), at_revision=8)


@case("StockService.ExplainStock", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def explaining_no_product(api: Api, world: World) -> Any:
    return stock_service_pb2.ExplainStockRequest(product=world("products/kiwi"))


@case("StockService.GetOversell", "RESOURCE_NOT_FOUND", {"resource": "{}/oversells/0000000000000099"})
async def no_oversell(api: Api, world: World) -> Any:
    return stock_service_pb2.GetOversellRequest(name=world("oversells/0000000000000099"))


# Links


def _create(world: World, listing: str = "one/listings/l1", product: str = "apple", sync: bool = False) -> Any:
    shop = listing.partition("/")[0]
    made = link_pb2.Link(listing=world(f"shops/{listing}"), product=world(f"products/{product}"), sync_enabled=sync)
    return link_service_pb2.CreateLinkRequest(parent=world(f"shops/{shop}"), link=made)


async def withdraw_sync(api: Api, world: World) -> None:
    merchant = merchant_pb2.Merchant(name=world.name, inventory_sync_available=False)
    await api.call("MerchantService.UpdateMerchant", merchant_service_pb2.UpdateMerchantRequest(merchant=merchant))


@case("LinkService.CreateLink", "LISTING_ALREADY_LINKED", {"link": "{}/shops/one/links/l5"})
async def already_linked(api: Api, world: World) -> Any:
    await world.write(furnish)
    return _create(world, "one/listings/l5")


@case("LinkService.CreateLink", "PRODUCT_ARCHIVED", {"product": "old"})
async def archived_product(api: Api, world: World) -> Any:
    return _create(world, product="old")


@case("LinkService.CreateLink", "LISTING_GONE", {"listing": "l4", "owner": "MERCHANT"})
async def vanished_listing(api: Api, world: World) -> Any:
    return _create(world, "one/listings/l4")


@case("LinkService.CreateLink", "SYNC_NOT_OFFERED", {"owner": "MERCHANT"})
async def sync_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return _create(world, sync=True)


@case("LinkService.CreateLink", "CONNECTOR_NOT_LOADED", {"connector": "gone", "owner": "SYSTEM"})
async def connector_not_loaded(api: Api, world: World) -> Any:
    return _create(world, "lost/listings/l8", sync=True)


@case("LinkService.CreateLink", "CONNECTOR_CANNOT_SET_INVENTORY", {"connector": "toy-readonly", "owner": "PLATFORM"})
async def connector_cannot_set(api: Api, world: World) -> Any:
    return _create(world, "look/listings/l7", sync=True)


@case("LinkService.CreateLink", "INVALID_NAME", violations={"link.listing": "name.parent"})
async def listing_of_another_shop(api: Api, world: World) -> Any:
    request = _create(world)
    request.parent = world("shops/two")
    return request


@case("LinkService.CreateLink", "INVALID_NAME", violations={"link.product": "name.merchant"})
async def product_of_another_merchant(api: Api, world: World) -> Any:
    request = _create(world)
    request.link.product = "merchants/other/products/apple"
    return request


@case("LinkService.CreateLink", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def linking_no_product(api: Api, world: World) -> Any:
    return _create(world, product="kiwi")


@case("LinkService.CreateLink", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/listings/l9"})
async def linking_no_listing(api: Api, world: World) -> Any:
    return _create(world, "one/listings/l9")


@case("LinkService.CreateLink", "INVALID_FIELD", violations={"link.bundle.parts[1].product": "repeated.unique"})
async def bundle_with_a_product_twice(api: Api, world: World) -> Any:
    request = _create(world)
    part = link_pb2.Bundle.Part(product=world("products/apple"), count=1)
    request.link.bundle.parts.extend([part, part])
    return request


def _batch(world: World, *links: Any, parent: str = "shops/-") -> Any:
    for item in links:
        item.parent = ""
    return link_service_pb2.BatchCreateLinksRequest(parent=world(parent), requests=links)


@case("LinkService.BatchCreateLinks", "DUPLICATE_IN_BATCH", {"index": "1"})
async def listing_twice(api: Api, world: World) -> Any:
    return _batch(world, _create(world), _create(world, product="pear"))


@case("LinkService.BatchCreateLinks", "LISTING_GONE", {"index": "1"})
async def one_of_a_batch_has_vanished(api: Api, world: World) -> Any:
    return _batch(world, _create(world), _create(world, "one/listings/l4"))


@case("LinkService.BatchCreateLinks", "RESOURCE_NOT_FOUND", {"index": "2", "resource": "{}/products/kiwi"})
async def one_of_a_batch_has_no_product(api: Api, world: World) -> Any:
    return _batch(world, _create(world), _create(world, "one/listings/l2"), _create(world, "one/listings/l3", "kiwi"))


@case("LinkService.BatchCreateLinks", "CONNECTOR_CANNOT_SET_INVENTORY", {"index": "2"})
async def one_of_a_batch_cannot_be_synced(api: Api, world: World) -> Any:
    links = [_create(world, sync=True), _create(world, "two/listings/l6", sync=True), _create(world, "look/listings/l7", sync=True)]
    return _batch(world, *links)


@case("LinkService.BatchCreateLinks", "BATCH_TOO_LARGE", {"limit": "1000"})
async def too_many_links(api: Api, world: World) -> Any:
    return _batch(world, *(_create(world) for _ in range(1001)))


def _update_link(world: World, listing: str, shop: str = "one", **fields: Any) -> Any:
    return link_service_pb2.UpdateLinkRequest(link=link_pb2.Link(name=world(f"shops/{shop}/links/{listing}"), **fields))


@case("LinkService.UpdateLink", "FIELD_MASK_INVALID", {"paths": "status,nothing"})
async def updating_what_cannot_be(api: Api, world: World) -> Any:
    request = _update_link(world, "l5", sync_enabled=True)
    request.update_mask.paths.extend(["sync_enabled", "status", "nothing"])
    return request


@case("LinkService.UpdateLink", "FIELD_MASK_INVALID", {"paths": "product"})
async def updating_a_links_product(api: Api, world: World) -> Any:
    await world.write(furnish)
    return _update_link(world, "l5", sync_enabled=True, product=world("products/apple"))


@case("LinkService.UpdateLink", "FIELD_MASK_INVALID", {"paths": ""})
async def updating_nothing(api: Api, world: World) -> Any:
    return _update_link(world, "l5")


async def _link_then(api: Api, world: World, listing: str) -> Any:
    await api.call("LinkService.CreateLink", _create(world, listing))
    shop, _, last = listing.partition("/listings/")
    return _update_link(world, last, shop, sync_enabled=True)


@case("LinkService.UpdateLink", "SYNC_NOT_OFFERED")
async def enabling_where_it_is_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return await _link_then(api, world, "one/listings/l1")


@case("LinkService.UpdateLink", "CONNECTOR_NOT_LOADED")
async def enabling_without_connector(api: Api, world: World) -> Any:
    return await _link_then(api, world, "lost/listings/l8")


@case("LinkService.UpdateLink", "CONNECTOR_CANNOT_SET_INVENTORY")
async def enabling_what_cannot_be_set(api: Api, world: World) -> Any:
    return await _link_then(api, world, "look/listings/l7")


@case("LinkService.DeleteLink", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/links/l1"})
async def unlinking_nothing(api: Api, world: World) -> Any:
    return link_service_pb2.DeleteLinkRequest(name=world("shops/one/links/l1"))


@case("LinkService.BatchDeleteLinks", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/links/l1", "index": "1"})
async def unlinking_one_that_is_not_linked(api: Api, world: World) -> Any:
    await world.write(furnish)
    names = [world("shops/one/links/l5"), world("shops/one/links/l1")]
    return link_service_pb2.BatchDeleteLinksRequest(parent=world("shops/one"), names=names)


@case("LinkService.BatchDeleteLinks", "DUPLICATE_IN_BATCH", {"index": "1"})
async def unlinking_twice(api: Api, world: World) -> Any:
    return link_service_pb2.BatchDeleteLinksRequest(parent=world("shops/one"), names=[world("shops/one/links/l5")] * 2)


@case("LinkService.BatchDeleteLinks", "INVALID_NAME", violations={"names[0]": "name.parent"})
async def unlinking_in_another_shop(api: Api, world: World) -> Any:
    return link_service_pb2.BatchDeleteLinksRequest(parent=world("shops/two"), names=[world("shops/one/links/l5")])


@case("LinkService.BulkLink", "OPERATION_ACTIVE")
async def bulk_linking_twice(api: Api, world: World) -> Any:
    request = link_service_pb2.BulkLinkRequest(parent=world("shops/one"))
    await api.call("LinkService.BulkLink", request)
    return request


@case("LinkService.BulkLink", "SYNC_NOT_OFFERED")
async def bulk_linking_where_sync_is_not_offered(api: Api, world: World) -> Any:
    await withdraw_sync(api, world)
    return link_service_pb2.BulkLinkRequest(parent=world("shops/one"), enable_sync=True)


@case("LinkService.BulkLink", "CONNECTOR_NOT_LOADED")
async def bulk_linking_without_connector(api: Api, world: World) -> Any:
    return link_service_pb2.BulkLinkRequest(parent=world("shops/lost"), enable_sync=True)


@case("LinkService.BulkLink", "CONNECTOR_CANNOT_SET_INVENTORY")
async def bulk_linking_what_cannot_be_set(api: Api, world: World) -> Any:
    return link_service_pb2.BulkLinkRequest(parent=world("shops/look"), enable_sync=True)


@case("LinkService.CreateLink", "INVALID_FIELD", violations={"link.mode": "enum.not_in"})
async def linking_as_receiving_only(api: Api, world: World) -> Any:
    request = _create(world)
    request.link.mode = link_pb2.Link.MODE_RECEIVING_ONLY
    return request


# Receiving-only


def _receiving(world: World, product: str = "fig", enabled: bool = True) -> Any:
    return receiving_service_pb2.SetReceivingOnlyRequest(product=world(f"products/{product}"), enabled=enabled)


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
    await api.call("LinkService.UpdateLink", _update_link(world, "l9", sync_enabled=True))
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
    await api.call("ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one")))
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


# Merchants, warehouses, operations


@case("MerchantService.CreateMerchant", "RESOURCE_EXISTS", {"resource": "{}"})
async def merchant_exists(api: Api, world: World) -> Any:
    merchant = merchant_pb2.Merchant(display_name="Again")
    return merchant_service_pb2.CreateMerchantRequest(merchant_id=world.id, merchant=merchant)


@case("MerchantService.UpdateMerchant", "FIELD_MASK_INVALID", {"paths": "create_time"})
async def updating_a_merchants_time(api: Api, world: World) -> Any:
    request = merchant_service_pb2.UpdateMerchantRequest(merchant=merchant_pb2.Merchant(name=world.name))
    request.update_mask.paths.append("create_time")
    return request


@case("WarehouseService.CreateWarehouse", "RESOURCE_EXISTS", {"resource": "{}/warehouses/tokyo"})
async def warehouse_exists(api: Api, world: World) -> Any:
    request = REQUESTS["WarehouseService.CreateWarehouse"](world)
    request.warehouse_id = "tokyo"
    return request


@case("WarehouseService.GetWarehouse", "RESOURCE_NOT_FOUND", {"resource": "{}/warehouses/kobe"})
async def no_such_warehouse(api: Api, world: World) -> Any:
    return warehouse_service_pb2.GetWarehouseRequest(name=world("warehouses/kobe"))


@case("OperationService.CancelOperation", "OPERATION_DONE")
async def cancelling_what_has_ended(api: Api, world: World) -> Any:
    await world.write(furnish)

    def end(uow: Any) -> None:
        record = uow.operations.get(OPERATION)
        uow.operations.put(replace(record, state=OperationState.SUCCEEDED, ended_at=uow.now, result={"listings": 0}))

    await world.write(end)
    return operation_service_pb2.CancelOperationRequest(name=world(f"operations/{OPERATION}"))


@case("SyncService.CancelSyncRun", "OPERATION_DONE", {"operation": "{}/shops/one/runs/0001-aaaa"})
async def cancelling_a_run_that_has_ended(api: Api, world: World) -> Any:
    return sync_service_pb2.CancelSyncRunRequest(name=world("shops/one/runs/0001-aaaa"))


@case("SyncService.CancelSyncRun", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/runs/0009"})
async def no_such_run_to_cancel(api: Api, world: World) -> Any:
    return sync_service_pb2.CancelSyncRunRequest(name=world("shops/one/runs/0009"))


# Products


def _new_product(world: World, code: str, product_id: str = "") -> Any:
    return product_service_pb2.CreateProductRequest(
        parent=world.name, product_id=product_id, product=product_pb2.Product(code=code)
    )


@case("ProductService.CreateProduct", "CODE_TAKEN", {"code": "O-1"})
async def code_of_an_archived_product(api: Api, world: World) -> Any:
    return _new_product(world, "O-1")


@case("ProductService.CreateProduct", "RESOURCE_EXISTS", {"resource": "{}/products/apple"})
async def product_exists(api: Api, world: World) -> Any:
    return _new_product(world, "new", "apple")


@case("ProductService.BatchCreateProducts", "DUPLICATE_IN_BATCH", {"index": "2"})
async def code_twice(api: Api, world: World) -> Any:
    items = [_new_product(world, code) for code in ("n1", "n2", "n1")]
    return product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=items)


@case("ProductService.BatchCreateProducts", "CODE_TAKEN", {"index": "1", "code": "A-1"})
async def code_taken_in_a_batch(api: Api, world: World) -> Any:
    items = [_new_product(world, code) for code in ("n1", "A-1")]
    return product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=items)


@case("ProductService.BatchCreateProducts", "INVALID_FIELD", violations={"requests[1].request_id": "string.const"})
async def request_id_inside_a_batch(api: Api, world: World) -> Any:
    items = [_new_product(world, "n1"), _new_product(world, "n2")]
    items[1].request_id = "b6cbb3ae-1e2b-4d5a-9a53-3a4ab5ea9a0f"
    return product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=items)


@case("ProductService.BatchCreateProducts", "INVALID_NAME", violations={"requests[0].parent": "name.parent"})
async def another_parent_inside_a_batch(api: Api, world: World) -> Any:
    items = [_new_product(world, "n1")]
    items[0].parent = "merchants/other"
    return product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=items)


@case("ProductService.UpdateProduct", "CODE_TAKEN", {"code": "P-1"})
async def changing_to_a_taken_code(api: Api, world: World) -> Any:
    return product_service_pb2.UpdateProductRequest(product=product_pb2.Product(name=world("products/apple"), code="P-1"))


@case("ProductService.UpdateProduct", "FIELD_MASK_INVALID", {"paths": "state,*"})
async def updating_a_products_state(api: Api, world: World) -> Any:
    request = product_service_pb2.UpdateProductRequest(product=product_pb2.Product(name=world("products/apple"), code="x"))
    request.update_mask.paths.extend(["code", "state", "*"])
    return request


@case("ProductService.UpdateProduct", "INVALID_FIELD", violations={"product.code": "required"})
async def clearing_a_code(api: Api, world: World) -> Any:
    request = product_service_pb2.UpdateProductRequest(product=product_pb2.Product(name=world("products/apple")))
    request.update_mask.paths.append("code")
    return request


@case("ProductService.ArchiveProduct", "PRODUCT_HAS_LINKS", {"count": "1", "product": "{}/products/pear"})
async def archiving_what_is_linked(api: Api, world: World) -> Any:
    await world.write(furnish)
    return product_service_pb2.ArchiveProductRequest(name=world("products/pear"))


@case("ProductService.BatchGetProducts", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def one_of_several_products_is_missing(api: Api, world: World) -> Any:
    names = [world("products/apple"), world("products/kiwi")]
    return product_service_pb2.BatchGetProductsRequest(parent=world.name, names=names)


# Shops


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
    return shop_service_pb2.UpdateShopRequest(shop=shop_pb2.Shop(name=world(f"shops/{shop}"), **fields))


@case("ShopService.UpdateShop", "FIELD_MASK_INVALID", {"paths": "connector"})
async def moving_a_shop_to_another_platform(api: Api, world: World) -> Any:
    return _update_shop(world, display_name="Other", connector="connectors/toy-readonly")


@case("ShopService.UpdateShop", "INVALID_FIELD", violations={"shop.secrets.token": "settings.missing"})
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
    await api.call("ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one")))
    return shop_service_pb2.RefreshListingsRequest(parent=world("shops/one"))


# Stock


@case("StockService.BatchGetStocks", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def one_of_several_stocks_is_missing(api: Api, world: World) -> Any:
    names = [world("products/apple/stock"), world("products/kiwi/stock")]
    return stock_service_pb2.BatchGetStocksRequest(parent=world.name, names=names)


def _reserves(world: World, *products: str) -> Any:
    items = [stock_service_pb2.SetReserveRequest(product=world(f"products/{product}"), reserve=1) for product in products]
    return stock_service_pb2.BatchSetReservesRequest(parent=world.name, requests=items)


@case("StockService.BatchSetReserves", "DUPLICATE_IN_BATCH", {"index": "1"})
async def reserve_twice(api: Api, world: World) -> Any:
    return _reserves(world, "apple", "apple")


@case("StockService.BatchSetReserves", "RESOURCE_NOT_FOUND", {"index": "1"})
async def reserve_of_nothing(api: Api, world: World) -> Any:
    return _reserves(world, "apple", "kiwi")


@case("StockService.BatchSetReserves", "ETAG_MISMATCH", {"index": "1"})
async def reserve_of_a_changed_stock(api: Api, world: World) -> Any:
    request = _reserves(world, "apple", "pear")
    request.requests[1].etag = "old"
    return request


def _receipt(world: World, **fields: Any) -> Any:
    values = {"product": world("products/apple"), "warehouse": world("warehouses/tokyo"), "quantity": 1}
    return stock_service_pb2.RecordReceiptRequest(**values | fields)


@case("StockService.RecordReceipt", "PRODUCT_ARCHIVED")
async def receiving_an_archived_product(api: Api, world: World) -> Any:
    return _receipt(world, product=world("products/old"))


@case("StockService.RecordReceipt", "STOCK_LIMIT_EXCEEDED", {"product": "apple"})
async def receiving_too_much(api: Api, world: World) -> Any:
    return _receipt(world, quantity=1_000_000_000)


@case("StockService.RecordReceipt", "CAUSE_KEY_REUSED", {"cause": "seed"})
async def cause_of_another_receipt(api: Api, world: World) -> Any:
    return _receipt(world, cause_key="seed", quantity=11)


@case("StockService.RecordReceipt", "INVALID_FIELD", violations={"occur_time": "timestamp.lt_now", "quantity": "int32.gte"})
async def a_receipt_of_tomorrow(api: Api, world: World) -> Any:
    request = _receipt(world, quantity=0)
    request.occur_time.GetCurrentTime()
    request.occur_time.seconds += 310
    return request


def _delivery(world: World, *items: Any) -> Any:
    return stock_service_pb2.BatchRecordReceiptsRequest(parent=world.name, requests=items)


@case("StockService.BatchRecordReceipts", "DUPLICATE_IN_BATCH", {"index": "2", "field": "requests[2].cause_key"})
async def a_delivery_with_a_cause_twice(api: Api, world: World) -> Any:
    return _delivery(world, _receipt(world, cause_key="k"), _receipt(world), _receipt(world, cause_key="k"))


@case("StockService.BatchRecordReceipts", "CAUSE_KEY_REUSED", {"cause": "seed", "index": "1"})
async def a_delivery_with_the_cause_of_another_receipt(api: Api, world: World) -> Any:
    return _delivery(world, _receipt(world), _receipt(world, cause_key="seed", quantity=11))


@case("StockService.BatchRecordReceipts", "PRODUCT_ARCHIVED", {"product": "old", "index": "2"})
async def a_delivery_with_an_archived_product(api: Api, world: World) -> Any:
    # Neither another item's cause nor its warehouse is taken for the product of this name.
    await world.write(lambda uow: uow.warehouses.insert(WarehouseRecord("old", "Old")))
    others = (_receipt(world, cause_key="old"), _receipt(world, warehouse=world("warehouses/old")))
    return _delivery(world, *others, _receipt(world, product=world("products/old")))


@case("StockService.BatchRecordReceipts", "STOCK_LIMIT_EXCEEDED", {"product": "apple", "index": "1"})
async def a_delivery_that_is_too_much_in_sum(api: Api, world: World) -> Any:
    half = {"quantity": 500_000_000}
    pear = _receipt(world, product=world("products/pear"))
    return _delivery(world, pear, _receipt(world, **half), _receipt(world, **half))


@case("StockService.BatchRecordReceipts", "RESOURCE_NOT_FOUND", {"resource": "{}/warehouses/kobe", "index": "1"})
async def a_delivery_to_nowhere(api: Api, world: World) -> Any:
    return _delivery(world, _receipt(world), _receipt(world, warehouse=world("warehouses/kobe")))


@case("StockService.BatchRecordReceipts", "INVALID_FIELD", violations={"requests[1].request_id": "string.const"})
async def a_delivery_with_an_id_inside(api: Api, world: World) -> Any:
    return _delivery(world, _receipt(world), _receipt(world, request_id=str(uuid.uuid4())))


@case("StockService.BatchRecordReceipts", "MESSAGE_TOO_LARGE", {"limit": str(4 << 20)})
async def a_delivery_whose_answer_a_client_would_not_take(api: Api, world: World) -> Any:
    note = "\N{CJK UNIFIED IDEOGRAPH-20BB7}" * 1000
    request = _delivery(world, *(_receipt(world, note=note, cause_key=f"{number:064d}") for number in range(1000)))
    assert request.ByteSize() < 4 << 20
    return request


def _adjust(world: World, **fields: Any) -> Any:
    values = {"product": world("products/apple"), "warehouse": world("warehouses/tokyo")}
    return stock_service_pb2.AdjustStockRequest(**values | fields)


@case("StockService.AdjustStock", "INSUFFICIENT_STOCK", {"physical": "10", "allocated": "0"})
async def adjusting_below_nothing(api: Api, world: World) -> Any:
    return _adjust(world, delta=-11)


@case("StockService.AdjustStock", "STOCK_LIMIT_EXCEEDED")
async def adjusting_above_the_limit(api: Api, world: World) -> Any:
    return _adjust(world, delta=1_000_000_000)


@case("StockService.AdjustStock", "ETAG_MISMATCH")
async def counting_a_stock_that_has_moved(api: Api, world: World) -> Any:
    return _adjust(world, counted=5, etag='W/"r1"')


@case("StockService.AdjustStock", "INVALID_FIELD", violations={"etag": "required"})
async def counting_without_etag(api: Api, world: World) -> Any:
    return _adjust(world, counted=0)


@case("StockService.AdjustStock", "INVALID_FIELD", violations={"delta": "int32.not_in"})
async def adjusting_by_nothing(api: Api, world: World) -> Any:
    return _adjust(world, delta=0)


def _binding(world: World, request: Any, units: int) -> Any:
    demand = movement_pb2.Demand(shipment="w-1")
    place = {"product": world("products/apple"), "warehouse": world("warehouses/tokyo")}
    return request(demand=demand, quantity=units, **place)


@case("StockService.AllocateStock", "INSUFFICIENT_STOCK", {"deliverable": "10"})
async def allocating_too_much(api: Api, world: World) -> Any:
    return _binding(world, stock_service_pb2.AllocateStockRequest, 11)


@case("StockService.DeallocateStock", "DEMAND_EXCEEDED", {"held": "0"})
async def deallocating_what_is_not_held(api: Api, world: World) -> Any:
    return _binding(world, stock_service_pb2.DeallocateStockRequest, 1)


@case("StockService.ShipStock", "DEMAND_EXCEEDED", {"held": "2"})
async def shipping_more_than_is_held(api: Api, world: World) -> Any:
    await api.call("StockService.AllocateStock", _binding(world, stock_service_pb2.AllocateStockRequest, 2))
    return _binding(world, stock_service_pb2.ShipStockRequest, 3)


@case("StockService.RecordReceipt", "MESSAGE_TOO_LARGE", {"limit": str(4 << 20)})
async def a_note_of_many_bytes(api: Api, world: World) -> Any:
    return _receipt(world, note="x" * (4 << 20))


# Orders


@case("OrderService.ReleaseOrder", "ORDER_NOT_OPEN")
@case("OrderService.HoldOrder", "ORDER_NOT_OPEN")
async def an_order_with_nothing_open(api: Api, world: World) -> Any:
    def close(uow: UnitOfWork) -> None:
        record = uow.orders.get("one", ["gid://toy/1"])["gid://toy/1"]
        orders.ingest(uow, "one", [replace(record, state=OrderState.CANCELLED, version=record.version + 1)])

    await world.write(close)
    return order_service_pb2.ReleaseOrderRequest(name=world(ORDER))


@case("OrderService.PreviewSuspectPolicy", "INVALID_FIELD", violations={"policy.archived_release_days": "int32.lte"})
async def a_policy_of_too_many_days(api: Api, world: World) -> Any:
    request = REQUESTS["OrderService.PreviewSuspectPolicy"](world)
    request.policy.archived_release_days = 366
    return request


# Tokens


@case("TokenService.CreateToken", "INVALID_FIELD", violations={"token.merchants": "one_of"})
async def a_token_for_some_and_for_all(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    request.token.all_merchants = True
    return request


@case("TokenService.CreateToken", "INVALID_FIELD", violations={"token.merchants": "one_of"})
async def a_token_for_nobody(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    del request.token.merchants[:]
    return request


@case("TokenService.CreateToken", "INVALID_FIELD", violations={"token.expire_time": "timestamp.future"})
async def a_token_that_has_ended(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    request.token.expire_time.FromSeconds(1)
    return request


@case("TokenService.CreateToken", "INVALID_FIELD", violations={"token.certificate": "unique"})
async def a_certificate_with_two_tokens(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    request.token.certificate = f"spiffe://test/{world.id}"
    await api.call("TokenService.CreateToken", request)
    return request


@case("TokenService.GetToken", "RESOURCE_NOT_FOUND", {"resource": "tokens/nobody"})
async def no_such_token(api: Api, world: World) -> Any:
    return token_service_pb2.GetTokenRequest(name="tokens/nobody")


@case("TokenService.RevokeToken", "RESOURCE_NOT_FOUND", {"resource": "tokens/nobody"})
async def revoking_no_token(api: Api, world: World) -> Any:
    return token_service_pb2.RevokeTokenRequest(name="tokens/nobody")


# Sync


@case("SyncService.SyncNow", "SHOP_PAUSED", {"shop": "{}/shops/one"})
async def syncing_a_paused_shop(api: Api, world: World) -> Any:
    await api.call("ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/one")))
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


@case("OrderService.GetOrder", "RESOURCE_NOT_FOUND", {"resource": "{}/shops/one/orders/7"})
async def no_such_order(api: Api, world: World) -> Any:
    request = REQUESTS["OrderService.GetOrder"](world)
    request.name = world("shops/one/orders/7")
    return request


@case("OrderService.ListOrders", "INVALID_FIELD", violations={"filter.external_ids": "parent"})
async def platform_ids_in_all_shops(api: Api, world: World) -> Any:
    request = REQUESTS["OrderService.ListOrders"](world)
    request.parent = world("shops/-")
    request.filter.external_ids.append("1")
    return request


@case("ConnectorService.GetConnector", "RESOURCE_NOT_FOUND", {"resource": "connectors/base"})
async def no_such_connector(api: Api, world: World) -> Any:
    request = REQUESTS["ConnectorService.GetConnector"](world)
    request.name = "connectors/base"
    return request


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rpc}-{case.reason}-{case.setup.__name__}")
async def test_refusal(case: Case, api: Api, world: World) -> None:
    request = await case.setup(api, world)

    refused = await api.refusal(case.rpc, request)

    assert refused.reason == case.reason
    assert refused.code == REASONS[case.reason][1]
    told = {key: value.replace("{}", world.name) for key, value in case.metadata.items()}
    assert told.items() <= refused.metadata.items()
    assert case.violations.items() <= refused.violations.items()
    if case.violations:
        assert refused.metadata["field"] in refused.violations
    if refused.code == grpc.StatusCode.FAILED_PRECONDITION:
        assert refused.details["PreconditionFailure"].violations[0].type == case.reason
    if refused.code == grpc.StatusCode.UNAVAILABLE:
        assert refused.details["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert SECRET not in f"{refused}"
    assert refused.message.endswith(".")


async def test_what_a_shop_says_no_to_is_a_finding(api: Api, world: World) -> None:
    for error in (CredentialsRejected("the token is expired"), ContractBroken("no such field")):
        api.answers.check = error
        answer = await api.call("ShopService.CheckShop", shop_service_pb2.CheckShopRequest(name=world("shops/one")))
        assert [(item.level, item.reason) for item in answer.findings] == [(3, error.reason)]


async def test_an_id_is_never_used_again(api: Api, world: World) -> None:
    await api.call("ShopService.DeleteShop", shop_service_pb2.DeleteShopRequest(name=world("shops/two")))
    request = REQUESTS["ShopService.CreateShop"](world)
    request.shop_id = "two"

    assert (await api.refusal("ShopService.CreateShop", request)).reason == "RESOURCE_EXISTS"


async def test_one_order_and_a_page_of_orders_show_the_same(api: Api, world: World) -> None:
    listed = await api.call("OrderService.ListOrders", REQUESTS["OrderService.ListOrders"](world))
    read = await api.call("OrderService.GetOrder", REQUESTS["OrderService.GetOrder"](world))

    assert read.order == listed.orders[0]
