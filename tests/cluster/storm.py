"""What happens to a cluster: buyers, receipts, and faults, drawn from a seed; and those who watch."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
from cluster.cluster import SKUS, Cluster, Replica, until
from watch.guarantees import Stream, revision_of
from zaiko.v1 import stock_service_pb2, stock_service_pb2_grpc, sync_service_pb2, sync_service_pb2_grpc, watch_pb2
from zaiko_sdk.testing.faults import Fault, FaultKind

PARENT, WAREHOUSE = "merchants/demo", "merchants/demo/warehouses/tokyo"
LEASE = 5.0
WRITES = ("inventorySetQuantities", '"stock_items"', "bulk-upsert")
"""What a request that sets stock has in it, on each platform."""


class Storm:
    """`seconds` of load and faults. What was sold and received is counted, for the verdicts."""

    def __init__(self, cluster: Cluster, seed: int, seconds: float) -> None:
        self.cluster, self._seconds = cluster, seconds
        self.draw = random.Random(seed)
        self.sold: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.orders: dict[str, list[str]] = {shop.name: [] for shop in cluster.shops}
        self.faults: Counter[str] = Counter()
        self.watchers = [Watcher([replica.address for replica in cluster.replicas], number) for number in range(3)]
        self._over, self._counting = threading.Event(), threading.Lock()
        self._struck = {replica.name: threading.Lock() for replica in cluster.replicas}

    def rage(self) -> None:
        """All of it; afterwards every replica is there again."""
        for watcher in self.watchers:
            watcher.start()
        errors: list[BaseException] = []
        jobs = [
            threading.Thread(target=_kept, args=(errors, work))
            for work in (self._buy, self._buy, self._buy, self._receive, self._break, self._break)
        ]
        for job in jobs:
            job.start()
        time.sleep(self._seconds)
        self._over.set()
        for job in jobs:
            job.join(60)
            assert not job.is_alive()
        if errors:
            raise errors[0]
        until(lambda: all(replica.ready() for replica in self.cluster.replicas), "every replica answers", 60)

    def calm(self, revision: int) -> None:
        """Wait until every watcher has come as far as `revision`."""
        for watcher in self.watchers:
            watcher.finish(revision)

    def notify(self, shop: str) -> None:
        """Tell some replica that something happened in a shop, as its webhook would; it may not hear."""
        request = sync_service_pb2.SyncNowRequest(shop=f"{PARENT}/shops/{shop}")
        self._call(lambda channel: sync_service_pb2_grpc.SyncServiceStub(channel).SyncNow(request, timeout=1), tries=1)

    def _buy(self) -> None:
        draw = random.Random(self.draw.random())
        while not self._over.wait(draw.random() * 0.25):
            shop, sku, units = draw.choice(self.cluster.shops), draw.choice(SKUS), draw.randint(1, 2)
            if shop.simulator.stock()[sku] < units:
                continue
            options = {"visible_after": draw.choice([0, 0, 0, 1.0])}
            order = shop.simulator.place_order({sku: units}, **options)
            with self._counting:
                self.orders[shop.name].append(order)
                self.sold[sku] += units
            if draw.random() < 0.3:
                seconds = draw.choice([0.2, 0.5, 1.5])
                self.cluster.servers[shop.name].inject(Fault(FaultKind.LATENCY, match=_write_of(shop.connector), seconds=seconds))
            if draw.random() < 0.7:
                self.notify(shop.name)

    def _receive(self) -> None:
        draw, number = random.Random(self.draw.random()), 0
        while not self._over.wait(draw.random() * 0.5):
            number += 1
            sku, units = draw.choice(SKUS), draw.randint(1, 5)
            request = stock_service_pb2.RecordReceiptRequest(
                product=f"{PARENT}/products/{sku.lower()}", warehouse=WAREHOUSE, quantity=units, cause_key=f"storm-{number}"
            )
            # Told again and again, to whoever hears, until it is answered.
            self._call(lambda channel, r=request: stock_service_pb2_grpc.StockServiceStub(channel).RecordReceipt(r, timeout=8))
            self.received[sku] += units

    def _call(self, call: Callable[[grpc.Channel], Any], *, tries: int = 40) -> None:
        for _ in range(tries):
            replica = self.draw.choice(self.cluster.replicas)
            with grpc.insecure_channel(replica.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                try:
                    call(channel)
                    return
                except grpc.RpcError:
                    time.sleep(0.2)
        assert tries == 1, "no replica took it"

    def _break(self) -> None:
        draw = random.Random(self.draw.random())
        while not self._over.wait(draw.random()):
            replica, kind = draw.choice(self.cluster.replicas), draw.choice(["kill", "pause", "pause", "drop", "drop", "cut"])
            if not self._struck[replica.name].acquire(blocking=False):
                continue
            with self._counting:
                self.faults[kind] += 1
            self._strike(replica, kind, draw)
            self._struck[replica.name].release()

    def _strike(self, replica: Replica, kind: str, draw: random.Random) -> None:
        match kind:
            case "kill":
                replica.kill()
                time.sleep(draw.random() * 2)
                replica.start()
                until(replica.ready, f"{replica.name} answers", 60)
            case "pause":
                replica.pause()
                time.sleep(LEASE + 0.5 + draw.random() * 2)
                replica.go_on()
            case "drop":
                replica.cut.drop()
            case "cut":
                replica.cut.cut()
                time.sleep(draw.choice([1.0, LEASE + 1.0, LEASE + 3.0]))
                replica.cut.heal()


class Watcher(threading.Thread):
    """One client of the stock watch, which goes to the next replica whenever its own leaves it alone."""

    def __init__(self, addresses: list[str], place: int) -> None:
        super().__init__(daemon=True, name=f"watcher {place}")
        self.streams: list[Stream] = []
        self._addresses, self._place = addresses, place
        self._token, self._whole = "", False
        self._reached = 0
        self._done = threading.Event()
        self._call: Any = None

    def run(self) -> None:
        while not self._done.is_set():
            address = self._addresses[self._place % len(self._addresses)]
            self._place += 1
            with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                try:
                    self._follow(stock_service_pb2_grpc.StockServiceStub(channel))
                except grpc.RpcError:
                    time.sleep(0.1)

    def finish(self, revision: int) -> None:
        """Watch until that revision has been delivered, then end."""
        deadline = time.monotonic() + 40
        while self._reached < revision:
            assert time.monotonic() < deadline, f"{self.name} is at {self._reached}, not at {revision}"
            time.sleep(0.05)
        self._done.set()
        if self._call is not None:
            self._call.cancel()
        self.join(10)

    def _follow(self, stub: Any) -> None:
        resumes = bool(self._token) and self._whole
        if not resumes:
            start = watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
        else:
            start = watch_pb2.WatchStart(resume_token=self._token)
        stream = Stream(self._reached if resumes else None)
        self._call = stub.WatchStocks(stock_service_pb2.WatchStocksRequest(parent=PARENT, start=start), timeout=60)
        for delivery in self._call:
            stream.deliveries.append(delivery)
            self._token, self._reached = delivery.resume_token, revision_of(delivery)
            if not self.streams or self.streams[-1] is not stream:
                # A snapshot that broke off is none: the next call begins it again.
                self._whole = self._whole or delivery.mark.snapshot_complete
                if self._whole:
                    self.streams.append(stream)
            if self._done.is_set():
                return


def _write_of(connector: str) -> str:
    return dict(zip(("shopify", "ecforce", "rakuten"), WRITES, strict=True))[connector]


def _kept(errors: list[BaseException], work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - shown by the test
        errors.append(error)
