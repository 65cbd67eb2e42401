"""Threads, connections and transactions, for SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage import connections, trouble
from zaiko_core.storage.clock import CLOCK
from zaiko_core.storage.sql import execute

T = TypeVar("T")
R = TypeVar("R")
Now = Callable[[], int]

_ATTEMPTS, _PATIENCE = 8, 5.0
"""How often a transaction is run, and seconds after which it is not run again but the caller gets
the error."""
_NOW = select(CLOCK)


def system_now() -> int:
    """Return the wall clock in µs since 1970."""
    return time.time_ns() // 1000


class Transactions:
    """The transactions of one database, of whatever they are about. A function that runs in one may
    be run again after a serialization failure or a lost connection, so it has no side effect
    outside of the transaction.

    `now` gives µs since 1970; on PostgreSQL the database's own clock is used unless `now` is given.
    """

    def __init__(self, url: sqlalchemy.URL, *, now: Now | None = None) -> None:
        self.engine: Engine = connections.engine(url)
        self.is_postgresql = url.get_backend_name() == "postgresql"
        # SQLite has one writer at a time: with one thread, writers queue here instead of in busy
        # retries.
        self.writers = ThreadPoolExecutor(
            8 if self.is_postgresql else 1, thread_name_prefix="zaiko-write"
        )
        self.readers = ThreadPoolExecutor(4, thread_name_prefix="zaiko-read")
        self.write_failed = False
        """Whether a transaction failed because the store was unavailable since somebody reset
        this."""
        self._now = now
        self._closed = threading.Event()

    @contextlib.contextmanager
    def begin(self, *, writing: bool) -> Iterator[Connection]:
        """Begin a transaction on the calling thread, and commit it at the end of the block."""
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

    def retrying(self, run: Callable[[], T], *, attempts: int = _ATTEMPTS) -> T:
        """Run a function that runs transactions, and run it again where that may help. Raises
        StorageUnavailable or WriteConflict when it does not."""
        deadline = time.monotonic() + _PATIENCE
        for attempt in range(attempts):
            try:
                return run()
            except (DBAPIError, PoolTimeout) as error:
                found = trouble.service_error_for(error)
                if found is None:
                    raise
                service_error, may_retry = found
                if isinstance(service_error, StorageUnavailable):
                    self.write_failed = True
                if attempt == attempts - 1 or not may_retry or time.monotonic() > deadline:
                    raise service_error from error
                time.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")

    async def submit(self, run: Callable[[], T], *, writing: bool) -> T:
        """Run `run` on a worker thread. Raises StorageUnavailable once the database is closed."""
        self.check_open()
        # The thread runs in the caller's context: the trace that a change writes into rows, the ids
        # of log lines.
        context = contextvars.copy_context()
        pool = self.writers if writing else self.readers
        return await asyncio.get_running_loop().run_in_executor(pool, context.run, run)

    def now(self, connection: Connection) -> int:
        """Return µs since 1970 by the clock that arbitrates leases: the database's where there may
        be several replicas."""
        known = self.known_now()
        return int(execute(connection, _NOW, {}).scalar()) if known is None else known

    def known_now(self) -> int | None:
        """Return µs since 1970, or None if the database must be asked."""
        if self._now is not None:
            return self._now()
        return None if self.is_postgresql else system_now()

    def check_open(self) -> None:
        """Raise StorageUnavailable once the database is closed."""
        if self._closed.is_set():
            raise StorageUnavailable("the server is stopping; try again")

    def close(self) -> None:
        """Wait for transactions under way and close every connection. A second call does
        nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        self.writers.shutdown()
        self.readers.shutdown()
        self.engine.dispose()


class Door(Generic[R]):
    """Two doors to rows of the whole installation: `read` and `write` run a function over them in
    one transaction. `rows` makes what the function gets, from a connection and the transactions."""

    def __init__(
        self, transactions: Transactions, rows: Callable[[Connection, Transactions], R]
    ) -> None:
        self._transactions, self._rows = transactions, rows

    async def read(self, query: Callable[[R], T]) -> T:
        """Run `query` over one snapshot. It waits for no writer."""
        return await self._submit(query, writing=False)

    async def write(self, command: Callable[[R], T]) -> T:
        """Run `command` in one transaction."""
        return await self._submit(command, writing=True)

    def read_sync(self, query: Callable[[R], T]) -> T:
        """Run `read` on the calling thread."""
        return self._run(query, writing=False)

    def write_sync(self, command: Callable[[R], T]) -> T:
        """Run `write` on the calling thread."""
        return self._run(command, writing=True)

    async def _submit(self, work: Callable[[R], T], *, writing: bool) -> T:
        return await self._transactions.submit(
            lambda: self._run(work, writing=writing), writing=writing
        )

    def _run(self, work: Callable[[R], T], *, writing: bool) -> T:
        def run() -> T:
            with self._transactions.begin(writing=writing) as connection:
                return work(self._rows(connection, self._transactions))

        return self._transactions.retrying(run)
