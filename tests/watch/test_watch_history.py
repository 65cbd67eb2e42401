"""The guarantees of a watch on one recorded history: four writers change eight products while two
clients watch, one of which leaves and resumes repeatedly. With two server processes, kills and
compaction: test_watch_guarantees.py."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from functools import partial

import pytest
from support.world import MERCHANT, WAREHOUSE
from watch.guarantees import GUARANTEES, History, Stream, is_bookmark, revision_of
from watch.watch_bench import SNAPSHOT, Bench, Reader, change_products, serve
from zaiko_core.app import stock

PRODUCTS = [f"p{number}" for number in range(8)]
PAIRS = [("p0", "p1"), ("p2", "p3")]
"""Products whose reserves are always set together, to the same number."""


async def _write(
    bench: Bench, randomness: random.Random, written: list[tuple[int, str, int, int]], commits: int
) -> None:
    for number in range(commits):
        units = randomness.randrange(1, 50)
        cause = f"{id(randomness)}-{number}"
        receipt = stock.Receipt(randomness.choice(PRODUCTS), WAREHOUSE, units, cause)
        reserves = dict.fromkeys(randomness.choice(PAIRS), units) if units % 2 else {}
        written += await bench.db.write(MERCHANT, partial(change_products, reserves, receipt))
        await asyncio.sleep(randomness.random() * 0.002)


def _watch(bench: Bench, streams: list[Stream], before: Reader | None = None) -> Reader:
    """Begin a call and record it: with a snapshot, or after the last delivery of `before`."""
    if before is None:
        reader, resumed_at = Reader(bench.watch_stocks(SNAPSHOT)), None
    else:
        resumed_at = revision_of(before.deliveries[-1])
        reader = Reader(bench.watch_stocks(before.resume()))
    streams.append(Stream(resumed_at, reader.deliveries))
    return reader


async def _leave_and_resume(
    bench: Bench, streams: list[Stream], randomness: random.Random, done: asyncio.Event
) -> Reader:
    reader = _watch(bench, streams)
    await reader.until_bookmark()
    while not done.is_set():
        for _ in range(randomness.randrange(1, 5)):
            await reader.next()
        reader.call.cancel()
        await asyncio.sleep(randomness.random() * 0.01)
        reader = _watch(bench, streams, reader)
    return reader


async def _record(url: str) -> History:
    async with serve(url, lambda world: world.begin(PRODUCTS)) as bench:
        written: list[tuple[int, str, int, int]] = [(1, product, 0, 0) for product in PRODUCTS]
        history = History({"steady": [], "resuming": []}, pairs=PAIRS)
        writers = [
            asyncio.create_task(_write(bench, random.Random(seed), written, 40))
            for seed in range(4)
        ]
        await asyncio.sleep(0.02)
        steady, done = _watch(bench, history.clients["steady"]), asyncio.Event()
        await steady.until_bookmark()
        resuming = asyncio.create_task(
            _leave_and_resume(bench, history.clients["resuming"], random.Random(5), done)
        )
        await asyncio.gather(*writers)
        done.set()
        # One more commit, so that the resuming client does not wait for a message in vain.
        last = partial(
            change_products,
            dict.fromkeys(PAIRS[0], 777),
            stock.Receipt("p7", WAREHOUSE, 1, "last"),
        )
        written += await bench.db.write(MERCHANT, last)
        newest = max(revision for revision, *_ in written)
        await steady.until_revision(newest)
        await (await resuming).until_revision(newest)
    for revision, product, physical, reserve in written:
        history.truth.setdefault(product, []).append((revision, physical, reserve))
    return history


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


def test_the_history_has_many_revisions_resumptions_and_bookmarks(history: History) -> None:
    revisions = [revision for rows in history.truth.values() for revision, *_ in rows]
    assert max(revisions) > 100
    assert len(history.clients["resuming"]) > 5
    assert len(history.clients["steady"][0].deliveries) > 10
    for streams in history.clients.values():
        assert any(is_bookmark(item) for stream in streams for item in stream.deliveries)


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_the_guarantee_holds(guarantee: str, history: History) -> None:
    assert GUARANTEES[guarantee](history) == []


def test_no_delivery_is_empty(history: History) -> None:
    for _, stream in history.streams():
        for item in stream.deliveries:
            assert is_bookmark(item) or item.changes.stocks or item.changes.deleted_names
