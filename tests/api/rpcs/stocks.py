"""Stocks are read, listed, watched and explained; and reserves, escrow and oversells."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from api.bench import Api, World, refused
from api.rpcs import happy
from api.rpcs.links import linked
from zaiko.v1 import explanation_pb2, movement_pb2, oversell_pb2, stock_service_pb2
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import PushRecord
from zaiko_core.domain.push import Term


@happy("StockService.GetStock")
async def get_stock(api: Api, world: World) -> None:
    answer = await api.call(
        "StockService.GetStock",
        stock_service_pb2.GetStockRequest(name=world("products/apple/stock")),
    )

    stock = answer.stock
    assert (stock.physical, stock.free, stock.sent, stock.oversold) == (10, 10, 10, 0)
    assert stock.product == world("products/apple")
    assert [(item.warehouse, item.physical) for item in stock.warehouses] == [
        (world("warehouses/tokyo"), 10)
    ]


@happy("StockService.BatchGetStocks")
async def batch_get_stocks(api: Api, world: World) -> None:
    names = [world("products/pear/stock"), world("products/apple/stock")]
    request = stock_service_pb2.BatchGetStocksRequest(parent=world.name, names=names)
    assert [
        stock.physical for stock in (await api.call("StockService.BatchGetStocks", request)).stocks
    ] == [0, 10]


@happy("StockService.ListStocks")
async def list_stocks(api: Api, world: World) -> None:
    await linked(
        api, world, "l2", "pear"
    )  # its order of 1 × pear is counted, of which there is none

    async def found(**fields: Any) -> list[tuple[str, int]]:
        wanted = stock_service_pb2.ListStocksRequest.Filter(**fields)
        request = stock_service_pb2.ListStocksRequest(parent=world.name, filter=wanted)
        return [
            (item.product, item.free)
            for item in (await api.call("StockService.ListStocks", request)).stocks
        ]

    assert await found() == [
        (world("products/apple"), 10),
        (world("products/old"), 0),
        (world("products/pear"), -1),
    ]
    assert await found(oversold=True) == [(world("products/pear"), -1)]
    assert await found(products=[world("products/apple")]) == [(world("products/apple"), 10)]


@happy("StockService.SetReserve")
async def set_reserve(api: Api, world: World) -> None:
    await linked(api, world)
    request = stock_service_pb2.SetReserveRequest(product=world("products/apple"), reserve=3)

    answer = await api.call("StockService.SetReserve", request)
    again = await api.call("StockService.SetReserve", request)

    assert (answer.stock.free, answer.stock.reserve, answer.stock.synced) == (8, 3, 5)
    assert answer.scheduled_link_count == 1
    assert again.scheduled_link_count == 0
    assert again.revision == answer.revision


@happy("StockService.SetEscrow")
async def set_escrow(api: Api, world: World) -> None:
    await linked(api, world)
    request = stock_service_pb2.SetEscrowRequest(product=world("products/apple"), escrow_below=8)

    answer = await api.call("StockService.SetEscrow", request)
    again = await api.call("StockService.SetEscrow", request)
    looser = await api.call(
        "StockService.SetEscrow",
        stock_service_pb2.SetEscrowRequest(product=world("products/apple"), escrow_below=7),
    )

    assert (
        answer.stock.free,
        answer.stock.synced,
        answer.stock.escrow_below,
        answer.stock.in_escrow,
    ) == (8, 8, 8, True)
    assert (answer.scheduled_link_count, again.scheduled_link_count, again.revision) == (
        1,
        0,
        answer.revision,
    )
    assert not looser.stock.in_escrow


@happy("StockService.BatchSetReserves")
async def batch_set_reserves(api: Api, world: World) -> None:
    requests = [
        stock_service_pb2.SetReserveRequest(product=world(f"products/{product}"), reserve=units)
        for product, units in (("pear", 1), ("apple", 2))
    ]
    request = stock_service_pb2.BatchSetReservesRequest(parent=world.name, requests=requests)
    assert [
        stock.synced for stock in (await api.call("StockService.BatchSetReserves", request)).stocks
    ] == [-1, 8]


@happy("StockService.WatchStocks")
async def watch_stocks(api: Api, world: World) -> None:
    stream = api.method("StockService.WatchStocks")(
        stock_service_pb2.WatchStocksRequest(parent=world.name), timeout=60
    )

    first = await stream.read()

    assert len(first.changes.stocks) == 3
    stream.cancel()


async def explained(api: Api, **fields: Any) -> Any:
    return await api.call(
        "StockService.ExplainStock", stock_service_pb2.ExplainStockRequest(**fields)
    )


@happy("StockService.ExplainStock")
async def explain_stock(api: Api, world: World) -> None:
    made = await linked(api, world)
    before = made.revision

    def pushed(uow: UnitOfWork) -> None:
        terms = (Term("ESCROW", 3), Term("SUSPECTED", 1))
        uow.pushes.insert([PushRecord("one", "l1", uow.now, "k", 6, 8, terms, 4)])
        uow.advance()

    await world.write(pushed)

    found = await explained(api, product=world("products/apple"))
    (shown,) = found.stocks
    assert (shown.stock.physical, shown.stock.ordered, shown.stock.free, shown.stock.etag) == (
        10,
        2,
        8,
        "",
    )
    assert [
        (shelf.warehouse.rpartition("/")[2], shelf.received, shelf.physical)
        for shelf in shown.shelves
    ] == [("tokyo", 10, 10)]
    (promise,) = shown.promises
    assert (promise.order_number, promise.ordered, promise.unallocated) == ("#1", 2, 2)
    assert promise.demand.order.external_order_id == "gid://toy/1"
    assert (shown.rest.promise_count, shown.rest.ordered) == (0, 0)
    (link_found,) = found.links
    push = link_found.last_push
    assert (push.target, [(term.label, term.units) for term in push.terms], push.quantity) == (
        8,
        [("ESCROW", 3), ("SUSPECTED", 1)],
        4,
    )
    assert push.outcome == explanation_pb2.Push.OUTCOME_SENT
    assert not link_found.HasField("last_acknowledged_push")
    assert link_found.status.link == made.link.name

    earlier = await explained(api, link=made.link.name, at_revision=before - 1)
    assert (earlier.stocks[0].stock.ordered, earlier.revision) == (0, before - 1)
    assert not earlier.links[0].HasField("last_push")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await explained(api, product=world("products/apple"), at_revision=found.revision + 1)
    assert (refused(error.value).reason, refused(error.value).metadata["currentRevision"]) == (
        "REVISION_IN_FUTURE",
        str(found.revision),
    )


async def first_oversell(api: Api, world: World) -> Any:
    await linked(api, world, "l2", "pear")
    request = stock_service_pb2.ListOversellsRequest(parent=world.name)
    (found,) = (await api.call("StockService.ListOversells", request)).oversells
    return found


@happy("StockService.GetOversell")
async def get_oversell(api: Api, world: World) -> None:
    listed = await first_oversell(api, world)

    answer = await api.call(
        "StockService.GetOversell", stock_service_pb2.GetOversellRequest(name=listed.name)
    )

    found = answer.oversell
    assert found == listed
    assert (found.product, found.units, found.short_units) == (world("products/pear"), 1, 1)
    assert found.cause == oversell_pb2.Oversell.CAUSE_ORDER_BEFORE_LINKING
    assert (found.by.order_number, found.by.units, found.by.kind) == (
        "#1",
        1,
        movement_pb2.Movement.KIND_ORDER_LINKED,
    )
    assert [snapshot.link for snapshot in found.snapshots] == [world("shops/one/links/l2")]
    assert found.action_en
    assert found.action_ja
    assert not found.HasField("clear_time")
    for missing in ("0000000000000099", "none", "9" * 80):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await api.call(
                "StockService.GetOversell",
                stock_service_pb2.GetOversellRequest(name=world(f"oversells/{missing}")),
            )
        assert refused(error.value).reason == "RESOURCE_NOT_FOUND"


@happy("StockService.ListOversells")
async def list_oversells(api: Api, world: World) -> None:
    only = await first_oversell(api, world)

    async def found(**fields: Any) -> list[str]:
        wanted = stock_service_pb2.ListOversellsRequest.Filter(**fields)
        request = stock_service_pb2.ListOversellsRequest(parent=world.name, filter=wanted)
        return [
            item.name for item in (await api.call("StockService.ListOversells", request)).oversells
        ]

    assert await found(product=world("products/pear")) == await found(open=True) == [only.name]
    assert await found(product=world("products/apple")) == []
    assert await found(causes=[oversell_pb2.Oversell.CAUSE_SOLD_TWICE]) == []
    receipt = stock_service_pb2.RecordReceiptRequest(
        product=world("products/pear"), warehouse=world("warehouses/tokyo"), quantity=1
    )
    reply = await api.call("StockService.RecordReceipt", receipt)
    assert await found(open=True) == []
    (cleared,) = (
        await api.call(
            "StockService.ListOversells", stock_service_pb2.ListOversellsRequest(parent=world.name)
        )
    ).oversells
    assert cleared.cleared_by == reply.movement.name
