"""Faults that a simulator commits: what the client sees of them, and what is printed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from support.waiting import until
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import SimulatorServer


class Counting(EcforceSimulator):
    """Has a path that counts, and one that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def routes(self) -> list[Route]:
        async def count(request: Request) -> JSONResponse:
            self.count += 1
            return JSONResponse({"count": self.count})

        async def broken(request: Request) -> JSONResponse:
            raise ZeroDivisionError("a bug of the simulator")

        return [Route("/count", count, methods=["POST"]), Route("/broken", broken)]


@contextlib.contextmanager
def printing(server: SimulatorServer) -> Iterator[list[logging.LogRecord]]:
    """Run the server; what its log says, which it does not pass on to the root, is complete at the
    end of the block."""
    records: list[logging.LogRecord] = []
    handler, log = logging.Handler(), logging.getLogger("uvicorn.error")
    handler.setLevel(logging.WARNING)
    handler.emit = records.append  # type: ignore[method-assign]
    log.addHandler(handler)
    try:
        with server:
            yield records
    finally:
        log.removeHandler(handler)


@pytest.mark.parametrize(("kind", "applied"), [(FaultKind.DROP, 0), (FaultKind.DROP_AFTER, 1)])
def test_a_dropped_connection_breaks_for_the_client_and_prints_nothing(
    kind: FaultKind, applied: int
) -> None:
    simulator = Counting()
    server = SimulatorServer(simulator)
    with printing(server) as printed:
        server.inject(Fault(kind))
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{server.base_url}/count")
        counted = simulator.count
        assert httpx.post(f"{server.base_url}/count").status_code == 200

    assert (counted, printed) == (applied, [])


def test_a_bug_of_a_simulator_is_printed() -> None:
    server = SimulatorServer(Counting())
    with printing(server) as printed:
        assert httpx.get(f"{server.base_url}/broken").status_code == 500

    assert [record.exc_info[0] for record in printed if record.exc_info] == [ZeroDivisionError]


def test_a_request_that_comes_late_does_not_reach_the_shop_of_the_next_test() -> None:
    simulator = Counting()
    with SimulatorServer(simulator) as server:
        server.inject(Fault(FaultKind.LATENCY, seconds=0.2))
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.base_url}/count", timeout=httpx.Timeout(60, read=0.05))
        until(lambda: not server.pending_faults(), "the request has arrived")
        server.reset()

        # The one that was delayed would be served before this one.
        server.inject(Fault(FaultKind.LATENCY, seconds=0.3))
        assert httpx.post(f"{server.base_url}/count", timeout=60).json() == {"count": 1}
