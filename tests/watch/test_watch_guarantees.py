"""The seven guarantees with two server processes on one store, one of which is killed and
restarted, under concurrent writers. One client reads slowly, one changes servers all the time, one
was away during a compaction, and one loses its server.

Each check prints how much it checked (`pytest -s`), and each is also shown a damaged history. What
is held back for a client that reads nothing is in test_watch_sessions.py and test_watch_memory.py:
states this small fit into gRPC's buffers. On SQLite a process notices the commits of another one
once a second, so there are fewer deliveries."""

from __future__ import annotations

import asyncio
import copy
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.world import MERCHANT, WAREHOUSE, World
from watch.guarantees import GUARANTEES, History, Stream, is_bookmark, revision_of
from watch.watch_bench import PARENT, SNAPSHOT, change_products, refusal_of
from zaiko.v1 import stock_service_pb2, stock_service_pb2_grpc, watch_pb2
from zaiko_core.app import stock
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import migrate

PRODUCTS = [f"p{number}" for number in range(8)]
PAIRS = [("p0", "p1"), ("p2", "p3")]
COMMITS, WRITERS, KEPT = 100, 4, 150

# Two server processes, killed and started again: a minute for each store.
pytestmark = pytest.mark.thorough


class Server:
    """A process of `zaiko serve`."""

    def __init__(self, url: str, folder: Path, name: str) -> None:
        self._port, self._log = folder / f"port-{name}", folder / f"log-{name}"
        command = [
            sys.executable,
            "-m",
            "zaiko_cli",
            "serve",
            "--db",
            url,
            "--listen",
            "127.0.0.1:0",
        ]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port-file", str(self._port), "--quiet"],
                cwd=folder,
                stderr=log,
                stdout=log,
            )

    async def address(self) -> str:
        async with asyncio.timeout(60):
            while not (self._port.exists() and self._port.read_text()):
                assert self.process.poll() is None, self._log.read_text()
                await asyncio.sleep(0.05)
        return self._port.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._port.unlink(missing_ok=True)


