"""One store, and the doors to it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from opentelemetry.trace import Tracer
from sqlalchemy import event

from zaiko_core import tracing
from zaiko_core.app.ports import Mergeable
from zaiko_core.app.records import MerchantRecord
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage import batching, connections
from zaiko_core.storage.acknowledged import Acknowledged, Commit
from zaiko_core.storage.address import address
from zaiko_core.storage.batching import Batcher, QueuedItem, Settled
from zaiko_core.storage.catalogue import MerchantDirectory
from zaiko_core.storage.locks import KeyedLock
from zaiko_core.storage.migrate import migrate
from zaiko_core.storage.system import SystemRows
from zaiko_core.storage.tokens import TokenRows
from zaiko_core.storage.transactions import Door, Now, Transactions
from zaiko_core.storage.uow import StorageUnitOfWork, finish, following, opened, soonest

T = TypeVar("T")

_TURNS = 3
"""Turns of the event loop before a batch of reads starts, because handing over to a thread takes as
long as some reads."""
_SIBLINGS, _DELAY = 6, 0.003
"""Callers that poll together come again within a few ms; so many share one snapshot. Fewer do not
wait: two that wait for each other would lose a third of their calls a second."""
_PATIENCE, _MERGED_PATIENCE = 0.010, 0.250
"""Seconds after which a batch of reads starts beside one that is still at work, which may be a long
list; and beside one of `Mergeable` queries, which each take about as long as the next batch."""
_LONG_COMMAND = 0.250
"""Seconds. A batch of writes commits after a command that took longer, so that it makes only those
wait that came before it."""


class Database:
    """One store. `read` and `write` are the doors to one merchant's data. `directory`, `tokens` and
    `system` have the same two for what belongs to no merchant. Queries and commands may be run
    again after a serialization failure or a lost connection, so they have no side effect outside of
    their transaction.

    `wake` is called, on a worker thread, after every commit that changed something watchers or the
    scheduler care about, with the µs until the scheduler has work, or None. `publish` is called, on
    a worker thread, after a commit, with the merchant and each fact that the unit of work had for
    observers. `on_lost_commits` is called, on any thread, when the database turns out not to have
    what it acknowledged (ADR 0029); it is not used then. `now` gives µs since 1970; on PostgreSQL
    the database's own clock is used unless `now` is given.
    """

    def __init__(
        self,
        url: str,
        *,
        now: Now | None = None,
        wake: Callable[[int | None], None] = lambda due_in: None,
        publish: Callable[[str, Any], None] = lambda merchant, fact: None,
        on_lost_commits: Callable[[], None] = lambda: None,
        tracer: Tracer = tracing.OFF,
    ) -> None:
        self.url = address(url)
        self.transactions = Transactions(self.url, now=now)
        self.engine = self.transactions.engine
        self.is_postgresql = self.transactions.is_postgresql
        self.backends = connections.Backends()
        """The processes of PostgreSQL that serve our connections."""
        self.directory: Door[MerchantDirectory] = Door(
            self.transactions,
            lambda connection, at: MerchantDirectory(connection, at.now(connection)),
        )
        self.tokens: Door[TokenRows] = Door(
            self.transactions, lambda connection, at: TokenRows(connection, at.now(connection))
        )
        self.system: Door[SystemRows] = Door(
            self.transactions,
            lambda connection, at: SystemRows(connection, functools.partial(at.now, connection)),
        )
        self._wake, self._publish, self._tracer = wake, publish, tracer
        self._acknowledged, self._on_lost_commits = Acknowledged(), on_lost_commits
        if self.is_postgresql:
            event.listen(self.engine, "connect", self._check_history)
            self.backends.follow(self.engine)
        self._reading = Batcher(
            self._read_batch,
            self.transactions.readers,
            turns=_TURNS,
            siblings=_SIBLINGS,
            delay=_DELAY,
            patience=_read_patience,
        )
        self._writing = Batcher(self._write_batch, self.transactions.writers)
        self._merchant_locks = KeyedLock(connections.WAIT)

    @property
    def sqlite_file(self) -> Path | None:
        """The file of a SQLite database; None for PostgreSQL, and for one in memory."""
        name = self.url.database or ""
        return None if self.is_postgresql or name in ("", ":memory:") else Path(name)

    async def migrate(self) -> dict[str, str]:
        """Bring the schema up to date (migrate.migrate). Raises StorageUnavailable with what the
        database said, for an operator to read."""
        try:
            return await self.transactions.submit(
                lambda: self.transactions.retrying(lambda: migrate(self.engine)), writing=True
            )
        except StorageUnavailable as error:
            cause = str(getattr(error.__cause__, "orig", None) or error.__cause__)
            said, what = cause.strip().partition("\n")[0], error.message.partition(";")[0]
            raise StorageUnavailable(what if said in what else f"{what}: {said}") from error

    async def read(self, merchant: str, query: Callable[[StorageUnitOfWork], T]) -> T:
        """Run `query` over one snapshot of `merchant`. Queries that wait for the same merchant
        share a snapshot; a `Mergeable` one may share a call. Raises NotFound when the merchant does
        not exist, what `query` raises, and StorageUnavailable."""
        return await self._submit("read", self._reading, merchant, query)

    async def write(self, merchant: str, command: Callable[[StorageUnitOfWork], T]) -> T:
        """Run `command` as the only writer of `merchant`, and return once it is durable. Commands
        that wait for the same merchant share a commit, each with a revision of its own; when one of
        them raises, nothing of it is kept. Raises NotFound when the merchant does not exist, what
        `command` raises, StorageUnavailable, and WriteConflict."""
        return await self._submit("write", self._writing, merchant, command)

    def read_sync(self, merchant: str, query: Callable[[StorageUnitOfWork], T]) -> T:
        """Run `read` on the calling thread, alone."""

        def run() -> T:
            with self.transactions.begin(writing=False) as connection:
                now = self.transactions.known_now()
                return query(opened(connection, merchant, now, writing=False))

        return self.transactions.retrying(run)

    def write_sync(self, merchant: str, command: Callable[[StorageUnitOfWork], T]) -> T:
        """Run `write` on the calling thread, alone."""

        def run() -> tuple[T, bool, StorageUnitOfWork]:
            with (
                self._merchant_locks.hold(merchant),
                self.transactions.begin(writing=True) as connection,
            ):
                now = self.transactions.known_now()
                uow = opened(connection, merchant, now, writing=True)
                result = command(uow)
                return result, finish(connection, [uow]), uow

        result, has_news, uow = self.transactions.retrying(run)
        self._after_commit([uow], has_news=has_news)
        return result

    async def create(
        self, merchant: MerchantRecord, command: Callable[[StorageUnitOfWork, bool], T]
    ) -> T:
        """Create a merchant unless it exists, and run `command` as its only writer in the same
        transaction. `command` also gets whether the merchant was created now."""

        def run() -> T:
            with (
                self._merchant_locks.hold(merchant.merchant),
                self.transactions.begin(writing=True) as connection,
            ):
                now = self.transactions.now(connection)
                created = MerchantDirectory(connection, now).ensure(merchant)
                uow = opened(connection, merchant.merchant, now, writing=True)
                result = command(uow, created)
                finish(connection, [uow])
                return result

        return await self.transactions.submit(lambda: self.transactions.retrying(run), writing=True)

    async def ping(self) -> None:
        """Check that the store answers, and, when the last write failed, that it can be written
        again. Raises StorageUnavailable."""

        def run(check: Callable[[SystemRows], None], *, writing: bool) -> None:
            with self.transactions.begin(writing=writing) as connection:
                check(SystemRows(connection, functools.partial(self.transactions.now, connection)))

        async def once(check: Callable[[SystemRows], None], *, writing: bool) -> None:
            attempt = functools.partial(run, check, writing=writing)
            await self.transactions.submit(
                lambda: self.transactions.retrying(attempt, attempts=1), writing=writing
            )

        await once(SystemRows.check_readable, writing=False)
        if self.transactions.write_failed:
            await once(SystemRows.check_writable, writing=True)
            self.transactions.write_failed = False

    def close(self) -> None:
        """Wait for transactions under way and close every connection. A second call does
        nothing."""
        self.transactions.close()

    async def _submit(
        self,
        kind: str,
        batcher: Batcher,
        merchant: str,
        work: Callable[[StorageUnitOfWork], T],
    ) -> T:
        self.transactions.check_open()
        attributes = {"zaiko.merchant": merchant, "code.function.name": _use_case(work)}
        with tracing.part(self._tracer, kind, attributes):
            return await batcher.submit(merchant, work)

    def _check_history(self, connection: Any, record: object) -> None:
        """Check every new connection: it may lead to another database than the ones before."""
        if self._acknowledged.lost_by(connection):
            self._on_lost_commits()
            raise StorageUnavailable(
                "the database has lost what it had acknowledged; the server ends"
            )

    def _read_batch(self, merchant: str, items: Sequence[QueuedItem]) -> list[Settled]:
        def run() -> list[Settled]:
            with self.transactions.begin(writing=False) as connection:
                now = self.transactions.known_now()
                uow = opened(connection, merchant, now, writing=False)
                found: dict[QueuedItem, Settled] = {}
                for group in batching.merged_queries(items):
                    found |= zip(group, batching.answer_queries(uow, group), strict=True)
                return [found[item] for item in items]

        return self._shared(run, items) or [
            self._alone(functools.partial(self.read_sync, merchant), item) for item in items
        ]

    def _write_batch(self, merchant: str, items: Sequence[QueuedItem]) -> list[Settled]:
        def run() -> tuple[list[Settled], bool, list[StorageUnitOfWork]]:
            done: list[StorageUnitOfWork] = []
            settled: list[Settled] = []
            with (
                self._merchant_locks.hold(merchant),
                self.transactions.begin(writing=True) as connection,
            ):
                for group in batching.merged_commands(items):
                    began = time.monotonic()
                    uow = (
                        following(done[-1], connection)
                        if done
                        else opened(
                            connection, merchant, self.transactions.known_now(), writing=True
                        )
                    )
                    settled += batching.apply_commands(uow, group)
                    done.append(uow)
                    if time.monotonic() - began > _LONG_COMMAND:
                        break
                return settled, finish(connection, done), done

        def run_and_publish() -> list[Settled]:
            settled, has_news, done = run()
            self._after_commit(done, has_news=has_news)
            return settled

        return self._shared(run_and_publish, items) or [
            self._alone(functools.partial(self.write_sync, merchant), item) for item in items
        ]

    def _shared(
        self, run: Callable[[], list[Settled]], items: Sequence[QueuedItem]
    ) -> list[Settled]:
        """Run a batch in one transaction. Return nothing when it has one item only, or when one of
        them makes that impossible: each then runs alone, so that it gets its own error."""
        if len(items) == 1:
            return []
        try:
            return self.transactions.retrying(run)
        except StorageUnavailable as error:
            return [Settled(error=error)] * len(items)
        except Exception:  # noqa: BLE001 - each item finds out alone
            return []

    def _alone(
        self, run: Callable[[Callable[[StorageUnitOfWork], Any]], Any], item: QueuedItem
    ) -> Settled:
        try:
            return Settled(item.context.run(run, item.work))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            return Settled(error=error)

    def _after_commit(self, done: Sequence[StorageUnitOfWork], *, has_news: bool) -> None:
        if self.is_postgresql and (changed := [uow for uow in done if uow.has_changes]):
            last = changed[-1]
            self._acknowledged.note(Commit(last.merchant, last.revision, last.now))
        if has_news:
            self._wake(soonest(done))
        for uow in done:
            for fact in uow.facts:
                self._publish(uow.merchant, fact)


def _read_patience(batch: Sequence[QueuedItem]) -> float:
    are_merged = all(isinstance(item.work, Mergeable) for item in batch)
    return _MERGED_PATIENCE if are_merged else _PATIENCE


def _use_case(work: Callable[..., Any]) -> str:
    """Return where in the code a transaction is written, and nothing of its data."""
    source = getattr(work, "apply_all", work)
    name = getattr(source, "__qualname__", type(source).__name__)
    return f"{source.__module__}.{name}"
