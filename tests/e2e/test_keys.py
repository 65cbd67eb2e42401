"""Keys are replaced while credentials and what connectors remember stay usable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.local_server import Said
from support.world import MERCHANT, World
from zaiko_cli import main
from zaiko_core.app import resealing
from zaiko_core.domain.errors import SecretKeyMissing
from zaiko_core.storage.database import Database
from zaiko_core.storage.secrets import SecretBox

Keys = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "zaiko.key").write_text(SecretBox.new_key() + "\n")
    return tmp_path


@pytest.fixture
def world(store_url: str, folder: Path) -> World:
    """Shop a has credentials, and its connector remembers a token; both are sealed by the one key
    there is."""
    world = World(Database(store_url)).begin(shops=("a", "b"))
    box = SecretBox((folder / "zaiko.key").read_text().split())

    def seal(uow) -> None:
        uow.shops.save_sealed("a", box.seal({"token": "entered"}))
        uow.shops.save_state("a", box.seal({"token": "rotated"}))

    world.db.write_sync(MERCHANT, seal)
    yield world  # type: ignore[misc]
    world.db.close()


@pytest.fixture
def keys(folder: Path, world: World, capsys: pytest.CaptureFixture[str]) -> Keys:
    def run(*arguments: str, db: bool = True) -> Said:
        given = ["--secret-key-file", str(folder / "zaiko.key")]
        if db:
            given += ["--db", world.db.url.render_as_string(hide_password=False)]
        with pytest.raises(SystemExit) as ended:
            main(["keys", *arguments, *given])
        written = capsys.readouterr()
        return Said(int(ended.value.code or 0), written.out, written.err)

    return run


def _opened(world: World, *known: str) -> list[dict[str, str]]:
    box = SecretBox(known)
    [(_, secrets, state), *_] = sorted(world.db.read_sync(MERCHANT, lambda uow: uow.shops.sealed()))
    return [box.open(secrets), box.open(state)]


def test_after_a_rotation_only_the_new_key_is_needed(
    keys: Keys, world: World, folder: Path
) -> None:
    (old,) = (folder / "zaiko.key").read_text().split()

    assert keys("add", db=False).code == 0
    new, kept = (folder / "zaiko.key").read_text().split()
    assert kept == old
    assert "2 stored secrets" in keys("reseal").out
    assert keys("drop-old").code == 0

    assert (folder / "zaiko.key").read_text().split() == [new]
    assert (folder / "zaiko.key").stat().st_mode & 0o077 == 0
    assert _opened(world, new) == [{"token": "entered"}, {"token": "rotated"}]
    with pytest.raises(SecretKeyMissing):
        _opened(world, old)


def test_sealing_again_changes_nothing_the_second_time(keys: Keys, world: World) -> None:
    keys("add", db=False)
    revision = world.db.read_sync(MERCHANT, lambda uow: uow.merchants.head)

    counts = [keys("reseal").out.split()[0] for _ in range(2)]

    assert counts == ["2", "0"]
    assert world.db.read_sync(MERCHANT, lambda uow: uow.merchants.head) == revision


def test_a_key_is_not_dropped_while_it_is_the_only_one_that_opens_something(
    keys: Keys, world: World, folder: Path
) -> None:
    stranger = SecretBox([SecretBox.new_key()])
    world.db.write_sync(
        MERCHANT, lambda uow: uow.shops.save_sealed("b", stranger.seal({"token": "x"}))
    )
    keys("add", db=False)
    before = (folder / "zaiko.key").read_text()

    said = keys("drop-old")

    assert said.code != 0
    assert "cannot be decrypted" in said.err
    assert (folder / "zaiko.key").read_text() == before


def test_nothing_of_a_merchant_is_changed_when_something_of_it_cannot_be_opened(
    world: World, folder: Path
) -> None:
    stranger = SecretBox([SecretBox.new_key()])
    world.db.write_sync(
        MERCHANT, lambda uow: uow.shops.save_sealed("b", stranger.seal({"token": "x"}))
    )
    before = world.db.read_sync(MERCHANT, lambda uow: uow.shops.sealed())
    box = SecretBox([SecretBox.new_key(), *(folder / "zaiko.key").read_text().split()])

    with pytest.raises(SecretKeyMissing):
        world.db.write_sync(MERCHANT, lambda uow: resealing.reseal(uow, box.reseal))

    assert world.db.read_sync(MERCHANT, lambda uow: uow.shops.sealed()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--db", "nowhere.db"), "no database"), (("--secret-key-file", "nowhere"), "cannot be read")],
)
def test_a_wrong_file_is_named(
    arguments: tuple[str, str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "reseal", "--secret-key-file", str(folder / "zaiko.key"), *arguments])

    assert ended.value.code
    assert words in " ".join(capsys.readouterr().err.split())
