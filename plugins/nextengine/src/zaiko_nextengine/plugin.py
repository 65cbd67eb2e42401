"""What this distribution registers with zaiko (entry point `zaiko.connectors`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from zaiko_sdk import Capability, ConnectorType, InventoryMode, Limits, hookimpl

from zaiko_nextengine import __version__
from zaiko_nextengine.connector import open_shop
from zaiko_nextengine.settings import NextEngineSettings

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType

NEXT_ENGINE = ConnectorType(
    id="nextengine",
    display_name="ネクストエンジン (Next Engine)",
    version=__version__,
    settings=NextEngineSettings,
    open=open_shop,
    # Next Engine has no webhooks.
    capabilities=frozenset(Capability) - {Capability.WEBHOOKS},
    inventory_mode=InventoryMode.ADJUST,
    limits=Limits(
        # The most values in one condition.
        read_batch=1000,
        # One upload takes far more; but of a file that fails without saying where, every line's
        # outcome is open.
        write_batch=200,
        order_batch=200,
        # UNCONFIRMED: Next Engine states no upper bound.
        max_quantity=999_999,
        # A slip exists from the moment in which it takes stock.
        order_visibility=timedelta(seconds=60),
    ),
)


@hookimpl
def zaiko_connectors() -> Iterable[ConnectorType]:
    return [NEXT_ENGINE]


@hookimpl
def zaiko_simulators() -> Iterable[SimulatorType]:
    # Imported here because a server that only syncs does not have the simulator's dependencies
    # installed.
    from zaiko_sdk.testing.simulator import SimulatorType

    from zaiko_nextengine.simulator import NextEngineSimulator

    return [SimulatorType(id="nextengine", create=NextEngineSimulator)]
