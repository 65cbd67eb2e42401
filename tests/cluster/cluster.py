"""Three real server processes on one real PostgreSQL, each over a line of its own, and the shops of
two merchants over real HTTP."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from cluster.lines import Line, Lines
from sqlalchemy import make_url
from support.stores import PostgreSQL
from support.waiting import until
from zaiko.v1 import (
    merchant_pb2,
    merchant_service_pb2,
    product_pb2,
    product_service_pb2,
    warehouse_pb2,
    warehouse_service_pb2,
)
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_core.plugin_host.loader import load
from zaiko_sdk.testing.simulator import NewListing, SimulatorClient, SimulatorServer
from zaiko_server.demo.screen import DemoScreen
from zaiko_server.demo.shops import WAREHOUSE, DemoShop, DemoShops

PLATFORMS = ("shopify", "ecforce", "rakuten")
MERCHANTS = ("aoi", "beni")
SKUS = ("TEA", "CUP", "POT", "TRAY")
STOCK = 400
_RECORDED = str(Path(__file__).with_name("recorded.py"))
HONEST = (_RECORDED, "none")


def without(mutant: str) -> tuple[str, ...]:
    """Return the program whose servers lack one rule (recorded.py)."""
    return (_RECORDED, mutant)


class Replica:
    """One server process, which may die and start again at the same address."""

    def __init__(
        self, number: int, line: Line, database: str, folder: Path, program: tuple[str, ...]
    ) -> None:
        self.line = line
        self.name, self._folder, self._program = f"replica-{number}", folder, program
        self.role = f"replica_{number}"
        self._url = f"postgresql+psycopg://{self.role}@{line.host}:{line.port}/{database}"
        # Bound for as long as the replica may start again, so that no other connection gets its
        # port meanwhile.
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._kept.getsockname()[1]}"
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start the process. `ready` says when it answers."""
        (self._folder / f"{self.name}.port").unlink(missing_ok=True)
        command = [
            *(
                sys.executable,
                *self._program,
                "serve",
                "--db",
                self._url,
                "--secret-key-file",
                "zaiko.key",
                "--state-dir",
                ".",
            ),
            *(
                "--listen",
                self.address,
                "--port-file",
                f"{self.name}.port",
                "--quiet",
                "--grace",
                "2",
            ),
        ]
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def ready(self) -> bool:
        """Return whether it answers. Raises AssertionError with its log if it has ended."""
        assert self.process.poll() is None, (self._folder / f"{self.name}.log").read_text()[-3_000:]
        return (self._folder / f"{self.name}.port").exists()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.go_on()
        self.kill()
        self.line.close()
        self._kept.close()


class ClusterMerchant(DemoShops):
    """One merchant with its shops."""

    def __init__(self, client: ApiClient, merchant: str, shops: Sequence[DemoShop]) -> None:
        super().__init__(client, shops, DemoScreen(plain=True))
        self.merchant, self.parent = merchant, f"merchants/{merchant}"

    def create(self, products: dict[str, int]) -> None:  # type: ignore[override]
        """Create the merchant, a warehouse, and products with their stock."""
        client = self.client
        made = merchant_service_pb2.CreateMerchantRequest(
            merchant_id=self.merchant, merchant=merchant_pb2.Merchant(display_name=self.merchant)
        )
        client.call(client.merchants.CreateMerchant, made)
        place = warehouse_pb2.Warehouse(display_name="Tokyo")
        client.call(
            client.warehouses.CreateWarehouse,
            warehouse_service_pb2.CreateWarehouseRequest(
                parent=self.parent, warehouse_id=WAREHOUSE, warehouse=place
            ),
        )
        for sku, units in products.items():
            request = product_service_pb2.CreateProductRequest(
                parent=self.parent, product_id=sku.lower(), product=product_pb2.Product(code=sku)
            )
            client.call(client.products.CreateProduct, request)
            self.receive(sku, units)


class Cluster:
    """Replicas and shops: every shop of a merchant sells all of its products, with sync enabled."""

    def __init__(
        self,
        postgresql: PostgreSQL,
        lines: Lines,
        url: str,
        folder: Path,
        *,
        program: tuple[str, ...] = HONEST,
        replicas: int = 3,
        shops: int = 6,
    ) -> None:
        place = make_url(url)
        self.replicas = [
            Replica(number, lines.lay(number, place), str(place.database), folder, program)
            for number in range(replicas)
        ]
        for replica in self.replicas:
            # A role of its own, so that its sessions can be identified.
            with (
                postgresql.admin() as connection,
                contextlib.suppress(psycopg.errors.DuplicateObject),
            ):
                connection.execute(f"CREATE ROLE {replica.role} SUPERUSER LOGIN".encode())
        self.servers: dict[str, SimulatorServer] = {}
        self.merchants: list[ClusterMerchant] = []
        self._shop_count = shops

    @contextlib.contextmanager
    def running(self) -> Iterator[Cluster]:
        """Run the cluster for as long as the block lasts."""
        with contextlib.ExitStack() as stack:
            for replica in self.replicas:
                stack.callback(replica.close)
                replica.start()
            shops = {
                merchant: [
                    self._shop(stack, merchant, number) for number in range(self._shop_count)
                ]
                for merchant in MERCHANTS
            }
            until(
                lambda: all(replica.ready() for replica in self.replicas), "every replica answers"
            )
            for number, (merchant, owned) in enumerate(shops.items()):
                client = stack.enter_context(self.client(number % len(self.replicas)))
                self.merchants.append(ClusterMerchant(client, merchant, owned))
            with ThreadPoolExecutor() as pool:
                list(pool.map(_open, self.merchants))
            yield self

    @contextlib.contextmanager
    def client(self, number: int) -> Iterator[ApiClient]:
        """Return a client of one replica, for as long as the block lasts."""
        with contextlib.closing(
            ApiClient(ServerConnection(self.replicas[number].address))
        ) as client:
            yield client

    def _shop(self, stack: contextlib.ExitStack, merchant: str, number: int) -> DemoShop:
        platform = PLATFORMS[number % len(PLATFORMS)]
        simulator = load().simulators()[platform].create()
        simulator.switch("quotas", False)
        simulator.add_listings([NewListing(sku=sku, quantity=3, title=sku) for sku in SKUS])
        name = f"{merchant}-{platform}-{number}"
        self.servers[name] = stack.enter_context(SimulatorServer(simulator))
        client = SimulatorClient(self.servers[name].base_url)
        stack.callback(client.close)
        return DemoShop(name, platform, client)


def _open(merchant: ClusterMerchant) -> None:
    merchant.create(dict.fromkeys(SKUS, STOCK))
    for shop in merchant.shops:
        merchant.open_shop(shop)
        merchant.link_all(shop)
    until(
        lambda: all(numbers == dict.fromkeys(SKUS, STOCK) for numbers in merchant.shown().values()),
        f"everything of {merchant.merchant} is everywhere",
    )
