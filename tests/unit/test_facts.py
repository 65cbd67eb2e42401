"""Facts of a warehouse: what they are answered with, and that absolute ones have a moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.world import MERCHANT, WAREHOUSE, World, order
from zaiko_core.app import stock
from zaiko_core.app.posting import Posting, settle
from zaiko_core.app.records import Page, WarehouseRecord
from zaiko_core.app.stock import Adjustment, Moment
from zaiko_core.app.transfer import Transfer, transfer
from zaiko_core.domain.errors import CauseKeyReused, InsufficientStock, RevisionInFuture
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
        Adjustment("tea", WAREHOUSE, "out", delta=-8),
        Adjustment("tea", "osaka", "in", delta=8),
    ]

    postings: list[Posting] = world.db.write_sync(
        MERCHANT, lambda uow: settle(uow, [stock.post_adjustment(uow, move) for move in moves])
    )

    assert [one.stock.balance.free for one in postings] == [5, 5]
    assert [one.stock.revision for one in postings] == [postings[0].movement.revision] * 2
    assert oversold(world) == 0


def count(world: World, counted: int, revision: int, cause: str = "") -> Posting:
    """Enter a count of the shelf in tokyo."""
    fact = Adjustment(
        "tea", WAREHOUSE, cause or world.cause(), counted=counted, as_of=Moment(revision)
    )
    return world.db.write_sync(MERCHANT, lambda uow: stock.adjust(uow, fact))


def revision(world: World) -> int:
    return world.db.read_sync(MERCHANT, lambda uow: uow.revision)


def move(world: World, units: int, leaving: str, arriving: str, cause: str = "") -> list[Posting]:
    fact = Transfer("tea", leaving, arriving, units, cause or world.cause())
    return list(world.db.write_sync(MERCHANT, lambda uow: transfer(uow, fact)))


@pytest.mark.parametrize("shipped", range(4))
def test_a_count_as_of_a_revision_is_less_by_what_was_shipped_since(
    world: World, shipped: int
) -> None:
    world.receive("tea", 10)
    world.ingest("a", order("1", {"tea": 3}))
    began = revision(world)
    for number in range(shipped):
        world.bind("allocate", "a", "1", "tea", 1, f"a{number}")
        world.bind("ship", "a", "1", "tea", 1, f"s{number}")
    world.reserve("tea", 2)
    world.ingest("b", order("2", {"tea": 1}))

    assert count(world, 9, began).stock.balance.physical == 9 - shipped
    # A corrected number of the same count holds, and so does the first one when it is sent again.
    assert count(world, 10, began, "typed again").stock.balance.physical == 10 - shipped
    assert count(world, 10, began, "typed again").already_recorded


def test_a_count_as_of_a_time_is_as_of_the_last_movement_until_then(world: World) -> None:
    first = world.receive("tea", 10).movement
    world.receive("tea", 5)
    at = Moment(None, first.recorded_at)
    fact = Adjustment("tea", WAREHOUSE, "count", counted=9, as_of=at)

    posting = world.db.write_sync(MERCHANT, lambda uow: stock.adjust(uow, fact))

    assert (posting.stock.balance.physical, posting.movement.entry.as_of) == (14, first.revision)


def test_a_count_of_the_future_and_one_below_what_is_allocated_are_refused(world: World) -> None:
    world.receive("tea", 10)
    began = revision(world)
    world.bind("allocate", "", "S-1", "tea", 4)
    with pytest.raises(RevisionInFuture):
        count(world, 9, began + 10)
    with pytest.raises(InsufficientStock):
        count(world, 3, began)
    assert count(world, 4, began).stock.balance.physical == 4


@pytest.mark.parametrize("seed", range(3))
def test_a_transfer_changes_neither_physical_nor_free_and_no_shop_sees_it(
    world: World, seed: int
) -> None:
    rng = random.Random(seed)
    world.receive("tea", 10)
    world.ingest("a", order("1", {"tea": rng.choice((2, 12))}))
    before, oversells = world.stock("tea"), oversold(world)
    due = world.link_of("a", "tea")
    for _ in range(6):
        leaving, arriving = rng.sample((WAREHOUSE, "osaka"), 2)
        try:
            postings = move(world, rng.randint(1, 8), leaving, arriving)
        except InsufficientStock:
            continue
        assert sum(one.movement.entry.delta.physical for one in postings) == 0
        assert [one.stock.balance for one in postings] == [before.balance] * 2

    after = world.stock("tea")
    assert after.balance == before.balance
    assert sum(physical for physical, _ in after.warehouses.values()) == 10
    assert oversold(world) == oversells
    assert world.link_of("a", "tea").due_revision == due.due_revision


def test_a_transfer_is_recorded_once_under_its_cause_key(world: World) -> None:
    world.receive("tea", 10)
    move(world, 4, WAREHOUSE, "osaka", "move")
    assert all(one.already_recorded for one in move(world, 4, WAREHOUSE, "osaka", "move"))
    with pytest.raises(CauseKeyReused):
        move(world, 5, WAREHOUSE, "osaka", "move")
    with pytest.raises(CauseKeyReused):
        move(world, 4, "osaka", WAREHOUSE, "move")
    assert world.stock("tea").warehouses == {"osaka": (4, 0), WAREHOUSE: (6, 0)}
