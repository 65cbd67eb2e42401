"""A PostgreSQL with a hot standby that can be promoted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from support.stores import PostgreSQL, _pgserver, _start
from support.waiting import until


class Pair:
    """`first` is the primary, until it is halted and the standby is promoted. The URL of a database
    names both servers."""

    def __init__(self, folder: Path) -> None:
        self._one, self._two = folder / "one" / "data", folder / "two" / "data"
        self._one.parent.mkdir(mode=0o700)
        self.first = PostgreSQL(self._one, durable=True)
        self._owner = "pgserver" if os.geteuid() == 0 else None  # PostgreSQL does not run as root

    def follow(self) -> None:
        """Copy the primary, and start the copy as its standby."""
        place = self._two.parent
        place.mkdir()
        if self._owner is not None:
            shutil.chown(place, self._owner)
            place.chmod(0o755)
        self._run(
            "pg_basebackup",
            "-D",
            str(self._two),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "-U",
            "postgres",
            "-h",
            str(self._one),
        )
        # The copy of the primary's own lock.
        (self._two / ".s.PGSQL.5432.lock").unlink()
        _start(self._two)
        until(
            lambda: self._first(
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
            )
        )

    def wait_for_standby(self) -> None:
        """Make commits wait for the standby from now on."""
        self._set(self._one, "synchronous_standby_names", "*")
        until(
            lambda: self._first(
                "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            )
        )

    def lag(self) -> None:
        """Cut the standby off from the primary from now on."""
        self._set(self._two, "primary_conninfo", "")
        until(lambda: not self._first("SELECT count(*) FROM pg_stat_replication"))

    def promote(self) -> None:
        """Promote the standby, with the data that it has."""
        with self._second() as connection:
            connection.execute("SELECT pg_promote()")

    def new_url(self) -> str:
        """Return the URL of a new migrated database on both servers, the standby first. Call it
        once the standby follows."""
        one = self.first.new_url()
        return one.replace("?host=", f"?host={self._two}&host=", 1)

    def rows(self, table: str, database: str = "test_1") -> int:
        """Return the number of rows on the standby."""
        with psycopg.connect(f"postgresql://postgres:@/{database}?host={self._two}") as connection:
            found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            assert found is not None
            return int(found[0])

    def close(self) -> None:
        for server in (self._two, self._one):
            if (server / "postmaster.pid").exists():
                self._run("pg_ctl", "-D", str(server), "-m", "immediate", "-w", "stop")

    def _set(self, folder: Path, name: str, value: str) -> None:
        with psycopg.connect(
            f"postgresql://postgres:@/postgres?host={folder}", autocommit=True
        ) as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")

    def _first(self, query: str) -> Any:
        with self.first.admin() as connection:
            found = connection.execute(query.encode()).fetchone()
            assert found is not None
            return found[0]

    def _second(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            f"postgresql://postgres:@/postgres?host={self._two}", autocommit=True
        )

    def _run(self, program: str, *arguments: str) -> None:
        tools = Path(_pgserver().__file__).parent / "pginstall" / "bin"
        subprocess.run(
            [tools / program, *arguments],
            check=True,
            timeout=60,
            user=self._owner,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def pair() -> Iterator[Pair]:
    """Run a pair of servers while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="zaiko-pair-"))
    folder.chmod(0o755)
    found = Pair(folder)
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)
