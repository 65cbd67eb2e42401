"""Three real server processes on one real PostgreSQL, each behind a network of its own, and shops over real HTTP."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cluster.cut import Cut
from sqlalchemy import make_url
from zaiko_core.plugin_host.loader import load
from zaiko_sdk.testing.simulator import NewListing, SimulatorClient, SimulatorServer
from zaiko_server.cli.client import Client
from zaiko_server.cli.connection import Connection
from zaiko_server.demo.bench import Bench, Shop
from zaiko_server.demo.screen import Screen

PLATFORMS = ("shopify", "ecforce", "rakuten")
SKUS = ("TEA", "CUP", "POT", "TRAY")
STOCK = 400
HONEST = ("-m", "zaiko_server.cli")
UNFENCED = (str(Path(__file__).with_name("unfenced.py")),)


class Replica:
    """One server process, which may die and start again at the same address."""

    def __init__(self, number: int, url: str, folder: Path, program: tuple[str, ...]) -> None:
        place = make_url(url)
        socket_folder = place.query["host"]
        assert isinstance(socket_folder, str)
        self.cut = Cut(lambda: _reach(socket_folder, place.port or int(str(place.query.get("port", 5432)))))
        self.name, self._folder, self._program = f"replica-{number}", folder, program
        self._url = f"postgresql+psycopg://{place.username}@127.0.0.1:{self.cut.port}/{place.database}"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Begin the process; `ready` waits for it."""
        (self._folder / f"{self.name}.port").unlink(missing_ok=True)
        command = [
            *(sys.executable, *self._program, "serve", "--db", self._url, "--secret-key-file", "zaiko.key"),
            *("--listen", self.address, "--port-file", f"{self.name}.port", "--quiet", "--grace", "2"),
        ]
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ready(self) -> bool:
        """Whether it answers; raises when it has ended by itself."""
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
        self.cut.close()


class Cluster:
    """Replicas and shops of one merchant: every shop sells every product, with sync enabled."""

    def __init__(self, url: str, folder: Path, *, program: tuple[str, ...] = HONEST, replicas: int = 3, shops: int = 6) -> None:
        self.url = url
        self.replicas = [Replica(number, url, folder, program) for number in range(replicas)]
        self.servers: dict[str, SimulatorServer] = {}
        self.shops: list[Shop] = []
        self._shop_count = shops

    @contextlib.contextmanager
    def running(self) -> Iterator[Cluster]:
        """For as long as the block lasts."""
        kinds = load().simulators()
        with contextlib.ExitStack() as stack:
            for replica in self.replicas:
                stack.callback(replica.close)
                replica.start()
            for number in range(self._shop_count):
                platform = PLATFORMS[number % len(PLATFORMS)]
                simulator = kinds[platform].create()
                simulator.switch("quotas", False)
                simulator.add_listings([NewListing(sku=sku, quantity=3, title=sku) for sku in SKUS])
                name = f"{platform}-{number}"
                self.servers[name] = stack.enter_context(SimulatorServer(simulator))
                client = SimulatorClient(self.servers[name].base_url)
                stack.callback(client.close)
                self.shops.append(Shop(name, platform, client))
            until(lambda: all(replica.ready() for replica in self.replicas), "every replica answers", 60)
            self._open(stack.enter_context(self.client(0)))
            yield self

    @contextlib.contextmanager
    def client(self, number: int) -> Iterator[Client]:
        """A client of one replica."""
        with contextlib.closing(Client(Connection(self.replicas[number].address))) as client:
            yield client

    def _open(self, client: Client) -> None:
        self.bench = Bench(client, self.shops, Screen(plain=True))
        self.bench.create(dict.fromkeys(SKUS, STOCK))
        for shop in self.shops:
            self.bench.open_shop(shop)
            self.bench.link_all(shop)
        for sku in SKUS:
            until(lambda sku=sku: all(shown[sku] == STOCK for shown in self.bench.shown().values()), f"{sku} is everywhere", 60)


def until(condition: object, what: str, seconds: float) -> None:
    """Wait for something; raises AssertionError when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _reach(folder: str, port: int) -> socket.socket:
    far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    far.connect(f"{folder}/.s.PGSQL.{port}")
    return far
