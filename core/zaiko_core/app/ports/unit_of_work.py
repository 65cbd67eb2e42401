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
    from zaiko_core.storage.accounts import AccountRows
    from zaiko_core.storage.additions import AdditionRows
    from zaiko_core.storage.catalogue import ProductRows, WarehouseRows
    from zaiko_core.storage.demands import DemandRows
    from zaiko_core.storage.drifts import DriftRows
    from zaiko_core.storage.history import FeedRows, OperationRows, RequestRows, RunRows
    from zaiko_core.storage.ledger import LedgerRows
    from zaiko_core.storage.links import LinkRows
    from zaiko_core.storage.listings import ListingRows
    from zaiko_core.storage.named_orders import NamedOrderRows
    from zaiko_core.storage.orders import OrderRows
    from zaiko_core.storage.oversells import OversellRows
    from zaiko_core.storage.pushes import PushRows
    from zaiko_core.storage.shops import ShopRows
    from zaiko_core.storage.stamps import StampRows
    from zaiko_core.storage.stocks import StockRows
    from zaiko_core.storage.system import SystemRows
    from zaiko_core.storage.webhooks import WebhookRows


class UnitOfWork(Protocol):
    """One unit of work: a transaction of one merchant, or a part of it that has a revision of its
    own."""

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
    def named_orders(self) -> NamedOrderRows: ...
    @property
    def accounts(self) -> AccountRows: ...
    @property
    def runs(self) -> RunRows: ...
    @property
    def operations(self) -> OperationRows: ...
    @property
    def requests(self) -> RequestRows: ...
    @property
    def feed(self) -> FeedRows: ...
    @property
    def stamps(self) -> StampRows: ...
    @property
    def system(self) -> SystemRows:
        """What belongs to the whole installation. For reading only."""
        ...

    @property
    def answer_revision(self) -> int:
        """The revision that a reply reflects: `revision` once this unit of work has changed
        something, else the newest one."""
        ...

    def update_merchant(self, record: MerchantRecord) -> None: ...

    def advance(self) -> None:
        """Use this unit of work's revision, because something that carries a revision changes.
        `changed` does it as well. Call it where a product, warehouse, listing or operation is
        written, which no watch shows."""
        ...

    def changed(self, kind: ChangeKind, names: Iterable[str]) -> None:
        """Notify watchers of these names, at this unit of work's revision."""
        ...

    def publish(self, fact: OversellRecord | ClearedRecord) -> None:
        """Give a fact to observers once this transaction is committed, and only then."""
        ...

    def trigger(
        self, shops: Iterable[str], *, delay: int = 0, by: Trigger = Trigger.CHANGE
    ) -> None:
        """Ask for a run of each shop `delay` µs from now, or earlier if one is due earlier. Paused
        shops are ignored. A shop that backs off after a failure keeps its time unless a person asks
        for the run. `by`: REQUEST, WEBHOOK or CHANGE; the strongest one since the last run began is
        the next run's."""
        ...

    def due(self, delay: int = 0) -> None:
        """Record that the scheduler has work `delay` µs from now which was not triggered: an
        operation, or a shop that a run releases. Other replicas may find it only at their next
        poll."""
        ...

    def hold_lease(self, shop: str, token: int) -> None:
        """Continue only while this process holds the shop under `token`. Locks the shop's row.
        Raises LeaseLost. From here on this unit of work is part of a run of the shop, which handles
        what becomes due there: `trigger` leaves the shop out."""
        ...
