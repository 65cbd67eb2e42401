"""Revision order is commit order, so that a watcher never skips a change (ADR 0003)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from support.world import MERCHANT, World
from zaiko_core.app.records import ChangeKind
from zaiko_core.storage.database import Database


def test_a_second_writer_of_a_merchant_waits_and_gets_the_next_revision(db: Database) -> None:
    world = World(db).begin()
    inside, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def slow(uow):
        inside.set()
        go_on.wait(60)
        uow.changed(ChangeKind.STOCK, ["slow"])
        order.append("slow")
        return uow.revision

    def quick(uow):
        uow.changed(ChangeKind.STOCK, ["quick"])
        order.append("quick")
        return uow.revision

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(db.write_sync, MERCHANT, slow)
        inside.wait(60)
        before = world.db.read_sync(MERCHANT, lambda uow: uow.revision)
        second = pool.submit(db.write_sync, MERCHANT, quick)
        seen = world.db.read_sync(MERCHANT, lambda uow: uow.revision)
        go_on.set()
        assert second.result() == first.result() + 1
    assert order == ["slow", "quick"]
    assert seen == before, "nothing is visible before it is committed"


def test_a_follower_under_many_writers_sees_every_revision_once_and_in_order(db: Database) -> None:
    World(db).begin()
    stop = threading.Event()
    followed: list[int] = []
    begun = db.read_sync(MERCHANT, lambda uow: uow.revision)

    def follow() -> None:
        position = begun
        while True:
            done = stop.is_set()
            head, changed = db.read_sync(
                MERCHANT,
                lambda uow, after=position: (
                    uow.revision,
                    uow.feed.between(after, uow.revision, [ChangeKind.STOCK]),
                ),
            )
            followed.extend(sorted(changed.get(ChangeKind.STOCK, {}).values()))
            position = head
            if done:
                return

    def write(name: int) -> int:
        def work(uow):
            uow.changed(ChangeKind.STOCK, [f"p{name}"])
            return uow.revision

        return db.write_sync(MERCHANT, work)

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(100)))
    stop.set()
    follower.join()
    assert followed == sorted(written)


def test_a_write_that_changes_nothing_uses_no_revision(db: Database) -> None:
    World(db).begin()
    before = db.read_sync(MERCHANT, lambda uow: uow.revision)
    assert db.write_sync(MERCHANT, lambda uow: uow.answer_revision) == before
    assert db.read_sync(MERCHANT, lambda uow: uow.revision) == before


def test_compaction_keeps_the_newest_revisions_and_moves_the_watermark(db: Database) -> None:
    World(db).begin()
    for name in range(10):
        db.write_sync(MERCHANT, lambda uow, name=name: uow.changed(ChangeKind.STOCK, [f"p{name}"]))
    head = db.read_sync(MERCHANT, lambda uow: uow.revision)
    mark = db.write_sync(MERCHANT, lambda uow: uow.feed.compact(older_than=uow.now + 1, keep=4))
    assert db.read_sync(MERCHANT, lambda uow: uow.feed.compacted()) == mark == head + 1 - 4
    left = db.read_sync(MERCHANT, lambda uow: uow.feed.between(mark, head, [ChangeKind.STOCK]))
    assert len(left[ChangeKind.STOCK]) == head - mark


def test_maintenance_forgets_answers_after_a_day(db: Database) -> None:
    World(db).begin()
    request = "old"
    day = 24 * 3_600_000_000
    db.write_sync(MERCHANT, lambda uow: uow.requests.put("", "m", request, digest=b"d", reply=b"r"))
    db.write_sync(MERCHANT, lambda uow: uow.requests.forget(older_than=uow.now - day))
    assert db.read_sync(MERCHANT, lambda uow: request in uow.requests.get([request]))
    db.write_sync(MERCHANT, lambda uow: uow.requests.forget(older_than=uow.now + 1))
    assert db.read_sync(MERCHANT, lambda uow: request not in uow.requests.get([request]))
