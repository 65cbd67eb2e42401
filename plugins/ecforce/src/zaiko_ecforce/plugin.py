"""What this distribution registers with zaiko (entry point `zaiko.connectors`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from zaiko_sdk import Capability, ConnectorType, InventoryMode, Limits, hookimpl

from zaiko_ecforce import __version__
from zaiko_ecforce.connector import account_of, open_shop
from zaiko_ecforce.settings import EcforceSettings

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType

ECFORCE = ConnectorType(
    id="ecforce",
    display_name="ecforce",
    version=__version__,
    settings=EcforceSettings,
    open=open_shop,
    account_of=account_of,
    capabilities=frozenset(Capability),
    inventory_mode=InventoryMode.SET,
    # 100 is the API's own page size. An order and its effect on stock are one transaction there;
    # the minute covers a delayed replica. An order id that has to be read alone costs a request
    # each, hence the smaller order batch.
    limits=Limits(
        read_batch=100,
        write_batch=100,
        order_batch=50,
        max_quantity=1_000_000,
        order_visibility=timedelta(seconds=60),
    ),
)


@hookimpl
def zaiko_connectors() -> Iterable[ConnectorType]:
    return [ECFORCE]


@hookimpl
def zaiko_simulators() -> Iterable[SimulatorType]:
    from zaiko_sdk.testing.simulator import SimulatorType

    from zaiko_ecforce.simulator import EcforceSimulator

    return [SimulatorType(id="ecforce", create=EcforceSimulator)]
