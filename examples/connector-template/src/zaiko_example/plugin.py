"""What this distribution registers with zaiko (entry point `zaiko.connectors`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from zaiko_sdk import Capability, ConnectorType, Limits, hookimpl

from zaiko_example import __version__
from zaiko_example.change import MODE
from zaiko_example.connector import open_shop
from zaiko_example.settings import ExampleSettings

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType

EXAMPLE = ConnectorType(
    id="example",
    display_name="Example Shop",
    version=__version__,
    settings=ExampleSettings,
    open=open_shop,
    # Declare only what is true: zaiko relies on each, and works around what is missing.
    capabilities=frozenset(Capability),
    inventory_mode=MODE,
    limits=Limits(
        read_batch=100,
        write_batch=100,
        order_batch=100,
        max_quantity=999_999,
        order_visibility=timedelta(seconds=60),
    ),
)


@hookimpl
def zaiko_connectors() -> Iterable[ConnectorType]:
    return [EXAMPLE]


@hookimpl
def zaiko_simulators() -> Iterable[SimulatorType]:
    # Imported here because a server that only syncs does not have the simulator's dependencies
    # installed.
    from zaiko_sdk.testing.simulator import SimulatorType

    from zaiko_example.simulator import ExampleSimulator

    return [SimulatorType(id="example", create=ExampleSimulator)]
