"""Alembic's entry: the connection is handed in by `storage/migrate.py`."""

from alembic import context
from zaiko_core.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
