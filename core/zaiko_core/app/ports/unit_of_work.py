"""All that one transaction of one merchant reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from zaiko_core.app.ports.additions import Additions
from zaiko_core.app.ports.catalogue import Products, Warehouses
from zaiko_core.app.ports.history import Feed, Operations, Requests, Runs, Webhooks
from zaiko_core.app.ports.links import Drifts, Links, Pushes
from zaiko_core.app.ports.orders import Orders
from zaiko_core.app.ports.oversells import Oversells
from zaiko_core.app.ports.shops import Listings, Shops
from zaiko_core.app.ports.stock import Demands, Ledger, Stocks
from zaiko_core.app.records import (
    ChangeKind,
    ClearedRecord,
    MerchantRecord,
    OversellRecord,
    Trigger,
)


class UnitOfWork(Protocol):
    """One transaction of one merchant."""

    merchant: str
    now: int
    revision: int

    @property
    def merchants(self) -> MerchantRecord:
        """The merchant's own row."""
        ...

    @property
    def warehouses(self) -> Warehouses: ...
    @property
    def products(self) -> Products: ...
    @property
    def stocks(self) -> Stocks: ...
    @property
    def demands(self) -> Demands: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def shops(self) -> Shops: ...
    @property
    def listings(self) -> Listings: ...
    @property
    def links(self) -> Links: ...
    @property
    def pushes(self) -> Pushes: ...
    @property
    def additions(self) -> Additions: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def oversells(self) -> Oversells: ...
    @property
    def drifts(self) -> Drifts: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def operations(self) -> Operations: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def feed(self) -> Feed: ...

    @property
    def answer_revision(self) -> int:
        """The revision that a reply reflects: `revision` when this unit of work has changed
        something, else the newest one."""
        ...

    def update_merchant(self, record: MerchantRecord) -> None: ...

    def advance(self) -> None:
        """Use up this unit of work's revision: something that carries a revision changes. `changed`
        does it as well. Whoever writes a product, warehouse, listing or operation, which no watch
        shows, calls it."""
        ...

    def changed(self, kind: ChangeKind, names: Iterable[str]) -> None:
        """Tell watchers, in this transaction's revision."""
        ...

    def tell(self, fact: OversellRecord | ClearedRecord) -> None:
        """Hand a fact to observers once this transaction is committed; nobody hears of one that is
        not."""
        ...

    def trigger(
        self, shops: Iterable[str], *, delay: int = 0, by: Trigger = Trigger.CHANGE
    ) -> None:
        """Ask for a run of each shop `delay` µs from now, or earlier if one is due earlier. Ignored
        for shops that are paused. A shop that backs off after a failure keeps its time, however
        much changes, unless a person has asked for the run. `by`: REQUEST, WEBHOOK or CHANGE; the
        strongest since the last run began is the next run's."""
        ...

    def due(self, delay: int = 0) -> None:
        """The scheduler has something to do `delay` µs from now that was not triggered: an
        operation, or a shop that a run gives back. Other replicas may see it at their next poll
        only."""
        ...

    def hold_lease(self, shop: str, token: int) -> None:
        """Go on only while this process holds the shop under `token`: locks the shop's row; raises
        LeaseLost. From here on this unit of work is part of a run of the shop, which handles by
        itself what becomes due there: `trigger` leaves it out."""
        ...
