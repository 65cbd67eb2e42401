"""Stocks that are not there or have changed, revisions that are not known, and oversells that never
were."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.requests import REQUESTS, bare_order, furnish
from zaiko.v1 import stock_service_pb2
from zaiko_core.app import orders
from zaiko_core.app.ports import UnitOfWork


@case("StockService.AllocateStock", "ORDER_NUMBER_AMBIGUOUS", {"orders": "bare-#5, bare-5"})
@case("StockService.DeallocateStock", "ORDER_NUMBER_AMBIGUOUS", {"number": "5"})
@case("StockService.ShipStock", "ORDER_NUMBER_AMBIGUOUS", {"number": "5"})
async def allocating_for_a_number_of_two_orders(api: Api, world: World) -> Any:
    def read(uow: UnitOfWork) -> None:
        orders.ingest(uow, "one", [bare_order(uow, "#5"), bare_order(uow, "5")])

    await world.write(read)
    request = REQUESTS["StockService.AllocateStock"](world)
    request.demand.order.external_order_id = "5"
    return request


@case("StockService.ExplainStock", "REVISION_IN_FUTURE", {"owner": "SYSTEM"})
async def explaining_what_is_to_come(api: Api, world: World) -> Any:
    return stock_service_pb2.ExplainStockRequest(
        product=world("products/apple"), at_revision=1_000_000
    )


@case(
    "StockService.ExplainStock", "REVISION_COMPACTED", {"compactRevision": "9", "owner": "SYSTEM"}
)
async def explaining_what_is_forgotten(api: Api, world: World) -> Any:
    await world.write(lambda uow: uow.ledger.forget(older_than=0, known_from=9))
    await world.write(furnish)
    for _ in range(10):
        await world.write(lambda uow: uow.advance())
    return stock_service_pb2.ExplainStockRequest(link=world("shops/one/links/l5"), at_revision=8)


@case("StockService.ExplainStock", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def explaining_no_product(api: Api, world: World) -> Any:
    return stock_service_pb2.ExplainStockRequest(product=world("products/kiwi"))


@case(
    "StockService.GetOversell", "RESOURCE_NOT_FOUND", {"resource": "{}/oversells/0000000000000099"}
)
async def no_oversell(api: Api, world: World) -> Any:
    return stock_service_pb2.GetOversellRequest(name=world("oversells/0000000000000099"))


@case("StockService.BatchGetStocks", "RESOURCE_NOT_FOUND", {"resource": "{}/products/kiwi"})
async def one_of_several_stocks_is_missing(api: Api, world: World) -> Any:
    names = [world("products/apple/stock"), world("products/kiwi/stock")]
    return stock_service_pb2.BatchGetStocksRequest(parent=world.name, names=names)


def _reserves(world: World, *products: str) -> Any:
    items = [
        stock_service_pb2.SetReserveRequest(product=world(f"products/{product}"), reserve=1)
        for product in products
    ]
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
