"""What people and programs do to a cluster during a storm: buyers order in the shops, and a
warehouse sends its receipts to whichever replica answers. What was accepted is recorded for the
verdicts."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
from cluster.cluster import SKUS, Cluster, ClusterMerchant
from zaiko.v1 import (
    stock_service_pb2,
    stock_service_pb2_grpc,
    sync_service_pb2,
    sync_service_pb2_grpc,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_server.demo.shops import WAREHOUSE, DemoShop

_WRITES = {
    "shopify": "inventorySetQuantities",
    "ecforce": '"stock_items"',
    "rakuten": "bulk-upsert",
}
"""A text in every request that sets stock, by platform."""
_TRIES = 60
PAIRS = ((SKUS[0], SKUS[1]), (SKUS[2], SKUS[3]))
"""Products whose reserves are only ever set together, to the same number."""


class Load:
    """Buyers and a warehouse for each merchant, from `start` until `finish`."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster, self._seed = cluster, seed
        self.orders: dict[tuple[str, str, str], dict[str, int]] = {}
        """Units by product, of each (merchant, shop, order) that a shop accepted."""
        self.received: Counter[tuple[str, str]] = Counter()
        """Units by (merchant, sku)."""
        self.reserves: Counter[tuple[str, str]] = Counter()
        """The last reserve that was set, by (merchant, sku)."""
        self.receipts = self.settings = self.repeats = 0
        self._over, self._counting = threading.Event(), threading.Lock()
        self._errors: list[BaseException] = []
        works = [
            (work, merchant)
            for merchant in cluster.merchants
            for work in (self._buy, self._buy, self._receive, self._keep_back)
        ]
        self._threads = [
            threading.Thread(
                target=self._guarded, args=(work, merchant, random.Random(f"load {seed} {number}"))
            )
            for number, (work, merchant) in enumerate(works)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Stop, and wait until everything that was begun has been answered. Raises the first
        error."""
        self._over.set()
        for thread in self._threads:
            thread.join(90)
            assert not thread.is_alive()
        if self._errors:
            raise self._errors[0]

    def notify(self, merchant: ClusterMerchant, shop: DemoShop, draw: random.Random) -> None:
        """Notify some replica that something happened in a shop, as a webhook would. The call may
        be lost."""
        request = sync_service_pb2.SyncNowRequest(shop=merchant.name(shop))
        self._call(
            draw,
            lambda channel: sync_service_pb2_grpc.SyncServiceStub(channel).SyncNow(
                request, timeout=1
            ),
            tries=1,
        )

    def _buy(self, merchant: ClusterMerchant, draw: random.Random) -> None:
        while not self._over.wait(draw.random() * 0.5):
            shop = draw.choice(merchant.shops)
            lines = {sku: draw.randint(1, 2) for sku in draw.sample(SKUS, draw.choice([1, 1, 2]))}
            shown = shop.simulator.stock()
            if any(shown[sku] < units for sku, units in lines.items()):
                continue
            order = shop.simulator.place_order(lines, visible_after=draw.choice([0, 0, 0, 1.0]))
            with self._counting:
                self.orders[merchant.merchant, shop.name, order] = {
                    sku.lower(): units for sku, units in lines.items()
                }
            if draw.random() < 0.3:
                slow = Fault(
                    FaultKind.LATENCY,
                    match=_WRITES[shop.connector],
                    seconds=draw.choice([0.2, 0.5, 1.5]),
                )
                self._cluster.servers[shop.name].inject(slow)
            if draw.random() < 0.7:
                self.notify(merchant, shop, draw)

    def _receive(self, merchant: ClusterMerchant, draw: random.Random) -> None:
        number = 0
        while not self._over.wait(draw.random() * 0.5):
            number += 1
            sku, units = draw.choice(SKUS), draw.randint(1, 5)
            request = stock_service_pb2.RecordReceiptRequest(
                product=merchant.product(sku),
                warehouse=f"{merchant.parent}/warehouses/{WAREHOUSE}",
                quantity=units,
            )
            if number % 2:
                request.cause_key = f"{merchant.merchant}-{number}"
            else:
                request.request_id = _uuid(draw)

            def send(
                channel: grpc.Channel, request: stock_service_pb2.RecordReceiptRequest = request
            ) -> None:
                stock_service_pb2_grpc.StockServiceStub(channel).RecordReceipt(request, timeout=3)

            # Sent to one replica after another until it is answered, and now and then once more.
            for _ in range(draw.choice([1, 1, 1, 2])):
                self._call(draw, send)
            with self._counting:
                self.receipts += 1
                self.received[merchant.merchant, sku.lower()] += units

    def _keep_back(self, merchant: ClusterMerchant, draw: random.Random) -> None:
        while not self._over.wait(draw.random() * 2.0):
            pair, units = draw.choice(PAIRS), draw.randint(0, 20)
            request = stock_service_pb2.BatchSetReservesRequest(
                parent=merchant.parent,
                requests=[
                    stock_service_pb2.SetReserveRequest(
                        product=merchant.product(sku), reserve=units
                    )
                    for sku in pair
                ],
                request_id=_uuid(draw),
            )

            def send(
                channel: grpc.Channel, request: stock_service_pb2.BatchSetReservesRequest = request
            ) -> None:
                stock_service_pb2_grpc.StockServiceStub(channel).BatchSetReserves(
                    request, timeout=3
                )

            # A call that timed out may still be carried out by a replica that was frozen. Its
            # request id keeps it from undoing the next one.
            self._call(draw, send)
            with self._counting:
                self.settings += 1
                self.reserves.update(
                    {
                        (merchant.merchant, sku.lower()): units
                        - self.reserves[merchant.merchant, sku.lower()]
                        for sku in pair
                    }
                )

    def _call(
        self, draw: random.Random, call: Callable[[grpc.Channel], Any], *, tries: int = _TRIES
    ) -> None:
        for _ in range(tries):
            replica = draw.choice(self._cluster.replicas)
            with grpc.insecure_channel(
                replica.address, options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                try:
                    call(channel)
                    return
                except grpc.RpcError:
                    self.repeats += tries > 1
                    time.sleep(0.2)
        assert tries == 1, "no replica answered"

    def _guarded(
        self,
        work: Callable[[ClusterMerchant, random.Random], None],
        merchant: ClusterMerchant,
        draw: random.Random,
    ) -> None:
        try:
            work(merchant, draw)
        except BaseException as error:  # noqa: BLE001 - raised by `finish`
            self._errors.append(error)


def _uuid(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))
