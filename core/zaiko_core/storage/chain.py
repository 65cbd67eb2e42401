"""The chain of migrations, as alembic knows it. Imported only when there is something to
migrate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection


def migrations(scripts: Path) -> list[Script]:
    """Every migration of this release, the oldest first."""
    return list(ScriptDirectory(str(scripts)).walk_revisions())[::-1]


def target(chain: Sequence[Script], current: str | None, *, finish: bool) -> str:
    """How far to go: to the end, or to before the post migrations that stand there, but never
    back."""
    last = len(chain)
    while not finish and last > 1 and getattr(chain[last - 1].module, "phase", "pre") == "post":
        last -= 1
    reached = next((place for place, script in enumerate(chain) if script.revision == current), -1)
    revision: str = chain[max(last - 1, reached)].revision
    return revision


def upgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Apply what is missing up to a revision, in the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def oldest(chain: Sequence[Script], revision: str) -> str:
    """The oldest schema that code must know once this revision is reached."""
    applied = chain[
        : next(place for place, script in enumerate(chain) if script.revision == revision) + 1
    ]
    return max((getattr(script.module, "oldest", "") for script in applied), default="")
