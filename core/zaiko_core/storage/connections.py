"""How connections to SQLite and PostgreSQL are made, and what is asked of the database for them."""

from __future__ import annotations

import sqlite3

import sqlalchemy
from sqlalchemy import Connection, Engine, event

WAIT = 20
"""Seconds until a transaction that waits for others of its merchant is told."""
_SESSION = {
    "lock_timeout": f"{WAIT}s",
    # A process that sleeps, or is cut off, in the middle of a transaction holds its merchant no
    # longer than a shop's lease. Each of its transactions that were already in the queue would do
    # so once more (KeyedLock).
    "idle_in_transaction_session_timeout": "5s",
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""What the database is asked to do for our connections."""


def engine(url: sqlalchemy.URL) -> Engine:
    """A pool of connections, made alike for every database of a kind. Connects to nothing yet."""
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
            None  # we say BEGIN ourselves; the driver would begin late and never IMMEDIATE
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
        # Connections are not tried out before use: a transaction that finds its own gone is run
        # again, on a new one.
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