class Client:
    """One client of the stock watch. It makes call after call, to the servers that it is sent
    to."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self._call: Any = None
        self._channel: grpc.aio.Channel | None = None
        self._token = ""

    async def begin(self, address: str, *, fresh: bool = False) -> None:
        """Watch at this server, after the last delivery or with a snapshot."""
        await self.leave()
        self._channel = grpc.aio.insecure_channel(address)
        stub: Any = stock_service_pb2_grpc.StockServiceStub(self._channel)
        resumes = bool(self._token) and not fresh
        start = watch_pb2.WatchStart(resume_token=self._token) if resumes else SNAPSHOT
        if resumes and not any(
            item.bookmark.snapshot_complete for stream in self.streams for item in stream.deliveries
        ):
            resumes = False  # a token from within a snapshot starts it again
        last = next(
            (stream.deliveries[-1] for stream in reversed(self.streams) if stream.deliveries), None
        )
        self.streams.append(Stream(revision_of(last) if resumes and last is not None else None))
        self._call = stub.WatchStocks(
            stock_service_pb2.WatchStocksRequest(parent=PARENT, start=start)
        )

    async def read(self) -> Any:
        """Read one more delivery. Raises AioRpcError when the server has gone."""
        response = await asyncio.wait_for(self._call.read(), 30)
        assert response is not grpc.aio.EOF
        self._token = response.resume_token
        self.streams[-1].deliveries.append(response)
        return response

    async def until(self, revision: int) -> None:
        while revision_of(await self.read()) < revision:
            pass

    async def refusal(self) -> str:
        """Return why the call could not begin."""
        self.streams.pop()
        return (await refusal_of(self._call))[1]

    async def leave(self) -> None:
        if self._channel is not None:
            self._call.cancel()
            await self._channel.close()
            self._channel = None


async def _write(
    db: Database, randomness: random.Random, written: list[tuple[int, str, int, int]]
) -> None:
    for number in range(COMMITS):
        units = randomness.randrange(1, 50)
        receipt = stock.Receipt(
            randomness.choice(PRODUCTS), WAREHOUSE, units, f"{id(randomness)}-{number}"
        )
        reserves = dict.fromkeys(randomness.choice(PAIRS), units) if units % 2 else {}
        written += await db.write(MERCHANT, partial(change_products, reserves, receipt))
        await asyncio.sleep(randomness.random() * 0.12)


async def _record(url: str, folder: Path) -> History:
    db = Database(url)
    migrate(db.engine)
    World(db).begin(PRODUCTS, shops=())
    one, two = Server(url, folder, "one"), Server(url, folder, "two")
    clients = {name: Client() for name in ("steady", "slow", "wandering", "orphaned", "late")}
    written: list[tuple[int, str, int, int]] = [(1, product, 0, 0) for product in PRODUCTS]
    try:
        first, second = await one.address(), await two.address()
        for name, client in clients.items():
            await client.begin(first if name in ("orphaned", "wandering") else second)
        late, orphaned, wandering = clients["late"], clients["orphaned"], clients["wandering"]
        for client in (late, orphaned, wandering):
            while not (await client.read()).bookmark.snapshot_complete:
                pass
        await late.leave()
        writers = [
            asyncio.create_task(_write(db, random.Random(seed), written)) for seed in range(WRITERS)
        ]
        done = asyncio.Event()

        async def follow(client: Client, pause: float) -> None:
            while not done.is_set():
                await client.read()
                await asyncio.sleep(pause)

        async def wander() -> None:
            place = 0
            while not done.is_set():
                place += 1
                try:
                    await wandering.read()
                    await wandering.begin((first, second)[place % 2])
                    await wandering.read()
                except grpc.aio.AioRpcError:
                    await wandering.begin(second)

        async def die() -> str:
            """Kill the first server under its client, which goes on with the next process."""
            nonlocal first, one
            for _ in range(5):
                await orphaned.read()
            one.kill()
            with pytest.raises(grpc.aio.AioRpcError):
                await orphaned.until(1 << 60)
            one = Server(url, folder, "one")
            first = await one.address()
            await orphaned.begin(first)
            await orphaned.read()
            return first

        following = [
            asyncio.create_task(follow(clients["steady"], 0)),
            asyncio.create_task(follow(clients["slow"], 0.2)),
        ]
        wandered, died = asyncio.create_task(wander()), asyncio.create_task(die())
        await asyncio.gather(*writers)
        await died
        # Only the newest changes are kept, so a client that was away since the beginning must start
        # over.
        await db.write(MERCHANT, lambda uow: uow.feed.compact(older_than=uow.now + 1, keep=KEPT))
        await late.begin(first)
        assert await late.refusal() == "REVISION_COMPACTED"
        await late.begin(first, fresh=True)
        done.set()
        number = 0
        while not all(task.done() for task in (*following, wandered)):
            # So that no client waits for a delivery in vain.
            number += 1
            receipt = stock.Receipt("p7", WAREHOUSE, 1, f"end-{number}")
            written += await db.write(
                MERCHANT, partial(change_products, dict.fromkeys(PAIRS[0], number), receipt)
            )
            await asyncio.sleep(0.05)
        await asyncio.gather(*following, wandered)
        written += await db.write(
            MERCHANT, partial(change_products, dict.fromkeys(PAIRS[0], 777), receipt)
        )
        last = max(revision for revision, *_ in written)
        await asyncio.gather(*(client.until(last) for client in clients.values()))
    finally:
        for client in clients.values():
            await client.leave()
        one.kill()
        two.kill()
        db.close()
    history = History({name: client.streams for name, client in clients.items()}, pairs=PAIRS)
    for revision, product, physical, reserve in written:
        history.truth.setdefault(product, []).append((revision, physical, reserve))
    return history


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("guarantees")
    if request.param == "sqlite":
        yield asyncio.run(_record(f"sqlite:///{folder / 'zaiko.db'}", folder))
        return
    server = request.getfixturevalue("postgresql")
    url = server.new_url()
    yield asyncio.run(_record(url, folder))
    server.drop(url)


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_the_guarantee_holds(guarantee: str, history: History) -> None:
    violations = GUARANTEES[guarantee](history)
    calls = sum(len(streams) for streams in history.clients.values())
    print(
        f"\n{guarantee}: {history.deliveries:,} deliveries in {calls} calls, {len(violations)} "
        "violations"
    )
    assert violations == []


def test_the_history_has_enough_calls_and_deliveries_to_check(history: History) -> None:
    streams = history.clients
    assert history.deliveries > 30
    assert len(streams["wandering"]) > 3
    assert [stream.resumed_at is None for stream in streams["orphaned"]] == [True, False]
    assert [stream.resumed_at is None for stream in streams["late"]] == [True, True]
    assert len(streams["slow"][0].deliveries) > 3


# A check that cannot find a violation proves nothing.


def _steady(history: History) -> list[Any]:
    return history.clients["steady"][0].deliveries


def _first(deliveries: list[Any], *, after: int = 0) -> int:
    """Return the place of the first delivery of states above a revision."""
    return next(
        place
        for place, item in enumerate(deliveries)
        if not is_bookmark(item) and item.changes.revision > after
    )


def _incomplete_snapshot(history: History) -> None:
    del _steady(history)[0].changes.stocks[0]


def _backwards(history: History) -> None:
    deliveries = _steady(history)
    deliveries[-1], deliveries[-2] = deliveries[-2], deliveries[-1]


def _twice(history: History) -> None:
    deliveries = _steady(history)
    deliveries.append(
        copy.deepcopy(next(item for item in reversed(deliveries) if not is_bookmark(item)))
    )


def _torn(history: History) -> None:
    # The last delivery sets both of a pair to 777.
    delivery = next(item for item in reversed(_steady(history)) if not is_bookmark(item))
    kept = [item for item in delivery.changes.stocks if not item.product.endswith("/p1")]
    assert len(kept) < len(delivery.changes.stocks)
    del delivery.changes.stocks[:]
    delivery.changes.stocks.extend(kept)


def _wrong_state(history: History) -> None:
    next(item for item in reversed(_steady(history)) if not is_bookmark(item)).changes.stocks[
        0
    ].physical += 1


def _lost_on_resuming(history: History) -> None:
    for stream in history.clients["orphaned"][1:]:
        place = next(place for place, item in enumerate(stream.deliveries) if is_bookmark(item))
        assert place > 0, "something was missed"
        del stream.deliveries[:place]


def _lost_before_a_bookmark(history: History) -> None:
    deliveries = history.clients["orphaned"][1].deliveries
    del deliveries[_first(deliveries)]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("snapshot", _incomplete_snapshot),
        ("ordered", _backwards),
        ("unique", _twice),
        ("atomic", _torn),
        ("reliable", _wrong_state),
        ("resumable", _lost_on_resuming),
        ("bookmarkable", _lost_before_a_bookmark),
    ],
)
def test_a_violation_in_the_history_is_found(
    name: str, damage: Callable[[History], None], history: History
) -> None:
    damaged = copy.deepcopy(history)
    damage(damaged)

    assert GUARANTEES[name](damaged) != []
