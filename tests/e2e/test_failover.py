"""The primary dies and a real standby takes over: two real servers go on by themselves, with
nothing lost, doubled or half done. When the standby knew less than was acknowledged, that is
noticed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.test_kill_stream import MERCHANT, furnish
from support.standby import Pair, pair
from support.waiting import until
from zaiko.v1 import stock_service_pb2, stock_service_pb2_grpc, watch_pb2
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_core.app.records import MerchantRecord, ShopRecord
from zaiko_core.storage.database import Database
from zaiko_server.demo.processes import DemoProcesses

pytestmark = pytest.mark.thorough
_TEA = f"{MERCHANT}/products/tea"


class Replicas:
    """Two servers on one address of two databases."""

    def __init__(self, processes: DemoProcesses, url: str) -> None:
        self._processes, self._url = processes, url
        self.running: dict[str, Any] = {}
        for name in ("one", "two"):
            self.start(name)
        self.find()

    def find(self) -> None:
        """Where they answer, once they do."""
        self.addresses = [self._processes.address(name) for name in self.running]

    def start(self, name: str) -> None:
        options = [
            "serve",
            "--db",
            self._url,
            "--secret-key-file",
            f"{name}.key",
            "--state-dir",
            name,
            "--listen",
            "127.0.0.1:0",
            "--quiet",
            "--grace",
            "1",
        ]
        self.running[name] = self._processes.start(name, options)

    @contextlib.contextmanager
    def client(self, place: int) -> Iterator[ApiClient]:
        with contextlib.closing(
            ApiClient(ServerConnection(self.addresses[place]), "acme")
        ) as client:
            yield client


class Warehouse(threading.Thread):
    """Records receipts of one unit, one after the other. It sends each to either server until one
    answers."""

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(daemon=True)
        self._addresses, self._over = list(addresses), threading.Event()
        self.answered: list[float] = []
        self.refused: set[grpc.StatusCode] = set()

    def run(self) -> None:
        while not self._over.is_set():
            self._tell(f"fact-{len(self.answered)}")
            self.answered.append(time.monotonic())

    def finish(self) -> None:
        self._over.set()
        self.join(60)
        assert not self.is_alive()

    def move_to(self, addresses: list[str]) -> None:
        self._addresses[:] = addresses

    def _tell(self, cause: str) -> None:
        request = stock_service_pb2.RecordReceiptRequest(
            product=_TEA, warehouse=f"{MERCHANT}/warehouses/tokyo", quantity=1, cause_key=cause
        )
        for number in range(1_000):
            address = self._addresses[number % len(self._addresses)]
            with grpc.insecure_channel(address) as channel, contextlib.suppress(grpc.RpcError):
                try:
                    stock_service_pb2_grpc.StockServiceStub(channel).RecordReceipt(
                        request, timeout=8
                    )
                    return
                except grpc.RpcError as error:
                    self.refused.add(error.code())
                    time.sleep(0.05)
        raise AssertionError(f"nobody took {cause}")


class Watcher(threading.Thread):
    """Watches the tea on one server after the other, and starts again only if it must."""

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(daemon=True)
        self._addresses, self._over = list(addresses), threading.Event()
        self.seen: list[tuple[int, int]] = []
        """(revision, physical), as it came."""
        self.restarts = 0
        self._token = ""

    def run(self) -> None:
        place = 0
        while not self._over.is_set():
            place += 1
            with grpc.insecure_channel(self._addresses[place % 2]) as channel:
                try:
                    self._follow(stock_service_pb2_grpc.StockServiceStub(channel))
                except grpc.RpcError as error:
                    if error.code() is grpc.StatusCode.OUT_OF_RANGE or "RESUME" in error.details():
                        self._token = ""
                    time.sleep(0.1)

    def finish(self, physical: int) -> None:
        until(lambda: self.seen and self.seen[-1][1] == physical, f"the watcher sees {physical}")
        self._over.set()

    def move_to(self, addresses: list[str]) -> None:
        self._addresses[:] = addresses

    def _follow(self, stub: Any) -> None:
        start = (
            watch_pb2.WatchStart(snapshot={})
            if not self._token
            else watch_pb2.WatchStart(resume_token=self._token)
        )
        self.restarts += not self._token
        for delivery in stub.WatchStocks(
            stock_service_pb2.WatchStocksRequest(parent=MERCHANT, start=start), timeout=60
        ):
            self._token = delivery.resume_token
            self.seen.extend((stock.revision, stock.physical) for stock in delivery.changes.stocks)


@pytest.fixture
def databases() -> Iterator[Pair]:
    with pair() as found:
        found.follow()
        yield found


def test_both_servers_go_on_with_the_standby_and_nothing_that_was_acknowledged_is_lost(
    databases: Pair, tmp_path: Path
) -> None:
    databases.wait_for_standby()
    with DemoProcesses(tmp_path) as processes:
        replicas = Replicas(processes, databases.new_url())
        with replicas.client(0) as client:
            furnish(client)
        warehouse, watcher = Warehouse(replicas.addresses), Watcher(replicas.addresses)
        for thread in (warehouse, watcher):
            thread.start()
        until(lambda: len(warehouse.answered) > 50)

        databases.first.halt()
        died = time.monotonic()
        time.sleep(3)
        before = len(warehouse.answered)
        databases.promote()
        until(lambda: len(warehouse.answered) > before + 50)
        warehouse.finish()

        recorded = len(warehouse.answered)
        back = next(at for at in warehouse.answered if at > died + 0.5) - died
        print(
            f"\n{recorded} facts, answered again {back:.1f} s after the primary died, 3 s of "
            "which nobody was promoted"
        )
        for place in (0, 1):
            with replicas.client(place) as client:
                assert (
                    client.call(
                        client.stocks.GetStock,
                        stock_service_pb2.GetStockRequest(name=f"{_TEA}/stock"),
                    ).stock.physical
                    == recorded
                )
                request = stock_service_pb2.ListMovementsRequest(parent=MERCHANT)
                causes = [
                    move.cause_key
                    for move in client.pages(client.stocks.ListMovements, request, "movements")
                ]
                assert sorted(causes) == sorted(f"fact-{number}" for number in range(recorded))
        watcher.finish(recorded)
        assert watcher.restarts == 1
        assert watcher.seen == sorted(watcher.seen)
        assert warehouse.refused <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        assert processes.dead() == []


def test_a_standby_that_had_less_than_was_acknowledged_is_noticed_before_anything_is_written_to_it(
    databases: Pair, tmp_path: Path
) -> None:
    url = databases.new_url()
    db = Database(url)
    db.directory.write_sync(lambda directory: directory.create(MerchantRecord("other")))
    db.write_sync(
        "other",
        lambda uow: uow.shops.insert(ShopRecord("shop", "nowhere", "Shop", {}, 600_000_000)),
    )
    db.close()
    with DemoProcesses(tmp_path) as processes:
        replicas = Replicas(processes, url)
        with replicas.client(0) as client:
            furnish(client)
        warehouse, watcher = Warehouse(replicas.addresses[:1]), Watcher(replicas.addresses)
        for thread in (warehouse, watcher):
            thread.start()
        until(lambda: len(warehouse.answered) > 50)
        databases.lag()
        known = databases.rows("movements")
        until(lambda: len(warehouse.answered) > known + 20)

        databases.first.halt()
        databases.promote()
        # The process that had delivered a lost change ends at once. The other one ends when it sees
        # that the database has another history.
        codes = [replicas.running[name].wait(40) for name in ("one", "two")]
        assert codes == [1, 1]
        assert databases.rows("movements") == known

        for name in replicas.running:
            replicas.start(name)
        replicas.find()
        again = Database(url)
        assert again.read_sync("other", lambda uow: uow.shops.get(["shop"]))["shop"].shadow
        again.close()
        warehouse.move_to(replicas.addresses)
        watcher.move_to(replicas.addresses)
        until(lambda: watcher.restarts >= 2)
        warehouse.finish()
        watcher.finish(databases.rows("movements"))
