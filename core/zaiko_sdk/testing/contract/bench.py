"""What a rule works with: the platform's own simulator on a port, and connectors to it over real
HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import httpx
import pytest
from pydantic import SecretStr

from zaiko_sdk import (
    Capability,
    Clock,
    Connector,
    ConnectorError,
    ConnectorType,
    InventoryLevel,
    InventoryWrite,
    Listing,
    MemoryState,
    Order,
    OrderPage,
    ShopContext,
    Timeout,
    WriteOutcome,
    WriteResult,
)
from zaiko_sdk.testing.clock import HurriedClock
from zaiko_sdk.testing.faults import Fault
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.simulator import (
    NewListing,
    SimulationError,
    Simulator,
    SimulatorServer,
    SimulatorType,
)

T = TypeVar("T")
_MOST_REQUESTS = 8
"""A call of more requests than this is hit by faults in its first ones only."""


class ContractBench:
    """One simulated shop and what speaks to it. Everything asynchronous runs in one event loop, by
    `run`."""

    def __init__(self, kind: ConnectorType, simulator: SimulatorType) -> None:
        self.kind, self._simulator = kind, simulator
        self.shop: Simulator = simulator.create()
        self.server = SimulatorServer(self.shop)
        self.server.__enter__()
        self.clock, self.log, self.state = HurriedClock(), KeptLog(), MemoryState()
        self.patience = 5.0
        """Seconds after which the connector's HTTP client gives up."""
        self._runner = asyncio.Runner()
        self._opened: list[Connector] = []
        self._missed = False
        # The rules test what is right, not how fast it is. Rules about the pace switch the quotas
        # on again.
        self.try_switch("quotas", False)
        self.settings = self.server.settings()

    def close(self) -> None:
        """Close every connector and the shop."""
        for connector in self._opened:
            self.run(connector.aclose())
        self._runner.close()
        self.server.__exit__()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work`."""
        return self._runner.run(work)

    def attempt(self, what: str, work: Coroutine[Any, Any, T]) -> T | ConnectorError:
        """Return the result of a call, or the ConnectorError that it raised. Any other exception
        fails the rule."""
        try:
            return self.run(work)
        except ConnectorError as error:
            return error
        except Exception as error:
            raise AssertionError(
                f"{what}: raised {type(error).__name__}, which is no ConnectorError: {error}"
            ) from error

    def offered(self, work: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Return what the simulator answers. Skips the rule where this platform has no such
        thing."""
        try:
            return work(*arguments, **options)
        except SimulationError as error:
            pytest.skip(f"cannot be played: {error}")

    def try_switch(self, name: str, value: Any) -> bool:
        """Set a switch of the simulator, and return whether it has one of that name."""
        if name not in self.shop.switches():
            return False
        self.shop.switch(name, value)
        return True

    def can(self, capability: Capability) -> bool:
        """Return whether the connector declares the capability."""
        return capability in self.kind.capabilities

    # Connectors

    def open(self, *, clock: Clock | None = None, secrets: bool = True) -> Connector:
        """Open a connector to the shop, as another process would. With `secrets` False its
        credentials are ones that the platform does not know."""
        given = self._given(known=secrets)
        context = self.context(self.state if secrets else MemoryState(), clock)
        connector = self.kind.open(context, self.kind.settings.model_validate(given))
        self._opened.append(connector)
        return connector

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[tuple[Connector, Simulator]]:
        """Open a connector to another account of the platform, with the same kind of settings."""
        simulator = self._simulator.create()
        with SimulatorServer(simulator) as server:
            settings = self.kind.settings.model_validate(server.settings())
            connector = self.kind.open(self.context(MemoryState()), settings)
            try:
                yield connector, simulator
            finally:
                self.run(connector.aclose())

    def context(self, state: MemoryState, clock: Clock | None = None) -> ShopContext:
        """Return the host's side of a connector."""

        def http() -> httpx.AsyncClient:
            return httpx.AsyncClient(timeout=self.patience, follow_redirects=False)

        return ShopContext(
            "merchants/m/shops/contract",
            clock or self.clock,
            self.log,
            http,
            lambda: str(uuid.uuid4()),
            state,
        )

    def secrets(self, *, known: bool = True) -> list[str]:
        """Return the credentials of the shop as text, or the wrong ones that `open(secrets=False)`
        uses."""
        settings = self.kind.settings.model_validate(self._given(known=known))
        found = [getattr(settings, name) for name in self.kind.settings.secret_fields()]
        return [
            value.get_secret_value()
            for value in found
            if isinstance(value, SecretStr) and value.get_secret_value()
        ]

    def _given(self, *, known: bool) -> dict[str, Any]:
        return (
            self.settings
            if known
            else {name: self._blunt(name, value) for name, value in self.settings.items()}
        )

    def _blunt(self, name: str, value: Any) -> Any:
        if (
            name not in self.kind.settings.secret_fields()
            or not isinstance(value, str)
            or not value
        ):
            return value
        return value[:-1] + ("0" if value[-1] != "0" else "1")

    # Listings and orders

    def stock_up(self, *quantities: int) -> list[str]:
        """Add listings that show these numbers, and return their skus."""
        known = len(self.shop.stock())
        skus = [f"SKU-{known + place:04d}" for place in range(len(quantities))]
        self.shop.add_listings(
            [
                NewListing(sku, units, f"Title {sku}")
                for sku, units in zip(skus, quantities, strict=True)
            ]
        )
        return skus

    def listings(self, connector: Connector) -> dict[str, Listing]:
        """Return the catalogue by SKU."""
        return self.run(self.reading_listings(connector))

    async def reading_listings(
        self, connector: Connector, cursor: str | None = None
    ) -> dict[str, Listing]:
        """Return the catalogue by SKU, from a cursor on."""
        return {
            row.sku: row async for page in connector.list_listings(cursor) for row in page.listings
        }

    def pages(self, connector: Connector, cursor: str | None = None) -> list[OrderPage]:
        """Return the pages of one fetch of orders."""

        async def read() -> list[OrderPage]:
            return [page async for page in connector.fetch_orders(cursor)]

        return self.run(read())

    def orders(self, connector: Connector, cursor: str | None = None) -> dict[str, Order]:
        """Return the last reading of each order of one fetch."""
        return {
            order.external_id: order
            for page in self.pages(connector, cursor)
            for order in page.orders
        }

    def readings(
        self, connector: Connector, cursor: str, order: str
    ) -> list[tuple[str, Order | None]]:
        """Return the order as each declared call reports it: the next fetch after `cursor`, and
        reading it by its id."""
        found: list[tuple[str, Order | None]] = []
        if self.can(Capability.ORDER_UPDATES):
            found.append(
                ("fetch_orders (ORDER_UPDATES)", self.orders(connector, cursor).get(order))
            )
        if self.can(Capability.READ_ORDERS):
            read = self.run(self.reading_orders(connector, [order]))
            found.append(
                ("read_orders", next((each for each in read if each.external_id == order), None))
            )
        return found

    @staticmethod
    async def reading_orders(connector: Connector, orders: Sequence[str]) -> Sequence[Order]:
        """Read orders by id."""
        return await connector.read_orders(orders)

    # Numbers

    def levels(self, connector: Connector, *listings: Listing) -> dict[str, InventoryLevel]:
        """Return what the shop shows, by external id."""
        return {level.external_id: level for level in self.run(self.reading(connector, *listings))}

    @staticmethod
    async def reading(connector: Connector, *listings: Listing) -> Sequence[InventoryLevel]:
        """Read the levels of these listings."""
        return await connector.read_inventory([listing.ref for listing in listings])

    def write(
        self, connector: Connector, *changes: tuple[Listing, int, int]
    ) -> dict[str, WriteResult]:
        """Set listings: (listing, expected, quantity). Return the results by sku."""
        return by_sku(changes, self.run(self.writing(connector, *changes)))

    @staticmethod
    async def writing(
        connector: Connector, *changes: tuple[Listing, int, int]
    ) -> Sequence[WriteResult]:
        """Set listings under a new key."""
        writes = [
            InventoryWrite(listing.ref, quantity, expected)
            for listing, expected, quantity in changes
        ]
        return await connector.set_inventory(writes, str(uuid.uuid4()))

    def settle(self, seconds: float) -> None:
        """Wait, in real time, until the platform has finished what it was asked."""
        time.sleep(seconds)

    # Faults

    def hits(self, fault: Callable[[int], Fault]) -> Iterator[int]:
        """Inject a fault into the first request of a call, then into the second, and so on, until
        the call has no such request.

        The loop's body makes the call, and lifts the fault before it calls for something else.
        """
        for place in range(_MOST_REQUESTS):
            self._missed = False
            self.server.inject(fault(place))
            yield place
            self.lift()
            if self._missed:
                return

    def lift(self) -> None:
        """End the fault, committed or not."""
        self._missed = self._missed or self.server.pending_faults() > 0
        self.server.clear_faults()


def by_sku(
    changes: Sequence[tuple[Listing, int, int]], results: Sequence[WriteResult]
) -> dict[str, WriteResult]:
    """Return the results of a call by SKU. The rule fails unless there is exactly one per write."""
    answered = sorted(result.external_id for result in results)
    asked = sorted(listing.ref.external_id for listing, _, _ in changes)
    assert answered == asked, (
        f"set_inventory was asked for {asked} and answered for {answered}: exactly one result per "
        "write"
    )
    by_id = {result.external_id: result for result in results}
    return {listing.sku: by_id[listing.ref.external_id] for listing, _, _ in changes}


def check_claim(
    what: str, shown: int, before: int, applied: int, outcome: WriteResult | ConnectorError
) -> None:
    """Check that what was said of a write is true of the shop.

    The shop showed `before` and shows `shown` now; it shows `applied` when the write was applied
    once. UNKNOWN, and a Timeout after which the request may have been applied, claim nothing.
    """
    if isinstance(outcome, WriteResult):
        claim: bool | None = {WriteOutcome.APPLIED: True, WriteOutcome.UNKNOWN: None}.get(
            outcome.outcome, False
        )
        said = outcome.outcome.value
    else:
        claim = None if isinstance(outcome, Timeout) and outcome.sent is not False else False
        said = type(outcome).__name__
    assert shown in (before, applied), (
        f"{what}: a change from {before} to {applied} left {shown}; it was applied more than once"
    )
    if claim is not None:
        expected = applied if claim else before
        assert shown == expected, (
            f"{what}: the connector said {said}, which promises that the shop shows "
            f"{expected}; it shows {shown}"
        )
