"""Brings a database to the schema of this release, and gives it its identity.

Two releases may work on one database while servers are replaced one by one. So a migration only adds, and old code lives with what
it does not know. What an old release could not live with (`phase = "post"` in the migration) waits until `finish`, or until a
later release adds something behind it; it says in `oldest` which schema the code must know from then on.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from zaiko_core.domain.errors import SchemaTooNew
from zaiko_core.storage import schema

_LOCK = 7_201_954_113_771_290  # any constant: one migration at a time per PostgreSQL database
_OLDEST = "oldest_schema"
SCRIPTS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, *, finish: bool = False, scripts: Path = SCRIPTS) -> dict[str, str]:
    """Apply missing migrations and return the `system` table: `epoch` (drawn once per database) and `token_key` (hex, for the MACs
    of page and resume tokens). Safe to run in several replicas at once. A database of a newer release is left as it is, when that
    release says that this one can live with it; else raises SchemaTooNew. `finish`: also what no older release could live with."""
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # Another replica may migrate for as long as it takes.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        chain = _chain(scripts)
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {script.revision for script in chain}:
            _check_newer(connection, current, newest=chain[-1].revision)
            return _identity(connection)
        target = _target(chain, current, finish=finish)
        config = Config()
        config.set_main_option("script_location", str(scripts))
        config.attributes["connection"] = connection
        command.upgrade(config, target)
        _note_oldest(connection, chain, target)
        return _identity(connection)


def versions(engine: Engine, *, scripts: Path = SCRIPTS) -> tuple[str | None, str, bool]:
    """The database's schema (None: never migrated), this release's, and whether this release can live with the database's. Changes
    nothing."""
    chain = _chain(scripts)
    with engine.connect() as connection, connection.begin():
        current = MigrationContext.configure(connection).get_current_revision()
        known = current in {script.revision for script in chain}
        if current is not None and not known:
            known = _oldest(connection) <= chain[-1].revision
    return current, chain[-1].revision, known


def pending(engine: Engine, *, scripts: Path = SCRIPTS) -> bool:
    """Whether `finish` has something to do."""
    with engine.connect() as connection, connection.begin():
        current = MigrationContext.configure(connection).get_current_revision()
    chain = _chain(scripts)
    return current in {script.revision for script in chain} and _target(chain, current, finish=True) != current


def _chain(scripts: Path) -> list[Script]:
    """Every migration of this release, the oldest first."""
    return list(ScriptDirectory(str(scripts)).walk_revisions())[::-1]


def _target(chain: Sequence[Script], current: str | None, *, finish: bool) -> str:
    """How far to go: to the end, or to before the post migrations that stand there, but never back."""
    last = len(chain)
    while not finish and last > 1 and getattr(chain[last - 1].module, "phase", "pre") == "post":
        last -= 1
    reached = next((place for place, script in enumerate(chain) if script.revision == current), -1)
    revision: str = chain[max(last - 1, reached)].revision
    return revision


def _check_newer(connection: Connection, current: str, *, newest: str) -> None:
    oldest = _oldest(connection)
    if newest < oldest:
        raise SchemaTooNew(current, newest, oldest)


def _oldest(connection: Connection) -> str:
    """The oldest schema that code must know to live with this database."""
    if not inspect(connection).has_table("system"):
        return ""
    return connection.scalar(select(schema.system.c.value).where(schema.system.c.key == _OLDEST)) or ""


def _note_oldest(connection: Connection, chain: Sequence[Script], target: str) -> None:
    applied = chain[: next(place for place, script in enumerate(chain) if script.revision == target) + 1]
    oldest = max((getattr(script.module, "oldest", "") for script in applied), default="")
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
