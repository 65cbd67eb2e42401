"""A platform that behaves like the real one, as a real HTTP server on a port.

Each connector brings one (`SimulatorType`, hook `zaiko_simulators`): the platform's API at its own
paths, and beside it one control API, the same for every platform, under `/_sim/`, which plays the
buyers and the shop's staff.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from zaiko_sdk.testing.faults import Fault, FaultInjector, FaultKind, is_unintended

CONTROL = "/_sim"


class SimulationError(Exception):
    """The control API was asked for something that cannot be (an unknown sku or order); answered
    with 404."""


@dataclass(frozen=True, slots=True)
class NewListing:
    """A listing to put into the shop. `extra` is the platform's own (see each simulator)."""

    sku: str
    quantity: int = 0
    title: str = ""
    barcode: str = ""
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Simulator(ABC):
    """One simulated shop. Its methods play the buyers and the staff; they may be called from any
    thread, and each is atomic against requests. Listings are named by sku (unique in a simulated
    shop unless a test makes it otherwise), orders by the external id that the connector will
    report."""

    def __init__(self) -> None:
        self.lock = threading.RLock()

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The platform's API. Handlers take `self.lock` around what they do to the state."""

    @abstractmethod
    def shop_settings(self, base_url: str) -> dict[str, Any]:
        """Settings, secrets included, with which the connector reaches this shop."""

    @abstractmethod
    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        """Put listings into the shop; their external ids in order."""

    @abstractmethod
    def set_stock(self, sku: str, quantity: int) -> None:
        """The staff edits the number by hand."""

    @abstractmethod
    def stock(self) -> dict[str, int]:
        """What the shop shows now, by sku."""

    @abstractmethod
    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        """A buyer orders `lines` (sku → units ≥ 1): the platform lowers its own number by its own
        rules. The order's external id. Options that every platform knows: `visible_after` (seconds
        until the order API shows it, 0)."""

    @abstractmethod
    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        """The staff changes units: the lines named get the new number of units (0 removes), others
        stay."""

    @abstractmethod
    def cancel_order(self, order: str, *, restock: bool) -> None:
        """Cancel as a whole; `restock` gives the units back to the shop's number where the platform
        lets one choose."""

    @abstractmethod
    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        """Ship these units (None = all that is left)."""

    def refund_order(self, order: str, lines: Mapping[str, int], restock_type: str) -> None:
        """Refund these units (sku → units). `restock_type` is the platform's own word for what
        becomes of them (Shopify: CANCEL, RETURN, NO_RESTOCK). A platform that knows no refund of
        units: SimulationError."""
        raise SimulationError("this platform knows no refund of units")

    @abstractmethod
    def archive_order(self, order: str) -> None:
        """Put the order away where the platform knows that; elsewhere SimulationError."""

    @abstractmethod
    def delete_order(self, order: str) -> None:
        """Make the order disappear the way the platform does."""

    def remove_listing(self, sku: str) -> None:
        """The staff deletes a listing. A simulator that does not play that: SimulationError."""
        raise SimulationError("this simulator cannot remove a listing")

    def close_for_maintenance(self, closed: bool) -> None:
        """The platform is in maintenance, as it announces it itself, until called with False."""
        self.switch("maintenance", closed)

    def exhaust_quota(self) -> None:
        """From now on requests are refused for load, in the platform's own words, until the switch
        `quotas` is set. A simulator without it: SimulationError."""
        raise SimulationError("this simulator has no quota that can be used up")

    def notification(self, order: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a notification that the platform would send of this order, proven
        with the secret that is in `shop_settings`. A platform without webhooks: SimulationError."""
        raise SimulationError("this platform sends no notifications")

    def switches(self) -> dict[str, Any]:
        """The simulator's settable behaviours (for UNCONFIRMED facts) with their present values."""
        return {}

    def switch(self, name: str, value: Any) -> None:
        """Change one of `switches`."""
        raise SimulationError(f"no switch {name!r}; there are {sorted(self.switches())}")

    def counters(self) -> dict[str, int]:
        """How often each platform operation was called, and how often throttled (key
        `throttled`)."""
        return {}


@dataclass(frozen=True, slots=True)
class SimulatorType:
    """What a plugin registers: the connector's id and how to make an empty simulated shop."""

    id: str
    create: Callable[[], Simulator]


_VERBS: dict[str, Callable[[Simulator, str, dict[str, Any]], None]] = {
    "edit": lambda sim, order, body: sim.edit_order(order, body["lines"]),
    "cancel": lambda sim, order, body: sim.cancel_order(
        order, restock=bool(body.get("restock", True))
    ),
    "fulfil": lambda sim, order, body: sim.fulfil_order(order, body.get("lines")),
    "refund": lambda sim, order, body: sim.refund_order(order, body["lines"], body["restock_type"]),
    "archive": lambda sim, order, body: sim.archive_order(order),
    "delete": lambda sim, order, body: sim.delete_order(order),
}


class _Server(uvicorn.Server):
    """uvicorn looks ten times a second whether it shall stop; hundreds of tests would wait for
    that."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()

    def stop(self) -> None:
        """From any thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._asked.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not await self.on_tick(0):
            await self._asked.wait()


class SimulatorServer:
    """A simulator on a port of 127.0.0.1, served from a thread of this process. Use as a context
    manager."""

    def __init__(self, simulator: Simulator, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.simulator = simulator
        # With the protocol named, asyncio switches Nagle's algorithm off; without, each reply waits
        # 40 ms for an acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self.base_url = f"http://{host}:{self._socket.getsockname()[1]}"
        platform = Starlette(routes=[Mount(CONTROL, routes=self._control()), *simulator.routes()])
        self._faults = FaultInjector(platform, control_prefix=CONTROL)
        # A simulated shop has a clock of its own, and tells it by the header Date itself where the
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
        deadline = time.monotonic() + 10
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
        """What a shop must be configured with to reach this simulator."""
        return self.simulator.shop_settings(self.base_url)

    def inject(self, fault: Fault) -> None:
        """Commit `fault` on the next requests that it matches."""
        self._faults.faults.append(fault)

    def clear_faults(self) -> None:
        """Forget faults that have not been committed."""
        self._faults.faults.clear()

    def pending_faults(self) -> int:
        """How many faults wait for a request that they match."""
        return len(self._faults.faults)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def _control(self) -> list[BaseRoute]:
        sim = self.simulator

        def answer(work: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Any]:
            async def endpoint(request: Request) -> JSONResponse:
                body = await request.json() if await request.body() else {}
                try:
                    with sim.lock:
                        return JSONResponse(work(body | request.path_params))
                except (SimulationError, KeyError, TypeError, ValueError) as error:
                    return JSONResponse(
                        {"error": f"{type(error).__name__}: {error}"}, status_code=404
                    )

            return endpoint

        def listings(body: dict[str, Any]) -> Any:
            return sim.add_listings([NewListing(**item) for item in body["listings"]])

        def set_stock(body: dict[str, Any]) -> Any:
            sim.set_stock(body["sku"], body["quantity"])
            return sim.stock()

        def order(body: dict[str, Any]) -> Any:
            return {"order": sim.place_order(body["lines"], **body.get("options", {}))}

        def verb(body: dict[str, Any]) -> Any:
            _VERBS[body["verb"]](sim, body["order"], body)
            return {}

        def fault(body: dict[str, Any]) -> Any:
            headers = tuple((name, value) for name, value in body.pop("headers", []))
            self.inject(Fault(kind=FaultKind(body.pop("kind")), headers=headers, **body))
            return {}

        def clear(body: dict[str, Any]) -> Any:
            self.clear_faults()
            return {}

        def switch(body: dict[str, Any]) -> Any:
            for name, value in body.items():
                sim.switch(name, value)
            return sim.switches()

        return [
            Route("/settings", answer(lambda body: self.settings()), methods=["GET"]),
            Route("/listings", answer(listings), methods=["POST"]),
            Route("/stock", answer(lambda body: sim.stock()), methods=["GET"]),
            Route("/stock", answer(set_stock), methods=["PUT"]),
            Route("/orders", answer(order), methods=["POST"]),
            Route("/orders/{order:path}/{verb}", answer(verb), methods=["POST"]),
            Route("/faults", answer(fault), methods=["POST"]),
            Route("/faults", answer(clear), methods=["DELETE"]),
            Route("/switches", answer(lambda body: sim.switches()), methods=["GET"]),
            Route("/switches", answer(switch), methods=["PUT"]),
            Route("/counters", answer(lambda body: sim.counters()), methods=["GET"]),
        ]


class SimulatorClient:
    """The control API of a simulator that runs in another process. The same verbs as
    `Simulator`."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(base_url=self.base_url + CONTROL, timeout=10)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def settings(self) -> dict[str, Any]:
        """What a shop must be configured with to reach this simulator."""
        return self._call("GET", "/settings")  # type: ignore[no-any-return]

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        """See Simulator.add_listings."""
        rows = [dataclasses.asdict(listing) for listing in listings]
        return self._call("POST", "/listings", {"listings": rows})  # type: ignore[no-any-return]

    def stock(self) -> dict[str, int]:
        """See Simulator.stock."""
        return self._call("GET", "/stock")  # type: ignore[no-any-return]

    def set_stock(self, sku: str, quantity: int) -> None:
        """See Simulator.set_stock."""
        self._call("PUT", "/stock", {"sku": sku, "quantity": quantity})

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        """See Simulator.place_order."""
        return self._call("POST", "/orders", {"lines": dict(lines), "options": options})["order"]  # type: ignore[no-any-return]

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        """See Simulator.edit_order."""
        self._call("POST", f"/orders/{order}/edit", {"lines": dict(lines)})

    def cancel_order(self, order: str, *, restock: bool) -> None:
        """See Simulator.cancel_order."""
        self._call("POST", f"/orders/{order}/cancel", {"restock": restock})

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        """See Simulator.fulfil_order."""
        self._call(
            "POST", f"/orders/{order}/fulfil", {"lines": dict(lines) if lines is not None else None}
        )

    def refund_order(self, order: str, lines: Mapping[str, int], restock_type: str) -> None:
        """See Simulator.refund_order."""
        self._call(
            "POST", f"/orders/{order}/refund", {"lines": dict(lines), "restock_type": restock_type}
        )

    def archive_order(self, order: str) -> None:
        """See Simulator.archive_order."""
        self._call("POST", f"/orders/{order}/archive")

    def delete_order(self, order: str) -> None:
        """See Simulator.delete_order."""
        self._call("POST", f"/orders/{order}/delete")

    def inject(self, fault: Fault) -> None:
        """See SimulatorServer.inject."""
        self._call("POST", "/faults", dataclasses.asdict(fault))

    def clear_faults(self) -> None:
        """See SimulatorServer.clear_faults."""
        self._call("DELETE", "/faults")

    def switch(self, name: str, value: Any) -> None:
        """See Simulator.switch."""
        self._call("PUT", "/switches", {name: value})

    def counters(self) -> dict[str, int]:
        """See Simulator.counters."""
        return self._call("GET", "/counters")  # type: ignore[no-any-return]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        reply = self._http.request(method, path, json=body)
        if reply.status_code != 200:
            raise SimulationError(reply.text)
        return reply.json()


@contextlib.contextmanager
def simulated_shop(kind: SimulatorType, *listings: NewListing) -> Iterator[SimulatorServer]:
    """A running simulated shop with these listings, stopped at the end of the block."""
    simulator = kind.create()
    if listings:
        simulator.add_listings(listings)
    with SimulatorServer(simulator) as server:
        yield server
