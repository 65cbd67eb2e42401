"""`zaiko keys`: the keys that seal shops' credentials. They are kept apart from the database."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import console
from zaiko_core.storage.secrets import SecretBox

from zaiko_server.commands.database import DEFAULT, Database, database_url
from zaiko_server.commands.settings import option
from zaiko_server.config import Config

keys = typer.Typer(
    no_args_is_help=True,
    help="The keys that seal shops' credentials. Works on the files, without a server.",
)

KeyFile = Annotated[Path, option("secret_key_file")]
DEFAULT_FILE: Path = Config.model_fields["secret_key_file"].default


@keys.command("add")
def add_key(secret_key_file: KeyFile = DEFAULT_FILE) -> None:
    """Add a new key that seals from now on; the old keys still open what they sealed. Restart every
    server after it, then run `zaiko keys reseal`."""
    known = _read(secret_key_file)
    _write(secret_key_file, [SecretBox.new_key(), *known])
    _say(
        f"{secret_key_file} has {len(known) + 1} keys now. Restart every server with it, "
        "then run `zaiko keys reseal`."
    )


@keys.command("reseal")
def reseal(secret_key_file: KeyFile = DEFAULT_FILE, db: Database = DEFAULT) -> None:
    """Seal every stored secret with the first key. Servers may run meanwhile if they were restarted
    with that key."""
    changed = _reseal(_read(secret_key_file), db)
    _say(
        f"{changed} stored secrets were sealed again. `zaiko keys drop-old` forgets the "
        "keys that are no longer needed."
    )


@keys.command("drop-old")
def drop_old(secret_key_file: KeyFile = DEFAULT_FILE, db: Database = DEFAULT) -> None:
    """Keep the first key only, after resealing what another key sealed."""
    known = _read(secret_key_file)
    _reseal(known, db)
    _write(secret_key_file, known[:1])
    _say(
        f"{secret_key_file} has one key now; {len(known) - 1} were dropped. Older "
        "back-ups need those keys: keep them as long."
    )


def _reseal(known: list[str], db: str) -> int:
    # Late: `zaiko keys add` does not need them.
    from sqlalchemy.exc import DBAPIError
    from zaiko_core.bootstrap import Engine, EngineConfig
    from zaiko_core.domain.errors import ServiceError

    if "://" not in db and not Path(db).exists():
        raise Failed(f"There is no database {db}. Name the server's with --db.", USAGE)

    async def work() -> int:
        engine = Engine(EngineConfig(url=database_url(db), secret_keys=known, run_shops=False))
        try:
            return await engine.reseal()
        finally:
            await asyncio.to_thread(engine.db.close)

    try:
        return asyncio.run(work())
    except ServiceError as error:
        raise Failed(f"{error.message} [{error.reason}]") from None
    except DBAPIError:
        raise Failed(
            f"{db} is not a database of zaiko. Name the server's with --db.", USAGE
        ) from None


def _read(path: Path) -> list[str]:
    try:
        known = path.read_text().split()
    except OSError as error:
        raise Failed(
            (
                f"{path} cannot be read ({error.strerror}). Name the server's key file with "
                "--secret-key-file."
            ),
            USAGE,
        ) from None
    if not known:
        raise Failed(f"{path} has no key in it.", USAGE)
    return known


def _write(path: Path, known: list[str]) -> None:
    """Write the file in one step, never readable by others. Without this file every credential is
    lost."""
    half = path.with_name(path.name + ".new")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("".join(f"{key}\n" for key in known))
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)


def _say(text: str) -> None:
    console().print(text, soft_wrap=True, markup=False, highlight=False)
