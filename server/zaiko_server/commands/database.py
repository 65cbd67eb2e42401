"""The option that names a database, and what it stands for."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko_cli.failure import USAGE, Failed

Database = Annotated[
    str,
    typer.Option(
        "--db",
        envvar="ZAIKO_DATABASE",
        metavar="PATH|URL",
        help="A SQLite file, or postgresql://user:password@host/name.",
    ),
]


def database_url(db: str) -> str:
    """Return the URL of a database that is given as a URL or as the path of a SQLite file. Raises
    Failed if it is neither."""
    # Late: no other command needs it.
    from zaiko_core.storage.address import address

    url = db if "://" in db else f"sqlite:///{db}"
    try:
        address(url)
    except ValueError as error:
        raise Failed(f"--db: {error}.", USAGE) from None
    return url
