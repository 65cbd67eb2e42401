"""The promises of a watch, each judged on one recorded history: four writers change eight products
while two clients watch, one of which goes away and resumes again and again. The names of the
verdicts are etcd's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from support.world import MERCHANT, WAREHOUSE
from watch.watch_bench import Bench, Reader, change_products, serve
from zaiko_core.app import stock

PRODUCTS = [f"p{number}" for number in range(8)]
PAIRS = [("p0", "p1"), ("p2", "p3")]
"""Products whose reserves are only ever set together, to the same number."""


@dataclass
class History:
    """What was sent, and what the store held: per product, (revision, physical, reserve) of every
    change."""

    steady: Reader
    resuming: Reader
    snapshot_revision: int = 0
    last_revision: int = 0
    truth: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    resumed: int = 0

    def at(self, revision: int) -> dict[str, tuple[int, int]]:
        """(physical, reserve) of every product as of a revision."""
        return {
            product: max(change for change in changes if change[0] <= revision)[1:]
            for product, changes in self.truth.items()
        }


async def _write(
    bench: Bench, randomness: random.Random, truth: list[tuple[int, str, int, int]], commits: int
) -> None:
    for number in range(commits):
        units = randomness.randrange(1, 50)
        cause = f"{id(randomness)}-{number}"
        receipt = stock.Receipt(randomness.choice(PRODUCTS), WAREHOUSE, units, cause)
        work = partial(
            change_products,
            dict.fromkeys(randomness.choice(PAIRS), units) if units % 2 else {},
            receipt,
        )
        truth += await bench.db.write(MERCHANT, work)
        await asyncio.sleep(randomness.random() * 0.002)


async def _come_and_go(
    bench: Bench, reader: Reader, randomness: random.Random, done: asyncio.Event, history: History
) -> None:
    while not done.is_set():
        for _ in range(randomness.randrange(1, 5)):
            await reader.next()
        reader.call.cancel()
        await asyncio.sleep(randomness.random() * 0.01)
        reader.call = bench.watch_stocks(reader.resume())
        history.resumed += 1


async def _record(url: str) -> History:
    async with serve(url, lambda world: world.begin(PRODUCTS)) as bench:
        written: list[tuple[int, str, int, int]] = [(1, product, 0, 0) for product in PRODUCTS]
        writers = [
            asyncio.create_task(_write(bench, random.Random(seed), written, 40))
            for seed in range(4)
        ]
        await asyncio.sleep(0.02)
        history = History(Reader(bench.watch_stocks()), Reader(bench.watch_stocks()))
        history.snapshot_revision = await history.steady.until_bookmark()
        done = asyncio.Event()
        restless = asyncio.create_task(
            _come_and_go(bench, history.resuming, random.Random(5), done, history)
        )
        await asyncio.gather(*writers)
        done.set()
        history.last_revision = max(revision for revision, *_ in written)
        # One more change, so that the client that comes and goes is not left waiting for a message.
        history.last_revision = await bench.reserve(dict.fromkeys(PAIRS[0], 777))
        written += [
            (history.last_revision, product, p, r) for product, p, r in await _now(bench, PAIRS[0])
        ]
        await restless
        await history.steady.until_revision(history.last_revision)
        await history.resuming.until_revision(history.last_revision)
        for revision, product, physical, reserve in written:
            history.truth.setdefault(product, []).append((revision, physical, reserve))
        return history


async def _now(bench: Bench, products: Any) -> list[tuple[str, int, int]]:
    stocks = await bench.db.read(MERCHANT, lambda uow: uow.stocks.get(products))
    return [(product, s.balance.physical, s.balance.reserve) for product, s in stocks.items()]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("history") / "zaiko.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        yield asyncio.run(_record(f"sqlite:///{path}"))
        return
    server = request.getfixturevalue("postgresql")
    url = server.new_url()
    yield asyncio.run(_record(url))
    server.drop(url)


@pytest.fixture(params=["steady", "resuming"])
def reader(request: pytest.FixtureRequest, history: History) -> Reader:
    found: Reader = getattr(history, request.param)
    return found


def _changes(reader: Reader) -> list[Any]:
    return [
        delivery.changes
        for delivery in reader.deliveries
        if delivery.WhichOneof("delivery") == "changes"
    ]


def _walk(reader: Reader) -> Iterator[tuple[Any, dict[str, tuple[int, int]]]]:
    """Each delivery, with what the client knows after it."""
    known: dict[str, tuple[int, int]] = {}
    for delivery in reader.deliveries:
        for stock_ in delivery.changes.stocks:
            known[stock_.product.rsplit("/", 1)[1]] = (stock_.physical, stock_.reserve)
        yield delivery, dict(known)


def _revision(delivery: Any) -> int:
    return int(
        delivery.bookmark.revision
        if delivery.WhichOneof("delivery") == "bookmark"
        else delivery.changes.revision
    )


def test_something_happened(history: History) -> None:
    assert history.last_revision > 100
    assert history.resumed > 5
    assert len(history.steady.deliveries) > 10


def test_snapshot_has_all_states_of_one_revision_and_then_a_mark(history: History) -> None:
    ends = [
        place
        for place, delivery in enumerate(history.steady.deliveries)
        if delivery.bookmark.snapshot_complete
    ]
    before = history.steady.deliveries[: ends[0] + 1]

    assert len(ends) == 1
    assert {_revision(delivery) for delivery in before} == {history.snapshot_revision}
    *_, (_, known) = _walk(Reader(None, before))
    assert known == history.at(history.snapshot_revision)


def test_after_the_snapshot_only_newer_revisions_come(history: History) -> None:
    place = next(
        place
        for place, delivery in enumerate(history.steady.deliveries)
        if delivery.bookmark.snapshot_complete
    )

    assert all(
        changes.revision > history.snapshot_revision
        for changes in _changes(Reader(None, history.steady.deliveries[place:]))
    )


def test_ordered_revisions_never_go_back(reader: Reader) -> None:
    revisions = [_revision(delivery) for delivery in reader.deliveries]

    assert all(one <= other for one, other in pairwise(revisions))


def test_unique_a_revision_is_delivered_once(reader: Reader) -> None:
    revisions = [changes.revision for changes in _changes(reader)]

    assert len(revisions) == len(set(revisions))


def test_atomic_what_one_commit_changed_comes_together(reader: Reader) -> None:
    for delivery, known in _walk(reader):
        if not delivery.changes.continued:
            assert all(known[one][1] == known[other][1] for one, other in PAIRS)


def test_bookmarkable_at_a_mark_the_client_has_what_the_store_had(
    reader: Reader, history: History
) -> None:
    marks = [
        (delivery, known)
        for delivery, known in _walk(reader)
        if delivery.WhichOneof("delivery") == "bookmark"
    ]

    assert marks
    for delivery, known in marks:
        assert known == history.at(delivery.bookmark.revision)


def test_reliable_and_resumable_the_last_state_of_every_key_is_the_stores(
    reader: Reader, history: History
) -> None:
    *_, (_, known) = _walk(reader)

    assert known == history.at(history.last_revision)


def test_states_of_a_delivery_are_those_of_its_revision(reader: Reader, history: History) -> None:
    for changes in _changes(reader):
        truth = history.at(changes.revision)
        for item in changes.stocks:
            assert truth[item.product.rsplit("/", 1)[1]] == (item.physical, item.reserve)


def test_no_delivery_is_empty(reader: Reader) -> None:
    assert all(changes.stocks or changes.deleted_names for changes in _changes(reader))
