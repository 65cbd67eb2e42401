"""What waits for the same merchant shares a transaction (ADR 0032), and only the clock shows it."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select, text
from support.world import MERCHANT, WAREHOUSE, World
from zaiko_core.app import stock
from zaiko_core.app.ports import Mergeable
from zaiko_core.app.records import MerchantRecord
from zaiko_core.domain.errors import NotFound, ServiceError, StorageUnavailable
from zaiko_core.storage import schema
from zaiko_core.storage.batching import BATCH_LIMIT, Batcher, QueuedItem, Settled
from zaiko_core.storage.database import Database


@pytest.fixture
def world(db: Database) -> World:
    return World(db).begin(products=("tea", "jam"), shops=("a",))


@pytest.fixture
def commits(world: World) -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(connection: Any) -> None:
        heard.append("commit")

    event.listen(world.db.engine, "commit", hear)
    yield heard
    event.remove(world.db.engine, "commit", hear)


def receipt(units: int, cause: str) -> Callable[[Any], int]:
    """Receive; the revision that it is stored under."""

    def work(uow: Any) -> int:
        stock.receive(uow, [stock.Receipt("tea", WAREHOUSE, units, cause)])
        return int(uow.answer_revision)

    return work


def concurrent(
    db: Database, works: Sequence[Callable[[Any], Any]], *, write: bool = True
) -> list[Any]:
    """Their answers, or what they raised. All wait behind the first one."""

    async def run() -> list[Any]:
        do = db.write if write else db.read
        return await asyncio.gather(*(do(MERCHANT, work) for work in works), return_exceptions=True)

    return asyncio.run(run())


def queued(db: Database, commands: Sequence[Any]) -> list[Any]:
    """Their answers. None begins before all of them wait, however slow the machine is."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(uow: Any) -> None:
        begun.set()
        assert go_on.wait(60)

    async def run() -> list[Any]:
        first = asyncio.create_task(db.write(MERCHANT, hold))
        assert await asyncio.to_thread(begun.wait, 60)
        calls = [asyncio.create_task(db.write(MERCHANT, command)) for command in commands]
        await asyncio.sleep(0)  # each runs until it waits
        go_on.set()
        await first
        return await asyncio.gather(*calls)

    return asyncio.run(run())


def units(world: World) -> int:
    return world.db.read_sync(MERCHANT, lambda uow: uow.stocks.get(["tea"])["tea"].balance.physical)


def test_writes_that_wait_share_a_commit(world: World, commits: list[str]) -> None:
    assert len(queued(world.db, [receipt(1, f"c{n}") for n in range(30)])) == 30
    # The one that they waited for, and theirs; the store ends a batch that takes it long.
    assert len(commits) < 15
    assert units(world) == 30


def test_each_write_of_a_group_has_a_revision_of_its_own_in_the_order_of_coming(
    world: World,
) -> None:
    revisions = concurrent(world.db, [receipt(1, f"c{n}") for n in range(20)])
    assert revisions == list(range(revisions[0], revisions[0] + 20))
    table = schema.changes
    with world.db.engine.connect() as connection:
        published = set(
            connection.scalars(select(table.c.revision).where(table.c.revision >= revisions[0]))
        )
    assert published == set(revisions)
    assert world.db.read_sync(MERCHANT, lambda uow: uow.merchants.head) == revisions[-1]


def test_a_write_that_changes_nothing_takes_no_revision_from_the_next(world: World) -> None:
    first, none, second = concurrent(
        world.db, [receipt(1, "c1"), lambda uow: uow.answer_revision, receipt(1, "c2")]
    )
    assert (none, second) == (first, first + 1)


