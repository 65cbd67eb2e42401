"""A line to the database does what a storm relies on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cluster.cable import Cables
from cluster.cut import Cuts
from cluster.faults import LEASE
from cluster.lines import Line, Lines
from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import OperationalError
from support.stores import PostgreSQL
from support.waiting import until
from support.world import MERCHANT, World
from zaiko_core.app.stock import Receipt, receive
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.database import Database

pytestmark = pytest.mark.thorough
_PATIENCE = 10.0
"""Seconds without an acknowledgement after which the product gives up a connection: its
tcp_user_timeout."""


@pytest.fixture(params=["cables", "proxies"])
def kind(request: pytest.FixtureRequest, cables: Cables | None) -> Lines:
    """Return each kind of line that this machine can have."""
    if request.param == "proxies":
        return Cuts()
    if cables is None:
        pytest.skip("no cables here")
    return cables


@pytest.fixture
def database(durable_postgresql: PostgreSQL) -> Iterator[URL]:
    """Yield a database of its own."""
    url = durable_postgresql.new_url()
    yield make_url(url)
    durable_postgresql.drop(url)


@pytest.fixture
def only_cables(cables: Cables | None) -> Cables:
    """Skip where there are no cables: a proxy's kernel answers for what is behind it."""
    if cables is None:
        pytest.skip("no cables here")
    return cables


@contextlib.contextmanager
def laid(lines: Lines, database: URL) -> Iterator[tuple[Line, Database]]:
    """Yield a line, and the product's connections over it."""
    line = lines.lay(0, database)
    with contextlib.closing(line):
        url = URL.create(
            "postgresql+psycopg",
            "postgres",
            host=line.host,
            port=line.port,
            database=database.database,
        )
        with contextlib.closing(Database(url.render_as_string())) as db:
            yield line, db


def driven(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def test_a_cut_line_is_silent_and_what_was_sent_arrives_when_it_heals(
    kind: Lines, database: URL
) -> None:
    with laid(kind, database) as (line, db), db.engine.connect() as connection:
        raw = driven(connection)

        line.cut()
        answers: list[object] = []
        asking = threading.Thread(
            target=lambda: answers.append(connection.exec_driver_sql("SELECT 2").scalar())
        )
        asking.start()
        asking.join(0.7)
        unacknowledged = struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, bytes(4)))[
            0
        ]
        assert answers == []
        line.heal()
        asking.join(_PATIENCE)

        assert answers == [2]
        # This distinguishes a cable from a proxy.
        assert (unacknowledged > 0) == isinstance(kind, Cables)


def test_a_broken_connection_is_known_at_both_ends(
    kind: Lines, database: URL, durable_postgresql: PostgreSQL
) -> None:
    with (
        laid(kind, database) as (line, db),
        db.engine.connect() as connection,
        durable_postgresql.admin() as admin,
    ):
        session = driven(connection).info.backend_pid

        line.drop()

        with pytest.raises(OperationalError):
            connection.exec_driver_sql("SELECT 1")
        until(
            lambda: not _is_there(admin, session), "PostgreSQL's end is gone", seconds=_PATIENCE / 2
        )


def test_after_ten_seconds_of_silence_both_ends_have_given_up(
    only_cables: Cables, database: URL, durable_postgresql: PostgreSQL
) -> None:
    with (
        laid(only_cables, database) as (line, db),
        db.engine.connect() as connection,
        durable_postgresql.admin() as admin,
    ):
        session = driven(connection).info.backend_pid

        line.cut()
        began = time.monotonic()
        with pytest.raises(OperationalError):
            connection.exec_driver_sql("SELECT 1")

        assert _PATIENCE - 1 < time.monotonic() - began < 2 * _PATIENCE
        until(lambda: not _is_there(admin, session), "PostgreSQL's end is gone", seconds=_PATIENCE)


def test_a_merchant_waits_for_one_lease_at_most_when_a_replica_with_many_writers_vanishes_silently(
    only_cables: Cables, database: URL
) -> None:
    world = World(Database(database.render_as_string())).begin()
    with contextlib.closing(world.db), laid(only_cables, database) as (line, db):
        holds, over = threading.Event(), threading.Event()

        def hold(uow: object) -> None:
            holds.set()
            over.wait(30)

        def work() -> None:
            with contextlib.suppress(StorageUnavailable):
                db.write_sync(MERCHANT, hold)

        writers = [threading.Thread(target=work) for _ in range(6)]
        for writer in writers:
            writer.start()
        assert holds.wait(10)

        line.cut()
        line.drop()
        began = time.monotonic()
        world.db.write_sync(
            MERCHANT, lambda uow: receive(uow, [Receipt("tea", "tokyo", 1, "meanwhile")])
        )

        assert time.monotonic() - began < 2 * LEASE
        line.heal()
        over.set()
        for writer in writers:
            writer.join()


_SESSION = """
from cluster.cable import Cables
from sqlalchemy import make_url

cables = Cables()
cables.lay(0, make_url("postgresql://"))
print(cables.namespace, flush=True)
input()
"""


def test_what_a_killed_session_left_behind_is_cleared_away_by_the_next_one(
    only_cables: Cables,
) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command, pipe = [sys.executable, "-c", _SESSION], subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as session:
        assert session.stdout is not None
        namespace = session.stdout.readline().strip()
        left = subprocess.Popen(["ip", "netns", "exec", namespace, "sleep", "60"])
        until(
            lambda: (
                str(left.pid)
                in subprocess.check_output(["ip", "netns", "pids", namespace], text=True)
            ),
            "it runs",
        )
        session.kill()

    with contextlib.closing(Cables()) as cables:
        cables.lay(0, make_url("postgresql://"))

        assert cables.namespace == namespace
        assert left.wait(5) == -signal.SIGKILL
    assert namespace not in subprocess.check_output(["ip", "link", "show"], text=True)


def _is_there(admin: psycopg.Connection, session: int) -> bool:
    return (
        admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (session,)).fetchone()
        is not None
    )
