"""Facts of a warehouse: what they are answered with, and that absolute ones have a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.world import MERCHANT, WAREHOUSE, World, order
from zaiko_core.app import stock
from zaiko_core.app.posting import Posting, settle
from zaiko_core.app.records import Page, WarehouseRecord
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import migrate


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database that has only the schema."""
    path: Path = tmp_path_factory.mktemp("facts") / "empty.db"
    db = Database(f"sqlite:///{path}")
    migrate(db.engine)
    db.close()
    return path.read_bytes()


@pytest.fixture
def world(empty: bytes, tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "zaiko.db"
    path.write_bytes(empty)
    db = Database(f"sqlite:///{path}")
    world = World(db).begin(shops=("a", "b"))
    db.write_sync(MERCHANT, lambda uow: uow.warehouses.insert(WarehouseRecord("osaka")))
    world.link("a", "tea")
    yield world
    world.assert_consistent()
    db.close()


def oversold(world: World) -> int:
    """How many oversells were recorded."""
    found = world.db.read_sync(
        MERCHANT,
        lambda uow: uow.oversells.page(Page(100), product="", causes=(), open_only=False),
    )
    return len(found)


def test_facts_of_one_transaction_are_answered_with_the_stock_after_all_of_them(
    world: World,
) -> None:
    world.receive("tea", 8)
    world.ingest("a", order("1", {"tea": 3}))
    moves = [
        stock.Adjustment("tea", WAREHOUSE, "out", delta=-8),
        stock.Adjustment("tea", "osaka", "in", delta=8),
    ]

    postings: list[Posting] = world.db.write_sync(
        MERCHANT, lambda uow: settle(uow, [stock.post_adjustment(uow, move) for move in moves])
    )

    assert [one.stock.balance.free for one in postings] == [5, 5]
    assert [one.stock.revision for one in postings] == [postings[0].movement.revision] * 2
    assert oversold(world) == 0
