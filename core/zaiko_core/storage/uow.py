"""One unit of work on one merchant, with every repository (ports.UnitOfWork); a transaction has one
of them, or several in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Connection, Executable, case, or_, select, update

from zaiko_core.app.records import (
    ChangeKind,
    ClearedRecord,
    MerchantRecord,
    OversellRecord,
    Trigger,
)
from zaiko_core.domain.errors import LeaseLost, NotFound
from zaiko_core.storage import schema, triggers
from zaiko_core.storage.additions import AdditionRows
from zaiko_core.storage.catalogue import ProductRows, WarehouseRows, merchant_from
from zaiko_core.storage.channel import NOTIFIED, told
from zaiko_core.storage.clock import CLOCK
from zaiko_core.storage.demands import DemandRows
from zaiko_core.storage.drifts import DriftRows
from zaiko_core.storage.history import FeedRows, OperationRows, RequestRows, RunRows
from zaiko_core.storage.ledger import LedgerRows
from zaiko_core.storage.links import LinkRows
from zaiko_core.storage.listings import ListingRows
from zaiko_core.storage.orders import OrderRows
from zaiko_core.storage.oversells import OversellRows
from zaiko_core.storage.prepared import only, run
from zaiko_core.storage.pushes import PushRows
from zaiko_core.storage.rowset import given, insert_rows, rows_of, the, typed, unnested
from zaiko_core.storage.shops import ShopRows
from zaiko_core.storage.stocks import StockRows
from zaiko_core.storage.webhooks import WebhookRows
from zaiko_core.tracing import written


@lru_cache
def _opening(dialect: str, writing: bool, advancing: bool, clocked: bool) -> Executable:
    """The merchant's row, locked by whoever writes; counted up at once by whoever is known to
    change something."""
    table = schema.merchants
    mine = table.c.merchant == the(table.c.merchant)
    clock = [CLOCK.label("clock")] if clocked else []
    if advancing:
        notified = [NOTIFIED] if dialect == "postgresql" else []
        return (
            update(table)
            .where(mine)
            .values(head=table.c.head + 1)
            .returning(table, *clock, *notified)
        )
    query = select(table, *clock).where(mine)
    return query.with_for_update(of=table) if writing else query


@lru_cache
def _advancing(dialect: str) -> Executable:
    table = schema.merchants
    advanced = (
        update(table)
        .where(table.c.merchant == the(table.c.merchant))
        .values(head=the(table.c.head))
    )
    return advanced.returning(NOTIFIED) if dialect == "postgresql" else advanced


_LEASE = (
    select(schema.shops.c.lease_token, schema.shops.c.owner)
    .where(
        schema.shops.c.merchant == the(schema.shops.c.merchant),
        schema.shops.c.shop == the(schema.shops.c.shop),
    )
    .with_for_update()
)


@lru_cache
def _triggering(dialect: str, by: Trigger, traced: bool) -> Executable:
    table = schema.shops
    batch = unnested(dialect, typed(table, "shop"))
    stays: Any = table.c.due_at < the(table.c.due_at)
    if by is not Trigger.REQUEST:
        stays = or_(stays, table.c.attempt > 0)
    values = {
        "trigger_seq": table.c.trigger_seq + 1,
        "due_at": case((stays, table.c.due_at), else_=the(table.c.due_at)),
        "pending_trigger": triggers.stronger(table.c.pending_trigger, by),
    }
    same = (
        table.c.merchant == the(table.c.merchant),
        table.c.shop == batch.c.shop,
        table.c.due_at.is_not(None),
    )
    triggered = (
        update(table)
        .where(*same)
        .values(values | ({"trace_parent": the(table.c.trace_parent)} if traced else {}))
    )
    return triggered.returning(NOTIFIED) if dialect == "postgresql" else triggered


class StorageUnitOfWork:
    """See ports.UnitOfWork. Made by `opened` and `following`, ended by `finish`; one transaction
    has those of one merchant."""

    def __init__(
        self,
        connection: Connection,
        merchants: MerchantRecord,
        now: int,
        *,
        writing: bool,
        advanced: bool = False,
    ) -> None:
        """`advanced`: the merchant's row has been counted up already, as something will change in
        any case."""
        self._connection, self.merchant, self.merchants, self.now = (
            connection,
            merchants.merchant,
            merchants,
            now,
        )
        self.revision = merchants.head + 1 if writing else merchants.head
        self._changes: dict[tuple[ChangeKind, str], None] = {}
        self._advance, self._advanced = advanced, advanced
        self._renamed: MerchantRecord | None = None
        self.due_in: int | None = None
        """In how many µs the scheduler has something to do because of this; None: it has not."""
        self._held: tuple[str, int] | None = None
        self.told: list[OversellRecord | ClearedRecord] = []

    @property
    def answer_revision(self) -> int:
        return self.revision if self._advance else self.merchants.head

    @cached_property
    def warehouses(self) -> WarehouseRows:
        return WarehouseRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def products(self) -> ProductRows:
        return ProductRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def stocks(self) -> StockRows:
        return StockRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def demands(self) -> DemandRows:
        return DemandRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def orders(self) -> OrderRows:
        return OrderRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def shops(self) -> ShopRows:
        return ShopRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def listings(self) -> ListingRows:
        return ListingRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def links(self) -> LinkRows:
        return LinkRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def pushes(self) -> PushRows:
        return PushRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def additions(self) -> AdditionRows:
        return AdditionRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def ledger(self) -> LedgerRows:
        return LedgerRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def oversells(self) -> OversellRows:
        return OversellRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def drifts(self) -> DriftRows:
        return DriftRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def webhooks(self) -> WebhookRows:
        return WebhookRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def runs(self) -> RunRows:
        return RunRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def operations(self) -> OperationRows:
        return OperationRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def requests(self) -> RequestRows:
        return RequestRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def feed(self) -> FeedRows:
        return FeedRows(self._connection, self.merchant, self.now, self.revision)

    def update_merchant(self, record: MerchantRecord) -> None:
        table = schema.merchants
        self._connection.execute(
            update(table)
            .where(table.c.merchant == self.merchant)
            .values(
                display_name=record.display_name,
                sync_available=record.sync_available,
                updated_at=self.now,
                revision=self.revision,
            )
        )
        self._renamed = replace(record, updated_at=self.now, revision=self.revision)
        self.advance()

    def advance(self) -> None:
        """This transaction changes something that carries a revision."""
        self._advance = True

    def changed(self, kind: ChangeKind, names: Iterable[str]) -> None:
        for name in names:
            self._changes[kind, name] = None
            self._advance = True

    def tell(self, fact: OversellRecord | ClearedRecord) -> None:
        self.told.append(fact)

    def trigger(
        self, shops: Iterable[str], *, delay: int = 0, by: Trigger = Trigger.CHANGE
    ) -> None:
        # A run handles what it makes due in its own shop before it ends.
        names = set(shops) - ({self._held[0]} if self._held else set())
        if not names:
            return
        cause = written()
        values = given(merchant=self.merchant, due_at=self.now + delay) | (
            given(trace_parent=cause) if cause else {}
        )
        dialect = self._connection.dialect.name
        rows = rows_of([{"shop": shop} for shop in names])
        run(
            self._connection,
            _triggering(dialect, by, bool(cause)),
            values | rows | told(dialect, delay),
        )
        self.due(delay)

    def due(self, delay: int = 0) -> None:
        self.due_in = delay if self.due_in is None else min(delay, self.due_in)

    def hold_lease(self, shop: str, token: int) -> None:
        if self._held == (shop, token):
            return
        row = only(run(self._connection, _LEASE, given(merchant=self.merchant, shop=shop)))
        if row is None or row.lease_token != token or row.owner is None:
            raise LeaseLost(f"shops/{shop} is no longer held under token {token}")
        self._held = (shop, token)

    @property
    def left(self) -> MerchantRecord:
        """The merchant as this unit of work leaves it."""
        return replace(self._renamed or self.merchants, head=self.answer_revision)

    @property
    def has_changes(self) -> bool:
        """Whether it has rows in the change feed."""
        return bool(self._changes)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Its rows of the change feed, without merchant and time, which are those of the
        transaction."""
        return [
            {"revision": self.revision, "kind": kind.value, "name": name}
            for kind, name in self._changes
        ]


