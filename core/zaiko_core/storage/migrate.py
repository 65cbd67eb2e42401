"""Brings a database to the schema of this release, and gives it its identity."""

from __future__ import annotations

import secrets
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, insert, select, text

from zaiko_core.storage import schema

_LOCK = 7_201_954_113_771_290  # any constant: one migration at a time per PostgreSQL database


def migrate(engine: Engine) -> dict[str, str]:
    """Apply missing migrations and return the `system` table: `epoch` (drawn once per database) and `token_key` (hex, for the MACs
    of page and resume tokens). Safe to run in several replicas at once."""
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # Another replica may migrate for as long as it takes.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return _identity(connection)


def versions(engine: Engine) -> tuple[str | None, str, bool]:
    """The database's schema (None: never migrated), this release's, and whether this release knows the database's. Changes
    nothing."""
    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection, connection.begin():
        current = MigrationContext.configure(connection).get_current_revision()
    newest = scripts.get_current_head()
    assert newest is not None
    return current, newest, current in {script.revision for script in scripts.walk_revisions()}


def _identity(connection: Connection) -> dict[str, str]:
    table = schema.system
    known = {row.key: row.value for row in connection.execute(select(table))}
    for key in ("epoch", "token_key"):
        if key not in known:
            known[key] = secrets.token_hex(16)
            connection.execute(insert(table).values(key=key, value=known[key]))
    return known
