"""What this distribution registers with zaiko (entry point `zaiko.connectors`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zaiko_sdk import Capability, ConnectorType, InventoryMode, Limits, hookimpl

from zaiko_shopify import __version__
from zaiko_shopify.connector import ShopifyConnector
from zaiko_shopify.documents import MAX_IDS
from zaiko_shopify.feed import SEARCH_LAG
from zaiko_shopify.settings import ShopifySettings

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType

SHOPIFY = ConnectorType(
    id="shopify",
    display_name="Shopify",
    version=__version__,
    settings=ShopifySettings,
    open=ShopifyConnector,
    capabilities=frozenset(Capability),
    inventory_mode=InventoryMode.COMPARE_AND_SET,
    limits=Limits(
        read_batch=MAX_IDS,
        write_batch=MAX_IDS,
        order_batch=50,
        max_quantity=1_000_000_000,
        order_visibility=SEARCH_LAG,
    ),
)


@hookimpl
def zaiko_connectors() -> Iterable[ConnectorType]:
    return [SHOPIFY]


@hookimpl
def zaiko_simulators() -> Iterable[SimulatorType]:
    from zaiko_sdk.testing.simulator import SimulatorType

    from zaiko_shopify.simulator import ShopifySimulator

    return [SimulatorType(id="shopify", create=ShopifySimulator)]
