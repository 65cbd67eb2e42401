"""The connector of the template with something around it that goes wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from zaiko_example.plugin import EXAMPLE
from zaiko_example.settings import ExampleSettings
from zaiko_example.simulator import ExampleSimulator
from zaiko_sdk import (
    Account,
    Connector,
    ConnectorType,
    Finding,
    InventoryLevel,
    InventoryMode,
    InventoryWrite,
    ListingPage,
    ListingRef,
    Order,
    OrderPage,
    OrderState,
    ShopContext,
    WebhookHint,
    WriteResult,
)

Change = Callable[[InventoryWrite], dict[str, Any]]
CAS, ADJUST, SET = InventoryMode.COMPARE_AND_SET, InventoryMode.ADJUST, InventoryMode.SET
CHANGES: Mapping[InventoryMode, Change] = {
    CAS: lambda write: {
        "id": write.ref.external_id,
        "quantity": write.quantity,
        "if_quantity": write.expected,
    },
    ADJUST: lambda write: {"id": write.ref.external_id, "change": write.delta},
    SET: lambda write: {"id": write.ref.external_id, "quantity": write.quantity},
}
"""What the template sends in each mode (examples/connector-template/modes)."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`kind` is the broken connector. `sends` is the mode in which it really writes, `says` the one
    that it declares."""

    kind: ConnectorType
    says: InventoryMode = CAS
    sends: InventoryMode = CAS
    simulator: type[ExampleSimulator] = ExampleSimulator


MUTANTS: dict[str, Mutant] = {}


def described(rule: str, kind: ConnectorType, **options: Any) -> None:
    """Register a mutant that lies in its description."""
    MUTANTS[rule] = Mutant(kind, **options)


def behaves(rule: str, **options: Any) -> Callable[[type[Delegating]], type[Delegating]]:
    """Register a mutant that lies in what it does."""

    def mark(broken: type[Delegating]) -> type[Delegating]:
        said = options.get("says", CAS)
        kind = replace(
            EXAMPLE, inventory_mode=said, open=lambda context, settings: broken(context, settings)
        )
        MUTANTS[rule] = Mutant(kind, **options)
        return broken

    return mark


class Delegating(Connector):
    """The template's connector, with nothing changed."""

    def __init__(self, context: ShopContext, settings: ExampleSettings) -> None:
        self.context, self.settings = context, settings
        self.inner = EXAMPLE.open(context, settings)

    async def check(self) -> Sequence[Finding]:
        return await self.inner.check()

    async def account(self) -> Account | None:
        return await self.inner.account()

    @property
    def order_reach(self) -> timedelta | None:
        return self.inner.order_reach

    def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        return self.inner.fetch_orders(cursor)

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        return await self.inner.read_orders(external_ids)

    def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        return self.inner.list_listings(cursor)

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        return await self.inner.read_inventory(refs)

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        return await self.inner.set_inventory(writes, key)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        return self.inner.parse_webhook(headers, body)

    async def aclose(self) -> None:
        await self.inner.aclose()


class ChangesOrders(Delegating):
    """Changes each order."""

    def change(self, order: Order) -> Order:
        return order

    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        async for page in self.inner.fetch_orders(cursor):
            yield replace(page, orders=[self.change(order) for order in page.orders])

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        return [self.change(order) for order in await self.inner.read_orders(external_ids)]


class ChangesLines(ChangesOrders):
    """Changes each line."""

    without: ClassVar[Mapping[str, Any]] = {}

    def change(self, order: Order) -> Order:
        return replace(
            order,
            state=OrderState.OPEN,
            lines=[replace(line, **self.without) for line in order.lines],
        )


def later(moment: datetime) -> str:
    """Return a cursor after which the template's overlap finds nothing that was there before."""
    return (moment + timedelta(minutes=5)).isoformat()
