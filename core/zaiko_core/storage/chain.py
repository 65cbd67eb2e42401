"""The chain of migrations as alembic sees it. Imported only when there is something to migrate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection


def migrations(scripts: Path) -> list[Script]:
    """Return every migration of this release, oldest first."""
    return list(ScriptDirectory(str(scripts)).walk_revisions())[::-1]


def target(chain: Sequence[Script], current: str | None, *, finish: bool) -> str:
    """Return the revision to upgrade to: the last one, or the one before the post migrations at the
    end of the chain. Never goes back."""
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
    """Return the oldest schema that code must know once this revision is reached."""
    applied = chain[
        : next(place for place, script in enumerate(chain) if script.revision == revision) + 1
    ]
    return max((getattr(script.module, "oldest", "") for script in applied), default="")
