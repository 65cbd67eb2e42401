"""`zaiko restored`: prepare a database that was restored from a back-up, before a server uses
it."""

from __future__ import annotations

import asyncio

import typer
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import console

from zaiko_server.commands.database import DEFAULT, Database, database_url


def restored(
    db: Database = DEFAULT,
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
) -> None:
    """Prepare a database that was restored from a back-up: nothing is sent to a shop until you
    resume it, and watches start from a snapshot."""
    from sqlalchemy.exc import DBAPIError
    from zaiko_core.bootstrap import Engine, EngineConfig
    from zaiko_core.domain.errors import ServiceError
    from zaiko_core.storage.secrets import SecretBox

    if not yes:
        typer.confirm(
            (
                f"No shop of {db} will be written to until you resume it. Was this database "
                "restored?"
            ),
            abort=True,
        )

    async def work() -> int:
        # It opens no sealed credential, so any key works.
        engine = Engine(
            EngineConfig(url=database_url(db), secret_keys=[SecretBox.new_key()], run_shops=False)
        )
        try:
            engine.epoch = (await engine.db.migrate())["epoch"]
            return await engine.quarantine()
        finally:
            await asyncio.to_thread(engine.db.close)

    try:
        shops = asyncio.run(work())
    except ServiceError as error:
        raise Failed(f"{error.message} [{error.reason}]") from None
    except DBAPIError:
        raise Failed(
            f"{db} is not a database of zaiko. Name the server's with --db.", USAGE
        ) from None
    console().print(
        f"{shops} shops wait until you resume them. docs/operations/backup.md has the next steps.",
        soft_wrap=True,
        highlight=False,
    )
