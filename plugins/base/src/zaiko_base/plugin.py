"""What this distribution registers with zaiko (entry point `zaiko.connectors`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from zaiko_sdk import Capability, ConnectorType, InventoryMode, Limits, hookimpl

from zaiko_base import __version__
from zaiko_base.connector import open_shop
from zaiko_base.settings import BaseSettings

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType

BASE = ConnectorType(
    id="base",
    display_name="BASE",
    version=__version__,
    settings=BaseSettings,
    open=open_shop,
    # BASE has no webhooks.
    capabilities=frozenset(Capability) - {Capability.WEBHOOKS},
    inventory_mode=InventoryMode.SET,
    limits=Limits(
        # At worst two calls each (list and item), which at our pace stays below the 120 s that the
        # host gives one call.
        read_batch=200,
        # One number per call: with more in a batch, a call that fails in the middle would leave the
        # others' outcome open.
        write_batch=1,
        order_batch=50,
        # UNCONFIRMED: BASE states no upper bound.
        max_quantity=999_999,
        order_visibility=timedelta(seconds=60),
    ),
    # 60 of 5,000 calls an hour, and there are no webhooks.
    interval=timedelta(minutes=1),
)


@hookimpl
def zaiko_connectors() -> Iterable[ConnectorType]:
    return [BASE]


@hookimpl
def zaiko_simulators() -> Iterable[SimulatorType]:
    # Imported here because a server that only syncs does not have the simulator's dependencies
    # installed.
    from zaiko_sdk.testing.simulator import SimulatorType

    from zaiko_base.simulator import BaseSimulator

    return [SimulatorType(id="base", create=BaseSimulator)]
