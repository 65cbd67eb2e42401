"""Upgrades a database to the schema of this release, and gives it its identity.

Two releases may work on one database while servers are replaced one by one. So a migration only
adds, and old code ignores what it does not know. A migration that an old release could not work
with (`phase = "post"`) waits until `finish`, or until a later release adds another one after it.
Its `oldest` says which schema the code must know from then on.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from zaiko_core.domain.errors import SchemaTooNew
from zaiko_core.storage import schema

_LOCK = 7_201_954_113_771_290  # any constant: one migration at a time per PostgreSQL database
_OLDEST = "oldest_schema"
SCRIPTS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, *, finish: bool = False, scripts: Path = SCRIPTS) -> dict[str, str]:
    """Apply missing migrations and return the `system` table: `epoch` (drawn once per database) and
    `token_key` (hex, for the MACs of page and resume tokens). Several replicas may call it at once.
    A database of a newer release is left as it is if that release says that this one can work with
    it; else raises SchemaTooNew. `finish`: also apply what no older release can work with."""
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # A migration by another replica may take long.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if _current(connection) != _newest(scripts):
            _bring(connection, scripts, finish=finish)
        return _identity(connection)


def versions(engine: Engine, *, scripts: Path = SCRIPTS) -> tuple[str | None, str, bool]:
    """Return the database's schema (None: never migrated), this release's, and whether this release
    can work with the database's. Changes nothing."""
    newest = _newest(scripts)
    with engine.connect() as connection, connection.begin():
        current = _current(connection)
        known = current is not None and (current <= newest or _oldest(connection) <= newest)
    return current, newest, known


def pending(engine: Engine, *, scripts: Path = SCRIPTS) -> bool:
    """Return whether `finish` has something to apply."""
    with engine.connect() as connection, connection.begin():
        current = _current(connection)
    return current is not None and current < _newest(scripts)


def _newest(scripts: Path) -> str:
    """Return the last migration of this release by its file's name: revisions are consecutive
    numbers of four digits."""
    return max(path.name[:4] for path in (scripts / "versions").glob("[0-9]*.py"))


def _current(connection: Connection) -> str | None:
    """Return the database's schema."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    reached: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return reached


def _bring(connection: Connection, scripts: Path, *, finish: bool) -> None:
    # Importing alembic takes as long as the rest of a start, and most starts have nothing to
    # migrate.
    from zaiko_core.storage import chain

    current, migrations = _current(connection), chain.migrations(scripts)
    if current is not None and current not in {script.revision for script in migrations}:
        _check_newer(connection, current, newest=migrations[-1].revision)
        return
    target = chain.target(migrations, current, finish=finish)
    chain.upgrade(connection, scripts, target)
    _note_oldest(connection, chain.oldest(migrations, target))


def _check_newer(connection: Connection, current: str, *, newest: str) -> None:
    oldest = _oldest(connection)
    if newest < oldest:
        raise SchemaTooNew(current, newest, oldest)


def _oldest(connection: Connection) -> str:
    """Return the oldest schema that code must know to work with this database."""
    if not inspect(connection).has_table("system"):
        return ""
    return (
        connection.scalar(select(schema.system.c.value).where(schema.system.c.key == _OLDEST)) or ""
    )


def _note_oldest(connection: Connection, oldest: str) -> None:
    table = schema.system
    if oldest and oldest != _oldest(connection):
        done = connection.execute(update(table).where(table.c.key == _OLDEST).values(value=oldest))
        if not done.rowcount:
            connection.execute(insert(table).values(key=_OLDEST, value=oldest))


def _identity(connection: Connection) -> dict[str, str]:
    table = schema.system
    known = {row.key: row.value for row in connection.execute(select(table))}
    for key in ("epoch", "token_key"):
        if key not in known:
            known[key] = secrets.token_hex(16)
            connection.execute(insert(table).values(key=key, value=known[key]))
    return known
