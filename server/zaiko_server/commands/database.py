"""The option that names a database, for the commands that work on one without a server."""

from __future__ import annotations

from typing import Annotated

from zaiko_cli.failure import USAGE, Failed

from zaiko_server import config
from zaiko_server.commands.settings import option
from zaiko_server.config import Config

Database = Annotated[str, option("database")]
DEFAULT: str = Config.model_fields["database"].default


def database_url(db: str) -> str:
    """Return the URL of a database that is given as a URL or as the path of a SQLite file. Raises
    Failed if it is neither."""
    try:
        return config.database_url(db)
    except ValueError as error:
        raise Failed(f"--db: {error}.", USAGE) from None
