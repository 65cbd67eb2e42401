"""Wakes this process when another replica commits (PostgreSQL's LISTEN). A lost notification delays
its work by one poll."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.channel import CHANNEL, due_in

if TYPE_CHECKING:
    import psycopg

_STOP_CHECK, _PAUSE = 0.5, 1.0
"""Seconds between two checks whether to stop; seconds before it connects again."""


class NotificationListener:
    """One thread with a connection of its own, which is made as the store's others are: it notices
    a network that drops packets, and listens to the new primary after a failover. `wake` gets the
    delay in µs until something is due, or None where only watchers care. Notifications of `ours`,
    the backends that serve this store, are skipped: its commits have called `wake` already. `start`
    once, `stop` once."""

    def __init__(
        self, engine: Engine, wake: Callable[[int | None], None], *, ours: Container[int]
    ) -> None:
        self._engine, self._wake, self._ours = engine, wake, ours
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="zaiko-listen", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        import psycopg

        while not self._stopping.is_set():
            try:
                with self._connected() as connection:
                    # Something may have been sent while nobody listened.
                    self._wake(0)
                    self._listen(connection)
            except (psycopg.Error, SQLAlchemyError, StorageUnavailable):
                self._stopping.wait(_PAUSE)

    def _listen(self, connection: psycopg.Connection) -> None:
        while not self._stopping.is_set():
            for notification in connection.notifies(timeout=_STOP_CHECK, stop_after=1):
                if notification.pid not in self._ours:
                    self._wake(due_in(notification.payload))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        # The pool forgets it, and may open another one.
        pooled.detach()
        with contextlib.closing(connection):
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            yield connection
