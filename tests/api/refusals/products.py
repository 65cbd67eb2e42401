"""Codes that are taken, fields that do not change, batches with a fault, and products that are
linked."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.requests import furnish
from zaiko.v1 import product_pb2, product_service_pb2


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


@case(
    "ProductService.BatchCreateProducts",
    "RESOURCE_EXISTS",
    {"index": "1", "resource": "{}/products/apple"},
)
async def id_taken_in_a_batch(api: Api, world: World) -> Any:
    items = [_new_product(world, "n1"), _new_product(world, "new", "apple")]
    return product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=items)


@case(
    "ProductService.BatchCreateProducts",
    "INVALID_FIELD",
    violations={"requests[1].request_id": "string.const"},
)
async def request_id_inside_a_batch(api: Api, world: World) -> Any:
    items = [_new_product(world, "n1"), _new_product(world, "n2")]
    items[1].request_id = "b6cbb3ae-1e2b-4d5a-9a53-3a4ab5ea9a0f"
    return product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=items)


@case(
    "ProductService.BatchCreateProducts",
    "INVALID_NAME",
    violations={"requests[0].parent": "name.parent"},
)
async def another_parent_inside_a_batch(api: Api, world: World) -> Any:
    items = [_new_product(world, "n1")]
    items[0].parent = "merchants/other"
    return product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=items)


@case("ProductService.UpdateProduct", "CODE_TAKEN", {"code": "P-1"})
async def changing_to_a_taken_code(api: Api, world: World) -> Any:
    return product_service_pb2.UpdateProductRequest(
        product=product_pb2.Product(name=world("products/apple"), code="P-1")
    )


@case("ProductService.UpdateProduct", "FIELD_MASK_INVALID", {"paths": "state,*"})
async def updating_a_products_state(api: Api, world: World) -> Any:
    request = product_service_pb2.UpdateProductRequest(
        product=product_pb2.Product(name=world("products/apple"), code="x")
    )
    request.update_mask.paths.extend(["code", "state", "*"])
    return request


@case("ProductService.UpdateProduct", "INVALID_FIELD", violations={"product.code": "required"})
async def clearing_a_code(api: Api, world: World) -> Any:
    request = product_service_pb2.UpdateProductRequest(
        product=product_pb2.Product(name=world("products/apple"))
    )
    request.update_mask.paths.append("code")
    return request


@case(
    "ProductService.ArchiveProduct",
    "PRODUCT_HAS_LINKS",
    {"count": "1", "product": "{}/products/pear"},
)
async def archiving_what_is_linked(api: Api, world: World) -> Any:
    await world.write(furnish)
    return product_service_pb2.ArchiveProductRequest(name=world("products/pear"))


@case("ProductService.BatchGetProducts", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def one_of_several_products_is_missing(api: Api, world: World) -> Any:
    names = [world("products/apple"), world("products/kiwi")]
    return product_service_pb2.BatchGetProductsRequest(parent=world.name, names=names)
