"""A line to the database does what a storm believes of it."""

from __future__ import annotations

import contextlib
import fcntl
import struct
import termios
import threading
from collections.abc import Iterator

import psycopg
import pytest
from cluster.cable import Cables
from cluster.cut import Cuts
from cluster.lines import Line, Lines
from sqlalchemy import URL, make_url
from support.stores import PostgreSQL
from zaiko_core.storage.engine import Database

_PATIENCE = 10.0
"""Seconds after which the product gives up a connection on which nothing is acknowledged: its tcp_user_timeout."""


@pytest.fixture(params=["cables", "proxies"])
def kind(request: pytest.FixtureRequest, cables: Cables | None) -> Lines:
    """Each kind of line that this machine can have."""
    if request.param == "proxies":
        return Cuts()
    if cables is None:
        pytest.skip("no cables here")
    return cables


@pytest.fixture
def database(durable_postgresql: PostgreSQL) -> Iterator[URL]:
    """A database of its own."""
    url = durable_postgresql.new_url()
    yield make_url(url)
    durable_postgresql.drop(url)


@contextlib.contextmanager
def laid(lines: Lines, database: URL) -> Iterator[tuple[Line, Database]]:
    """A line, and the product's connections over it."""
    line = lines.lay(0, database)
    with contextlib.closing(line):
        url = URL.create("postgresql+psycopg", "postgres", host=line.host, port=line.port, database=database.database)
        with contextlib.closing(Database(url.render_as_string())) as db:
            yield line, db


def test_a_cut_line_is_silent_and_what_was_sent_arrives_when_it_heals(kind: Lines, database: URL) -> None:
    with laid(kind, database) as (line, db), db.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        connection.exec_driver_sql("SELECT 1")

        line.cut()
        answers: list[object] = []
        asking = threading.Thread(target=lambda: answers.append(connection.exec_driver_sql("SELECT 2").scalar()))
        asking.start()
        asking.join(0.7)
        unacknowledged = struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        assert answers == []
        line.heal()
        asking.join(_PATIENCE)

        assert answers == [2]
        # What tells a cable from a proxy.
        assert (unacknowledged > 0) == isinstance(kind, Cables)
