"""A restored database overwrites no shop, tells its watchers, and goes on when a person says so
(ADR 0023)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.simulation import Simulation
from support.world import MERCHANT, World
from zaiko_core.app import shops
from zaiko_core.bootstrap import Engine
from zaiko_core.domain.errors import HistoryReplaced, StorageUnavailable
from zaiko_core.storage.database import Database
from zaiko_core.storage.high_water_mark import (
    HighWaterMark,
    HighWaterMarkFile,
    has_gone_back,
)
from zaiko_core.storage.migrate import migrate
from zaiko_core.storage.system import SystemRows
from zaiko_server.watch.resume_tokens import ResumeTokens


class Installation:
    """A server's engine with its database file and its high-water mark, on virtual time; three
    shops that sell `tea`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.file = Path(url.removeprefix("sqlite:///"))
        self.simulation = Simulation(url, 1, chaos=0)
        self.simulation.begin(units=30)
        self.simulation.calm = True
        self.stop()
        self.start()

    @property
    def engine(self) -> Engine:
        return self.simulation.engine

    @property
    def world(self) -> World:
        return self.simulation.world

    def start(self) -> None:
        engine = self.simulation.new_engine()
        engine.config = replace(engine.config, high_water_mark=self.folder / "zaiko.seen")
        self.simulation.engine, self.simulation.world = (
            engine,
            World(engine.db, causes=self.world.causes),
        )
        self.simulation.loop.run_until_complete(engine.start())

    def stop(self) -> None:
        self.simulation.loop.run_until_complete(self.engine.stop(grace=0))

    def back_up(self) -> Path:
        copy = self.folder / "backup.db"
        with sqlite3.connect(self.file) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        connection.close()
        return copy

    def restore(self, copy: Path) -> None:
        """Under a stopped server."""
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        self.file.write_bytes(copy.read_bytes())

    def shown(self) -> dict[str, int]:
        return {name: shop.stock["tea"] for name, shop in self.simulation.shops.items()}

    def runs(self, times: int = 6) -> None:
        for _ in range(times):
            self.simulation.run_due()
            self.simulation.clock.advance(60)

    def resume_tokens(self) -> ResumeTokens:
        return ResumeTokens(self.engine.token_key.encode(), self.engine.epoch, b"scope")


@pytest.fixture
def installed(sqlite_url: str, tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path, sqlite_url)
    yield installation
    installation.stop()
    installation.simulation.loop.close()


def _live_on(installed: Installation) -> None:
    """What the back-up does not have: 20 units gone on the shelf, and a sale."""
    installed.world.adjust("tea", delta=-20)
    next(iter(installed.simulation.shops.values())).place({"tea": 2}, visible_after=0)
    installed.runs()


def test_an_older_database_writes_to_no_shop_until_a_person_lets_it(
    installed: Installation,
) -> None:
    installed.runs()
    copy = installed.back_up()
    _live_on(installed)
    assert set(installed.shown().values()) == {8}
    installed.stop()

    installed.restore(copy)
    installed.start()
    installed.runs()
    assert set(installed.shown().values()) == {8}, "30 of the back-up would have been offered"
    assert all(not shop.applied for shop in installed.simulation.shops.values())

    # What would change can be seen: the sale came back without a report, the loss on the shelf did
    # not.
    assert {installed.world.link_of(name, "tea").target for name in installed.simulation.shops} == {
        28
    }

    # The warehouse's fact is reported again, then a person lets each shop go on.
    installed.world.adjust("tea", delta=-20)
    for name in installed.simulation.shops:
        installed.world.db.write_sync(
            MERCHANT, lambda uow, name=name: shops.set_shadow(uow, name, False)
        )  # type: ignore[misc]
    installed.runs()
    assert set(installed.shown().values()) == {8}
    installed.world.receive("tea", 1)
    installed.runs()
    assert set(installed.shown().values()) == {9}


def test_watchers_of_before_begin_anew(installed: Installation) -> None:
    copy, before = installed.back_up(), installed.resume_tokens()
    token = before.at(5)
    assert installed.resume_tokens().read(token) == 5
    _live_on(installed)
    installed.stop()

    installed.restore(copy)
    installed.start()

    with pytest.raises(HistoryReplaced):
        installed.resume_tokens().read(token)


def test_a_start_with_the_same_or_a_newer_database_is_no_alarm(installed: Installation) -> None:
    epoch = installed.engine.epoch
    _live_on(installed)
    installed.stop()
    installed.start()

    assert installed.engine.epoch == epoch
    installed.world.receive("tea", 1)
    installed.runs()
    assert set(installed.shown().values()) == {9}


