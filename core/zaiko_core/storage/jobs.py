"""Which shops run now: the shop's row is its job (ADR 0005). Open operations are claimed the same
way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from zaiko_core.app.records import FoundShop, JobClaim, OperationState, Renewal
from zaiko_core.storage import schema, triggers
from zaiko_core.storage.channel import NOTIFY, notify_payload
from zaiko_core.storage.clock import CLOCK, STATEMENT_CLOCK
from zaiko_core.storage.rowset import batch_params, batch_rows, param, params, rowset, typed_columns
from zaiko_core.storage.shops import FREED, shop_from
from zaiko_core.storage.sql import execute
from zaiko_core.storage.transactions import Door, Transactions

LEASE = 5_000_000
"""µs that a lease lasts, unless a process is started with another one."""


@dataclass(frozen=True, slots=True)
class OperationClaim:
    """An operation that this process may run until its lease ends."""

    merchant: str
    operation: str


@dataclass(frozen=True, slots=True)
class Due:
    """The delays in µs until a shop or a lease needs looking at, and until an operation does (≤ 0:
    now). None: there is none."""

    shops: int | None
    operations: int | None

    @property
    def first(self) -> int | None:
        """The earlier of both."""
        known = [moment for moment in (self.shops, self.operations) if moment is not None]
        return min(known, default=None)


_SHOPS, _OPERATIONS = schema.shops, schema.operations
_LINKS, _RUNS, _OTHERS = schema.links, schema.runs, schema.shops.alias("others")
_LONGEST, _ME = bindparam("longest", type_=BigInteger), bindparam("me", type_=Text)
_NOW, _MOST = bindparam("now", type_=BigInteger), bindparam("most", type_=Integer)
_NOW_BY_DATABASE = select(CLOCK)


def _unheld(table: Any, now: Any, *, longest: Any = _LONGEST, me: Any = _ME) -> Any:
    """Return the condition that no process holds a shop or an operation. Every claim uses this one.
    A lease that ends later than a lease can last was given before the clock was set back, so it is
    void (ADR 0039). Our own are renewed, and never void for us."""
    void = and_(table.c.lease_until > now + longest, table.c.owner != me)
    return or_(table.c.owner.is_(None), table.c.lease_until <= now, void)


_TAKING_TURNS = select(func.count()).where(
    _OTHERS.c.merchant == _SHOPS.c.merchant, _OTHERS.c.due_at.is_not(None)
)
# What is read with each claimed shop (records.FoundShop). Each column searches an index for one
# shop.
_DUE_LINKS = (
    _LINKS.c.merchant == _SHOPS.c.merchant,
    _LINKS.c.shop == _SHOPS.c.shop,
    _LINKS.c.sync_enabled,
    _LINKS.c.due_at.is_not(None),
)
_FOUND = (
    select(func.min(_LINKS.c.due_at))
    .where(*_DUE_LINKS)
    .correlate(_SHOPS)
    .scalar_subquery()
    .label("links_due_at"),
    _TAKING_TURNS.correlate(_SHOPS).scalar_subquery().label("shops"),
    _TAKING_TURNS.where(_OTHERS.c.shop < _SHOPS.c.shop)
    .correlate(_SHOPS)
    .scalar_subquery()
    .label("place"),
    # A literal, as in the condition of the index.
    exists()
    .where(
        _RUNS.c.merchant == _SHOPS.c.merchant,
        _RUNS.c.shop == _SHOPS.c.shop,
        _RUNS.c.state == literal_column("'RUNNING'"),
    )
    .correlate(_SHOPS)
    .label("unended"),
)
_FINISHED = (
    update(_SHOPS)
    .where(
        *(
            _SHOPS.c[name] == param(_SHOPS.c[name])
            for name in ("merchant", "shop", "lease_token", "owner")
        )
    )
    .values(FREED)
)
# The earliest due time by the index. A shop that is held needs looking at when its lease ends,
# because its owner may have died.
_MOMENTS = select(
    # SQLite would read every shop for min().
    select(_SHOPS.c.due_at)
    .where(_SHOPS.c.due_at.is_not(None), _unheld(_SHOPS, _NOW))
    .order_by(_SHOPS.c.due_at)
    .limit(1)
    .scalar_subquery(),
    select(func.min(_SHOPS.c.lease_until)).where(_SHOPS.c.owner.is_not(None)).scalar_subquery(),
    select(func.min(case((_unheld(_OPERATIONS, _NOW), 0), else_=_OPERATIONS.c.lease_until)))
    .where(_OPERATIONS.c.ended_at.is_(None))
    .scalar_subquery(),
)


def _finding(clocked: bool) -> tuple[Any, ...]:
    """Return the columns of what a claim finds, and when, by PostgreSQL's clock if `clocked`."""
    now: Any = STATEMENT_CLOCK if clocked else _NOW
    mine = (
        _LINKS.c.merchant == _SHOPS.c.merchant,
        _LINKS.c.shop == _SHOPS.c.shop,
        _LINKS.c.sync_enabled,
        _LINKS.c.due_at <= now,
    )
    reading = (
        exists()
        .where(*mine, or_(_LINKS.c.must_read, _LINKS.c.pending_key.is_not(None)))
        .correlate(_SHOPS)
    )
    return (*_FOUND, reading.label("reading_due"), now.label("clock"))


