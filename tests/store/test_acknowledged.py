"""A database that has lost what it acknowledged is no longer used (ADR 0029), and no other fault is
mistaken for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from support.stores import PostgreSQL
from support.world import MERCHANT, World
from zaiko_core.app.records import ChangeKind
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.database import Database


class Store:
    """A world, and how often its database was said to have lost something."""

    def __init__(self, url: str) -> None:
        self.lost = 0
        self.world = World(Database(url, on_lost_commits=self._count)).begin()
        self.world.receive("tea", 5)

    def _count(self) -> None:
        self.lost += 1

    def happens(self, *statements: str) -> None:
        """To the database, while this process is not connected."""
        with self.world.db.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        self.world.db.engine.dispose()


@pytest.fixture
def store(postgresql: PostgreSQL) -> Iterator[Store]:
    url = postgresql.new_url()
    store = Store(url)
    yield store
    store.world.db.close()
    postgresql.drop(url)


_FORGET = (
    "UPDATE merchants SET head = head - 1",
    "DELETE FROM changes WHERE revision = (SELECT max(revision) FROM changes)",
)
_GO_ON = ("UPDATE merchants SET head = head + 3",)
_OTHERWISE = (
    "INSERT INTO changes SELECT merchant, head, 'stock', 'tea', created_at FROM merchants",
    "INSERT INTO changes SELECT merchant, head - 2, 'stock', 'tea', created_at FROM merchants",
)


@pytest.mark.parametrize(
    "statements",
    [
        _FORGET,
        (*_FORGET, *_GO_ON),
        (*_FORGET, *_GO_ON, *_OTHERWISE),
        ("DELETE FROM changes", "DELETE FROM merchants"),
    ],
    ids=[
        "forgotten",
        "without a word of it",
        "another history has come as far",
        "the merchant is gone",
    ],
)
@pytest.mark.parametrize(
    "use",
    [lambda world: world.free("tea"), lambda world: world.receive("tea", 1)],
    ids=["read", "write"],
)
def test_what_was_acknowledged_and_is_gone_ends_the_use_of_the_database(
    store: Store, statements: tuple[str, ...], use: Callable[[World], Any]
) -> None:
    store.happens(*statements)

    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="lost"):
            use(store.world)
    assert store.lost == 2


@pytest.mark.parametrize(
    "statements",
    [(), _GO_ON, ("DELETE FROM changes", "UPDATE merchants SET compacted = head")],
    ids=["nothing", "others go on", "compaction"],
)
def test_what_others_and_the_server_itself_do_is_no_loss(
    store: Store, statements: tuple[str, ...]
) -> None:
    store.happens(*statements)

    store.world.receive("tea", 1)
    assert store.world.free("tea") == 6
    assert store.lost == 0


def test_a_process_that_has_committed_nothing_has_nothing_to_lose(
    store: Store, postgresql: PostgreSQL
) -> None:
    store.happens(*_FORGET)
    other = Database(store.world.db.url.render_as_string(hide_password=False))

    assert other.read_sync(MERCHANT, lambda uow: uow.stocks.get(["tea"]))["tea"].balance.free == 5
    other.close()


@pytest.mark.anyio
async def test_commits_that_went_together_are_noted_as_those_that_went_alone(store: Store) -> None:
    await store.world.db.write(MERCHANT, lambda uow: uow.changed(ChangeKind.STOCK, ["tea"]))
    store.happens(*_FORGET)

    with pytest.raises(StorageUnavailable, match="lost"):
        await store.world.db.ping()
