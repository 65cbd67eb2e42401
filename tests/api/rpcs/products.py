"""Products are created, changed, archived, read and listed, one or many at once."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.rpcs import happy
from zaiko.v1 import product_pb2, product_service_pb2, stock_service_pb2


@happy("ProductService.CreateProduct")
async def create_product(api: Api, world: World) -> None:
    request = product_service_pb2.CreateProductRequest(
        parent=world.name, product=product_pb2.Product(code="N-1")
    )

    answer = await api.call("ProductService.CreateProduct", request)

    assert answer.product.name.startswith(world("products/p"))
    assert answer.product.state == product_pb2.Product.STATE_ACTIVE
    stock = await api.call(
        "StockService.GetStock",
        stock_service_pb2.GetStockRequest(name=answer.product.name + "/stock"),
    )
    assert stock.stock.physical == 0


@happy("ProductService.BatchCreateProducts")
async def batch_create_products(api: Api, world: World) -> None:
    requests = [
        product_service_pb2.CreateProductRequest(
            product_id=f"n{i}-x", product=product_pb2.Product(code=f"N-{i}")
        )
        for i in (3, 1, 2)
    ]

    answer = await api.call(
        "ProductService.BatchCreateProducts",
        product_service_pb2.BatchCreateProductsRequest(parent=world.name, requests=requests),
    )

    assert [product.code for product in answer.products] == ["N-3", "N-1", "N-2"]
    assert {product.revision for product in answer.products} == {answer.revision}


@happy("ProductService.UpdateProduct")
async def update_product(api: Api, world: World) -> None:
    product = product_pb2.Product(name=world("products/apple"), code="A-2")

    answer = await api.call(
        "ProductService.UpdateProduct", product_service_pb2.UpdateProductRequest(product=product)
    )

    assert (answer.product.code, answer.product.barcode) == ("A-2", "4900000000011")
    assert answer.product.etag == f'W/"r{answer.revision}"'


@happy("ProductService.ArchiveProduct")
async def archive_product(api: Api, world: World) -> None:
    request = product_service_pb2.ArchiveProductRequest(name=world("products/pear"))

    answer = await api.call("ProductService.ArchiveProduct", request)
    again = await api.call("ProductService.ArchiveProduct", request)

    assert answer.product.state == product_pb2.Product.STATE_ARCHIVED
    assert again.product == answer.product


@happy("ProductService.GetProduct")
async def get_product(api: Api, world: World) -> None:
    request = product_service_pb2.GetProductRequest(name=world("products/old"))
    assert (
        await api.call("ProductService.GetProduct", request)
    ).product.state == product_pb2.Product.STATE_ARCHIVED


@happy("ProductService.BatchGetProducts")
async def batch_get_products(api: Api, world: World) -> None:
    names = [world("products/pear"), world("products/apple")]
    request = product_service_pb2.BatchGetProductsRequest(parent=world.name, names=names)
    assert [
        product.name
        for product in (await api.call("ProductService.BatchGetProducts", request)).products
    ] == names


@happy("ProductService.ListProducts")
async def list_products(api: Api, world: World) -> None:
    async def codes(**fields: Any) -> list[str]:
        wanted = product_service_pb2.ListProductsRequest.Filter(**fields)
        request = product_service_pb2.ListProductsRequest(parent=world.name, filter=wanted)
        return [
            product.code
            for product in (await api.call("ProductService.ListProducts", request)).products
        ]

    assert await codes() == ["A-1", "O-1", "P-1"]
    assert await codes(codes=["P-1", "A-1", "none"]) == ["A-1", "P-1"]
    assert await codes(states=[product_pb2.Product.STATE_ARCHIVED]) == ["O-1"]
    assert await codes(states=[product_pb2.Product.STATE_ACTIVE]) == ["A-1", "P-1"]
    assert await codes(query="A-") == ["A-1"]
    assert await codes(query="a-") == []
    assert await codes(query="%") == []
