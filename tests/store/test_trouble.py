"""A store in trouble: what is lost, locked, full, read-only or busy is refused with a reason,
nothing is half done, and it recovers without a request when the trouble is over."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from support.stores import PostgreSQL
from support.waiting import until
from support.world import MERCHANT, World
from zaiko_core.app.stock import Receipt, receive
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.database import Database


def physical(db: Database) -> int:
    return int(db.read_sync(MERCHANT, lambda uow: uow.stocks.get(["tea"]))["tea"].balance.physical)


def movements(db: Database) -> int:
    with db.engine.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM movements")) or 0)


def received(db: Database, cause: str) -> None:
    db.write_sync(MERCHANT, lambda uow: receive(uow, [Receipt("tea", "tokyo", 1, cause)]))


# PostgreSQL


def test_connections_that_were_dropped_while_idle_are_replaced_unnoticed(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.new_url()
    world = World(Database(url)).begin()
    dropped = _drop_all(postgresql, world.db)

    received(world.db, "after")

    assert dropped >= 1
    assert physical(world.db) == 1
    world.db.close()
    postgresql.drop(url)


def test_a_connection_that_is_dropped_in_a_transaction_costs_a_repeat_and_does_it_once(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.new_url()
    world = World(Database(url)).begin()
    runs = 0

    def work(uow: Any) -> None:
        nonlocal runs
        runs += 1
        receive(uow, [Receipt("tea", "tokyo", 1, "once")])
        if runs == 1:
            _drop_all(postgresql, world.db)

    world.db.write_sync(MERCHANT, work)

    assert (runs, physical(world.db), movements(world.db)) == (2, 1, 1)
    world.db.close()
    postgresql.drop(url)


def test_a_server_that_stops_is_a_refusal_and_one_that_starts_again_goes_on(
    own_postgresql: PostgreSQL,
) -> None:
    world = World(Database(own_postgresql.new_url())).begin()
    received(world.db, "before")

    own_postgresql.halt()
    for attempt in (lambda: received(world.db, "meanwhile"), lambda: physical(world.db)):
        with pytest.raises(StorageUnavailable) as refused:
            attempt()
        assert "try again" in refused.value.message
    own_postgresql.resume()

    assert physical(world.db) == 1
    received(world.db, "meanwhile")
    assert (physical(world.db), movements(world.db)) == (2, 2)
    world.db.close()


def test_a_pool_without_a_free_connection_is_a_refusal(postgresql: PostgreSQL) -> None:
    url = postgresql.new_url()
    world = World(Database(url)).begin()
    world.db.engine.pool._timeout = 0.05  # type: ignore[attr-defined]

    with contextlib.ExitStack() as taken:
        for _ in range(16):
            taken.enter_context(world.db.engine.connect())
        with pytest.raises(StorageUnavailable, match="busy"):
            received(world.db, "none free")

    received(world.db, "none free")
    assert physical(world.db) == 1
    world.db.close()
    postgresql.drop(url)


def test_of_the_writers_of_a_merchant_one_at_a_time_is_known_to_the_database(
    postgresql: PostgreSQL,
) -> None:
    """Each that it knows could be the next to hold the merchant for seconds, when this process
    sleeps or is cut off."""
    url = postgresql.new_url()
    world = World(Database(url)).begin()
    with world.db.engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM merchants FOR UPDATE"))
        writers = [
            threading.Thread(target=received, args=(world.db, f"writer {number}"))
            for number in range(6)
        ]
        for writer in writers:
            writer.start()
        until(lambda: _waiting(postgresql, url), "one of them is known")
        waiting = [(time.sleep(0.02), _waiting(postgresql, url))[1] for _ in range(25)]
    for writer in writers:
        writer.join()

    assert max(waiting) == 1
    assert physical(world.db) == 6
    world.db.close()
    postgresql.drop(url)


def test_writers_that_would_wait_for_each_other_for_ever_are_both_done(
    postgresql: PostgreSQL,
) -> None:
    """A deadlock, made by hand: two transactions that lock two rows in opposite order."""
    url = postgresql.new_url()
    world = World(Database(url)).begin()
    with world.db.engine.begin() as connection:
        connection.execute(text("INSERT INTO system (key, value) VALUES ('a', '0'), ('b', '0')"))
    meet = threading.Barrier(2, timeout=60)
    tries: list[str] = []

    def cross(first: str, second: str) -> None:
        def run() -> None:
            tries.append(first)
            with world.db.transactions.begin(writing=True) as connection:
                _count_up(connection, first)
                with contextlib.suppress(threading.BrokenBarrierError):
                    meet.wait(timeout=1 if len(tries) > 2 else 60)
                _count_up(connection, second)

        world.db.transactions.retrying(run)

    threads = [threading.Thread(target=cross, args=order) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with world.db.engine.connect() as connection:
        counts = dict(
            connection.execute(text("SELECT key, value FROM system WHERE key IN ('a', 'b')")).all()
        )  # type: ignore[arg-type]
    assert counts == {"a": "2", "b": "2"}
    assert len(tries) == 3
    world.db.close()
    postgresql.drop(url)


def _count_up(connection: Any, key: str) -> None:
    connection.execute(
        text("UPDATE system SET value = (value::int + 1)::text WHERE key = :key"), {"key": key}
    )


def _waiting(postgresql: PostgreSQL, url: str) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    with postgresql.admin() as connection:
        (waiting,) = connection.execute(query, (make_url(url).database,)).fetchone() or (0,)
    return int(waiting)


def _drop_all(server: PostgreSQL, db: Database) -> int:
    """End every connection of a database."""
    with server.admin() as connection:
        found = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [db.url.database],
        ).fetchall()
    return len(found)


# SQLite


def test_a_file_that_another_process_holds_is_a_refusal_that_says_so(sqlite_url: str) -> None:
    world = World(Database(sqlite_url)).begin()
    _on_connect(world.db, "PRAGMA busy_timeout = 50")
    holder = sqlite3.connect(str(world.db.url.database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageUnavailable, match="locked by another process"):
        received(world.db, "held")
    assert physical(world.db) == 0
    holder.execute("ROLLBACK")

    received(world.db, "held")
    assert physical(world.db) == 1
    holder.close()
    world.db.close()


def test_a_full_disk_leaves_nothing_half_done_and_goes_on_when_there_is_room(
    sqlite_url: str,
) -> None:
    world = World(Database(sqlite_url)).begin()
    before = movements(world.db)
    _on_connect(world.db, "PRAGMA max_page_count = 1")  # SQLite takes the present size for less
    with pytest.raises(StorageUnavailable, match="full"):
        _receive_until_full(world.db)
    done = movements(world.db) - before
    assert physical(world.db) == done

    _on_connect(world.db, "PRAGMA max_page_count = 1000000")
    received(world.db, "room again")
    assert physical(world.db) == done + 1
    world.db.close()


def test_a_file_that_cannot_be_written_is_a_refusal_and_can_still_be_read(sqlite_url: str) -> None:
    world = World(Database(sqlite_url)).begin()
    received(world.db, "before")
    _on_connect(world.db, "PRAGMA query_only = ON")

    with pytest.raises(StorageUnavailable, match="cannot be written"):
        received(world.db, "read-only")

    assert physical(world.db) == 1
    world.db.close()


@pytest.mark.anyio
async def test_a_ping_notices_that_writes_fail_and_that_they_work_again(sqlite_url: str) -> None:
    world = World(Database(sqlite_url)).begin()
    await world.db.ping()
    _on_connect(world.db, "PRAGMA query_only = ON")
    await world.db.ping()  # nobody has tried to write
    with pytest.raises(StorageUnavailable):
        received(world.db, "read-only")

    with pytest.raises(StorageUnavailable):
        await world.db.ping()
    _on_connect(world.db, "PRAGMA query_only = OFF")
    await world.db.ping()
    world.db.close()


def _receive_until_full(db: Database) -> None:
    for number in range(5_000):
        received(db, f"{number} " + "x" * 150)


def _on_connect(db: Database, pragma: str) -> None:
    """From now on every connection begins with it."""

    @event.listens_for(db.engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        connection.execute(pragma)

    db.engine.dispose()
