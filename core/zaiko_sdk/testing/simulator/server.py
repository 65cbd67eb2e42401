"""A simulated shop with the platform's API, and the HTTP server that answers for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from zaiko_sdk.testing.faults import Fault, FaultInjector, is_unintended
from zaiko_sdk.testing.simulator.control import CONTROL, control_routes
from zaiko_sdk.testing.simulator.shop import NewListing, SimulatedShop


class Simulator(SimulatedShop):
    """A simulated shop together with the platform's API.

    Keep the two apart: a module `state` holds a `SimulatedShop` and knows nothing of HTTP, the
    modules of the API import it, and the class that derives from both puts them together.
    """

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """Return the platform's API. Handlers hold `lock` around everything that they read and
        change."""

    @abstractmethod
    def shop_settings(self, base_url: str) -> dict[str, Any]:
        """Return the settings, secrets included, with which the connector reaches this shop."""


@dataclass(frozen=True, slots=True)
class SimulatorType:
    """What a plugin registers: the connector's id, and how to make an empty simulated shop."""

    id: str
    create: Callable[[], Simulator]


class _Server(uvicorn.Server):
    """Stops as soon as it is asked to. uvicorn checks ten times a second, for which hundreds of
    tests would wait."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()

    def stop(self) -> None:
        """End the server. Any thread may call this."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._asked.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not await self.on_tick(0):
            await self._asked.wait()


class SimulatorServer:
    """A simulator on a port of 127.0.0.1, served from a thread of this process. Use it as a context
    manager."""

    def __init__(self, simulator: Simulator, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.simulator = simulator
        # asyncio switches Nagle's algorithm off only when the protocol is named. With it each reply
        # waits 40 ms for an acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        port = self._socket.getsockname()[1]
        self.base_url, self._account = f"http://{host}:{port}", str(port)
        simulator.account = self._account
        control = Mount(CONTROL, routes=control_routes(simulator, self))
        platform = Starlette(routes=[control, *simulator.routes()])
        self._faults = FaultInjector(platform, control_prefix=CONTROL)
        # A simulated shop has a clock of its own and sends the header Date itself where the
        # platform does.
        config = uvicorn.Config(
            self._faults, log_level="warning", lifespan="off", access_log=False, date_header=False
        )
        logging.getLogger("uvicorn.error").addFilter(is_unintended)
        self._server = _Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._run, name=f"simulator {self.base_url}", daemon=True
        )

    def __enter__(self) -> SimulatorServer:
        self._thread.start()
        deadline = time.monotonic() + 60  # as long as a busy machine may take
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError(f"the simulator at {self.base_url} did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.stop()
        self._thread.join(timeout=10)
        self._socket.close()

    def settings(self) -> dict[str, Any]:
        """Return the settings with which a connector reaches this simulator."""
        return self.simulator.shop_settings(self.base_url)

    def reset(self) -> None:
        """Empty the shop, give every switch its first value and forget all faults.

        Starting a server takes longer than most tests, so that tests share one and reset it. A
        request of the test before that a fault still delays does not reach the shop.
        """
        self._faults.reset()
        self.simulator.__init__()  # type: ignore[misc] # routes hold this object, so it stays
        self.simulator.account = self._account

    def inject(self, fault: Fault) -> None:
        """Commit `fault` on the next requests that it matches."""
        self._faults.faults.append(fault)

    def clear_faults(self) -> None:
        """Forget the faults that were not committed yet."""
        self._faults.faults.clear()

    def pending_faults(self) -> int:
        """Return how many faults wait for a request that they match."""
        return len(self._faults.faults)

    async def faults_met(self, within: float = 60) -> None:
        """Wait until every fault has met its request. Raises TimeoutError after `within` seconds.

        A test that lets time pass instead assumes that the request has arrived by then.
        """
        async with asyncio.timeout(within):
            while self.pending_faults():  # noqa: ASYNC110 - the server is in another thread
                await asyncio.sleep(0.005)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))


@contextlib.contextmanager
def simulated_shop(kind: SimulatorType, *listings: NewListing) -> Iterator[SimulatorServer]:
    """Run a simulated shop with these listings, and stop it at the end of the block."""
    simulator = kind.create()
    if listings:
        simulator.add_listings(listings)
    with SimulatorServer(simulator) as server:
        yield server