def test_what_one_is_refused_for_is_its_own_and_nothing_of_it_is_kept(world: World) -> None:
    def refused(uow: Any) -> None:
        receipt(100, "kept?")(uow)
        raise NotFound("merchants/acme/products/none")

    def broken(uow: Any) -> None:
        receipt(1000, "kept?")(uow)
        raise ZeroDivisionError

    def senseless(uow: Any) -> None:
        receipt(10_000, "kept?")(uow)
        uow._connection.execute(text("SELECT nonsense FROM nowhere"))

    works = [
        receipt(1, "c0"),
        refused,
        receipt(1, "c1"),
        broken,
        receipt(1, "c2"),
        senseless,
        receipt(1, "c3"),
    ]
    answers = concurrent(world.db, works)
    assert [isinstance(answer, int) for answer in answers] == [
        True,
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    assert isinstance(answers[1], NotFound)
    assert isinstance(answers[3], ZeroDivisionError)
    assert units(world) == 4


def test_queries_that_wait_are_merged_and_each_finds_its_own(world: World) -> None:
    asked: list[list[str]] = []

    def stocks(uow: Any, products: Sequence[str]) -> list[str | None]:
        asked.append(list(products))
        found = uow.stocks.get(products)
        return [product if product in found else None for product in products]

    def warehouses(uow: Any, keys: Sequence[str]) -> list[str]:
        return [uow.warehouses.get(keys)[key].warehouse for key in keys]

    keys = ["tea", "jam", "none", "tea"] * 4
    queries = [Mergeable(stocks, key) for key in keys]
    found = concurrent(world.db, [*queries, Mergeable(warehouses, WAREHOUSE)], write=False)
    assert found == [None if key == "none" else key for key in keys] + [WAREHOUSE]
    assert len(asked) <= 3
    assert {key for keys in asked for key in keys} == set(keys)
    assert all(len(keys) == len(set(keys)) for keys in asked)


def test_a_merged_query_that_fails_for_one_item_fails_for_that_one_only(world: World) -> None:
    def fragile(uow: Any, keys: Sequence[str]) -> list[str]:
        if "bad" in keys:
            raise ZeroDivisionError
        return list(keys)

    queries = [Mergeable(fragile, key) for key in ("a", "b", "bad", "c", "d")]
    found = concurrent(world.db, queries, write=False)
    assert isinstance(found[2], ZeroDivisionError)
    assert [*found[:2], *found[3:]] == ["a", "b", "c", "d"]


def test_a_reading_that_is_refused_is_refused_alone(world: World) -> None:
    def refused(uow: Any) -> None:
        raise NotFound("merchants/acme/products/none")

    def senseless(uow: Any) -> None:
        uow._connection.execute(text("SELECT nonsense FROM nowhere"))

    answers = concurrent(
        world.db,
        [lambda uow: 1, refused, lambda uow: uow.stocks.get(["tea"]), senseless, lambda uow: 5],
        write=False,
    )
    assert (answers[0], answers[4], list(answers[2])) == (1, 5, ["tea"])
    assert isinstance(answers[1], NotFound)
    assert isinstance(answers[3], Exception)
    assert not isinstance(answers[3], ServiceError)


def test_commands_that_wait_are_one_unit_of_work_unless_they_share_a_conflict_key(
    world: World, commits: list[str]
) -> None:
    asked: list[list[str]] = []

    def receive(uow: Any, receipts: Sequence[stock.Receipt]) -> list[int]:
        asked.append([receipt.cause for receipt in receipts])
        return [
            posting.stock.balance.physical + 1000 * uow.answer_revision
            for posting in stock.receive(uow, receipts)
        ]

    receipts = [
        stock.Receipt(("tea", "jam")[number % 2], WAREHOUSE, 1, f"c{number}") for number in range(8)
    ]
    commands = [Mergeable(receive, receipt, receipt.conflict_keys) for receipt in receipts]
    answers = queued(world.db, commands)
    assert asked == [["c0", "c1"], ["c2", "c3"], ["c4", "c5"], ["c6", "c7"]]
    assert [answer % 1000 for answer in answers] == [1, 1, 2, 2, 3, 3, 4, 4]
    of_tea = [answer // 1000 for answer in answers[::2]]
    # What has an etag never has the same one twice.
    assert of_tea == sorted(set(of_tea))
    # The one that they waited for, and at most one for each of these.
    assert len(commits) <= 5


def test_a_merged_command_that_is_refused_is_refused_alone(world: World) -> None:
    def receive(uow: Any, receipts: Sequence[stock.Receipt]) -> list[bool]:
        return [posting.already_recorded for posting in stock.receive(uow, receipts)]

    receipts = [
        stock.Receipt(product, WAREHOUSE, 1, f"c{number}")
        for number, product in enumerate(("tea", "jam", "none", "tea", "jam"))
    ]
    commands = [Mergeable(receive, receipt, receipt.conflict_keys) for receipt in receipts]
    answers = concurrent(world.db, commands)
    assert isinstance(answers[2], NotFound)
    assert answers[:2] + answers[3:] == [False] * 4
    assert units(world) == 2


def test_a_long_command_makes_only_those_wait_that_came_before_it(
    world: World, commits: list[str]
) -> None:
    def change(uow: Any) -> None:
        uow.advance()

    def long(uow: Any) -> None:
        uow.advance()
        time.sleep(0.3)

    concurrent(world.db, [change, long, change, change])
    # The first alone, the long one, and what came after it.
    assert len(commits) == 3


def test_readings_that_wait_share_a_snapshot(world: World, commits: list[str]) -> None:
    revisions = concurrent(world.db, [lambda uow: uow.revision for _ in range(30)], write=False)
    assert len(set(revisions)) == 1
    # A busy machine makes some go beside others that are at work for long.
    assert len(commits) <= 10


def test_who_comes_later_in_a_group_sees_what_earlier_ones_changed(world: World) -> None:
    def rename(uow: Any) -> None:
        uow.update_merchant(replace(uow.merchants, display_name="renamed"))

    seen = concurrent(
        world.db, [receipt(1, "c0"), rename, lambda uow: uow.merchants, receipt(1, "c1")]
    )[2]
    assert (seen.display_name, seen.revision) == ("renamed", seen.head)
    assert world.db.read_sync(MERCHANT, lambda uow: uow.merchants).display_name == "renamed"


def test_a_merchant_that_is_not_there_is_told_to_each(world: World) -> None:
    async def run() -> list[Any]:
        calls = [world.db.write("nobody", lambda uow: None) for _ in range(3)]
        return await asyncio.gather(
            *calls, world.db.read("nobody", lambda uow: None), return_exceptions=True
        )

    assert [type(answer) for answer in asyncio.run(run())] == [NotFound] * 4


def test_groups_leave_what_one_after_the_other_would_leave(world: World) -> None:
    chance, expected, works = random.Random(7), 0, []

    def refuse(uow: Any) -> None:
        receipt(5, "never")(uow)
        raise NotFound("merchants/acme/products/none")

    for number in range(200):
        if chance.random() < 0.1:
            works.append(refuse)
        else:
            # Some causes come twice, as from clients that repeat: they count once.
            cause = f"c{number if chance.random() < 0.8 else number // 2}"
            works.append(receipt(3, cause))
    concurrent(world.db, works)
    with world.db.engine.connect() as connection:
        causes = list(connection.scalars(select(schema.movements.c.cause)))
    expected = 3 * len(set(causes))
    assert len(causes) == len(set(causes))
    assert "never" not in causes
    assert units(world) == expected > 300


def test_a_store_that_is_closed_refuses(world: World) -> None:
    async def run() -> None:
        with pytest.raises(StorageUnavailable):
            await world.db.read(MERCHANT, lambda uow: None)
        with pytest.raises(StorageUnavailable):
            await world.db.write(MERCHANT, lambda uow: None)

    world.db.close()
    asyncio.run(run())


def test_a_merchant_that_is_made_in_this_moment_is_found(world: World) -> None:
    async def run() -> int:
        await world.db.create(MerchantRecord("new"), lambda uow, made: uow.advance())
        return await world.db.write("new", lambda uow: uow.revision)

    assert asyncio.run(run()) == 3


# The queues


def doing(
    groups: list[list[str]], gate: threading.Event
) -> Callable[[str, Sequence[QueuedItem]], list[Settled]]:
    def do(merchant: str, items: Sequence[QueuedItem]) -> list[Settled]:
        groups.append([item.work(None) for item in items])
        assert gate.wait(60)
        return [Settled(merchant)] * len(items)

    return do


def test_nobody_waits_for_company_and_no_group_is_too_large() -> None:
    groups: list[list[str]] = []
    gate = threading.Event()

    async def run() -> None:
        batcher = Batcher(doing(groups, gate), pool)
        calls = [
            asyncio.ensure_future(batcher.submit("acme", lambda _, n=n: str(n)))
            for n in range(BATCH_LIMIT + 2)
        ]  # type: ignore[misc]
        while not groups:  # noqa: ASYNC110 - a thread makes it
            await asyncio.sleep(0.001)
        gate.set()
        await asyncio.gather(*calls)

    with ThreadPoolExecutor(2) as pool:
        asyncio.run(run())
    assert [len(group) for group in groups] == [1, BATCH_LIMIT, 1]
    assert [int(name) for group in groups for name in group] == list(range(BATCH_LIMIT + 2))


def test_merchants_do_not_wait_for_each_other_and_who_gave_up_is_not_run() -> None:
    groups: list[list[str]] = []
    gate = threading.Event()

    async def run() -> None:
        batcher = Batcher(doing(groups, gate), pool)
        one = asyncio.ensure_future(batcher.submit("one", lambda _: "one"))
        gone = asyncio.ensure_future(batcher.submit("one", lambda _: "gone"))
        other = asyncio.ensure_future(batcher.submit("other", lambda _: "other"))
        while len(groups) < 2:  # noqa: ASYNC110 - threads make them
            await asyncio.sleep(0.001)
        gone.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(one, other) == ["one", "other"]
        assert await batcher.submit("one", lambda _: "last") == "one"

    with ThreadPoolExecutor(3) as pool:
        asyncio.run(run())
    assert sorted(groups) == [["last"], ["one"], ["other"]]


def test_a_reading_overtakes_one_that_is_long_at_work() -> None:
    gate = threading.Event()

    def do(merchant: str, items: Sequence[QueuedItem]) -> list[Settled]:
        return [Settled(item.work(None)) for item in items]

    async def run() -> None:
        batcher = Batcher(do, pool, patience=lambda batch: 0.01)
        long = asyncio.ensure_future(batcher.submit("acme", lambda _: gate.wait(60)))
        behind = [batcher.submit("acme", lambda _, n=n: n) for n in range(2)]  # type: ignore[misc]
        assert await asyncio.gather(*behind) == [0, 1]
        assert not long.done()
        gate.set()
        assert await long

    with ThreadPoolExecutor(2) as pool:
        asyncio.run(run())


def test_nothing_of_a_queue_is_left_when_nobody_waits() -> None:
    groups: list[list[str]] = []
    gate = threading.Event()
    gate.set()

    async def run() -> None:
        batcher = Batcher(doing(groups, gate), pool, patience=lambda batch: 60)
        await asyncio.gather(*(batcher.submit("acme", lambda _, n=n: str(n)) for n in range(3)))  # type: ignore[misc]
        loop: Any = asyncio.get_running_loop()
        # A timer that is left would end a later queue of the same merchant while it is at work, and
        # two batches would run at the same time.
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []

    with ThreadPoolExecutor(2) as pool:
        asyncio.run(run())
    assert groups == [["0"], ["1", "2"]]


def test_what_a_batch_does_not_settle_begins_the_next_batch() -> None:
    batches: list[list[str]] = []

    def run(merchant: str, items: Sequence[QueuedItem]) -> list[Settled]:
        done = items[:2]
        batches.append([item.work(None) for item in done])
        return [Settled(name) for name in batches[-1]]

    async def submit() -> list[str]:
        batcher = Batcher(run, pool)
        names = ("a", "b", "c", "d")
        return await asyncio.gather(
            *(batcher.submit("acme", lambda _, name=name: name) for name in names)  # type: ignore[misc]
        )

    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(submit()) == ["a", "b", "c", "d"]
    assert batches == [["a"], ["b", "c"], ["d"]]


def test_a_write_that_changes_nothing_commits_nothing(world: World, commits: list[str]) -> None:
    head = world.db.read_sync(MERCHANT, lambda uow: uow.revision)
    commits.clear()
    assert concurrent(world.db, [lambda uow: uow.answer_revision]) == [head]
    assert concurrent(world.db, [lambda uow: uow.answer_revision] * 3) == [head] * 3
    assert commits == []

    # Something without a revision is kept, and the revision that was taken is given back.
    concurrent(world.db, [lambda uow: uow.shops.save_audited("a")])
    assert len(commits) == 1
    assert world.db.read_sync(MERCHANT, lambda uow: uow.revision) == head


def test_items_that_arrive_within_some_turns_of_the_loop_share_a_batch() -> None:
    groups: list[list[str]] = []
    gate = threading.Event()
    gate.set()

    async def run() -> None:
        batcher = Batcher(doing(groups, gate), pool, turns=4)

        async def late() -> None:
            await asyncio.sleep(0)
            await batcher.submit("acme", lambda _: "late")

        await asyncio.gather(batcher.submit("acme", lambda _: "first"), late())

    with ThreadPoolExecutor(2) as pool:
        asyncio.run(run())
    assert groups == [["first", "late"]]


def test_callers_that_were_answered_together_share_the_next_batch() -> None:
    groups: list[list[str]] = []
    gate = threading.Event()
    gate.set()

    async def run() -> None:
        batcher = Batcher(doing(groups, gate), pool, turns=1, siblings=3, delay=60)

        async def ask(name: str, turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await batcher.submit("acme", lambda _: name)

        await asyncio.gather(*(ask(name, 0) for name in "abcd"))
        # They come again at different moments, and the last of them starts their batch.
        await asyncio.gather(*(ask(name, turns) for turns, name in enumerate("efgh")))

    with ThreadPoolExecutor(2) as pool:
        asyncio.run(run())
    assert groups == [["a", "b", "c", "d"], ["e", "f", "g", "h"]]


def test_who_comes_back_alone_waits_only_for_the_delay() -> None:
    groups: list[list[str]] = []
    gate = threading.Event()
    gate.set()

    async def run() -> None:
        batcher = Batcher(doing(groups, gate), pool, turns=1, siblings=3, delay=0.01)
        await asyncio.gather(*(batcher.submit("acme", lambda _: "together") for _ in range(3)))
        await batcher.submit("acme", lambda _: "alone")
        await batcher.submit("acme", lambda _: "again")
        loop: Any = asyncio.get_running_loop()
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []

    with ThreadPoolExecutor(2) as pool:
        asyncio.run(run())
    assert groups == [["together"] * 3, ["alone"], ["again"]]
