"""ProductService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zaiko.v1 import product_pb2, product_service_pb2_grpc
from zaiko.v1 import product_service_pb2 as pb
from zaiko_core.app import catalogue
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ProductRecord

from zaiko_server import etags, names, pages
from zaiko_server.convert import products
from zaiko_server.masks import mask_of
from zaiko_server.pages import PagePosition
from zaiko_server.services.calls import Calls, Context


class ProductServicer(product_service_pb2_grpc.ProductServiceServicer):
    """See proto/zaiko/v1/product_service.proto."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def CreateProduct(
        self, request: pb.CreateProductRequest, context: Context
    ) -> pb.CreateProductResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        drafts = self._drafts([request])

        def work(uow: UnitOfWork) -> pb.CreateProductResponse:
            (record,) = catalogue.create_products(uow, drafts)
            return pb.CreateProductResponse(
                product=products.product(merchant, record), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.CreateProductResponse, work)

    async def BatchCreateProducts(
        self, request: pb.BatchCreateProductsRequest, context: Context
    ) -> pb.BatchCreateProductsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        drafts = self._drafts(request.requests)

        def work(uow: UnitOfWork) -> pb.BatchCreateProductsResponse:
            records = catalogue.create_products(uow, drafts)
            made = [products.product(merchant, record) for record in records]
            return pb.BatchCreateProductsResponse(products=made, revision=uow.answer_revision)

        return await self._calls.write(
            context, merchant, request, pb.BatchCreateProductsResponse, work
        )

    async def UpdateProduct(
        self, request: pb.UpdateProductRequest, context: Context
    ) -> pb.UpdateProductResponse:
        merchant, product = names.PRODUCT.ids(request.product.name)
        changes = {path: getattr(request.product, path) for path in mask_of(request).changes}

        def work(uow: UnitOfWork) -> pb.UpdateProductResponse:
            record = catalogue.product(uow, product)
            etags.check(request.product.etag, record.revision)
            record = catalogue.update_product(uow, replace(record, **changes))
            return pb.UpdateProductResponse(
                product=products.product(merchant, record), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.UpdateProductResponse, work)

    async def ArchiveProduct(
        self, request: pb.ArchiveProductRequest, context: Context
    ) -> pb.ArchiveProductResponse:
        merchant, product = names.PRODUCT.ids(request.name)

        def work(uow: UnitOfWork) -> pb.ArchiveProductResponse:
            etags.check(request.etag, catalogue.product(uow, product).revision)
            record = catalogue.archive_product(uow, product)
            return pb.ArchiveProductResponse(
                product=products.product(merchant, record), revision=uow.answer_revision
            )

        return await self._calls.write(context, merchant, request, pb.ArchiveProductResponse, work)

    async def GetProduct(
        self, request: pb.GetProductRequest, context: Context
    ) -> pb.GetProductResponse:
        merchant, product = names.PRODUCT.ids(request.name)

        def work(uow: UnitOfWork) -> pb.GetProductResponse:
            record = catalogue.product(uow, product)
            return pb.GetProductResponse(
                product=products.product(merchant, record), revision=uow.revision
            )

        return await self._calls.read(merchant, work)

    async def BatchGetProducts(
        self, request: pb.BatchGetProductsRequest, context: Context
    ) -> pb.BatchGetProductsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        ids = [names.PRODUCT.ids(name)[1] for name in request.names]

        def work(uow: UnitOfWork) -> pb.BatchGetProductsResponse:
            found = [products.product(merchant, record) for record in catalogue.products(uow, ids)]
            return pb.BatchGetProductsResponse(products=found, revision=uow.revision)

        return await self._calls.read(merchant, work)

    async def ListProducts(
        self, request: pb.ListProductsRequest, context: Context
    ) -> pb.ListProductsResponse:
        (merchant,) = names.MERCHANT.ids(request.parent)
        wanted = request.filter
        states = set(wanted.states)
        archived = None if len(states) != 1 else states == {product_pb2.Product.STATE_ARCHIVED}

        def rows(uow: UnitOfWork, position: PagePosition) -> Sequence[ProductRecord]:
            # SQLite's LIKE ignores case; the contract does not.
            return pages.collect(
                position,
                lambda page: uow.products.page(
                    page, codes=list(wanted.codes), prefix=wanted.query, archived=archived
                ),
                lambda row: (row.product,),
                lambda row: row.code.startswith(wanted.query),
            )

        query = self._calls.pages.list_of(
            merchant,
            request,
            pb.ListProductsResponse,
            rows,
            key=lambda row: (row.product,),
            messages=lambda uow, found: (products.product(merchant, row) for row in found),
        )
        return await self._calls.read(merchant, query)

    def _drafts(self, requests: Sequence[pb.CreateProductRequest]) -> list[ProductRecord]:
        return [
            products.drafted(
                item.product_id or f"p{self._calls.new_id().replace('-', '')}", item.product
            )
            for item in requests
        ]
