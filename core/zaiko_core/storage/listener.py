"""Wakes this process when another replica commits (PostgreSQL's LISTEN). A lost notification costs
one poll."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.channel import CHANNEL, heard

if TYPE_CHECKING:
    import psycopg

_LOOK, _PAUSE = 0.5, 1.0
"""Seconds after which it looks whether it is to stop; seconds before it connects again."""


class Listener:
    """One thread with one connection of its own, which is made as the store's others are: a network
    that swallows packets is noticed, and after a failover it listens to the new primary. `wake`
    gets in how many µs something is due (None: only watchers care); `is_ours` whether a process of
    the database serves a connection of this store, which has woken us already. `start` once, `stop`
    once."""

    def __init__(
        self, engine: Engine, wake: Callable[[int | None], None], *, is_ours: Callable[[int], bool]
    ) -> None:
        self._engine, self._wake, self._is_ours = engine, wake, is_ours
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
                    # What was told while nobody listened.
                    self._wake(0)
                    self._listen(connection)
            except (psycopg.Error, SQLAlchemyError, StorageUnavailable):
                self._stopping.wait(_PAUSE)

    def _listen(self, connection: psycopg.Connection) -> None:
        while not self._stopping.is_set():
            for notification in connection.notifies(timeout=_LOOK, stop_after=1):
                if not self._is_ours(notification.pid):
                    self._wake(heard(notification.payload))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        taken = self._engine.raw_connection()
        connection: Any = taken.driver_connection
        # The pool lets go of it, and may have another one.
        taken.detach()
        with contextlib.closing(connection):
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            yield connection
