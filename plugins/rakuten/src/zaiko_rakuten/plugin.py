"""What this distribution registers with zaiko (entry point `zaiko.connectors`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zaiko_sdk import Capability, ConnectorType, InventoryMode, Limits, WebhookReply, hookimpl

from zaiko_rakuten import __version__
from zaiko_rakuten.connector import open_shop
from zaiko_rakuten.order_source import GET_AT_MOST
from zaiko_rakuten.orders import ORDER_VISIBILITY
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.stock import READ_AT_MOST
from zaiko_rakuten.writing import MAX_QUANTITY, WRITE_AT_MOST

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType

RAKUTEN = ConnectorType(
    id="rakuten",
    display_name="楽天市場",
    version=__version__,
    settings=RakutenSettings,
    open=open_shop,
    # Not ORDER_UPDATES: RMS reports no edit and no cancel, so the host reads open orders again.
    capabilities=frozenset(Capability) - {Capability.ORDER_UPDATES},
    inventory_mode=InventoryMode.ADJUST,
    limits=Limits(
        read_batch=READ_AT_MOST,
        write_batch=WRITE_AT_MOST,
        order_batch=GET_AT_MOST,
        max_quantity=MAX_QUANTITY,
        order_visibility=ORDER_VISIBILITY,
    ),
    webhook_reply=WebhookReply(
        (
            b'<?xml version="1.0" '
            b'encoding="UTF-8"?><responseModel><resultCode>N-000-000</resultCode></responseModel>'
        ),
        "text/xml; charset=utf-8",
    ),
)


@hookimpl
def zaiko_connectors() -> Iterable[ConnectorType]:
    return [RAKUTEN]


@hookimpl
def zaiko_simulators() -> Iterable[SimulatorType]:
    from zaiko_sdk.testing.simulator import SimulatorType

    from zaiko_rakuten.simulator import RakutenSimulator

    return [SimulatorType(id="rakuten", create=RakutenSimulator)]