def opened(
    connection: Connection,
    merchant: str,
    now: int | None,
    *,
    writing: bool,
    advancing: bool = False,
) -> StorageUnitOfWork:
    """The first of a transaction. `now` None: by PostgreSQL's clock, which is asked on the way.
    `advancing`: something will change in any case. Raises NotFound."""
    # The merchant's row is locked first, by every writer (ADR 0003).
    dialect = connection.dialect.name
    opening = _opening(dialect, writing, advancing, now is None)
    row = only(
        run(
            connection,
            opening,
            given(merchant=merchant) | (told(dialect, None) if advancing else {}),
        )
    )
    if row is None:
        raise NotFound(f"merchants/{merchant}")
    found = merchant_from(row)
    record = replace(found, head=found.head - 1) if advancing else found
    return StorageUnitOfWork(
        connection, record, row.clock if now is None else now, writing=writing, advanced=advancing
    )


def following(earlier: StorageUnitOfWork, connection: Connection) -> StorageUnitOfWork:
    """A writing one behind another in the same transaction, with the next revision."""
    return StorageUnitOfWork(connection, earlier.left, earlier.now, writing=True)


def finish(connection: Connection, done: Sequence[StorageUnitOfWork]) -> bool:
    """Write the change feed and the merchant's new revision, and tell other replicas; whether there
    is something for watchers or the scheduler. `done` are the units of work of one transaction, in
    their order."""
    dialect, last, due_in = connection.dialect.name, done[-1], soonest(done)
    if any(uow._advance for uow in done):
        if not (len(done) == 1 and last._advanced):
            head = given(merchant=last.merchant, head=last.answer_revision)
            run(connection, _advancing(dialect), head | told(dialect, due_in))
        rows = [row for uow in done for row in uow.changes]
        insert_rows(
            connection, schema.changes, rows, same={"merchant": last.merchant, "at": last.now}
        )
        return True
    return due_in is not None


def soonest(done: Iterable[StorageUnitOfWork]) -> int | None:
    """In how many µs the scheduler has something to do because of one of them; None: it has not."""
    return min((uow.due_in for uow in done if uow.due_in is not None), default=None)
