"""1,000 watchers of one merchant's stock: is everything delivered, how late, and how fast compared
with a server that only sends?

The server is a separate process, and the watchers are in this one: 100 streams on a connection. All
but the first resume from its token, like reconnecting clients, so beginning them takes no snapshot
each.

First, 100 receipts a second of different products go through one StreamMovements. Every watcher
must receive every product's new number. The lag is from the sending of the receipt until the
watcher has read the number (goal: p99 < 1 s, everything delivered). The same is repeated with one
more watcher that never reads (goal: at most 1.3 times the p99 without it). Then one StreamMovements
sends receipts as fast as it can: messages per second, from the first to the last that arrives,
compared with a bare grpc.aio server that sends the messages of one of the watchers to as many
streams, read by the same client (goal: ≥ 70 %).

Without goals: how much the server's resident set grows for each open watch that has caught up (see
benchmarks/watchers.py), and for each that began with a snapshot.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from zaiko.v1 import stock_service_pb2 as pb
from zaiko.v1 import stock_service_pb2_grpc

from benchmarks.speed.catalogue import MERCHANT, WAREHOUSE, Catalogue, fill, product_name
from benchmarks.speed.figure import Figure, beside, quantile
from benchmarks.speed.processes import Running, bare, zaiko
from benchmarks.speed.stores import Store

RATE, PATIENCE = 100, 60.0
_PER_CONNECTION = 100
_CATALOGUE = Catalogue(800, shops=1, hot=0)
_SNAPSHOTS, _BURST = 50, 400
_METHOD = "/zaiko.v1.StockService/WatchStocks"
_LOCAL = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 64 << 20)]


class Watchers:
    """Many streams, each with what it has read and when. Messages stay bytes until they are needed,
    because the client is not what is measured."""

    def __init__(self) -> None:
        self.read: list[list[tuple[float, bytes]]] = []
        self._channels: list[grpc.aio.Channel] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, address: str, number: int, token: str = "") -> None:
        """Open `number` more streams, each past its first message: from a token, or with a
        snapshot."""
        for _ in range(number):
            if len(self.read) % _PER_CONNECTION == 0:
                self._channels.append(grpc.aio.insecure_channel(address, options=_LOCAL))
            request = pb.WatchStocksRequest(parent=f"merchants/{MERCHANT}")
            request.start.bookmark_interval.FromSeconds(300)
            if token:
                request.start.resume_token = token
            method: Any = self._channels[-1].unary_stream(
                _METHOD, request_serializer=pb.WatchStocksRequest.SerializeToString
            )
            call: Any = method(request)
            mine: list[tuple[float, bytes]] = []
            await call.read()
            self.read.append(mine)
            self._tasks.append(asyncio.create_task(self._follow(call, mine)))

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing has arrived for `seconds`."""
        until = time.monotonic() + PATIENCE
        before = -1
        while before != (now := sum(map(len, self.read))) and time.monotonic() < until:
            before = now
            await asyncio.sleep(seconds)

    def forget(self) -> None:
        """Discard what was read, and keep the streams open."""
        for mine in self.read:
            mine.clear()

    async def close(self) -> None:
        """Close all streams."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels:
            await channel.close()

    async def _follow(self, call: Any, mine: list[tuple[float, bytes]]) -> None:
        while (message := await call.read()) is not grpc.aio.EOF:
            mine.append((time.monotonic(), message))


async def record(address: str, products: Sequence[str], rate: float | None) -> dict[str, float]:
    """Record a receipt for each product, `rate` a second or as fast as possible. Return when each
    was sent."""
    sent: dict[str, float] = {}

    async def requests() -> AsyncIterator[pb.StreamMovementsRequest]:
        began = time.monotonic()
        for number, product in enumerate(products):
            if rate is not None:
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            name = f"merchants/{MERCHANT}/products/{product}"
            sent[name] = time.monotonic()
            receipt = pb.RecordReceiptRequest(
                product=name,
                warehouse=f"merchants/{MERCHANT}/warehouses/{WAREHOUSE}",
                quantity=1,
                cause_key=str(uuid.uuid4()),
            )
            yield pb.StreamMovementsRequest(
                sequence=number + 1, parent=f"merchants/{MERCHANT}", receipt=receipt
            )

    async with grpc.aio.insecure_channel(address, options=_LOCAL) as channel:
        stub = stock_service_pb2_grpc.StockServiceStub(channel)
        async for answer in stub.StreamMovements(requests()):
            if not answer.HasField("stock"):
                raise SystemExit(f"a receipt was refused: {answer}")
    return sent


def lags(watchers: Watchers, sent: dict[str, float]) -> tuple[list[float], float]:
    """Return the seconds until each watcher received each change, and the share of changes that
    arrived."""
    found: list[float] = []
    parsed: dict[bytes, list[str]] = {}
    for mine in watchers.read:
        missing = dict(sent)
        for moment, message in mine:
            names = parsed.get(message)
            if names is None:
                changes = pb.WatchStocksResponse.FromString(message).changes
                names = parsed[message] = [stock.product for stock in changes.stocks]
            found += [moment - missing.pop(name) for name in names if name in missing]
    return found, len(found) / (len(sent) * len(watchers.read))


async def caught_up(address: str) -> str:
    """Return the token of a watch that has read its snapshot."""
    async with grpc.aio.insecure_channel(address, options=_LOCAL) as channel:
        call: Any = stock_service_pb2_grpc.StockServiceStub(channel).WatchStocks(
            pb.WatchStocksRequest(parent=f"merchants/{MERCHANT}")
        )
        while not (response := await call.read()).bookmark.snapshot_complete:
            pass
        token: str = response.resume_token
        return token


async def growth(server: Running, number: int, token: str) -> tuple[float, Watchers]:
    """Return the KiB that the server holds for each of `number` open watches."""
    watchers = Watchers()
    before = server.resident()
    await watchers.open(server.address, number, token)
    await watchers.quiet(1)
    return (server.resident() - before) / number, watchers


async def stuck(address: str) -> tuple[grpc.aio.Channel, Any]:
    """Open a watch and never read it."""
    channel = grpc.aio.insecure_channel(address, options=_LOCAL)
    stub = stock_service_pb2_grpc.StockServiceStub(channel)
    call: Any = stub.WatchStocks(pb.WatchStocksRequest(parent=f"merchants/{MERCHANT}"))
    await call.read()
    return channel, call


async def bare_speed(messages: Sequence[bytes], number: int) -> float:
    """Return the messages per second of a server that only sends these messages to `number`
    streams."""
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.json"
        kind = {"module": "stock_service_pb2", "type": "WatchStocksResponse", "streams": True}
        # The first is what a watcher reads as it begins.
        texts = [message.hex() for message in (messages[0], *messages)]
        answers.write_text(json.dumps({_METHOD: kind | {"answers": texts}}))
        with bare("--answers", str(answers)) as server:
            watchers = Watchers()
            await watchers.open(server.address, number)
            answers.with_suffix(".go").write_text("")
            while sum(map(len, watchers.read)) < number * len(messages):  # noqa: ASYNC110 - lists that tasks fill
                await asyncio.sleep(0.05)
            speed = messages_a_second(watchers)
            await watchers.close()
            return speed


def messages_a_second(watchers: Watchers) -> float:
    """Return the messages per second, from the first to the last that arrived."""
    moments = [moment for mine in watchers.read for moment, _ in mine]
    return len(moments) / (max(moments) - min(moments))


async def burst(
    server: Running, watchers: Watchers, products: Sequence[str]
) -> tuple[float, float, float]:
    """Return the messages per second, those of the bare server, and the messages that each watcher
    received."""
    watchers.forget()
    await record(server.address, products, None)
    await watchers.quiet(2)
    speed = messages_a_second(watchers)
    typical = sorted(watchers.read, key=len)[len(watchers.read) // 2]
    return (
        speed,
        await bare_speed([message for _, message in typical], len(watchers.read)),
        len(typical),
    )


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure everything on one server. A caller may have 1,000 streams: the stuck watch and the
    movement stream are two of them."""
    number, seconds = (198, 3) if quick else (998, 2)
    url = store.fresh()
    fill(url, _CATALOGUE)
    products = [product_name(place) for place in range(_CATALOGUE.products)]
    with zaiko(url) as server:
        token = await caught_up(server.address)
        # What is allocated once, and kept, is not the watches'.
        _, warm = await growth(server, _SNAPSHOTS, token)
        await warm.close()
        each, watchers = await growth(server, number, token)
        paced = products[: RATE * seconds]
        alone, hindered = [], []
        for _ in range(2):
            alone.append(lags(watchers, await _paced(server, watchers, paced)))
            channel, call = await stuck(server.address)
            hindered.append(lags(watchers, await _paced(server, watchers, paced)))
            call.cancel()
            await channel.close()
        bursts = [await burst(server, watchers, products[:_BURST]) for _ in range(2)]
        await watchers.close()
    with zaiko(url) as server:
        _, warm = await growth(server, _SNAPSHOTS, "")
        begun, more = await growth(server, _SNAPSHOTS, "")
        await warm.close()
        await more.close()
    note = f"{number} watchers, {RATE} changes/s for {seconds} s"
    p99s, hindered_p99s = (
        [quantile(found, 0.99) for found, _ in each_time] for each_time in (alone, hindered)
    )
    note_with_p50 = (
        f"{note}; p50 {statistics.median(quantile(found, 0.5) for found, _ in alone) * 1000:.0f} ms"
    )
    delivered = min(share for _, share in (*alone, *hindered))
    per_watcher = (
        f"{number} streams, {statistics.median(got for _, _, got in bursts):.0f} messages each"
    )
    mine, theirs = [speed for speed, _, _ in bursts], [limit for _, limit, _ in bursts]
    lagged = "watch lag beside a stuck watcher, p99"
    snapshot = f"{_SNAPSHOTS} watches, {len(products)} products"
    return [
        Figure("changes delivered", store.name, "of all", delivered, 1.0, note=note),
        Figure(
            "watch lag, p99",
            store.name,
            "s",
            statistics.median(p99s),
            1.0,
            at_most=True,
            note=note_with_p50,
        ),
        beside(lagged, store.name, "s", 1.3, hindered_p99s, p99s, at_most=True, note=note),
        beside("watch messages", store.name, "messages/s", 0.7, mine, theirs, note=per_watcher),
        Figure(
            "memory of an idle watch",
            store.name,
            "KiB",
            each,
            None,
            note=f"{number} watches that resumed",
        ),
        Figure(
            "memory of an idle watch after its snapshot",
            store.name,
            "KiB",
            begun,
            None,
            note=snapshot,
        ),
    ]


async def _paced(server: Running, watchers: Watchers, products: Sequence[str]) -> dict[str, float]:
    watchers.forget()
    sent = await record(server.address, products, RATE)
    await watchers.quiet(2)
    return sent
