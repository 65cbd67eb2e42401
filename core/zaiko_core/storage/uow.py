"""One unit of work on one merchant, with every repository (ports.UnitOfWork). A transaction has one
of them, or several one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Connection, Executable, and_, case, or_, select, update

from zaiko_core.app.records import (
    ChangeKind,
    ClearedRecord,
    MerchantRecord,
    OversellRecord,
    Trigger,
)
from zaiko_core.domain.errors import LeaseLost, NotFound
from zaiko_core.storage import schema, triggers
from zaiko_core.storage.accounts import AccountRows
from zaiko_core.storage.additions import AdditionRows
from zaiko_core.storage.catalogue import MERCHANTS, ProductRows, WarehouseRows
from zaiko_core.storage.channel import NOTIFIED, NOTIFY, notify_payload
from zaiko_core.storage.clock import CLOCK
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
from zaiko_core.storage.rowset import (
    batch_params,
    batch_rows,
    insert_statement,
    param,
    params,
    typed_columns,
)
from zaiko_core.storage.shops import ShopRows
from zaiko_core.storage.sql import execute, writes
from zaiko_core.storage.stamps import StampRows
from zaiko_core.storage.stocks import StockRows
from zaiko_core.storage.system import SystemRows
from zaiko_core.storage.webhooks import WebhookRows
from zaiko_core.tracing import written


@lru_cache
def _opening(writing: bool, clocked: bool) -> Executable:
    """Return the statement that reads the merchant's row. A writer locks the row and takes the next
    revision with it, because nearly every writer changes something."""
    table = schema.merchants
    of_merchant = table.c.merchant == param(table.c.merchant)
    clock = [CLOCK.label("clock")] if clocked else []
    if writing:
        advanced = update(table).where(of_merchant).values(head=table.c.head + 1)
        return advanced.returning(table, *clock)
    return select(table, *clock).where(of_merchant)


_SET_HEAD = (
    update(schema.merchants)
    .where(schema.merchants.c.merchant == param(schema.merchants.c.merchant))
    .values(head=param(schema.merchants.c.head))
)


@lru_cache
def _recording(dialect: str) -> Executable:
    """Return the statement that writes the change feed, and notifies other replicas."""
    inserted = insert_statement(
        dialect, schema.changes, same=("merchant", "at"), names=("revision", "kind", "name")
    )
    if dialect == "sqlite":
        return inserted  # type: ignore[no-any-return]
    return select(NOTIFIED).add_cte(inserted.cte("recorded"))


_LEASE = (
    select(schema.shops.c.lease_token, schema.shops.c.owner)
    .where(
        schema.shops.c.merchant == param(schema.shops.c.merchant),
        schema.shops.c.shop == param(schema.shops.c.shop),
    )
    .with_for_update()
)


@lru_cache
def _triggering(dialect: str, by: Trigger, traced: bool) -> Executable:
    table = schema.shops
    batch = batch_rows(dialect, typed_columns(table, "shop"))
    stays: Any = table.c.due_at < param(table.c.due_at)
    if by is Trigger.CHANGE:
        stays = or_(stays, table.c.attempt > 0)
    elif by is Trigger.WEBHOOK:
        # Where only the numbers wait, the order behind the notification is read.
        stays = or_(stays, and_(table.c.attempt > 0, table.c.sending_retry_at.is_(None)))
    values = {
        "trigger_seq": table.c.trigger_seq + 1,
        "due_at": case((stays, table.c.due_at), else_=param(table.c.due_at)),
        "pending_trigger": triggers.stronger(table.c.pending_trigger, by),
    }
    same = (
        table.c.merchant == param(table.c.merchant),
        table.c.shop == batch.c.shop,
        table.c.due_at.is_not(None),
    )
    triggered = (
        update(table)
        .where(*same)
        .values(values | ({"trace_parent": param(table.c.trace_parent)} if traced else {}))
    )
    return triggered.returning(NOTIFIED) if dialect == "postgresql" else triggered


class StorageUnitOfWork:
    """See ports.UnitOfWork. `opened` and `following` make it, `finish` ends it. All units of work
    of one transaction are of one merchant."""

    def __init__(
        self,
        connection: Connection,
        merchants: MerchantRecord,
        now: int,
        *,
        writing: bool,
    ) -> None:
        self._connection = connection
        self.merchant, self.merchants = merchants.merchant, merchants
        self.now = now
        self.revision = merchants.head + 1 if writing else merchants.head
        self._changes: dict[tuple[ChangeKind, str], None] = {}
        self._advanced = False
        self._updated: MerchantRecord | None = None
        self._lease: tuple[str, int] | None = None
        self.writes_when_opened = writes(connection)
        """To tell at the end whether anything was written since."""
        self.due_in: int | None = None
        """The delay in µs until the scheduler has work as a result; None if it has none."""
        self.facts: list[OversellRecord | ClearedRecord] = []
        """What observers get once it is committed."""

    @property
    def answer_revision(self) -> int:
        return self.revision if self._advanced else self.merchants.head

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
    def named_orders(self) -> NamedOrderRows:
        return NamedOrderRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def accounts(self) -> AccountRows:
        return AccountRows(self._connection, self.merchant, self.now, self.revision)

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
    def stamps(self) -> StampRows:
        return StampRows(self._connection, self.merchant, self.now, self.revision)

    @cached_property
    def system(self) -> SystemRows:
        return SystemRows(self._connection, lambda: self.now)

    @cached_property
    def feed(self) -> FeedRows:
        return FeedRows(self._connection, self.merchant, self.now, self.revision)

    def update_merchant(self, record: MerchantRecord) -> None:
        table = schema.merchants
        execute(
            self._connection,
            update(table)
            .where(table.c.merchant == self.merchant)
            .values(
                display_name=record.display_name,
                sync_available=record.sync_available,
                updated_at=self.now,
                revision=self.revision,
            ),
        )
        self._updated = replace(record, updated_at=self.now, revision=self.revision)
        self.advance()

    def advance(self) -> None:
        self._advanced = True

    def changed(self, kind: ChangeKind, names: Iterable[str]) -> None:
        for name in names:
            self._changes[kind, name] = None
            self._advanced = True

    def publish(self, fact: OversellRecord | ClearedRecord) -> None:
        self.facts.append(fact)

    def trigger(
        self, shops: Iterable[str], *, delay: int = 0, by: Trigger = Trigger.CHANGE
    ) -> None:
        # A run handles what it makes due in its own shop before it ends.
        names = set(shops) - ({self._lease[0]} if self._lease else set())
        if not names:
            return
        trace = written()
        values = params(merchant=self.merchant, due_at=self.now + delay) | (
            params(trace_parent=trace) if trace else {}
        )
        dialect = self._connection.dialect.name
        execute(
            self._connection,
            _triggering(dialect, by, bool(trace)),
            values
            | batch_params([{"shop": shop} for shop in names])
            | notify_payload(dialect, delay),
        )
        self.due(delay)

    def due(self, delay: int = 0) -> None:
        self.due_in = delay if self.due_in is None else min(delay, self.due_in)

    def hold_lease(self, shop: str, token: int) -> None:
        if self._lease == (shop, token):
            return
        found = execute(self._connection, _LEASE, params(merchant=self.merchant, shop=shop))
        row = found.one_or_none()
        if row is None or row.lease_token != token or row.owner is None:
            raise LeaseLost(f"shops/{shop} is no longer held under token {token}")
        self._lease = (shop, token)

    @property
    def left(self) -> MerchantRecord:
        """The merchant's row as this unit of work leaves it."""
        return replace(self._updated or self.merchants, head=self.answer_revision)

    @property
    def has_changes(self) -> bool:
        """Whether it has rows in the change feed."""
        return bool(self._changes)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Its rows of the change feed, without merchant and time."""
        return [
            {"revision": self.revision, "kind": kind.value, "name": name}
            for kind, name in self._changes
        ]


def opened(
    connection: Connection, merchant: str, now: int | None, *, writing: bool
) -> StorageUnitOfWork:
    """Open the first unit of work of a transaction. `now` None: by PostgreSQL's clock, which the
    same statement reads. Raises NotFound."""
    # The merchant's row is locked first, by every writer (ADR 0003).
    found = execute(connection, _opening(writing, now is None), params(merchant=merchant))
    row = found.one_or_none()
    if row is None:
        raise NotFound(f"merchants/{merchant}")
    record = MERCHANTS.read(row)
    if writing:
        record = replace(record, head=record.head - 1)
    return StorageUnitOfWork(connection, record, row.clock if now is None else now, writing=writing)


def following(earlier: StorageUnitOfWork, connection: Connection) -> StorageUnitOfWork:
    """Open the next writing unit of work of the same transaction, with the next revision."""
    return StorageUnitOfWork(connection, earlier.left, earlier.now, writing=True)


def finish(connection: Connection, done: Sequence[StorageUnitOfWork]) -> bool:
    """Write the change feed and the merchant's new revision, and notify other replicas. Return
    whether there is something for watchers or the scheduler. `done` are the units of work of one
    transaction, in their order."""
    dialect, first, last, due_in = connection.dialect.name, done[0], done[-1], soonest(done)
    changed = last.answer_revision != first.merchants.head
    if not changed and writes(connection) == first.writes_when_opened:
        # Nothing was written but the revision that was taken. A commit would wait for the disk.
        transaction = connection.get_transaction()
        assert transaction is not None
        transaction.rollback()
        return due_in is not None
    if last.answer_revision != first.revision:
        head = params(merchant=last.merchant, head=last.answer_revision)
        execute(connection, _SET_HEAD, head)
    if not changed:
        return due_in is not None
    payload = notify_payload(dialect, due_in)
    if rows := [row for uow in done for row in uow.changes]:
        stamp = params(merchant=last.merchant, at=last.now)
        execute(connection, _recording(dialect), stamp | batch_params(rows) | payload)
    elif payload:
        execute(connection, NOTIFY, payload)
    return True


def soonest(done: Iterable[StorageUnitOfWork]) -> int | None:
    """Return the delay in µs until the scheduler has work because of one of them, or None."""
    return min((uow.due_in for uow in done if uow.due_in is not None), default=None)