def test_who_dies_while_it_is_prepared_begins_it_again(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, epoch = installed.back_up(), installed.engine.epoch
    _live_on(installed)
    installed.stop()
    installed.restore(copy)

    def dies(rows: SystemRows, old: str) -> str:
        raise KeyboardInterrupt

    engine = installed.simulation.new_engine()
    engine.config = replace(engine.config, high_water_mark=installed.folder / "zaiko.seen")
    monkeypatch.setattr(SystemRows, "new_epoch", dies)
    with pytest.raises(KeyboardInterrupt):
        installed.simulation.loop.run_until_complete(engine.start())
    engine.db.close()
    monkeypatch.undo()

    installed.start()
    assert installed.engine.epoch != epoch
    installed.runs()
    assert set(installed.shown().values()) == {8}


def test_a_database_that_is_restored_under_a_running_server_ends_it(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zaiko_core.sync.restore_detector._CHECK_EVERY", 0.02)
    installed.stop()
    installed.start()
    mark_file = HighWaterMarkFile(installed.folder / "zaiko.seen")
    assert not installed.engine.replaced.is_set()
    mark_file.write(HighWaterMark(installed.engine.epoch, 10**9))

    installed.simulation.loop.run_until_complete(
        asyncio.wait_for(installed.engine.replaced.wait(), 60)
    )

    epoch = installed.engine.epoch
    installed.stop()
    installed.start()
    assert installed.engine.epoch != epoch
    assert all(
        installed.world.db.read_sync(
            MERCHANT, lambda uow, name=name: uow.shops.get([name])[name]
        ).shadow
        for name in installed.shown()
    )  # type: ignore[misc]


def test_a_server_without_a_witness_ends_as_well_when_another_has_prepared_the_database(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key comes from the environment, so there is no place for a file. Its resume tokens would
    be of an epoch that has gone."""
    monkeypatch.setattr("zaiko_core.sync.restore_detector._CHECK_EVERY", 0.02)
    installed.stop()
    engine = installed.simulation.engine = installed.simulation.new_engine()
    installed.simulation.loop.run_until_complete(engine.start())

    installed.simulation.loop.run_until_complete(
        engine.db.system.write(lambda rows: rows.new_epoch(engine.epoch))
    )

    installed.simulation.loop.run_until_complete(asyncio.wait_for(engine.replaced.wait(), 60))


@pytest.mark.parametrize(
    ("before", "now", "gone_back"),
    [
        (None, HighWaterMark("a", 1), False),
        (HighWaterMark("a", 5), HighWaterMark("a", 5), False),
        (HighWaterMark("a", 5), HighWaterMark("a", 6), False),
        (HighWaterMark("a", 5), HighWaterMark("a", 4), True),
        (HighWaterMark("b", 5), HighWaterMark("a", 4), False),
    ],
)
def test_only_less_under_the_same_epoch_has_gone_back(
    before: HighWaterMark | None, now: HighWaterMark, gone_back: bool
) -> None:
    assert has_gone_back(before, now) is gone_back


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"epoch": "a"}', '{"epoch": "a", "revisions": 1, "more": 2}']
)
def test_a_witness_that_cannot_be_read_has_seen_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "zaiko.seen").write_text(content)

    assert HighWaterMarkFile(tmp_path / "zaiko.seen").read() is None


# What says that this is the right database, and what says that nothing does


def lost(installed: Installation) -> None:
    """Delete the database under a stopped server."""
    for suffix in ("", "-wal", "-shm"):
        installed.file.with_name(installed.file.name + suffix).unlink(missing_ok=True)


def started(installed: Installation, **config: object) -> Engine:
    """Start another engine on the file. The caller stops it."""
    engine = installed.simulation.new_engine()
    engine.config = replace(
        engine.config,
        **{"high_water_mark": installed.folder / "zaiko.seen", "run_shops": True} | config,  # type: ignore[arg-type]
    )
    try:
        installed.simulation.loop.run_until_complete(engine.start())
    except BaseException:
        engine.db.close()
        raise
    return engine


def stopped(installed: Installation, engine: Engine) -> None:
    installed.simulation.loop.run_until_complete(engine.stop(grace=0))


def test_no_database_where_this_host_has_used_one_is_refused_and_none_is_made(
    installed: Installation,
) -> None:
    installed.stop()
    lost(installed)

    with pytest.raises(StorageUnavailable, match="start once with --new-database"):
        started(installed)
    assert not installed.file.exists()

    stopped(installed, started(installed, new_database=True))
    stopped(installed, started(installed))


def test_another_database_than_this_host_last_used_is_refused(installed: Installation) -> None:
    installed.stop()
    lost(installed)
    other = Database(f"sqlite:///{installed.file}")
    migrate(other.engine)
    other.close()

    with pytest.raises(StorageUnavailable, match="not the database that this host last used"):
        started(installed)
    stopped(installed, started(installed, new_database=True))
    stopped(installed, started(installed))


def test_a_database_that_another_host_has_prepared_is_adopted(installed: Installation) -> None:
    """Its epoch is new, and it knows the one that this host has seen."""
    installed.stop()
    engine = installed.simulation.new_engine()
    epoch = installed.simulation.loop.run_until_complete(engine.db.migrate())["epoch"]
    installed.simulation.loop.run_until_complete(
        engine.db.system.write(lambda rows: rows.new_epoch(epoch))
    )
    engine.db.close()

    stopped(installed, started(installed))


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_file_that_is_deleted_or_replaced_under_a_running_server_ends_it(
    installed: Installation, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("zaiko_core.sync.restore_detector._CHECK_EVERY", 0.02)
    copy = installed.back_up()
    installed.stop()
    installed.start()

    if what == "replaced":
        copy.replace(installed.file)
    else:
        installed.file.unlink()

    installed.simulation.loop.run_until_complete(
        asyncio.wait_for(installed.engine.replaced.wait(), 60)
    )


@pytest.mark.parametrize("where", ["nowhere", "a file"])
def test_shops_do_not_run_where_nothing_would_notice_a_restored_database(
    installed: Installation, where: str
) -> None:
    installed.stop()
    path = None
    if where == "a file":
        (installed.folder / "not a folder").write_text("")
        path = installed.folder / "not a folder" / "zaiko.seen"
    unseen: dict[str, object] = {"high_water_mark": path, "needs_witness": True}

    engine = started(installed, **unseen)
    assert (engine.lacks_witness, engine.has_witness) == (True, False)
    assert not engine._scheduler._tasks
    stopped(installed, engine)

    engine = started(installed, **unseen | {"needs_witness": False})
    assert (engine.lacks_witness, engine.has_witness) == (False, False)
    stopped(installed, engine)

    engine = started(installed, needs_witness=True)
    assert (engine.lacks_witness, engine.has_witness) == (False, True)
    stopped(installed, engine)
