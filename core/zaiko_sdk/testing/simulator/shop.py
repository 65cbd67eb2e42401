"""What a simulated shop is, and how buyers and staff change it. There is no HTTP in it: the routes
of the platform's API stand above it (`Simulator`)."""

from __future__ import annotations

import dataclasses
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


class SimulationError(Exception):
    """A test asked for something impossible, such as an unknown SKU or order. The control API
    answers 404."""


@dataclass(frozen=True, slots=True)
class NewListing:
    """A listing to add to the shop. `extra` depends on the platform (see each simulator)."""

    sku: str
    quantity: int = 0
    title: str = ""
    barcode: str = ""
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class SimulatedShop(ABC):
    """One simulated shop. Its methods play the buyers and the staff.

    Any thread may call them, and each is atomic against requests: hold `lock` around every change.
    Listings are named by SKU, which is unique in a simulated shop unless a test decides otherwise.
    Orders are named by the external id that the connector will report.

    `behaviour` holds the switches that are plain values, by name. `calls` counts the calls of each
    platform operation.

    `account` is which account of the platform the shop is: a number, which the simulator's API
    answers as the platform does. Each served simulator has its own: the number of its port.
    """

    def __init__(self, behaviour: Mapping[str, Any] | None = None) -> None:
        self.lock = threading.RLock()
        self.behaviour: dict[str, Any] = dict(behaviour or {})
        self.calls: dict[str, int] = {}
        self.account = "1"

    def now(self) -> datetime:
        """Return the time by the platform's clock, which the switch `clock_skew_seconds` sets wrong
        where the simulator has it."""
        return datetime.now(UTC) + timedelta(seconds=self.behaviour.get("clock_skew_seconds", 0))

    def count(self, operation: str) -> None:
        """Count one call of a platform operation."""
        self.calls[operation] = self.calls.get(operation, 0) + 1

    @abstractmethod
    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        """Add listings to the shop and return their external ids in the same order."""

    @abstractmethod
    def set_stock(self, sku: str, quantity: int) -> None:
        """Set the number by hand, as the staff does."""

    @abstractmethod
    def stock(self) -> dict[str, int]:
        """Return the numbers that the shop shows now, by SKU."""

    @abstractmethod
    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        """Place an order of `lines` (SKU → units ≥ 1) and return its external id.

        The platform lowers its own number by its own rules. Every platform knows the options
        `visible_after`: seconds until its order API shows the order (0), and `days_ago`: how long
        ago it was placed and last changed (0).
        """

    @abstractmethod
    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        """Change the units of some lines, as the staff does. 0 removes a line; lines that are not
        named stay as they are."""

    @abstractmethod
    def cancel_order(self, order: str, *, restock: bool) -> None:
        """Cancel the whole order. With `restock` its units return to the shop's number, where the
        platform offers that choice."""

    @abstractmethod
    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        """Ship these units, or with None all units that are left."""

    def refund_order(self, order: str, lines: Mapping[str, int], restock_type: str) -> None:
        """Refund units (SKU → units).

        `restock_type` is the platform's own word for what becomes of them (Shopify: CANCEL, RETURN,
        NO_RESTOCK). Raises SimulationError where the platform has no refund of units.
        """
        raise SimulationError("this platform has no refund of units")

    @abstractmethod
    def archive_order(self, order: str) -> None:
        """Archive the order. Raises SimulationError where the platform has no archive."""

    @abstractmethod
    def delete_order(self, order: str) -> None:
        """Make the order disappear in the way in which the platform does it."""

    def remove_listing(self, sku: str) -> None:
        """Delete a listing, as the staff does. Raises SimulationError where the simulator cannot
        play that."""
        raise SimulationError("this simulator cannot remove a listing")

    def close_for_maintenance(self, closed: bool) -> None:
        """Begin maintenance as the platform announces it, or end it with False."""
        self.switch("maintenance", closed)

    def exhaust_quota(self) -> None:
        """Refuse all requests for load, in the platform's own words, until the switch `quotas` is
        set. Raises SimulationError where the simulator has no quota."""
        raise SimulationError("this simulator has no quota that can be used up")

    def notification(self, order: str) -> tuple[dict[str, str], bytes]:
        """Return headers and body of the notification that the platform would send about this
        order.

        It is signed with the secret that is in `shop_settings`. Raises SimulationError where the
        platform has no webhooks.
        """
        raise SimulationError("this platform sends no notifications")

    def switches(self) -> dict[str, Any]:
        """Return the simulator's switches (for UNCONFIRMED facts and for faults) with their present
        values."""
        return dict(self.behaviour)

    def switch(self, name: str, value: Any) -> None:
        """Change one of `switches`. Raises SimulationError for any other name."""
        if name not in self.behaviour:
            raise SimulationError(f"no switch {name!r}; there are {sorted(self.switches())}")
        self.behaviour[name] = value

    def counters(self) -> dict[str, int]:
        """Return how often each platform operation was called, and under the key `throttled` how
        often a call was refused for load."""
        return dict(self.calls)
