"""Threads and transactions, for SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from opentelemetry.trace import Tracer
from sqlalchemy import Connection, event, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from zaiko_core import tracing
from zaiko_core.app.records import MerchantRecord
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage import census, connections, schema, trouble
from zaiko_core.storage.acknowledged import Acknowledged, Commit
from zaiko_core.storage.address import address
from zaiko_core.storage.catalogue import MerchantDirectory
from zaiko_core.storage.census import Census
from zaiko_core.storage.channel import NOTIFY, told
from zaiko_core.storage.clock import CLOCK
from zaiko_core.storage.jobs import Due, Jobs
from zaiko_core.storage.migrate import migrate
from zaiko_core.storage.together import Item, Outcome, Together, acted, looked_up, runs
from zaiko_core.storage.tokens import TokenRows
from zaiko_core.storage.turns import KeyedLock
from zaiko_core.storage.uow import StorageUnitOfWork, finish, following, opened, soonest
from zaiko_core.storage.witness import Seen

T = TypeVar("T")
K = TypeVar("K")
Now = Callable[[], int]

_ATTEMPTS, _PATIENCE = 8, 5.0
"""How often a transaction is run, and seconds after which it is not run again: whoever waited that
long is told."""
_OVERTAKE, _OVERTAKE_LOOK = 0.010, 0.250
"""Seconds after which a read starts beside others of its merchant that are at work; a look, of
which each takes about as long."""
_WINDOW = 0.003
"""Seconds that looks wait for company while there are callers abreast: to hand over to a thread
costs as much as some looks."""
_PULSE, _ROOM = "pulse", 256 * 1024


def system_now() -> int:
    """The wall clock in µs since 1970."""
    return time.time_ns() // 1000


_CLOCK = select(CLOCK)


class Database:
    """One store. `write` and `read` run a function over a unit of work in one transaction on a
    worker thread; the function may be run again after a serialization failure or a lost connection,
    so it has no side effect outside of the transaction.

    `wake` is called, on a worker thread, after every commit that changed something watchers or the
    scheduler care about, with the µs until the scheduler has something to do, or None. `tell` is
    called, on a worker thread, after a commit, with the merchant and each fact that the unit of
    work had for observers. `lost` is called, on any thread, when the database turns out not to have
    what it acknowledged (ADR 0029); it is not used then. `now` gives µs since 1970; on PostgreSQL
    the database's own clock is used unless `now` is given.
    """

    def __init__(
        self,
        url: str,
        *,
        now: Now | None = None,
        wake: Callable[[int | None], None] = lambda due_in: None,
        tell: Callable[[str, Any], None] = lambda merchant, fact: None,
        lost: Callable[[], None] = lambda: None,
        tracer: Tracer = tracing.OFF,
    ) -> None:
        self.url = address(url)
        self.is_postgresql = self.url.get_backend_name() == "postgresql"
        self.wake, self._tell, self._tracer = wake, tell, tracer
        self._now = now
        self._acknowledged, self._lost = Acknowledged(), lost
        self.engine = connections.engine(self.url)
        self._servers: set[int] = set()
        """Processes of PostgreSQL that serve our connections."""
        if self.is_postgresql:
            event.listen(self.engine, "connect", self._check_history)
            event.listen(self.engine, "connect", self._connected)
            for end in ("close", "detach"):
                event.listen(self.engine, end, self._disconnected)
        # SQLite has one writer at a time: one thread makes writers queue here instead of in busy
        # retries.
        self._writers = ThreadPoolExecutor(
            8 if self.is_postgresql else 1, thread_name_prefix="zaiko-write"
        )
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="zaiko-read")
        self._reading = Together(
            functools.partial(self._group, writing=False), self._readers, patience=_OVERTAKE
        )
        self._looking = Together(
            functools.partial(self._group, writing=False),
            self._readers,
            patience=_OVERTAKE_LOOK,
            window=_WINDOW,
        )
        self._writing = Together(functools.partial(self._group, writing=True), self._writers)
        self._turns = KeyedLock(connections.WAIT)
        self._closed = threading.Event()
        self._unwritable = False

    async def migrate(self) -> dict[str, str]:
        """See migrate.migrate. Raises StorageUnavailable, which says what the database said: an
        operator reads it."""
        try:
            return await self._submit(
                self._writers, lambda: self._retrying(lambda: migrate(self.engine))
            )
        except StorageUnavailable as error:
            said = (
                str(getattr(error.__cause__, "orig", None) or error.__cause__)
                .strip()
                .partition("\n")[0]
            )
            what = error.message.partition(";")[0]
            raise StorageUnavailable(what if said in what else f"{what}: {said}") from error

    async def write(
        self, merchant: str, work: Callable[[StorageUnitOfWork], T], *, advancing: bool = False
    ) -> T:
        """Run `work` as the only writer of `merchant`. `advancing`: it changes something in any
        case, which saves a statement. Raises NotFound when the merchant does not exist."""
        with tracing.part(
            self._tracer,
            "write",
            {"zaiko.merchant": merchant, "code.function.name": _use_case(work)},
        ):
            return await self._submit(
                self._writers, lambda: self.write_sync(merchant, work, advancing=advancing)
            )

    async def write_together(
        self, merchant: str, work: Callable[[StorageUnitOfWork], T], *, advancing: bool = False
    ) -> T:
        """As `write`, for work of a few statements: what waits for the same merchant shares one
        commit (ADR 0026)."""
        self._check_open()
        with tracing.part(
            self._tracer,
            "write",
            {"zaiko.merchant": merchant, "code.function.name": _use_case(work)},
        ):
            return await self._writing.add(merchant, work, advancing=advancing)

    async def act(
        self,
        merchant: str,
        act: Callable[[StorageUnitOfWork, Sequence[K]], Sequence[T]],
        what: K,
        *,
        claims: Collection[str],
    ) -> T:
        """What `act` answers to `what`, as `write_together` would. It is called once for all who
        wait with the same function and whose claims do not meet: their changes have one revision,
        so what has an etag is claimed."""
        self._check_open()
        with tracing.part(
            self._tracer,
            "write",
            {"zaiko.merchant": merchant, "code.function.name": _use_case(act)},
        ):
            answer: T = await self._writing.act(merchant, act, what, claims)
            return answer

    async def found(
        self, merchant: MerchantRecord, work: Callable[[StorageUnitOfWork, bool], T]
    ) -> T:
        """Make a merchant, unless it is there, and run `work` as its only writer in the same
        transaction; it is told whether the merchant was made now."""
        return await self._submit(
            self._writers, lambda: self._retrying(lambda: self._found(merchant, work))
        )

    async def read(self, merchant: str, work: Callable[[StorageUnitOfWork], T]) -> T:
        """Run `work` over one snapshot of `merchant`, which those that wait for it share (ADR
        0026)."""
        self._check_open()
        with tracing.part(
            self._tracer,
            "read",
            {"zaiko.merchant": merchant, "code.function.name": _use_case(work)},
        ):
            return await self._reading.add(merchant, work)

    async def look(
        self,
        merchant: str,
        look: Callable[[StorageUnitOfWork, Collection[K]], Mapping[K, T]],
        key: K,
    ) -> T | None:
        """What `look` finds for `key`, or None, as `read` would. It is called once for the keys of
        all who wait with the same function; what it finds belongs to several of them and is not
        changed."""
        self._check_open()
        with tracing.part(
            self._tracer,
            "read",
            {"zaiko.merchant": merchant, "code.function.name": _use_case(look)},
        ):
            found: T | None = await self._looking.look(merchant, look, key)
            return found

    async def directory(self, work: Callable[[MerchantDirectory], T]) -> T:
        """Run `work` over the merchants, in one writing transaction."""
        return await self._submit(self._writers, lambda: self.directory_sync(work))

    async def tokens(self, work: Callable[[TokenRows], T], *, writing: bool = False) -> T:
        """Run `work` over the tokens, in one transaction."""

        def run() -> T:
            with self._transaction(writing=writing) as connection:
                return work(TokenRows(connection, self.now(connection)))

        return await self._submit(
            self._writers if writing else self._readers, lambda: self._retrying(run)
        )

    async def heads(self, merchants: Collection[str]) -> dict[str, int]:
        """The newest revision of each of these merchants."""
        table = schema.merchants
        query = select(table.c.merchant, table.c.head).where(table.c.merchant.in_(list(merchants)))

        def run() -> dict[str, int]:
            with self._transaction(writing=False) as connection:
                return {row.merchant: row.head for row in connection.execute(query)}

        return await self._submit(self._readers, lambda: self._retrying(run))

    async def seen(self) -> Seen:
        """The epoch, and the sum of all merchants' newest revisions."""

        def run() -> Seen:
            with self._transaction(writing=False) as connection:
                epoch = connection.scalar(
                    select(schema.system.c.value).where(schema.system.c.key == "epoch")
                )
                return Seen(epoch or "", census.revisions(connection))

        return await self._submit(self._readers, lambda: self._retrying(run))

    async def new_epoch(self, old: str) -> str:
        """Draw another epoch, unless it is no longer `old`; the one that there is now."""

        def run() -> str:
            with self._transaction(writing=True) as connection:
                table = schema.system
                drawn = (
                    update(table)
                    .where(table.c.key == "epoch", table.c.value == old)
                    .values(value=secrets.token_hex(16))
                )
                connection.execute(drawn)
                epoch = connection.scalar(select(table.c.value).where(table.c.key == "epoch"))
                assert isinstance(epoch, str)
                return epoch

        return await self._submit(self._writers, lambda: self._retrying(run))

    async def ping(self) -> None:
        """Whether the store answers; and, when the last write failed, whether it takes writes
        again. Raises StorageUnavailable."""

        def read() -> None:
            with self._transaction(writing=False) as connection:
                connection.execute(select(schema.system.c.key).limit(1))

        def write() -> None:
            with self._transaction(writing=True) as connection:
                table = schema.system
                connection.execute(table.delete().where(table.c.key == _PULSE))
                # As much as finds no place in what is allocated already: on a full disk a small row
                # may still fit somewhere.
                connection.execute(
                    table.insert().values(key=_PULSE, value=secrets.token_hex(_ROOM // 2))
                )
                connection.execute(table.delete().where(table.c.key == _PULSE))

        await self._submit(self._readers, lambda: self._retrying(read, attempts=1))
        if self._unwritable:
            await self._submit(self._writers, lambda: self._retrying(write, attempts=1))
            self._unwritable = False

    async def next_due(self) -> Due:
        """When something needs looking at. A read: it waits for no writer."""

        def run() -> Due:
            with self._transaction(writing=False) as connection:
                return Jobs(connection, self._known_now(), owner="", lease=0).next_due()

        return await self._submit(self._readers, lambda: self._retrying(run))

    async def census(self) -> Census:
        """Counts over all merchants. A read of every link."""

        def run() -> Census:
            with self._transaction(writing=False) as connection:
                return census.take(connection, self.now(connection))

        return await self._submit(self._readers, lambda: self._retrying(run))

    async def jobs(
        self, work: Callable[[Jobs], T], *, owner: str, lease: int, loud: bool = False
    ) -> T:
        """Run `work` over the shops' jobs, in one writing transaction; `loud`: other replicas are
        to look at once."""

        def run() -> T:
            with self._transaction(writing=True) as connection:
                result = work(Jobs(connection, self._known_now(), owner=owner, lease=lease))
                if loud and self.is_postgresql:
                    connection.execute(NOTIFY, told("postgresql", 0))
                return result

        return await self._submit(self._writers, lambda: self._retrying(run))

    def write_sync(
        self, merchant: str, work: Callable[[StorageUnitOfWork], T], *, advancing: bool = False
    ) -> T:
        """`write` on the calling thread."""

        def run() -> tuple[T, bool, StorageUnitOfWork]:
            with self._turns.taken(merchant), self._transaction(writing=True) as connection:
                uow = opened(
                    connection, merchant, self._known_now(), writing=True, advancing=advancing
                )
                result = work(uow)
                return result, finish(connection, [uow]), uow

        result, loud, done = self._retrying(run)
        self._committed([done], loud=loud)
        return result

    def _committed(self, done: Sequence[StorageUnitOfWork], *, loud: bool) -> None:
        if self.is_postgresql and (noted := [uow for uow in done if uow.has_changes]):
            self._acknowledged.note(Commit(noted[-1].merchant, noted[-1].revision, noted[-1].now))
        if loud:
            self.wake(soonest(done))
        for uow in done:
            for fact in uow.told:
                self._tell(uow.merchant, fact)

    def _found(self, merchant: MerchantRecord, work: Callable[[StorageUnitOfWork, bool], T]) -> T:
        with self._turns.taken(merchant.merchant), self._transaction(writing=True) as connection:
            now = self.now(connection)
            made = MerchantDirectory(connection, now).ensure(merchant)
            uow = opened(connection, merchant.merchant, now, writing=True)
            result = work(uow, made)
            finish(connection, [uow])
            return result

    def read_sync(self, merchant: str, work: Callable[[StorageUnitOfWork], T]) -> T:
        """`read` on the calling thread."""

        def run() -> T:
            with self._transaction(writing=False) as connection:
                return work(opened(connection, merchant, self._known_now(), writing=False))

        return self._retrying(run)

    def directory_sync(self, work: Callable[[MerchantDirectory], T]) -> T:
        """`directory` on the calling thread."""

        def run() -> T:
            with self._transaction(writing=True) as connection:
                return work(MerchantDirectory(connection, self.now(connection)))

        return self._retrying(run)

    def now(self, connection: Connection) -> int:
        """µs since 1970, by the clock that arbitrates leases: the database's where there may be
        several replicas."""
        if self._now is not None:
            return self._now()
        if self.is_postgresql:
            seconds = connection.scalar(_CLOCK)
            assert isinstance(seconds, int)
            return seconds
        return system_now()

    def _known_now(self) -> int | None:
        """The time, unless the database is to be asked."""
        if self._now is not None:
            return self._now()
        return None if self.is_postgresql else system_now()

    async def merchant(self, merchant: str) -> MerchantRecord:
        """One merchant; raises NotFound."""
        return await self.read(merchant, lambda uow: uow.merchants)

    def close(self) -> None:
        """Wait for transactions under way and close every connection. A second call does
        nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._writers.shutdown()
        self._readers.shutdown()
        self.engine.dispose()

    async def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        self._check_open()
        # The thread knows what this is part of: the trace that a change writes into rows, the ids
        # of log lines.
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(pool, context.run, work)

    def is_ours(self, server: int) -> bool:
        """Whether this process of PostgreSQL serves one of our connections."""
        return server in self._servers

    def _connected(self, connection: Any, record: Any) -> None:
        record.info["server"] = connection.info.backend_pid
        self._servers.add(connection.info.backend_pid)

    def _disconnected(self, connection: Any, record: Any) -> None:
        self._servers.discard(record.info.get("server"))

    def _check_history(self, connection: Any, record: object) -> None:
        """Of every new connection: it may lead to another database than the ones before."""
        if self._acknowledged.lost_by(connection):
            self._lost()
            raise StorageUnavailable(
                "the database has lost what it had acknowledged; the server ends"
            )

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise StorageUnavailable("the server is stopping; try again")

    def _group(self, merchant: str, items: Sequence[Item], *, writing: bool) -> list[Outcome]:
        """In one transaction, or, when one of them makes that impossible, each by itself."""
        if len(items) > 1:
            together = self._write_group if writing else self._read_group
            try:
                return self._retrying(lambda: together(merchant, items))
            except StorageUnavailable as error:
                return [Outcome(error=error)] * len(items)
            except Exception:  # noqa: BLE001, S110 - whose it is, each finds out by itself
                pass

        def alone(item: Item) -> Any:
            return (
                self.write_sync(merchant, item.work, advancing=item.advancing)
                if writing
                else self.read_sync(merchant, item.work)
            )

        return [
            _outcome(lambda item=item: item.context.run(alone, item), alone=True)  # type: ignore[misc]
            for item in items
        ]

    def _read_group(self, merchant: str, items: Sequence[Item]) -> list[Outcome]:
        with self._transaction(writing=False) as connection:
            uow = opened(connection, merchant, self._known_now(), writing=False)
            found = looked_up(uow, items)
            return [
                found.get(item) or _outcome(lambda item=item: item.context.run(item.work, uow))  # type: ignore[misc]
                for item in items
            ]

    def _write_group(self, merchant: str, items: Sequence[Item]) -> list[Outcome]:
        with self._turns.taken(merchant), self._transaction(writing=True) as connection:
            done: list[StorageUnitOfWork] = []
            outcomes: list[Outcome] = []
            for run in runs(items):
                uow = (
                    following(done[-1], connection)
                    if done
                    else opened(connection, merchant, self._known_now(), writing=True)
                )
                outcomes += acted(uow, run)
                done.append(uow)
            loud = finish(connection, done)
        self._committed(done, loud=loud)
        return outcomes

    def _retrying(self, run: Callable[[], T], *, attempts: int = _ATTEMPTS) -> T:
        deadline = time.monotonic() + _PATIENCE
        for attempt in range(attempts):
            try:
                return run()
            except (DBAPIError, PoolTimeout) as error:
                found = trouble.refusal_for(error)
                if found is None:
                    raise
                refusal, again = found
                if isinstance(refusal, StorageUnavailable):
                    self._unwritable = True
                if attempt == attempts - 1 or not again or time.monotonic() > deadline:
                    raise refusal from error
                time.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def _transaction(self, *, writing: bool) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            if self.is_postgresql:
                level: Any = "READ COMMITTED" if writing else "REPEATABLE READ"
                connection = connection.execution_options(
                    isolation_level=level, postgresql_readonly=not writing
                )
            else:
                connection.info["begin"] = "BEGIN IMMEDIATE" if writing else "BEGIN"
            with connection.begin():
                yield connection


def _outcome(work: Callable[[], Any], *, alone: bool = False) -> Outcome:
    try:
        return Outcome(work())
    except Exception as error:
        if isinstance(error, (DBAPIError, PoolTimeout)) and not alone:
            # The transaction, which is others' as well, is not what it was.
            raise
        return Outcome(error=error)


def _use_case(work: Callable[..., Any]) -> str:
    """Where in the code a transaction is written; nothing of its data."""
    return f"{work.__module__}.{getattr(work, '__qualname__', type(work).__name__)}"
