"""One transaction of one merchant, with every repository (ports.UnitOfWork)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Connection, Executable, case, or_, select, update

from zaiko_core.app.records import ChangeKind, ClearedRecord, MerchantRecord, OversellRecord, Trigger
from zaiko_core.domain.errors import LeaseLost, NotFound
from zaiko_core.storage import schema, triggers
from zaiko_core.storage.additions import AdditionRows
from zaiko_core.storage.catalogue import ProductRows, WarehouseRows, merchant_from
from zaiko_core.storage.channel import NOTIFIED, NOTIFY
from zaiko_core.storage.clock import CLOCK
from zaiko_core.storage.drifts import DriftRows
from zaiko_core.storage.history import FeedRows, OperationRows, RequestRows, RunRows
from zaiko_core.storage.ledger import LedgerRows
from zaiko_core.storage.links import LinkRows
from zaiko_core.storage.orders import OrderRows
from zaiko_core.storage.oversells import OversellRows
from zaiko_core.storage.pushes import PushRows
from zaiko_core.storage.rowset import given, insert_rows, rows_of, the, typed, unnested
from zaiko_core.storage.shops import ListingRows, ShopRows
from zaiko_core.storage.stocks import DemandRows, StockRows
from zaiko_core.storage.webhooks import WebhookRows
from zaiko_core.tracing import written


@lru_cache
def _opening(dialect: str, writing: bool, advancing: bool, clocked: bool) -> Executable:
    """The merchant's row, locked by whoever writes; counted up at once by whoever is known to change something."""
    table = schema.merchants
    mine = table.c.merchant == the(table.c.merchant)
    clock = [CLOCK.label("clock")] if clocked else []
    if advancing:
        told = [NOTIFIED.label("told")] if dialect == "postgresql" else []
        return update(table).where(mine).values(head=table.c.head + 1).returning(table, *clock, *told)
    query = select(table, *clock).where(mine)
    return query.with_for_update(of=table) if writing else query


@lru_cache
def _advancing(dialect: str) -> Executable:
    table = schema.merchants
    advanced = update(table).where(table.c.merchant == the(table.c.merchant)).values(head=the(table.c.head))
    return advanced.returning(NOTIFIED) if dialect == "postgresql" else advanced


_LEASE = (
    select(schema.shops.c.fence, schema.shops.c.owner)
    .where(schema.shops.c.merchant == the(schema.shops.c.merchant), schema.shops.c.shop == the(schema.shops.c.shop))
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
        "wanted": table.c.wanted + 1,
        "due_at": case((stays, table.c.due_at), else_=the(table.c.due_at)),
        "triggered": triggers.stronger(table.c.triggered, by),
    }
    same = (table.c.merchant == the(table.c.merchant), table.c.shop == batch.c.shop, table.c.due_at.is_not(None))
    return update(table).where(*same).values(values | ({"cause": the(table.c.cause)} if traced else {}))


class StorageUnitOfWork:
    """See ports.UnitOfWork. Made and finished by `Database` only."""

    def __init__(self, connection: Connection, merchant: str, now: int | None, *, writing: bool, advancing: bool = False) -> None:
        """`now` None: by PostgreSQL's clock, which is asked on the way. `advancing`: something will change in any case."""
        self._connection, self.merchant = connection, merchant
        # The merchant's row is locked first, by every writer (ADR 0003).
        opening = _opening(connection.dialect.name, writing, advancing, now is None)
        row = connection.execute(opening, given(merchant=merchant)).one_or_none()
        if row is None:
            raise NotFound(f"merchants/{merchant}")
        self.now: int = row.clock if now is None else now
        found = merchant_from(row)
        self.merchants: MerchantRecord = replace(found, head=row.head - 1) if advancing else found
        self.revision = row.head + 1 if writing and not advancing else row.head
        self._changes: dict[tuple[ChangeKind, str], None] = {}
        self._advance, self._advanced = advancing, advancing
        self._triggered = False
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

    def trigger(self, shops: Iterable[str], *, delay: int = 0, by: Trigger = Trigger.CHANGE) -> None:
        # A run handles what it makes due in its own shop before it ends.
        names = set(shops) - ({self._held[0]} if self._held else set())
        if not names:
            return
        cause = written()
        values = given(merchant=self.merchant, due_at=self.now + delay) | (given(cause=cause) if cause else {})
        statement = _triggering(self._connection.dialect.name, by, bool(cause))
        self._connection.execute(statement, values | rows_of([{"shop": shop} for shop in names]))
        self._triggered = True

    def hold_lease(self, shop: str, token: int) -> None:
        if self._held == (shop, token):
            return
        row = self._connection.execute(_LEASE, given(merchant=self.merchant, shop=shop)).one_or_none()
        if row is None or row.fence != token or row.owner is None:
            raise LeaseLost(f"shops/{shop} is no longer held under token {token}")
        self._held = (shop, token)

    def finish(self) -> bool:
        """Write the change feed and the merchant's new revision, and wake other replicas; whether somebody has to be woken here."""
        dialect = self._connection.dialect.name
        if self._advance:
            if not self._advanced:
                self._connection.execute(_advancing(dialect), given(merchant=self.merchant, head=self.revision))
            rows = [
                {"merchant": self.merchant, "revision": self.revision, "kind": kind.value, "name": name, "at": self.now}
                for kind, name in self._changes
            ]
            insert_rows(self._connection, schema.changes, rows)
        elif self._triggered and dialect == "postgresql":
            self._connection.execute(NOTIFY)
        return self._advance or self._triggered
