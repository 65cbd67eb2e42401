"""The control API of every simulator, under `/_sim/`: plays buyers and staff, injects faults, sets
switches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator.shop import NewListing, SimulatedShop, SimulationError

CONTROL = "/_sim"

_VERBS: dict[str, Callable[[SimulatedShop, str, dict[str, Any]], None]] = {
    "edit": lambda shop, order, body: shop.edit_order(order, body["lines"]),
    "cancel": lambda shop, order, body: shop.cancel_order(
        order, restock=bool(body.get("restock", True))
    ),
    "fulfil": lambda shop, order, body: shop.fulfil_order(order, body.get("lines")),
    "refund": lambda shop, order, body: shop.refund_order(
        order, body["lines"], body["restock_type"]
    ),
    "archive": lambda shop, order, body: shop.archive_order(order),
    "delete": lambda shop, order, body: shop.delete_order(order),
}


class Controlled(Protocol):
    """What the control API needs of the server that it belongs to."""

    def settings(self) -> dict[str, Any]: ...
    def inject(self, fault: Fault) -> None: ...
    def clear_faults(self) -> None: ...


def control_routes(shop: SimulatedShop, server: Controlled) -> list[BaseRoute]:
    """Return the routes of the control API, relative to `CONTROL`. A call that the shop refuses is
    answered with 404 and the reason."""

    def answer(work: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> JSONResponse:
            body = await request.json() if await request.body() else {}
            try:
                with shop.lock:
                    return JSONResponse(work(body | request.path_params))
            except (SimulationError, KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=404)

        return endpoint

    def add_listings(body: dict[str, Any]) -> Any:
        return shop.add_listings([NewListing(**item) for item in body["listings"]])

    def set_stock(body: dict[str, Any]) -> Any:
        shop.set_stock(body["sku"], body["quantity"])
        return shop.stock()

    def place_order(body: dict[str, Any]) -> Any:
        return {"order": shop.place_order(body["lines"], **body.get("options", {}))}

    def change_order(body: dict[str, Any]) -> Any:
        _VERBS[body["verb"]](shop, body["order"], body)
        return {}

    def inject(body: dict[str, Any]) -> Any:
        headers = tuple((name, value) for name, value in body.pop("headers", []))
        server.inject(Fault(kind=FaultKind(body.pop("kind")), headers=headers, **body))
        return {}

    def clear_faults(body: dict[str, Any]) -> Any:
        server.clear_faults()
        return {}

    def set_switches(body: dict[str, Any]) -> Any:
        for name, value in body.items():
            shop.switch(name, value)
        return shop.switches()

    return [
        Route("/settings", answer(lambda body: server.settings()), methods=["GET"]),
        Route("/listings", answer(add_listings), methods=["POST"]),
        Route("/stock", answer(lambda body: shop.stock()), methods=["GET"]),
        Route("/stock", answer(set_stock), methods=["PUT"]),
        Route("/orders", answer(place_order), methods=["POST"]),
        Route("/orders/{order:path}/{verb}", answer(change_order), methods=["POST"]),
        Route("/faults", answer(inject), methods=["POST"]),
        Route("/faults", answer(clear_faults), methods=["DELETE"]),
        Route("/switches", answer(lambda body: shop.switches()), methods=["GET"]),
        Route("/switches", answer(set_switches), methods=["PUT"]),
        Route("/counters", answer(lambda body: shop.counters()), methods=["GET"]),
    ]
