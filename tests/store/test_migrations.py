"""A migrated database is what the schema says, on both stores."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from zaiko_core.storage.engine import Database
from zaiko_core.storage.migrate import migrate
from zaiko_core.storage.schema import metadata


def test_migrations_lead_to_the_schema(db: Database) -> None:
    with db.engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), metadata)
    assert difference == []


def test_migrating_again_changes_nothing_and_keeps_the_identity(db: Database) -> None:
    first = migrate(db.engine)
    assert migrate(db.engine) == first
    assert len(bytes.fromhex(first["token_key"])) == 16
