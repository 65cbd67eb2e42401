"""BatchRecordReceipts records all or nothing, once per cause key, and returns the stock after the
whole batch."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from api.bench import Api, World
from zaiko.v1 import stock_service_pb2

pytestmark = pytest.mark.anyio
RPC = "StockService.BatchRecordReceipts"


def line(world: World, product: str, units: int, cause: str = "", warehouse: str = "tokyo") -> Any:
    return stock_service_pb2.RecordReceiptRequest(
        product=world(f"products/{product}"),
        warehouse=world(f"warehouses/{warehouse}"),
        quantity=units,
        cause_key=cause,
    )


def delivery(world: World, *lines: Any, request_id: str = "") -> Any:
    return stock_service_pb2.BatchRecordReceiptsRequest(
        parent=world.name, requests=lines, request_id=request_id
    )


async def physical(api: Api, world: World, *products: str) -> list[int]:
    names = [world(f"products/{product}/stock") for product in products]
    request = stock_service_pb2.BatchGetStocksRequest(parent=world.name, names=names)
    return [
        stock.physical for stock in (await api.call("StockService.BatchGetStocks", request)).stocks
    ]


async def head(api: Api, world: World) -> int:
    request = stock_service_pb2.ListMovementsRequest(parent=world.name)
    return int((await api.call("StockService.ListMovements", request)).revision)


async def test_one_invalid_line_refuses_the_whole_batch(api: Api, world: World) -> None:
    before = await head(api, world)

    refused = await api.refusal(
        RPC,
        delivery(world, line(world, "apple", 1), line(world, "kiwi", 1), line(world, "pear", 1)),
    )

    assert refused.metadata["index"] == "1"
    assert await physical(api, world, "apple", "pear") == [10, 0]
    assert await head(api, world) == before


async def test_a_product_may_occur_several_times_and_its_stock_is_that_after_the_whole_batch(
    api: Api, world: World
) -> None:
    lines = [
        line(world, "pear", 1, "a"),
        line(world, "pear", 2, "b"),
        line(world, "pear", 4, "c", "osaka"),
    ]

    answer = await api.call(RPC, delivery(world, *lines))

    (stock,) = answer.stocks
    assert (stock.physical, stock.revision) == (7, answer.revision)
    assert [shelf.physical for shelf in stock.warehouses] == [4, 3]
    assert [result.movement.physical_delta for result in answer.results] == [1, 2, 4]
    assert await physical(api, world, "pear") == [7]


async def test_a_batch_repeated_with_its_cause_keys_changes_nothing(api: Api, world: World) -> None:
    request = delivery(world, line(world, "pear", 1, "a"), line(world, "apple", 2, "b"))
    first = await api.call(RPC, request)

    again = await api.call(RPC, request)

    assert [result.already_recorded for result in again.results] == [True, True]
    assert [result.movement for result in again.results] == [
        result.movement for result in first.results
    ]
    assert (again.stocks, again.revision) == (first.stocks, first.revision)


async def test_a_line_that_another_call_recorded_is_known_and_the_others_are_recorded(
    api: Api, world: World
) -> None:
    recorded = await api.call("StockService.RecordReceipt", line(world, "pear", 1, "a"))

    answer = await api.call(
        RPC, delivery(world, line(world, "pear", 1, "a"), line(world, "pear", 2, "b"))
    )

    assert [result.already_recorded for result in answer.results] == [True, False]
    assert answer.results[0].movement == recorded.movement
    assert [stock.physical for stock in answer.stocks] == [3]


async def test_a_repeat_with_the_request_id_gets_the_first_answer_even_without_cause_keys(
    api: Api, world: World
) -> None:
    request = delivery(
        world, line(world, "pear", 1), line(world, "pear", 1), request_id=str(uuid.uuid4())
    )

    first, again = await api.call(RPC, request), await api.call(RPC, request)

    assert again == first
    assert [result.already_recorded for result in first.results] == [False, False]
    assert await physical(api, world, "pear") == [2]


async def test_a_thousand_lines_are_one_revision(api: Api, world: World) -> None:
    lines = [line(world, ("apple", "pear")[number % 2], 1, f"t{number}") for number in range(1000)]

    answer = await api.call(RPC, delivery(world, *lines))

    assert [result.movement.cause_key for result in answer.results] == [
        f"t{number}" for number in range(1000)
    ]
    assert {result.movement.revision for result in answer.results} == {answer.revision}
    assert [stock.physical for stock in answer.stocks] == [510, 500]