@lru_cache
def _due(dialect: str, clocked: bool, well: bool) -> Select[Any]:
    """Return the query for shops that are due and not held. `well`: only where the last run did not
    fail. It also reads the time, by PostgreSQL's clock if `clocked`. On SQLite, where no other
    writer can commit meanwhile, it reads what the claim finds as well, because RETURNING could not
    tell the tables of these columns apart."""
    now: Any = STATEMENT_CLOCK if clocked else _NOW
    with_it = _finding(clocked) if dialect == "sqlite" else (now.label("clock"),)
    query = select(_SHOPS, *with_it).where(_SHOPS.c.due_at <= now, _unheld(_SHOPS, now))
    if well:
        query = query.where(_SHOPS.c.attempt == 0)
    return query.order_by(_SHOPS.c.due_at).limit(_MOST).with_for_update(skip_locked=True, of=_SHOPS)


@lru_cache
def _claimed(dialect: str, clocked: bool) -> Executable:
    """Return the statement that claims locked shops. On PostgreSQL it returns what the claim finds
    once it has the locks: a change that committed while they were being taken counts as claimed, so
    the claim must find it."""
    batch = batch_rows(dialect, typed_columns(_SHOPS, "merchant", "shop"))
    claimed = (
        update(_SHOPS)
        .where(_SHOPS.c.merchant == batch.c.merchant, _SHOPS.c.shop == batch.c.shop)
        .values(
            owner=param(_SHOPS.c.owner),
            lease_until=param(_SHOPS.c.lease_until),
            lease_token=_SHOPS.c.lease_token + 1,
            claimed_seq=_SHOPS.c.trigger_seq,
            pending_trigger=0,
            trace_parent=None,
        )
    )
    return (
        claimed
        if dialect == "sqlite"
        else claimed.returning(_SHOPS.c.merchant, _SHOPS.c.shop, *_finding(clocked))
    )


