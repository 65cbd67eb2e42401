"""StreamMovements on a real server: answers in order, refused facts beside recorded ones, gaps,
replays, back-pressure and the drain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from api.bench import Api, World, refused, served
from zaiko.v1 import error_pb2, movement_pb2, stock_service_pb2
from zaiko_core.app import links, orders
from zaiko_core.app.links import LinkDraft
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.demand import DemandLine, DemandState, OrderRecord
from zaiko_core.domain.errors import ServiceError, StorageUnavailable, WriteConflict
from zaiko_core.domain.links import Part

pytestmark = pytest.mark.anyio
Request = stock_service_pb2.StreamMovementsRequest
RPC = "StockService.StreamMovements"


def place(world: World, **fields: Any) -> dict[str, Any]:
    return {"product": world("products/pear"), "warehouse": world("warehouses/tokyo")} | fields


def receipt(world: World, sequence: int, units: int = 1, cause: str = "", **fields: Any) -> Any:
    fact = stock_service_pb2.RecordReceiptRequest(
        **place(world, quantity=units, cause_key=cause or f"r{sequence}", **fields)
    )
    return Request(sequence=sequence, parent=world.name, receipt=fact)


def binding(world: World, kind: str, message: Any, sequence: int, units: int) -> Any:
    demand = movement_pb2.Demand(shipment="S-1")
    fact = message(**place(world, quantity=units, cause_key=f"b{sequence}", demand=demand))
    return Request(sequence=sequence, **{kind: fact})


def open_stream(api: Api) -> Any:
    api.method("StockService.GetStock")  # makes the stub
    return api.stubs["StockService"].StreamMovements(timeout=30)


async def answers_to(api: Api, requests: Sequence[Any]) -> list[Any]:
    """Return every answer to a stream that is half-closed after `requests`."""
    stream = open_stream(api)

    async def write() -> None:
        for request in requests:
            await stream.write(request)
        await stream.done_writing()

    writing = asyncio.create_task(write())
    answers = [answer async for answer in stream]
    await writing
    assert await stream.code() is grpc.StatusCode.OK
    return answers


async def physical(api: Api, world: World, product: str = "pear") -> int:
    request = stock_service_pb2.GetStockRequest(name=world(f"products/{product}/stock"))
    return int((await api.call("StockService.GetStock", request)).stock.physical)


async def causes(api: Api, world: World) -> list[str]:
    request = stock_service_pb2.ListMovementsRequest(parent=world.name, page_size=1000)
    return [
        movement.cause_key
        for movement in (await api.call("StockService.ListMovements", request)).movements
    ]


async def test_answers_are_in_the_order_of_requests_with_the_stock_of_their_revision(
    api: Api, world: World
) -> None:
    answers = await answers_to(api, [receipt(world, number) for number in range(1, 301)])

    assert [answer.sequence for answer in answers] == list(range(1, 301))
    # Facts of one transaction share its revision, and so its stock; none is left out, and none
    # counted before it was answered.
    told_by = {answer.revision: answer.sequence for answer in answers}
    assert [answer.stock.physical for answer in answers] == [
        told_by[answer.revision] for answer in answers
    ]
    assert not any(answer.already_recorded for answer in answers)
    revisions = [answer.revision for answer in answers]
    assert revisions == sorted(revisions)
    assert len(set(revisions)) < 300  # several share a transaction
    assert all(answer.stock.revision == answer.revision for answer in answers)
    assert await physical(api, world) == 300


async def test_facts_of_one_transaction_are_answered_with_the_stock_after_all_of_them(
    api: Api, world: World
) -> None:
    order = {"product": world("products/apple")}
    await world.write(sell_five)
    moves = [
        stock_service_pb2.AdjustStockRequest(
            **place(world, delta=delta, cause_key=warehouse)
            | order
            | {"warehouse": world(f"warehouses/{warehouse}")}
        )
        for warehouse, delta in (("tokyo", -8), ("osaka", 8))
    ]
    before = await api.call("StockService.ListOversells", oversells(world))
    answers = await answers_to(
        api,
        [
            Request(sequence=number, parent=world.name, adjustment=fact)
            for number, fact in enumerate(moves, 1)
        ],
    )

    assert {answer.revision for answer in answers} == {answers[0].revision}
    assert [(answer.stock.physical, answer.stock.free) for answer in answers] == [(10, 5)] * 2
    assert await api.call("StockService.ListOversells", oversells(world)) == type(before)(
        revision=answers[0].revision
    )


def sell_five(uow: UnitOfWork) -> None:
    """Count 5 of 10 apples as ordered: 2 by the order that is there, and 3 by another one."""
    drafts = [LinkDraft("one", "l1", (Part("apple"),), True)]
    links.create(uow, drafts, can_sync=lambda connector: None)
    line = DemandLine("1", "l1", 3, 0, 0, "A-1", "Apple")
    read = OrderRecord("9", "#9", uow.now, uow.now, DemandState.OPEN, uow.now, (line,))
    orders.ingest(uow, "one", [read])


def oversells(world: World) -> Any:
    return stock_service_pb2.ListOversellsRequest(parent=world.name)


async def test_a_cause_key_repeated_in_the_next_fact_is_recorded_once(
    api: Api, world: World
) -> None:
    facts = [receipt(world, number) for number in (1, 2, 3)]
    facts[2].receipt.cause_key = facts[0].receipt.cause_key

    answers = await answers_to(api, facts)

    assert [answer.already_recorded for answer in answers] == [False, False, True]
    assert await physical(api, world) == 2


async def test_every_kind_of_fact_is_recorded(api: Api, world: World) -> None:
    adjustment = stock_service_pb2.AdjustStockRequest(**place(world, delta=-1, cause_key="a"))
    answers = await answers_to(
        api,
        [
            receipt(world, 1, 10),
            Request(sequence=2, adjustment=adjustment),
            binding(world, "allocation", stock_service_pb2.AllocateStockRequest, 3, 4),
            binding(world, "deallocation", stock_service_pb2.DeallocateStockRequest, 4, 1),
            binding(world, "shipment", stock_service_pb2.ShipStockRequest, 5, 3),
        ],
    )

    after = answers[-1]
    assert (after.stock.physical, after.stock.allocated, after.sequence) == (6, 0, 5)
    request = stock_service_pb2.ListMovementsRequest(
        parent=world.name, filter={"product": world("products/pear")}
    )
    journal = (await api.call("StockService.ListMovements", request)).movements
    assert [(one.physical_delta, one.allocated_delta) for one in reversed(journal)] == [
        (10, 0),
        (-1, 0),
        (0, 4),
        (0, -1),
        (-3, -3),
    ]


async def test_a_refused_fact_is_answered_by_its_problem_and_its_neighbours_are_recorded(
    api: Api, world: World
) -> None:
    nowhere = receipt(world, 2)
    nowhere.receipt.product = world("products/nothing")
    invalid = receipt(world, 3, units=0, cause="x" * 201)
    below = stock_service_pb2.AdjustStockRequest(**place(world, delta=-100, cause_key="below"))
    counted = stock_service_pb2.AdjustStockRequest(**place(world, counted=0, cause_key="counted"))
    keyless = receipt(world, 7)
    keyless.receipt.cause_key = ""
    foreign = receipt(world, 10)
    foreign.receipt.product = "merchants/somebody/products/pear"
    reused = receipt(world, 11, units=7, cause="r1")
    answers = await answers_to(
        api,
        [
            receipt(world, 1),
            nowhere,
            invalid,
            Request(sequence=4, adjustment=below),
            Request(sequence=5, adjustment=counted),
            binding(world, "shipment", stock_service_pb2.ShipStockRequest, 6, 1),
            keyless,
            Request(sequence=8),
            binding(world, "allocation", stock_service_pb2.AllocateStockRequest, 9, 50),
            foreign,
            reused,
            receipt(world, 12),
        ],
    )

    names = [
        error_pb2.ErrorReason.Name(answer.problem.reason).removeprefix("ERROR_REASON_")
        for answer in answers
    ]
    assert names == [
        "UNSPECIFIED",
        "RESOURCE_NOT_FOUND",
        "INVALID_FIELD",
        "INSUFFICIENT_STOCK",
        "INVALID_FIELD",
        "DEMAND_EXCEEDED",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "INSUFFICIENT_STOCK",
        "INVALID_NAME",
        "CAUSE_KEY_REUSED",
        "UNSPECIFIED",
    ]
    assert {"violation.receipt.quantity", "violation.receipt.cause_key"} <= set(
        answers[2].problem.metadata
    )
    assert "violation.adjustment.counted" in answers[4].problem.metadata
    assert answers[1].problem.metadata["resource"] == world("products/nothing")
    assert answers[-1].stock.physical == 2
    assert answers[-1].stock.allocated == 0
    assert await physical(api, world) == 2
    assert set(await causes(api, world)) & {"r1", "r12", "below", "b6", "b9", "counted", "r10"} == {
        "r1",
        "r12",
    }


@pytest.mark.parametrize("second", [1, 3, 0])
async def test_a_gap_or_a_repeat_ends_the_stream_after_the_answers_before_it(
    second: int, api: Api, world: World
) -> None:
    stream = open_stream(api)
    await stream.write(receipt(world, 1))
    await stream.write(receipt(world, second, cause="other"))

    assert (await stream.read()).sequence == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()

    found = refused(caught.value)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SEQUENCE_GAP")
    assert found.metadata["expected"] == "2"
    assert await physical(api, world) == 1


async def test_another_parent_ends_the_stream(api: Api, world: World) -> None:
    stream = open_stream(api)
    await stream.write(receipt(world, 1))
    other = receipt(world, 2)
    other.parent = "merchants/somebody"
    await stream.write(other)

    assert (await stream.read()).sequence == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()

    assert refused(caught.value).reason == "INVALID_NAME"


async def test_a_fact_repeated_on_another_stream_is_recorded_once(api: Api, world: World) -> None:
    facts = [receipt(world, number, 2) for number in range(1, 6)]
    await answers_to(api, facts)

    again = await answers_to(api, [*facts, receipt(world, 6, 2)])

    assert [answer.already_recorded for answer in again] == [True] * 5 + [False]
    assert again[-1].stock.physical == 12
    assert await physical(api, world) == 12


async def test_a_fact_repeated_in_one_stream_is_recorded_once(api: Api, world: World) -> None:
    answers = await answers_to(
        api, [receipt(world, 1, cause="same"), receipt(world, 2, cause="same")]
    )

    assert [(answer.already_recorded, answer.stock.physical) for answer in answers] == [
        (False, 1),
        (True, 1),
    ]


async def test_after_a_client_disconnects_whole_facts_are_recorded_and_it_can_resend_all(
    api: Api, world: World
) -> None:
    facts = [receipt(world, number) for number in range(1, 201)]
    stream = open_stream(api)
    for fact in facts:
        await stream.write(fact)
    answered = (await stream.read()).sequence
    stream.cancel()

    assert answered == 1
    answers = await answers_to(api, facts)

    assert answers[0].already_recorded
    assert await physical(api, world) == 200


@pytest.mark.parametrize("trouble", [StorageUnavailable, WriteConflict])
async def test_a_store_that_fails_a_group_ends_the_stream_and_answers_none_of_it(
    trouble: type[ServiceError], api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = open_stream(api)
    await stream.write(receipt(world, 1))
    assert (await stream.read()).sequence == 1

    async def away(merchant: str, work: Any) -> Any:
        raise trouble("away")

    with monkeypatch.context() as patched:
        patched.setattr(api.engine.db, "write", away)
        await stream.write(receipt(world, 2))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()

    found = refused(caught.value)
    assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert await physical(api, world) == 1


async def test_a_draining_server_answers_what_it_has_read_and_ends_with_the_reason(
    module_store: str, anyio_backend: str
) -> None:
    async with served(module_store) as running:
        world = await running.merchant()
        stream = open_stream(running)
        await stream.write(receipt(world, 1))
        assert (await stream.read()).sequence == 1
        assert running.stop is not None
        stopping = asyncio.ensure_future(running.stop())

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(stream.read(), 60)
        await stopping

    found = refused(caught.value)
    assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
