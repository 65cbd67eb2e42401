"""`zaiko simulate`: a simulated shop on this machine, with the API of its platform."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from typing import Annotated, Any

import typer
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import console

from zaiko_server.commands.port_file import PortFile, write_address


def simulate(
    platform: Annotated[
        str,
        typer.Argument(help="The connector's id, such as shopify."),
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    listing: Annotated[
        list[str] | None,
        typer.Option(metavar="SKU=UNITS", help="Add this listing to the shop; may be repeated."),
    ] = None,
    switch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Set one of the simulator's behaviours; may be repeated."
        ),
    ] = None,
    port_file: PortFile = None,
) -> None:
    """Run a simulated shop: the platform's own API over HTTP, and a control API under /_sim that
    plays buyers and staff."""
    from zaiko_core.plugin_host.loader import load

    registry = load()
    try:
        kinds = registry.simulators()
    except ImportError as error:
        raise Failed(
            f"Simulators need {error.name}. Install zaiko with its extra: pip install "
            "'zaiko[simulators]'."
        ) from None
    if platform not in kinds:
        known = ", ".join(sorted(kinds)) or "none; install a connector first"
        raise Failed(
            f"{'There is no simulator of ' + repr(platform) if platform else 'Say which platform'}: there are {known}.",  # noqa: E501
            USAGE,
        )
    from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

    simulator = kinds[platform].create()
    for name, value in _pairs(switch, "--switch"):
        simulator.switch(name, _value(value))
    simulator.add_listings(
        [
            NewListing(sku=sku, quantity=int(units), title=sku)
            for sku, units in _pairs(listing, "--listing")
        ]
    )
    # Ctrl-C of a person and SIGTERM of a script mean the same.
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with SimulatorServer(simulator, port=port) as server:
        write_address(port_file, server.base_url)
        screen = console(stderr=True)
        screen.print(
            f"A simulated {platform} shop answers at [bold]{server.base_url}[/]; control "
            f"it under {server.base_url}/_sim/."
        )
        screen.print(
            f"Create it as a shop: zaiko shops create my-{platform} --connector {platform} "
            f"--simulator {server.base_url}"
        )
        while not stopped.wait(0.5):
            pass
    if port_file is not None:
        port_file.unlink(missing_ok=True)


def _pairs(given: list[str] | None, option: str) -> list[tuple[str, str]]:
    pairs = [item.partition("=") for item in given or []]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise Failed(f"{option} has the form NAME=VALUE.", USAGE)
    return [(name, value) for name, _, value in pairs]


def _value(text: str) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text