class Jobs:
    """Which shops run now. `owner` names this process; `lease` is in µs; `now` None: by
    PostgreSQL's clock."""

    def __init__(self, connection: Connection, now: int | None, *, owner: str, lease: int) -> None:
        self._connection, self._now, self._owner, self._lease = connection, now, owner, lease

    @cached_property
    def now(self) -> int:
        """µs since 1970."""
        if self._now is not None:
            return self._now
        return int(execute(self._connection, _NOW_BY_DATABASE, {}).scalar())

    def claim(self, limit: int, *, retries: int | None = None) -> list[JobClaim]:
        """Claim up to `limit` due shops that no process holds, oldest due first, each under a new
        token. At most `retries` of them are shops whose last run failed, so that many dead shops do
        not take every place."""
        # Read first, under the rows' locks: the claim overwrites why a shop is due.
        due = self._due(limit)
        if retries is not None and sum(row.attempt > 0 for row in due) > retries:
            again = [row for row in due if row.attempt > 0][:retries]
            due = [*self._due(limit - len(again), well=True), *again]
        if not due:
            return []
        keys = [{"merchant": row.merchant, "shop": row.shop} for row in due]
        values = (
            batch_params(keys)
            | params(owner=self._owner, lease_until=due[0].clock + self._lease)
            | self._given_now
        )
        claimed = execute(
            self._connection, _claimed(self._connection.dialect.name, self._now is None), values
        )
        found = {(row.merchant, row.shop): row for row in claimed or due}
        return [_claim(row, found[row.merchant, row.shop]) for row in due]

    def _due(self, limit: int, *, well: bool = False) -> Sequence[Any]:
        if limit <= 0:
            return []
        return execute(
            self._connection,
            _due(self._connection.dialect.name, self._now is None, well),
            {"most": limit} | self._leases | self._given_now,
        )

    def _unheld(self, table: Any) -> Any:
        return _unheld(table, self.now, longest=2 * self._lease, me=self._owner)

    @property
    def _leases(self) -> dict[str, Any]:
        return {"longest": 2 * self._lease, "me": self._owner}

    @property
    def _given_now(self) -> dict[str, int]:
        return {} if self._now is None else {"now": self._now}

    def renew(self, claims: Sequence[JobClaim]) -> Renewal:
        """Prolong leases. Waits for no lock: a lease whose row another transaction has locked is
        `busy`, to be renewed soon again."""
        if not claims:
            return Renewal()
        table, batch = schema.shops, self._batch(claims)
        held = select(table.c.merchant, table.c.shop).where(
            self._held(batch), table.c.lease_until > self.now
        )
        # Locking rows one by one can deadlock with a run that locks them in another order.
        free = held.with_for_update(skip_locked=True, of=table).subquery("free")
        rows = execute(
            self._connection,
            update(table)
            .where(table.c.merchant == free.c.merchant, table.c.shop == free.c.shop)
            .values(lease_until=self.now + self._lease)
            .returning(table.c.merchant, table.c.shop),
        )
        renewed = {(row.merchant, row.shop) for row in rows}
        left = [claim for claim in claims if (claim.merchant, claim.shop) not in renewed]
        ours = (
            {(row.merchant, row.shop) for row in execute(self._connection, held)} if left else set()
        )
        return Renewal(
            lost=tuple(claim for claim in left if (claim.merchant, claim.shop) not in ours),
            busy=tuple(claim for claim in left if (claim.merchant, claim.shop) in ours),
        )

    def cancelled(self, claims: Sequence[JobClaim]) -> list[JobClaim]:
        """Return those of these runs that were asked to end, on any replica."""
        if not claims:
            return []
        table = schema.shops
        batch = self._batch(claims)
        query = select(table.c.merchant, table.c.shop).where(
            self._held(batch), table.c.cancelled_token == table.c.lease_token
        )
        asked = {(row.merchant, row.shop) for row in execute(self._connection, query)}
        return [claim for claim in claims if (claim.merchant, claim.shop) in asked]

    def finish(self, claim: JobClaim, *, next_in: int | None, attempt: int) -> None:
        """Release a shop whose run could not end by its own transaction. It is due again in
        `next_in` µs (None: at its interval), or at once if it was triggered meanwhile. Without
        effect when the lease was lost."""
        at = {"now": self.now, "later": None if next_in is None else self.now + next_in}
        mine = params(
            merchant=claim.merchant,
            shop=claim.shop,
            lease_token=claim.token,
            owner=self._owner,
            attempt=attempt,
        )
        execute(self._connection, _FINISHED, mine | at)

    def next_due(self) -> Due:
        """Return when something needs looking at. A read: it waits for no writer."""
        ((shop, lease, operation),) = execute(
            self._connection, _MOMENTS, {"now": self.now} | self._leases
        )
        return Due(_until(self.now, shop, lease), _until(self.now, operation))

    def retry(self, connectors: Collection[str]) -> None:
        """Make shops of these connectors that back off after a failure due now. Call it when the
        process starts, because the cause may have been repaired."""
        table = schema.shops
        execute(
            self._connection,
            update(table)
            .where(
                table.c.attempt > 0,
                table.c.due_at > self.now,
                table.c.connector.in_(list(connectors)),
                self._unheld(table),
            )
            .values(due_at=self.now, sending_retry_at=None),
        )

    def claim_operations(self, limit: int) -> list[OperationClaim]:
        """Claim open operations that no process runs, oldest first. One that its process left
        RUNNING is run again, because operations are idempotent."""
        table = schema.operations
        open_states = [OperationState.QUEUED.value, OperationState.RUNNING.value]
        due = (
            select(table.c.merchant, table.c.operation)
            .where(
                table.c.ended_at.is_(None),
                table.c.state.in_(open_states),
                self._unheld(table),
            )
            .order_by(table.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = execute(
            self._connection,
            update(table)
            .where(tuple_(table.c.merchant, table.c.operation).in_(due))
            .values(owner=self._owner, lease_until=self.now + self._lease)
            .returning(table.c.merchant, table.c.operation),
        )
        return [OperationClaim(row.merchant, row.operation) for row in rows]

    def renew_operations(self, claims: Sequence[OperationClaim]) -> None:
        """Prolong the leases of operations that this process runs."""
        table = schema.operations
        keys = [{"merchant": claim.merchant, "operation": claim.operation} for claim in claims]
        batch = rowset(self._connection, typed_columns(table, "merchant", "operation"), keys)
        execute(
            self._connection,
            update(table)
            .where(
                table.c.merchant == batch.c.merchant,
                table.c.operation == batch.c.operation,
                table.c.owner == self._owner,
            )
            .values(lease_until=self.now + self._lease),
        )

    def release(self) -> None:
        """Release everything that this process holds, because it stops, and notify other replicas.
        The shops are due at once."""
        shops, operations = schema.shops, schema.operations
        execute(
            self._connection,
            update(shops)
            .where(shops.c.owner == self._owner)
            .values(owner=None, lease_until=None, due_at=self.now),
        )
        execute(
            self._connection,
            update(operations)
            .where(operations.c.owner == self._owner)
            .values(owner=None, lease_until=None),
        )
        if payload := notify_payload(self._connection.dialect.name, 0):
            execute(self._connection, NOTIFY, payload)

    def _held(self, batch: Any) -> Any:
        table = schema.shops
        return and_(
            table.c.merchant == batch.c.merchant,
            table.c.shop == batch.c.shop,
            table.c.lease_token == batch.c.lease_token,
            table.c.owner == literal(self._owner, Text),
        )

    def _batch(self, claims: Sequence[JobClaim]) -> Any:
        rows = [
            {"merchant": claim.merchant, "shop": claim.shop, "lease_token": claim.token}
            for claim in claims
        ]
        return rowset(
            self._connection, typed_columns(schema.shops, "merchant", "shop", "lease_token"), rows
        )


def job_door(transactions: Transactions, *, owner: str = "", lease: int = LEASE) -> Door[Jobs]:
    """Return the doors to the jobs for the process `owner`, whose leases last `lease` µs."""
    return Door(
        transactions,
        lambda connection, at: Jobs(connection, at.known_now(), owner=owner, lease=lease),
    )


def _claim(row: Any, found: Any) -> JobClaim:
    shop = FoundShop(
        shop=shop_from(row, found.clock),
        at=found.clock,
        links_due_at=found.links_due_at,
        reading_due=bool(found.reading_due),
        place=found.place,
        shops=max(1, found.shops),
        unended=bool(found.unended),
    )
    trigger = triggers.because(
        rank=row.pending_trigger,
        pending=row.trigger_seq > row.claimed_seq,
        held=row.owner is not None,
        failed=row.attempt > 0,
    )
    return JobClaim(
        row.merchant, row.shop, row.lease_token + 1, row.attempt, shop, trigger, row.trace_parent
    )


def _until(now: int, *moments: int | None) -> int | None:
    known = [int(moment) for moment in moments if moment is not None]
    return min(known) - now if known else None
