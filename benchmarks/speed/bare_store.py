"""Measure a store without zaiko: the drivers alone, with the durability that zaiko requires."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite


@contextlib.contextmanager
def connected(url: str) -> Iterator[Any]:
    """Open a connection of the driver. SQLite gets the pragmas of storage/connections.py;
    PostgreSQL keeps the server's settings, like zaiko's connections."""
    if not url.startswith("sqlite"):
        with psycopg.connect(
            url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True
        ) as connection:
            yield connection
        return
    local = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "cache_size = -16384",
            "temp_store = MEMORY",
        ):
            local.execute(f"PRAGMA {pragma}")
        yield local
    finally:
        local.close()


def single_row_commits(url: str, seconds: float) -> float:
    """Return the commits per second of one connection that inserts a row in each, for `seconds`."""
    with connected(url) as connection:
        mark = "?" if url.startswith("sqlite") else "%s"
        connection.execute("CREATE TABLE IF NOT EXISTS bare (id BIGINT, value TEXT)")
        insert, done, began = f"INSERT INTO bare VALUES ({mark}, {mark})", 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            connection.execute("BEGIN")
            connection.execute(insert, (done, "one row"))
            connection.execute("COMMIT")
            done += 1
        return done / (time.perf_counter() - began)


def bulk_upsert(
    url: str, tables: Sequence[tuple[sqlalchemy.Table, Sequence[Sequence[Any]]]]
) -> float:
    """Return the seconds to upsert these rows (in the column order of the tables) in one
    transaction, by executemany. The tables and their indexes must exist."""
    dialect: Any = sqlite if url.startswith("sqlite") else postgresql
    made = []
    for table, rows in tables:
        statement = dialect.insert(table)
        keys = [column.name for column in table.primary_key]
        news = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in keys
        }
        upsert = (
            statement.on_conflict_do_update(index_elements=keys, set_=news)
            if news
            else statement.on_conflict_do_nothing()
        )
        # A paramstyle of positions in the tables' order: the rows can be given as they were read.
        text = str(
            upsert.compile(
                dialect=dialect.dialect(paramstyle="qmark" if dialect is sqlite else "format")
            )
        )
        made.append((text, rows))
    with connected(url) as connection:
        began = time.perf_counter()
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        for text, rows in made:
            cursor.executemany(text, rows)
        cursor.execute("COMMIT")
        return time.perf_counter() - began
