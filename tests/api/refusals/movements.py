"""Units that are too many or too few, causes that are used, and deliveries with a fault."""

from __future__ import annotations

import uuid
from typing import Any

from api.bench import Api, World
from api.refusals import case
from zaiko.v1 import movement_pb2, stock_service_pb2
from zaiko_core.app.records import WarehouseRecord


def _receipt(world: World, **fields: Any) -> Any:
    values = {
        "product": world("products/apple"),
        "warehouse": world("warehouses/tokyo"),
        "quantity": 1,
    }
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


@case(
    "StockService.RecordReceipt",
    "INVALID_FIELD",
    violations={"occur_time": "timestamp.lt_now", "quantity": "int32.gte"},
)
async def a_receipt_of_tomorrow(api: Api, world: World) -> Any:
    request = _receipt(world, quantity=0)
    request.occur_time.GetCurrentTime()
    request.occur_time.seconds += 310
    return request


def _delivery(world: World, *items: Any) -> Any:
    return stock_service_pb2.BatchRecordReceiptsRequest(parent=world.name, requests=items)


@case(
    "StockService.BatchRecordReceipts",
    "DUPLICATE_IN_BATCH",
    {"index": "2", "field": "requests[2].cause_key"},
)
async def a_delivery_with_a_cause_twice(api: Api, world: World) -> Any:
    return _delivery(
        world, _receipt(world, cause_key="k"), _receipt(world), _receipt(world, cause_key="k")
    )


@case("StockService.BatchRecordReceipts", "CAUSE_KEY_REUSED", {"cause": "seed", "index": "1"})
async def a_delivery_with_the_cause_of_another_receipt(api: Api, world: World) -> Any:
    return _delivery(world, _receipt(world), _receipt(world, cause_key="seed", quantity=11))


@case("StockService.BatchRecordReceipts", "PRODUCT_ARCHIVED", {"product": "old", "index": "2"})
async def a_delivery_with_an_archived_product(api: Api, world: World) -> Any:
    # Neither another item's cause nor its warehouse is taken for the product of this name.
    await world.write(lambda uow: uow.warehouses.insert(WarehouseRecord("old", "Old")))
    others = (_receipt(world, cause_key="old"), _receipt(world, warehouse=world("warehouses/old")))
    return _delivery(world, *others, _receipt(world, product=world("products/old")))


@case(
    "StockService.BatchRecordReceipts", "STOCK_LIMIT_EXCEEDED", {"product": "apple", "index": "1"}
)
async def a_delivery_that_is_too_much_in_sum(api: Api, world: World) -> Any:
    half = {"quantity": 500_000_000}
    pear = _receipt(world, product=world("products/pear"))
    return _delivery(world, pear, _receipt(world, **half), _receipt(world, **half))


@case(
    "StockService.BatchRecordReceipts",
    "RESOURCE_NOT_FOUND",
    {"resource": "{}/warehouses/kobe", "index": "1"},
)
async def a_delivery_to_nowhere(api: Api, world: World) -> Any:
    return _delivery(world, _receipt(world), _receipt(world, warehouse=world("warehouses/kobe")))


@case(
    "StockService.BatchRecordReceipts",
    "INVALID_FIELD",
    violations={"requests[1].request_id": "string.const"},
)
async def a_delivery_with_an_id_inside(api: Api, world: World) -> Any:
    return _delivery(world, _receipt(world), _receipt(world, request_id=str(uuid.uuid4())))


@case("StockService.BatchRecordReceipts", "MESSAGE_TOO_LARGE", {"limit": str(4 << 20)})
async def a_delivery_whose_answer_a_client_would_not_take(api: Api, world: World) -> Any:
    note = "\N{CJK UNIFIED IDEOGRAPH-20BB7}" * 1000
    request = _delivery(
        world, *(_receipt(world, note=note, cause_key=f"{number:064d}") for number in range(1000))
    )
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
    return _adjust(world, counted=5, as_of_revision=1, etag='W/"r1"')


@case("StockService.AdjustStock", "INVALID_FIELD", violations={"as_of_revision": "required"})
async def counting_without_a_moment(api: Api, world: World) -> Any:
    return _adjust(world, counted=0)


@case("StockService.AdjustStock", "INVALID_FIELD", violations={"as_of_revision": "absent"})
async def adjusting_as_of_a_moment(api: Api, world: World) -> Any:
    return _adjust(world, delta=1, as_of_revision=1)


@case("StockService.AdjustStock", "REVISION_IN_FUTURE")
async def counting_as_of_a_revision_that_is_not_there(api: Api, world: World) -> Any:
    return _adjust(world, counted=0, as_of_revision=1 << 40)


def _transfer(world: World, **fields: Any) -> Any:
    values = {
        "product": world("products/apple"),
        "from_warehouse": world("warehouses/tokyo"),
        "to_warehouse": world("warehouses/osaka"),
        "quantity": 1,
    }
    return stock_service_pb2.TransferStockRequest(**values | fields)


@case("StockService.TransferStock", "INSUFFICIENT_STOCK", {"deliverable": "10"})
async def moving_more_than_there_is(api: Api, world: World) -> Any:
    return _transfer(world, quantity=11)


@case("StockService.TransferStock", "INVALID_FIELD", violations={"to_warehouse": "different"})
async def moving_to_where_it_is(api: Api, world: World) -> Any:
    return _transfer(world, to_warehouse=world("warehouses/tokyo"))


@case("StockService.TransferStock", "CAUSE_KEY_REUSED", {"cause": "seed"})
async def moving_under_the_cause_of_a_receipt(api: Api, world: World) -> Any:
    return _transfer(world, cause_key="seed")


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
    await api.call(
        "StockService.AllocateStock", _binding(world, stock_service_pb2.AllocateStockRequest, 2)
    )
    return _binding(world, stock_service_pb2.ShipStockRequest, 3)


@case("StockService.RecordReceipt", "MESSAGE_TOO_LARGE", {"limit": str(4 << 20)})
async def a_note_of_many_bytes(api: Api, world: World) -> Any:
    return _receipt(world, note="x" * (4 << 20))
