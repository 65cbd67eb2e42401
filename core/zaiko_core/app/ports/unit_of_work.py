"""All that one transaction of one merchant reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from zaiko_core.app.records import (
    ChangeKind,
    ClearedRecord,
    MerchantRecord,
    OversellRecord,
    Trigger,
)

if TYPE_CHECKING:
    from zaiko_core.storage.additions import AdditionRows
    from zaiko_core.storage.catalogue import ProductRows, WarehouseRows
    from zaiko_core.storage.demands import DemandRows
    from zaiko_core.storage.drifts import DriftRows
    from zaiko_core.storage.history import FeedRows, OperationRows, RequestRows, RunRows
    from zaiko_core.storage.ledger import LedgerRows
    from zaiko_core.storage.links import LinkRows
    from zaiko_core.storage.listings import ListingRows
    from zaiko_core.storage.orders import OrderRows
    from zaiko_core.storage.oversells import OversellRows
    from zaiko_core.storage.pushes import PushRows
    from zaiko_core.storage.shops import ShopRows
    from zaiko_core.storage.stocks import StockRows
    from zaiko_core.storage.webhooks import WebhookRows


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
    def warehouses(self) -> WarehouseRows: ...
    @property
    def products(self) -> ProductRows: ...
    @property
    def stocks(self) -> StockRows: ...
    @property
    def demands(self) -> DemandRows: ...
    @property
    def orders(self) -> OrderRows: ...
    @property
    def shops(self) -> ShopRows: ...
    @property
    def listings(self) -> ListingRows: ...
    @property
    def links(self) -> LinkRows: ...
    @property
    def pushes(self) -> PushRows: ...
    @property
    def additions(self) -> AdditionRows: ...
    @property
    def ledger(self) -> LedgerRows: ...
    @property
    def oversells(self) -> OversellRows: ...
    @property
    def drifts(self) -> DriftRows: ...
    @property
    def webhooks(self) -> WebhookRows: ...
    @property
    def runs(self) -> RunRows: ...
    @property
    def operations(self) -> OperationRows: ...
    @property
    def requests(self) -> RequestRows: ...
    @property
    def feed(self) -> FeedRows: ...

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

    def publish(self, fact: OversellRecord | ClearedRecord) -> None:
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
