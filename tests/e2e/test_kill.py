"""kill -9 in the middle of a push: the next start converges, nothing is lost, nothing counts twice,
nothing is pushed wrongly.

Real processes: `zaiko serve` on a file, three simulated shops over real HTTP, commands over gRPC.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import PostgreSQL
from support.waiting import until
from zaiko.v1 import stock_service_pb2
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_core.plugin_host.loader import load
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorClient, SimulatorServer
from zaiko_server.demo.processes import DemoProcesses
from zaiko_server.demo.screen import DemoScreen
from zaiko_server.demo.shops import DemoShop, DemoShops

PLATFORMS = ("shopify", "ecforce", "rakuten")
WRITE = {"shopify": "inventorySetQuantities", "ecforce": '"stock_items"', "rakuten": "bulk-upsert"}
"""What a request that sets stock has in it."""
TEA = "TEA-100"


class Stage:
    """A server process that can be killed and started again, and three shops that live on."""

    def __init__(
        self, folder: Path, shops: list[DemoShop], servers: dict[str, SimulatorServer]
    ) -> None:
        self.folder, self.shops, self.servers = folder, shops, servers
        self.database = "zaiko.db"
        self.generation = 0
        self.bench: DemoShops

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """A server for as long as the block lasts; it may be killed meanwhile."""
        self.generation += 1
        name = f"serve-{self.generation}"
        with DemoProcesses(self.folder) as processes:
            process = processes.start(
                name,
                [
                    "serve",
                    "--db",
                    self.database,
                    "--secret-key-file",
                    "zaiko.key",
                    "--state-dir",
                    ".",
                    "--listen",
                    "127.0.0.1:0",
                ],
            )
            with contextlib.closing(ApiClient(ServerConnection(processes.address(name)))) as client:
                self.bench = DemoShops(client, self.shops, DemoScreen(plain=True))
                yield process

    def shop(self, name: str) -> DemoShop:
        return next(shop for shop in self.shops if shop.name == name)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    kinds = load().simulators()
    with contextlib.ExitStack() as stack:
        servers = {}
        for platform in PLATFORMS:
            simulator = kinds[platform].create()
            simulator.switch("quotas", False)
            simulator.add_listings([NewListing(sku=TEA, quantity=3, title="tea")])
            servers[platform] = stack.enter_context(SimulatorServer(simulator))
        clients = {
            platform: SimulatorClient(server.base_url) for platform, server in servers.items()
        }
        for client in clients.values():
            stack.callback(client.close)
        yield Stage(
            tmp_path,
            [DemoShop(platform, platform, client) for platform, client in clients.items()],
            servers,
        )


@pytest.mark.thorough
def test_the_same_on_postgresql(stage: Stage, postgresql: PostgreSQL) -> None:
    stage.database = postgresql.new_url()
    test_a_server_killed_in_the_middle_of_a_push_converges_on_the_next_start(stage, "rakuten")


@pytest.mark.parametrize(
    "victim",
    [pytest.param(name, marks=pytest.mark.thorough) for name in PLATFORMS],
)
def test_a_server_killed_in_the_middle_of_a_push_converges_on_the_next_start(
    stage: Stage, victim: str
) -> None:
    seller = next(name for name in PLATFORMS if name != victim)
    with stage.serving() as process:
        stage.bench.create({TEA: 10})
        for shop in stage.shops:
            stage.bench.open_shop(shop)
            stage.bench.link_all(shop)
        stage.bench.expect_shown(TEA, 10)

        # The push to the victim is on its way for a second and a half when the process dies; it
        # arrives all the same.
        stage.servers[victim].inject(Fault(FaultKind.LATENCY, match=WRITE[victim], seconds=1.5))
        stage.shop(seller).simulator.place_order({TEA: 2})
        stage.bench.notify(stage.shop(seller))
        until(lambda: not stage.servers[victim]._faults.faults, "the push is on its way")
        process.send_signal(signal.SIGKILL)
        process.wait()

    # Nobody is there when a buyer takes one in the very shop that is being written to.
    stage.shop(victim).simulator.place_order({TEA: 1})
    time.sleep(1.6)

    with stage.serving():
        stage.bench.expect_shown(TEA, 7)
        stage.bench.expect_stock(TEA, physical=10, ordered=3, free=7, oversold=0)
        for shop in stage.shops:
            stage.bench.notify(shop)
        stage.bench.until("every link is SYNCED", lambda: not stage.bench.problems())
        stage.bench.expect_shown(TEA, 7)
        request = stock_service_pb2.ListMovementsRequest(parent=stage.bench.parent)
        kinds = sorted(
            movement.kind
            for movement in stage.bench.client.pages(
                stage.bench.client.stocks.ListMovements, request, "movements"
            )
        )
        assert len(kinds) == 3, "one receipt and two orders, each once"
