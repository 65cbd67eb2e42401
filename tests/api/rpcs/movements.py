"""Units are received, counted, allocated and shipped, and the journal shows it."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.requests import REQUESTS
from api.rpcs import happy
from api.rpcs.links import linked
from zaiko.v1 import movement_pb2, stock_service_pb2


def binding(world: World, units: int, **extra: Any) -> dict[str, Any]:
    order = movement_pb2.Demand.OrderReference(
        shop=world("shops/one"), external_order_id="gid://toy/1"
    )
    return {
        "demand": movement_pb2.Demand(order=order),
        "product": world("products/apple"),
        "warehouse": world("warehouses/tokyo"),
        "quantity": units,
    } | extra


@happy("StockService.RecordReceipt")
async def record_receipt(api: Api, world: World) -> None:
    request = stock_service_pb2.RecordReceiptRequest(
        product=world("products/apple"),
        warehouse=world("warehouses/osaka"),
        quantity=5,
        cause_key="receipt-1",
        note="pallet 7",
    )

    answer = await api.call("StockService.RecordReceipt", request)
    again = await api.call("StockService.RecordReceipt", request)

    assert (answer.movement.physical_delta, answer.movement.kind) == (
        5,
        movement_pb2.Movement.KIND_RECEIVE,
    )
    assert (answer.movement.cause_key, answer.movement.note) == ("receipt-1", "pallet 7")
    assert answer.stock.physical == 15
    assert not answer.already_recorded
    assert again.already_recorded
    assert again.movement == answer.movement
    assert again.stock.physical == 15


@happy("StockService.BatchRecordReceipts")
async def batch_record_receipts(api: Api, world: World) -> None:
    lines = (("pear", "tokyo", 3, "d1/1"), ("apple", "osaka", 4, "d1/2"), ("pear", "tokyo", 5, ""))
    requests = [
        stock_service_pb2.RecordReceiptRequest(
            product=world(f"products/{product}"),
            warehouse=world(f"warehouses/{warehouse}"),
            quantity=units,
            cause_key=cause,
        )
        for product, warehouse, units, cause in lines
    ]
    request = stock_service_pb2.BatchRecordReceiptsRequest(parent=world.name, requests=requests)

    answer = await api.call("StockService.BatchRecordReceipts", request)

    recorded = [result.movement for result in answer.results]
    assert [movement.physical_delta for movement in recorded] == [3, 4, 5]
    assert [movement.cause_key for movement in recorded[:2]] == ["d1/1", "d1/2"]
    assert len(recorded[2].cause_key) == 36
    assert {movement.revision for movement in recorded} == {answer.revision}
    assert [(stock.product, stock.physical) for stock in answer.stocks] == [
        (world("products/pear"), 8),
        (world("products/apple"), 14),
    ]


@happy("StockService.StreamMovements")
async def stream_movements(api: Api, world: World) -> None:
    stream = api.method("StockService.StreamMovements")(
        REQUESTS["StockService.StreamMovements"](world), timeout=60
    )

    answer = await stream.read()

    assert (answer.sequence, answer.already_recorded, answer.WhichOneof("outcome")) == (
        1,
        False,
        "stock",
    )
    assert answer.revision == answer.stock.revision
    stream.cancel()


@happy("StockService.AdjustStock")
async def adjust_stock(api: Api, world: World) -> None:
    place = {"product": world("products/apple"), "warehouse": world("warehouses/tokyo")}
    lost = await api.call(
        "StockService.AdjustStock", stock_service_pb2.AdjustStockRequest(**place, delta=-2)
    )
    counting = stock_service_pb2.AdjustStockRequest(
        **place, counted=7, as_of_revision=lost.revision, cause_key="count-1"
    )
    await api.call(
        "StockService.RecordReceipt",
        stock_service_pb2.RecordReceiptRequest(**place, quantity=5),
    )

    counted = await api.call("StockService.AdjustStock", counting)
    again = await api.call("StockService.AdjustStock", counting)
    timed = stock_service_pb2.AdjustStockRequest(**place, counted=11)
    timed.as_of_time.CopyFrom(counted.movement.record_time)
    corrected = await api.call("StockService.AdjustStock", timed)

    assert lost.stock.physical == 8
    # One is missing of the 8 that were there, and 5 have come since.
    assert (counted.stock.physical, counted.movement.physical_delta) == (12, -1)
    assert counted.movement.as_of_revision == lost.revision
    assert again.already_recorded
    assert corrected.stock.physical == 11


@happy("StockService.TransferStock")
async def transfer_stock(api: Api, world: World) -> None:
    request = stock_service_pb2.TransferStockRequest(
        product=world("products/apple"),
        from_warehouse=world("warehouses/tokyo"),
        to_warehouse=world("warehouses/osaka"),
        quantity=8,
        cause_key="move-1",
    )

    answer = await api.call("StockService.TransferStock", request)
    again = await api.call("StockService.TransferStock", request)

    assert [
        (one.warehouse, one.physical_delta, one.cause_key, one.kind) for one in answer.movements
    ] == [
        (world("warehouses/tokyo"), -8, "move-1", movement_pb2.Movement.KIND_TRANSFER),
        (world("warehouses/osaka"), 8, "move-1", movement_pb2.Movement.KIND_TRANSFER),
    ]
    assert (answer.stock.physical, answer.stock.free) == (10, 10)
    assert [(one.warehouse, one.physical) for one in answer.stock.warehouses] == [
        (world("warehouses/osaka"), 8),
        (world("warehouses/tokyo"), 2),
    ]
    assert again.already_recorded
    assert again.movements == answer.movements
    explained = await api.call(
        "StockService.ExplainStock",
        stock_service_pb2.ExplainStockRequest(product=world("products/apple")),
    )
    shelves = explained.stocks[0].shelves
    assert [(one.received, one.transferred, one.physical) for one in shelves] == [
        (0, 8, 8),
        (10, -8, 2),
    ]


@happy("StockService.AllocateStock")
async def allocate_stock(api: Api, world: World) -> None:
    await linked(api, world)

    answer = await api.call(
        "StockService.AllocateStock", stock_service_pb2.AllocateStockRequest(**binding(world, 2))
    )

    assert (answer.stock.allocated, answer.stock.ordered, answer.stock.free) == (2, 2, 8)
    assert answer.movement.demand.order.external_order_id == "gid://toy/1"


@happy("StockService.DeallocateStock")
async def deallocate_stock(api: Api, world: World) -> None:
    await api.call(
        "StockService.AllocateStock", stock_service_pb2.AllocateStockRequest(**binding(world, 2))
    )

    answer = await api.call(
        "StockService.DeallocateStock",
        stock_service_pb2.DeallocateStockRequest(**binding(world, 1)),
    )

    assert answer.stock.allocated == 1


@happy("StockService.ShipStock")
async def ship_stock(api: Api, world: World) -> None:
    shipment = {"demand": movement_pb2.Demand(shipment="wholesale-9")}
    held = await api.call(
        "StockService.AllocateStock",
        stock_service_pb2.AllocateStockRequest(**binding(world, 2) | shipment),
    )

    answer = await api.call(
        "StockService.ShipStock", stock_service_pb2.ShipStockRequest(**binding(world, 2) | shipment)
    )

    assert (answer.stock.physical, answer.stock.allocated, answer.stock.free) == (8, 0, 8)
    assert held.stock.free == 8
    assert answer.movement.demand.shipment == "wholesale-9"


@happy("StockService.ListMovements")
async def list_movements(api: Api, world: World) -> None:
    await linked(api, world)

    async def kinds(**fields: Any) -> list[int]:
        wanted = stock_service_pb2.ListMovementsRequest.Filter(**fields)
        request = stock_service_pb2.ListMovementsRequest(parent=world.name, filter=wanted)
        return [
            item.kind for item in (await api.call("StockService.ListMovements", request)).movements
        ]

    kind = movement_pb2.Movement
    assert await kinds() == [kind.KIND_ORDER_LINKED, kind.KIND_RECEIVE]
    assert await kinds(kinds=[kind.KIND_RECEIVE]) == [kind.KIND_RECEIVE]
    assert await kinds(product=world("products/pear")) == []
    assert await kinds(warehouse=world("warehouses/tokyo")) == [kind.KIND_RECEIVE]
