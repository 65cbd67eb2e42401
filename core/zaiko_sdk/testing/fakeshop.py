"""A shop in memory that behaves like a platform in the chosen inventory mode, for tests and
simulations on virtual time.

It has no HTTP in it. To test a connector use the platform's own simulator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from zaiko_sdk import (
    Account,
    Capability,
    Clock,
    Connector,
    ConnectorSettings,
    ConnectorType,
    CredentialsRejected,
    Finding,
    InventoryLevel,
    InventoryMode,
    InventoryWrite,
    Limits,
    Listing,
    ListingGone,
    ListingPage,
    ListingRef,
    Order,
    OrderLine,
    OrderPage,
    OrderState,
    ShopContext,
    WebhookHint,
    WriteOutcome,
    WriteResult,
)

_PROOF_HEADER, _DELIVERY_HEADER, _PROOF = "x-fake-proof", "x-fake-delivery", "fake"


class FakeSettings(ConnectorSettings):
    """Which shop of the platform, and a key that it takes no notice of."""

    shop: str
    key: str = ""


@dataclass(slots=True)
class _Placed:
    order: Order
    visible_at: datetime
    readable_at: datetime
    is_understood: bool = True

    def read(self, now: datetime) -> Order:
        """Return the order as the connector can deliver it."""
        name = self.order.external_id
        return self.order if self.is_understood else Order.unreadable(name, read_at=now)


@dataclass(slots=True)
class FakeShop:
    """One shop: what it shows by listing, and its orders. A number may go below 0 when oversold."""

    clock: Clock
    mode: InventoryMode
    stock: dict[str, int] = field(default_factory=dict)
    orders: dict[str, _Placed] = field(default_factory=dict)
    keys: dict[str, Sequence[WriteResult]] = field(default_factory=dict)
    applied: list[tuple[str, int, int]] = field(default_factory=list)
    """Every write that was applied: the listing, what it showed before, and after."""
    deleted: set[str] = field(default_factory=set)
    notified: int = 0
    """Notifications so far."""
    account: Account | None = None
    """Which account of the platform it is; None: the platform does not say."""
    findings: Sequence[Finding] = ()
    """What a check finds."""
    order_reach: timedelta | None = None
    """How far back the connector says that it finds open orders."""
    reserved: dict[str, int] = field(default_factory=dict)
    """Units by listing that are kept off sale without an order."""
    tells_states: bool = True
    """Whether a reading says what is reserved and what open orders hold."""
    ignored: dict[str, WriteOutcome] = field(default_factory=dict)
    """By listing, what the shop answers to writes that it does not carry out."""

    def place(
        self,
        lines: Mapping[str, int],
        *,
        visible_after: float = 0.0,
        readable_after: float = 0.0,
        is_understood: bool = True,
    ) -> str:
        """Place an order. The number falls now, the search shows the order `visible_after` seconds
        later, and it can be read by id `readable_after` seconds later. What is in it can be read
        only once it `is_understood`."""
        name = str(len(self.orders) + len(self.deleted) + 1)
        for listing, units in lines.items():
            self.stock[listing] -= units
        rows = [OrderLine(listing, listing, units, sku=listing) for listing, units in lines.items()]
        now = self.clock.now()
        order = Order(name, f"#{name}", OrderState.OPEN, now, rows, version=now)
        self.orders[name] = _Placed(
            order,
            now + timedelta(seconds=visible_after),
            now + timedelta(seconds=readable_after),
            is_understood,
        )
        return name

    def understand(self, name: str) -> None:
        """Let what is in an order be read from now on."""
        placed = self.orders[name]
        placed.is_understood = True
        placed.visible_at = max(placed.visible_at, self.clock.now())

    def exchange(self, name: str, old: str, new: str, units: int, *, restock: bool) -> None:
        """Exchange the product in a line for another one: the line keeps its id."""
        order = self.orders[name].order
        rows = []
        for line in order.lines:
            if line.listing == old:
                self.stock[old] += line.ordered - line.cancelled if restock else 0
                self.stock[new] -= units
                line = OrderLine(line.external_id, new, units, sku=new)
            rows.append(line)
        self._change(name, replace(order, lines=rows))

    def delete(self, name: str) -> None:
        """Delete an order without a trace. The number does not move."""
        del self.orders[name]
        self.deleted.add(name)

    def notification(self, *orders: str) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notification that names these orders."""
        self.notified += 1
        headers = {_PROOF_HEADER: _PROOF, _DELIVERY_HEADER: str(self.notified)}
        return headers, "\n".join(orders).encode()

    def cancel(self, name: str, *, restock: bool) -> None:
        """Cancel an order, with or without giving back its units that have not left."""
        order = self.orders[name].order
        if order.state is OrderState.CANCELLED:
            return
        if restock:
            for line in order.lines:
                self.stock[line.listing or ""] += line.ordered - line.cancelled - line.fulfilled
        self._change(name, replace(order, state=OrderState.CANCELLED))

    def edit(self, name: str, listing: str, units: int, *, restock: bool) -> None:
        """Reduce a line to `units`, or raise it."""
        order = self.orders[name].order
        rows = []
        for line in order.lines:
            if line.listing == listing:
                change = units - (line.ordered - line.cancelled)
                if change > 0:
                    self.stock[listing] -= change
                    line = replace(line, ordered=line.ordered + change)
                elif change < 0:
                    self.stock[listing] -= change if restock else 0
                    line = replace(line, cancelled=line.cancelled - change)
            rows.append(line)
        self._change(name, replace(order, lines=rows))

    def ship(self, name: str) -> None:
        """Ship the whole order. The number does not move."""
        order = self.orders[name].order
        rows = [replace(line, fulfilled=line.ordered - line.cancelled) for line in order.lines]
        self._change(name, replace(order, lines=rows, state=OrderState.SHIPPED))

    def reserve(self, listing: str, units: int) -> None:
        """Keep units off sale without an order; a negative number puts them back on sale."""
        self.stock[listing] -= units
        self.reserved[listing] = self.reserved.get(listing, 0) + units

    def sell_reserved(self, listing: str, units: int, *, visible_after: float = 0.0) -> str:
        """Place an order of units that are reserved: the number does not move."""
        self.reserve(listing, -units)
        return self.place({listing: units}, visible_after=visible_after)

    def level(self, listing: str) -> InventoryLevel:
        """Return what a reading says of a listing that exists."""
        if not self.tells_states:
            return InventoryLevel(listing, self.stock[listing])
        committed = sum(
            line.ordered - line.cancelled - line.fulfilled
            for placed in self.orders.values()
            if placed.order.state is OrderState.OPEN
            for line in placed.order.lines
            if line.listing == listing
        )
        return InventoryLevel(
            listing,
            self.stock[listing],
            withheld=self.reserved.get(listing, 0),
            committed=committed,
        )

    def _change(self, name: str, order: Order) -> None:
        placed = self.orders[name]
        now = self.clock.now()
        placed.order, placed.visible_at = replace(order, version=now), max(placed.visible_at, now)


