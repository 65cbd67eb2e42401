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
    end its shadow mode, and watches start from a snapshot."""
    from sqlalchemy.exc import DBAPIError
    from zaiko_core.bootstrap import Engine, EngineConfig
    from zaiko_core.domain.errors import ServiceError
    from zaiko_core.storage.secrets import SecretBox

    if not yes:
        typer.confirm(
            (
                f"Nothing will be sent to the shops of {db} until you end the shadow mode of each. "
                "Was this database restored?"
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
            return await engine.prepare_restored()
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
        f"{shops} shops wait in shadow mode until you run `zaiko shops shadow SHOP off`. "
        "docs/operations/backup.md has the next steps.",
        soft_wrap=True,
        highlight=False,
    )
