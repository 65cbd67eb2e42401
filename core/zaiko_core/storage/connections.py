"""How connections to SQLite and PostgreSQL are made, and the settings that the database applies to
them."""

from __future__ import annotations

import sqlite3
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event

WAIT = 20
"""Seconds after which a transaction that waits for others of its merchant gets an error."""
_SESSION = {
    "lock_timeout": f"{WAIT}s",
    # A process that is suspended or cut off in the middle of a transaction holds its merchant no
    # longer than a shop's lease. Each of its transactions that already wait in the database would
    # do so again, so they wait for a KeyedLock instead.
    "idle_in_transaction_session_timeout": "5s",
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Settings of PostgreSQL for our connections."""


def engine(url: sqlalchemy.URL) -> Engine:
    """Return a pool of connections, made alike for every database of a kind. It does not connect
    yet."""
    return _postgresql(url) if url.get_backend_name() == "postgresql" else _sqlite(url)


def _sqlite(url: sqlalchemy.URL) -> Engine:
    engine = sqlalchemy.create_engine(
        url,
        pool_size=5,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": 10},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = (
            None  # we send BEGIN ourselves; the driver would begin late and never IMMEDIATE
        )
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # a commit that was answered survives a power cut
            "wal_autocheckpoint = 4000",  # pages: the commit that does it moves 16 MiB, instead of every other one 4  # noqa: E501
            "foreign_keys = ON",
            "cache_size = -16384",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.info.get("begin", "BEGIN"))

    return engine


def _postgresql(url: sqlalchemy.URL) -> Engine:
    return sqlalchemy.create_engine(
        url,
        pool_size=12,
        max_overflow=4,
        pool_timeout=10,
        hide_parameters=True,
        # Connections are not tested before use: a transaction that finds its own gone is run again
        # on a new one.
        connect_args={
            "application_name": "zaiko",
            # A standby would answer reads with an older state, and never a write.
            "target_session_attrs": url.query.get("target_session_attrs", "primary"),
            # A network that swallows packets is noticed within about ten seconds, in both
            # directions.
            "connect_timeout": 5,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
        },
    )


class Backends:
    """The processes of PostgreSQL that serve the connections of an engine, by their ids."""

    def __init__(self) -> None:
        self._ids: set[int] = set()

    def __contains__(self, backend: object) -> bool:
        return backend in self._ids

    def follow(self, engine: Engine) -> None:
        """Keep up with the connections of `engine`. Once only."""
        event.listen(engine, "connect", self._connected)
        for end in ("close", "detach"):
            event.listen(engine, end, self._disconnected)

    def _connected(self, connection: Any, record: Any) -> None:
        record.info["backend"] = connection.info.backend_pid
        self._ids.add(connection.info.backend_pid)

    def _disconnected(self, connection: Any, record: Any) -> None:
        self._ids.discard(record.info.get("backend"))