Interfere = Callable[[str, str], None]
"""Called as (moment, operation), with moment "before" or "after" the platform does the operation.
It may raise what a connector raises."""


class FakeConnector(Connector):
    """A connector to a FakeShop. `interfere` injects faults and concurrent events."""

    def __init__(self, shop: FakeShop, interfere: Interfere) -> None:
        self._shop, self._interfere = shop, interfere

    async def check(self) -> Sequence[Finding]:
        self._interfere("before", "check")
        return self._shop.findings

    async def account(self) -> Account | None:
        if self._shop.account is not None:
            self._interfere("before", "account")
        return self._shop.account

    @property
    def order_reach(self) -> timedelta | None:
        return self._shop.order_reach

    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        self._interfere("before", "fetch_orders")
        now = self._shop.clock.now()
        visible = sorted(
            (placed for placed in self._shop.orders.values() if placed.visible_at <= now),
            key=lambda placed: placed.visible_at,
        )
        since = datetime.fromisoformat(cursor) - timedelta(hours=1) if cursor else None
        fresh = [
            placed.read(now) for placed in visible if since is None or placed.visible_at >= since
        ]
        self._interfere("after", "fetch_orders")
        for first in range(0, max(1, len(fresh)), 50):
            yield OrderPage(fresh[first : first + 50], now.isoformat(), now)

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        self._interfere("before", "read_orders")
        now = self._shop.clock.now()
        placed = [self._shop.orders[name] for name in external_ids if name in self._shop.orders]
        return [each.read(now) for each in placed if each.readable_at <= now]

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        if headers.get(_PROOF_HEADER) != _PROOF:
            raise CredentialsRejected("the notification has no proof")
        orders = body.decode("utf-8", "replace").split("\n")
        return WebhookHint(headers.get(_DELIVERY_HEADER, ""), "order", orders)

    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        yield ListingPage(
            [Listing(ListingRef(name), name, sku=name) for name in sorted(self._shop.stock)], ""
        )

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        self._interfere("before", "read_inventory")
        levels = [self._level(ref.external_id) for ref in refs]
        self._interfere("after", "read_inventory")
        return levels

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        self._interfere("before", "set_inventory")
        if key not in self._shop.keys:
            self._shop.keys[key] = [self._write(write) for write in writes]
        self._interfere("after", "set_inventory")
        return self._shop.keys[key]

    def _level(self, name: str) -> InventoryLevel:
        if name not in self._shop.stock:
            return InventoryLevel(name, None, ListingGone(f"{name} does not exist"))
        return self._shop.level(name)

    def _write(self, write: InventoryWrite) -> WriteResult:
        name, stock = write.ref.external_id, self._shop.stock
        if name not in stock:
            return WriteResult(
                name, WriteOutcome.REFUSED, error=ListingGone(f"{name} does not exist")
            )
        before = stock[name]
        if name in self._shop.ignored:
            return WriteResult(name, self._shop.ignored[name], before, message="noted")
        if self._shop.mode is InventoryMode.COMPARE_AND_SET and stock[name] != write.expected:
            return WriteResult(name, WriteOutcome.STALE)
        if self._shop.mode is InventoryMode.ADJUST:
            if stock[name] + write.delta < 0:
                return WriteResult(name, WriteOutcome.STALE)
            stock[name] += write.delta
        else:
            stock[name] = write.quantity
        self._shop.applied.append((name, before, stock[name]))
        return WriteResult(name, WriteOutcome.APPLIED)


def fake_connector(
    shops: Mapping[str, FakeShop], mode: InventoryMode, interfere: Interfere, limits: Limits
) -> ConnectorType:
    """Return a connector type for shops in memory. Its id is `fake-` and the mode."""

    def open_shop(context: ShopContext, settings: FakeSettings) -> Connector:
        return FakeConnector(shops[settings.shop], interfere)

    return ConnectorType(
        id=f"fake-{mode.value.replace('_', '-')}",
        display_name="Fake",
        version="1",
        settings=FakeSettings,
        open=open_shop,
        capabilities=frozenset(Capability),
        inventory_mode=mode,
        limits=limits,
    )
