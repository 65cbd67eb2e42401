"""A migrated database is what the schema says, on both stores."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from support.world import World
from zaiko_core.domain.errors import SchemaTooNew
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import SCRIPTS, migrate, pending, versions
from zaiko_core.storage.schema import metadata

_LATER = [f"00{number}_*.py" for number in range(24, 100)]


def test_migrations_lead_to_the_schema(db: Database) -> None:
    with db.engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), metadata)
    assert difference == []


def test_migrating_again_changes_nothing_and_keeps_the_identity(db: Database) -> None:
    first = migrate(db.engine)
    assert migrate(db.engine) == first
    assert len(bytes.fromhex(first["token_key"])) == 16


# Two releases on one database


class Release:
    """A release to come: this one's migrations and some more."""

    def __init__(self, folder: Path) -> None:
        self.scripts = folder / "migrations"
        shutil.copytree(SCRIPTS, self.scripts, ignore=shutil.ignore_patterns("__pycache__"))
        self._last = sorted(path.name[:4] for path in (self.scripts / "versions").glob("0*.py"))[-1]

    def adds(self, column: str) -> str:
        """A migration that adds a column to `shops`; its number."""
        return self._write(
            f"op.add_column('shops', sa.Column('{column}', sa.Text(), server_default='', "
            "nullable=False))"
        )

    def removes(self, column: str, *, oldest: str) -> str:
        """A migration that takes it away again."""
        return self._write(
            f"op.drop_column('shops', '{column}')", f"phase = 'post'\noldest = '{oldest}'"
        )

    def _write(self, change: str, more: str = "") -> str:
        number = f"{int(self._last) + 1:04d}"
        head = (
            "import sqlalchemy as sa\nfrom alembic import op\nrevision = "
            f"'{number}'\ndown_revision = '{self._last}'\n{more}\n"
        )
        (self.scripts / "versions" / f"{number}_next.py").write_text(
            f"{head}\ndef upgrade() -> None:\n    {change}\n"
        )
        self._last = number
        return number


@pytest.fixture
def coming(tmp_path: Path) -> Release:
    return Release(tmp_path)


def test_of_replies_to_one_id_the_newer_one_is_kept(tmp_path: Path) -> None:
    older = tmp_path / "migrations"
    shutil.copytree(SCRIPTS, older, ignore=shutil.ignore_patterns("__pycache__", *_LATER))
    engine = create_engine(f"sqlite:///{tmp_path / 'zaiko.db'}")
    migrate(engine, scripts=older)
    with engine.begin() as connection:
        for principal, method, at in (("a", "x", 1), ("b", "x", 3), ("b", "y", 2)):
            row = f"('m', '{principal}', '{method}', 'id', x'00', x'00', {at})"
            names = "merchant, principal, method, request_id, digest, response, created_at"
            connection.execute(text(f"INSERT INTO requests ({names}) VALUES {row}"))

    migrate(engine)

    with engine.begin() as connection:
        kept = connection.execute(text("SELECT principal, method FROM requests")).all()
    assert [tuple(row) for row in kept] == [("b", "x")]
    engine.dispose()


def _columns(db: Database) -> set[str]:
    return {column["name"] for column in inspect(db.engine).get_columns("shops")}


def test_old_code_works_on_a_database_that_a_new_release_has_added_to(
    db: Database, coming: Release
) -> None:
    coming.adds("novelty")
    before = migrate(db.engine)

    assert migrate(db.engine, scripts=coming.scripts) == before
    assert "novelty" in _columns(db)

    # A server of this release that starts now leaves the database as it is, and works.
    assert migrate(db.engine) == before
    assert versions(db.engine)[2]
    world = World(db).begin()
    world.receive("tea", 5)
    assert world.free("tea") == 5


def test_what_old_code_could_not_live_with_waits_for_the_finish(
    db: Database, coming: Release
) -> None:
    added = coming.adds("novelty")
    coming.removes("display_name", oldest=added)

    migrate(db.engine, scripts=coming.scripts)
    assert "display_name" in _columns(db)
    assert pending(db.engine, scripts=coming.scripts)

    migrate(db.engine, finish=True, scripts=coming.scripts)
    assert "display_name" not in _columns(db)
    assert not pending(db.engine, scripts=coming.scripts)


def test_a_release_that_is_too_old_does_not_start_and_says_what_to_do(
    db: Database, coming: Release
) -> None:
    added = coming.adds("novelty")
    coming.removes("display_name", oldest=added)
    migrate(db.engine, finish=True, scripts=coming.scripts)

    with pytest.raises(SchemaTooNew, match="install the newer release"):
        migrate(db.engine)
    assert not versions(db.engine)[2]


def test_a_release_later_the_removal_is_done_at_the_start(db: Database, coming: Release) -> None:
    added = coming.adds("novelty")
    coming.removes("display_name", oldest=added)
    coming.adds("more")

    migrate(db.engine, scripts=coming.scripts)

    assert {"novelty", "more"} <= _columns(db)
    assert "display_name" not in _columns(db)


def test_a_start_does_not_go_back_behind_what_was_finished(db: Database, coming: Release) -> None:
    coming.removes("display_name", oldest=coming.adds("novelty"))
    migrate(db.engine, finish=True, scripts=coming.scripts)

    migrate(db.engine, scripts=coming.scripts)

    assert "display_name" not in _columns(db)


def test_a_migration_that_fails_leaves_nothing(db: Database, coming: Release) -> None:
    coming.adds("novelty")
    coming._write("op.execute('SELECT * FROM nowhere')")

    with pytest.raises(Exception, match="nowhere"):
        migrate(db.engine, scripts=coming.scripts)

    assert "novelty" not in _columns(db)
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM shops")) == 0
    assert versions(db.engine)[0] == versions(db.engine)[1]
