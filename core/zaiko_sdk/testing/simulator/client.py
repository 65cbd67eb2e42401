"""The control API of a simulator that runs in another process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from zaiko_sdk.testing.faults import Fault
from zaiko_sdk.testing.simulator.control import CONTROL
from zaiko_sdk.testing.simulator.shop import NewListing, SimulationError


class SimulatorClient:
    """The verbs of `SimulatedShop` and `SimulatorServer`, over HTTP. Each raises SimulationError
    with the server's words when the simulator refuses it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(base_url=self.base_url + CONTROL, timeout=10)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def settings(self) -> dict[str, Any]:
        """See SimulatorServer.settings."""
        return dict(self._call("GET", "/settings"))

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        """See SimulatedShop.add_listings."""
        rows = [dataclasses.asdict(listing) for listing in listings]
        return list(self._call("POST", "/listings", {"listings": rows}))

    def stock(self) -> dict[str, int]:
        """See SimulatedShop.stock."""
        return dict(self._call("GET", "/stock"))

    def set_stock(self, sku: str, quantity: int) -> None:
        """See SimulatedShop.set_stock."""
        self._call("PUT", "/stock", {"sku": sku, "quantity": quantity})

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        """See SimulatedShop.place_order."""
        reply = self._call("POST", "/orders", {"lines": dict(lines), "options": options})
        return str(reply["order"])

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        """See SimulatedShop.edit_order."""
        self._call("POST", f"/orders/{order}/edit", {"lines": dict(lines)})

    def cancel_order(self, order: str, *, restock: bool) -> None:
        """See SimulatedShop.cancel_order."""
        self._call("POST", f"/orders/{order}/cancel", {"restock": restock})

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        """See SimulatedShop.fulfil_order."""
        body = {"lines": dict(lines) if lines is not None else None}
        self._call("POST", f"/orders/{order}/fulfil", body)

    def refund_order(self, order: str, lines: Mapping[str, int], restock_type: str) -> None:
        """See SimulatedShop.refund_order."""
        body = {"lines": dict(lines), "restock_type": restock_type}
        self._call("POST", f"/orders/{order}/refund", body)

    def archive_order(self, order: str) -> None:
        """See SimulatedShop.archive_order."""
        self._call("POST", f"/orders/{order}/archive")

    def delete_order(self, order: str) -> None:
        """See SimulatedShop.delete_order."""
        self._call("POST", f"/orders/{order}/delete")

    def inject(self, fault: Fault) -> None:
        """See SimulatorServer.inject."""
        self._call("POST", "/faults", dataclasses.asdict(fault))

    def clear_faults(self) -> None:
        """See SimulatorServer.clear_faults."""
        self._call("DELETE", "/faults")

    def switch(self, name: str, value: Any) -> None:
        """See SimulatedShop.switch."""
        self._call("PUT", "/switches", {name: value})

    def counters(self) -> dict[str, int]:
        """See SimulatedShop.counters."""
        return dict(self._call("GET", "/counters"))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        reply = self._http.request(method, path, json=body)
        if reply.status_code != 200:
            raise SimulationError(reply.text)
        return reply.json()
