"""`zaiko migrate`: migrate the database's schema without starting a server."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import console

from zaiko_server.commands.database import DEFAULT, Database, database_url


def migrate(
    db: Database = DEFAULT,
    finish: Annotated[
        bool,
        typer.Option(
            "--finish",
            help="Also drop what only older releases need, once every server runs this release.",
        ),
    ] = False,
) -> None:
    """Bring the database to this release, as a server does when it starts. A second call changes
    nothing."""
    from sqlalchemy.exc import DBAPIError
    from zaiko_core.domain.errors import ServiceError
    from zaiko_core.storage import migrate as schemas
    from zaiko_core.storage.database import Database as Store

    store = Store(database_url(db))
    try:
        schemas.migrate(store.engine, finish=finish)
        current, _, _ = schemas.versions(store.engine)
        waits = schemas.pending(store.engine)
    except ServiceError as error:
        raise Failed(f"{error.message} [{error.reason}]") from None
    except DBAPIError as error:
        raise Failed(
            f"The database cannot be migrated: {str(error.orig).strip().partition(chr(10))[0]}",
            USAGE,
        ) from None
    finally:
        store.close()
    more = " Once every server runs this release: `zaiko migrate --finish`." if waits else ""
    console().print(
        f"The database has schema {current}.{more}", soft_wrap=True, markup=False, highlight=False
    )
