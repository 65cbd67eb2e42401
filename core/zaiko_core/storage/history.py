"""Runs and operations for people, replies for clients that repeat a request, and the change
feed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import and_, delete, func, insert, or_, select, update

from zaiko_core.app.records import (
    ChangeKind,
    OperationRecord,
    Page,
    RunRecord,
    RunState,
)
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import insert_rows, lookup, param, params
from zaiko_core.storage.scope import Scope

_RUNS = Codec(schema.runs, RunRecord)
_OPERATIONS = Codec(schema.operations, OperationRecord)


class RunRows(Scope):
    """Runs of shops."""

    def put(self, record: RunRecord) -> None:
        row = _RUNS.write(record) | {"merchant": self.merchant, "revision": self.revision}
        insert_rows(
            self.connection,
            schema.runs,
            [row],
            update=("state", "ended_at", "counts", "problem", "revision"),
        )

    def abandon(self, shop: str, *, before_token: int) -> list[str]:
        """Mark the shop's RUNNING runs of older tokens ABANDONED, because their processes have
        died. Return their ids."""
        table = schema.runs
        rows = self.execute(
            update(table)
            .where(
                self.mine(table),
                table.c.shop == shop,
                table.c.state == RunState.RUNNING.value,
                table.c.token < before_token,
            )
            .values(state=RunState.ABANDONED.value, ended_at=self.now, revision=self.revision)
            .returning(table.c.run)
        )
        return [row.run for row in rows]

    def get(self, shop: str, run: str) -> RunRecord | None:
        table = schema.runs
        query = select(table).where(self.mine(table), table.c.shop == shop, table.c.run == run)
        row = self.execute(query).one_or_none()
        return None if row is None else _RUNS.read(row)

    def page(self, page: Page, *, shop: str, states: Collection[str] = ()) -> list[RunRecord]:
        """Return a page, newest first, of one shop or (empty) of all, in one of these states
        (empty: any). The key is (run, shop)."""
        table = schema.runs
        query = select(table).where(self.mine(table))
        if shop:
            query = query.where(table.c.shop == shop)
        if states:
            query = query.where(table.c.state.in_(sorted(states)))
        if page.after is not None:
            run, last_shop = page.after
            query = query.where(
                or_(table.c.run < run, and_(table.c.run == run, table.c.shop < last_shop))
            )
        query = query.order_by(table.c.run.desc(), table.c.shop.desc()).limit(page.size)
        return [_RUNS.read(row) for row in self.execute(query)]


class OperationRows(Scope):
    """Long-running operations."""

    def put(self, record: OperationRecord) -> None:
        row = _OPERATIONS.write(record) | {
            "merchant": self.merchant,
            "created_at": record.created_at or self.now,
            "revision": self.revision,
        }
        changing = (
            "state",
            "done",
            "total",
            "result",
            "problem",
            "cancel_asked",
            "started_at",
            "ended_at",
            "revision",
        )
        insert_rows(self.connection, schema.operations, [row], update=changing)

    def get(self, operation: str) -> OperationRecord | None:
        table = schema.operations
        row = self.execute(
            select(table).where(self.mine(table), table.c.operation == operation)
        ).one_or_none()
        return None if row is None else _OPERATIONS.read(row)

    def page(
        self, page: Page, *, kinds: Collection[str] = (), states: Collection[str] = ()
    ) -> list[OperationRecord]:
        """Return a page, newest first, of these kinds and in one of these states (empty: any)."""
        table = schema.operations
        query = select(table).where(self.mine(table)).order_by(table.c.operation.desc())
        if kinds:
            query = query.where(table.c.kind.in_(sorted(kinds)))
        if states:
            query = query.where(table.c.state.in_(sorted(states)))
        if page.after is not None:
            query = query.where(table.c.operation < page.after[0])
        return [_OPERATIONS.read(row) for row in self.execute(query.limit(page.size))]

    def active(self, kind: str, shop: str) -> OperationRecord | None:
        """Return the shop's open operation of this kind, or None."""
        table = schema.operations
        query = select(table).where(
            self.mine(table), table.c.kind == kind, table.c.shop == shop, table.c.ended_at.is_(None)
        )
        row = self.execute(query.limit(1)).one_or_none()
        return None if row is None else _OPERATIONS.read(row)


