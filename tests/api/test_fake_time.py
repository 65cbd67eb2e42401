"""WaitOperation's use of the client's deadline, on fake time (grpc_testing through the bridge)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import grpc_testing
import pytest
from api.aio_bridge import LoopThread, SynchronousServicer
from zaiko.v1 import operation_service_pb2 as pb
from zaiko_core.app.records import OperationRecord, OperationState
from zaiko_server.services.operations import OperationServicer

SERVICE = pb.DESCRIPTOR.services_by_name["OperationService"]
REQUEST = pb.WaitOperationRequest(name="merchants/acme/operations/o1")


class FakeEngine:
    """An operation that never ends, and a feed that records how long it was asked to wait."""

    def __init__(self) -> None:
        self.db = self.feed = self
        self.waits: list[float] = []
        self.waiting, self.cancelled = threading.Event(), threading.Event()
        self.patient = False

    async def read(self, merchant: str, work: Any) -> Any:
        return OperationRecord("o1", "REFRESH_LISTINGS", OperationState.RUNNING, "one", {}), 7

    async def wait(self, merchant: str, after: int, timeout: float) -> int:
        self.waits.append(timeout)
        self.waiting.set()
        try:
            await asyncio.sleep(3600 if self.patient else 0)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return after


class FakeCalls:
    """The part of Calls that the method uses."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.read = engine.read


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as running:
        yield running


def begin(engine: FakeEngine, loop: LoopThread, timeout: float | None) -> tuple[Any, Any]:
    time = grpc_testing.strict_fake_time(1_800_000_000)
    servicer: Any = OperationServicer(FakeCalls(engine), None)  # type: ignore[arg-type] # nothing is watched
    server = grpc_testing.server_from_dictionary(
        {SERVICE: SynchronousServicer(servicer, loop)}, time
    )
    call = server.invoke_unary_unary(SERVICE.methods_by_name["WaitOperation"], (), REQUEST, timeout)
    return time, call


def test_a_call_without_time_left_answers_with_the_current_state(
    engine: FakeEngine, loop: LoopThread
) -> None:
    _, call = begin(engine, loop, 0.2)  # less than the margin

    response, _, code, _ = call.termination()

    assert code is grpc.StatusCode.OK
    assert isinstance(response, pb.WaitOperationResponse)
    assert response.operation.name == REQUEST.name
    assert engine.waits == []


@pytest.mark.parametrize(("timeout", "longest"), [(2.0, 1.75), (3600.0, 25.0), (None, 25.0)])
def test_it_waits_until_just_before_the_deadline_and_never_longer_than_its_cap(
    engine: FakeEngine, loop: LoopThread, timeout: float | None, longest: float
) -> None:
    engine.patient = True

    _, call = begin(engine, loop, timeout)
    assert engine.waiting.wait(60)
    call.cancel() if hasattr(call, "cancel") else None

    assert longest - 0.5 < engine.waits[0] <= longest


def test_a_deadline_that_passes_ends_the_handler(engine: FakeEngine, loop: LoopThread) -> None:
    engine.patient = True
    time, call = begin(engine, loop, 2.0)
    assert engine.waiting.wait(60)

    time.sleep_for(2.1)

    _, _, code, _ = call.termination()
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert engine.cancelled.wait(60)
