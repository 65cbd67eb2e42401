"""Which shops run now: the shop's row is its job (ADR 0005). Also the open operations, which are claimed the same way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from zaiko_core.app.records import JobClaim, OperationState, Trigger
from zaiko_core.storage import schema, triggers
from zaiko_core.storage.rowset import given, rows_of, rowset, the, typed, unnested


@dataclass(frozen=True, slots=True)
class OperationClaim:
    """An operation that this process may run until its lease ends."""

    merchant: str
    operation: str


_SHOPS, _OPERATIONS = schema.shops, schema.operations
_NOW, _LATER, _MOST = bindparam("now", type_=BigInteger), bindparam("later", type_=BigInteger), bindparam("most", type_=Integer)
_UNHELD = or_(_SHOPS.c.owner.is_(None), _SHOPS.c.lease_until <= _NOW)
# Triggered meanwhile: at once, unless the run failed and has to back off.
_AGAIN = and_(_SHOPS.c.wanted > _SHOPS.c.taken, the(_SHOPS.c.attempt) == 0)
_FINISHED = (
    update(_SHOPS)
    .where(*(_SHOPS.c[name] == the(_SHOPS.c[name]) for name in ("merchant", "shop", "fence", "owner")))
    .values(
        owner=None,
        lease_until=None,
        attempt=the(_SHOPS.c.attempt),
        due_at=case((_SHOPS.c.due_at.is_(None), None), (_AGAIN, _NOW), else_=func.coalesce(_LATER, _SHOPS.c.interval + _NOW)),
    )
)
# The earliest by the index; a shop that is held needs looking at when its lease ends, should its owner be dead.
_MOMENTS = select(
    select(func.min(_SHOPS.c.due_at)).where(_SHOPS.c.due_at.is_not(None), _UNHELD).scalar_subquery(),
    select(func.min(_SHOPS.c.lease_until)).where(_SHOPS.c.owner.is_not(None)).scalar_subquery(),
    select(func.min(func.coalesce(_OPERATIONS.c.lease_until, _OPERATIONS.c.created_at)))
    .where(_OPERATIONS.c.ended_at.is_(None))
    .scalar_subquery(),
)


@lru_cache
def _due(which: str) -> Select[Any]:
    """Shops that are due and unheld; of them all, or those whose last run did not fail (`first`), or did (`again`)."""
    names = ("merchant", "shop", "owner", "attempt", "wanted", "taken", "triggered", "cause")
    query = select(*(_SHOPS.c[name] for name in names)).where(_SHOPS.c.due_at <= _NOW, _UNHELD)
    if which:
        query = query.where(_SHOPS.c.attempt == 0 if which == "first" else _SHOPS.c.attempt > 0)
    return query.order_by(_SHOPS.c.due_at).limit(_MOST).with_for_update(skip_locked=True)


@lru_cache
def _claimed(dialect: str) -> Executable:
    batch = unnested(dialect, typed(_SHOPS, "merchant", "shop"))
    return (
        update(_SHOPS)
        .where(_SHOPS.c.merchant == batch.c.merchant, _SHOPS.c.shop == batch.c.shop)
        .values(
            owner=the(_SHOPS.c.owner),
            lease_until=the(_SHOPS.c.lease_until),
            fence=_SHOPS.c.fence + 1,
            taken=_SHOPS.c.wanted,
            triggered=0,
            cause=None,
        )
        .returning(_SHOPS.c.merchant, _SHOPS.c.shop, _SHOPS.c.fence, _SHOPS.c.attempt)
    )


class Jobs:
    """See ports.JobQueue. `owner` names this process; `lease` is in µs."""

    def __init__(self, connection: Connection, now: int, *, owner: str, lease: int) -> None:
        self._connection, self.now, self._owner, self._lease = connection, now, owner, lease

    def claim(self, limit: int, *, retries: int | None = None) -> list[JobClaim]:
        # Read first, under the rows' locks: why a shop is due is gone once it is taken.
        if retries is None or retries >= limit:
            why = self._due(limit)
        else:
            why = self._due(limit, "first")
            why |= self._due(min(retries, limit - len(why)), "again")
        if not why:
            return []
        keys = [{"merchant": merchant, "shop": shop} for merchant, shop in why]
        taken = rows_of(keys) | given(owner=self._owner, lease_until=self.now + self._lease)
        rows = self._connection.execute(_claimed(self._connection.dialect.name), taken)
        return [JobClaim(row.merchant, row.shop, row.fence, row.attempt, *why[row.merchant, row.shop]) for row in rows]

    def _due(self, limit: int, which: str = "") -> dict[tuple[str, str], tuple[Trigger, str | None]]:
        """Why each shop is due: the trigger, and the trace that caused it."""
        if limit <= 0:
            return {}
        rows = self._connection.execute(_due(which), {"now": self.now, "most": limit})
        return {(row.merchant, row.shop): (_trigger(row), row.cause) for row in rows}

    def renew(self, claims: Sequence[JobClaim]) -> list[JobClaim]:
        if not claims:
            return []
        table = schema.shops
        batch = self._batch(claims)
        rows = self._connection.execute(
            update(table)
            .where(self._held(batch), table.c.lease_until > self.now)
            .values(lease_until=self.now + self._lease)
            .returning(table.c.merchant, table.c.shop)
        )
        kept = {(row.merchant, row.shop) for row in rows}
        return [claim for claim in claims if (claim.merchant, claim.shop) not in kept]

    def cancelled(self, claims: Sequence[JobClaim]) -> list[JobClaim]:
        if not claims:
            return []
        table = schema.shops
        batch = self._batch(claims)
        query = select(table.c.merchant, table.c.shop).where(self._held(batch), table.c.cancelled == table.c.fence)
        asked = {(row.merchant, row.shop) for row in self._connection.execute(query)}
        return [claim for claim in claims if (claim.merchant, claim.shop) in asked]

    def finish(self, claim: JobClaim, *, next_in: int | None, attempt: int) -> None:
        at = {"now": self.now, "later": None if next_in is None else self.now + next_in}
        mine = given(merchant=claim.merchant, shop=claim.shop, fence=claim.token, owner=self._owner, attempt=attempt)
        self._connection.execute(_FINISHED, mine | at)

    def next_due(self) -> int | None:
        """In how many µs the next shop, lease or operation needs looking at (≤ 0: now), or None."""
        moments = self._connection.execute(_MOMENTS, {"now": self.now}).one()
        known = [int(moment) for moment in moments if moment is not None]
        return min(known) - self.now if known else None

    def retry(self, connectors: Collection[str]) -> None:
        """This process has started: shops of these connectors that back off or wait for an hour are tried at once, since what
        stopped them may have been repaired."""
        table = schema.shops
        self._connection.execute(
            update(table)
            .where(table.c.attempt > 0, table.c.due_at > self.now, table.c.connector.in_(list(connectors)), self._unheld())
            .values(due_at=self.now)
        )

    def claim_operations(self, limit: int) -> list[OperationClaim]:
        """Take open operations that nobody runs, oldest first. One that its process left RUNNING is taken over and run again:
        operations are idempotent."""
        table = schema.operations
        open_states = [OperationState.QUEUED.value, OperationState.RUNNING.value]
        due = (
            select(table.c.merchant, table.c.operation)
            .where(
                table.c.ended_at.is_(None),
                table.c.state.in_(open_states),
                or_(table.c.owner.is_(None), table.c.lease_until <= self.now),
            )
            .order_by(table.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = self._connection.execute(
            update(table)
            .where(tuple_(table.c.merchant, table.c.operation).in_(due))
            .values(owner=self._owner, lease_until=self.now + self._lease)
            .returning(table.c.merchant, table.c.operation)
        )
        return [OperationClaim(row.merchant, row.operation) for row in rows]

    def renew_operations(self, claims: Sequence[OperationClaim]) -> None:
        """Prolong the leases of operations that this process runs."""
        table = schema.operations
        keys = [{"merchant": claim.merchant, "operation": claim.operation} for claim in claims]
        batch = rowset(self._connection, typed(table, "merchant", "operation"), keys)
        self._connection.execute(
            update(table)
            .where(
                table.c.merchant == batch.c.merchant,
                table.c.operation == batch.c.operation,
                table.c.owner == self._owner,
            )
            .values(lease_until=self.now + self._lease)
        )

    def release(self) -> None:
        """Give back everything that this process holds: it is stopping."""
        shops, operations = schema.shops, schema.operations
        self._connection.execute(
            update(shops).where(shops.c.owner == self._owner).values(owner=None, lease_until=None, due_at=self.now)
        )
        self._connection.execute(update(operations).where(operations.c.owner == self._owner).values(owner=None, lease_until=None))

    def _unheld(self) -> Any:
        table = schema.shops
        return or_(table.c.owner.is_(None), table.c.lease_until <= self.now)

    def _held(self, batch: Any) -> Any:
        table = schema.shops
        return and_(
            table.c.merchant == batch.c.merchant,
            table.c.shop == batch.c.shop,
            table.c.fence == batch.c.fence,
            table.c.owner == literal(self._owner, Text),
        )

    def _batch(self, claims: Sequence[JobClaim]) -> Any:
        rows = [{"merchant": claim.merchant, "shop": claim.shop, "fence": claim.token} for claim in claims]
        return rowset(self._connection, typed(schema.shops, "merchant", "shop", "fence"), rows)


def _trigger(row: Any) -> Trigger:
    return triggers.because(rank=row.triggered, pending=row.wanted > row.taken, held=row.owner is not None, failed=row.attempt > 0)