_KEEP_REPLY = insert(schema.requests).values(
    {
        name: param(schema.requests.c[name])
        for name in (
            "merchant",
            "principal",
            "method",
            "request_id",
            "digest",
            "response",
            "created_at",
            "revision",
        )
    }
)


class RequestRows(Scope):
    """The replies of requests that carried an id."""

    def get(self, ids: Collection[str]) -> dict[str, tuple[str, bytes, bytes]]:
        """Return the method, the digest and the reply of each request that was done, by id."""
        found = lookup(
            self.connection,
            schema.requests,
            {"merchant": self.merchant},
            [{"request_id": request_id} for request_id in set(ids)],
        )
        return {row.request_id: (row.method, row.digest, row.response) for row in found}

    def put(
        self, principal: str, method: str, request_id: str, *, digest: bytes, reply: bytes
    ) -> None:
        """Keep the reply of a request."""
        values = {
            "merchant": self.merchant,
            "principal": principal,
            "method": method,
            "request_id": request_id,
            "digest": digest,
            "response": reply,
            "created_at": self.now,
            "revision": self.revision,
        }
        self.execute(_KEEP_REPLY, params(**values))

    def forget(self, *, older_than: int) -> None:
        """Delete replies that were given before that time."""
        table = schema.requests
        self.execute(delete(table).where(self.mine(table), table.c.created_at < older_than))


class FeedRows(Scope):
    """The change feed."""

    def between(
        self, after: int, upto: int, kinds: Collection[ChangeKind]
    ) -> dict[ChangeKind, dict[str, int]]:
        """Return the names that changed in (after, upto], by kind, each with the revision of its
        last change."""
        table = schema.changes
        query = (
            select(table.c.kind, table.c.name, func.max(table.c.revision).label("revision"))
            .where(
                self.mine(table),
                table.c.revision > after,
                table.c.revision <= upto,
                table.c.kind.in_([kind.value for kind in kinds]),
            )
            .group_by(table.c.kind, table.c.name)
        )
        found: dict[ChangeKind, dict[str, int]] = defaultdict(dict)
        for row in self.execute(query):
            found[ChangeKind(row.kind)][row.name] = row.revision
        return found

    def time_of(self, revision: int) -> int:
        """Return when the merchant's data first was at this revision or a newer one that the feed
        has (µs); 0 where the feed no longer goes back as far, or has nothing so new."""
        table = schema.changes
        query = (
            select(table.c.at)
            .where(self.mine(table), table.c.revision >= revision)
            .order_by(table.c.revision)
            .limit(1)
        )
        return 0 if revision <= self.compacted() else int(self.execute(query).scalar() or 0)

    def compacted(self) -> int:
        """Return the newest revision that the feed no longer has."""
        table = schema.merchants
        return int(self.execute(select(table.c.compacted).where(self.mine(table))).scalar() or 0)

    def compact(self, *, older_than: int, keep: int) -> int:
        """Delete rows that are older than that time and not among the newest `keep` revisions.
        Return the newest revision that the feed no longer has."""
        table, merchants = schema.changes, schema.merchants
        newest = select(func.max(table.c.revision)).where(self.mine(table), table.c.at < older_than)
        mark = min(int(self.execute(newest).scalar() or 0), self.revision - keep)
        if mark <= self.compacted():
            return self.compacted()
        self.execute(delete(table).where(self.mine(table), table.c.revision <= mark))
        self.execute(update(merchants).where(self.mine(merchants)).values(compacted=mark))
        return mark
