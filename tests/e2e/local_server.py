"""A real server in a thread, with real runs, and shops in memory instead of platforms; and the
command line against it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from zaiko_cli import main
from zaiko_core.bootstrap import Engine
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage.secrets import SecretBox
from zaiko_sdk import InventoryMode, Limits, SystemClock
from zaiko_sdk.testing.fakeshop import FakeShop, fake_connector
from zaiko_sdk.testing.simulator import NewListing
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server

T = TypeVar("T")


@dataclass
class LocalShop:
    """A shop in memory behind the verbs of a simulator's control API."""

    name: str
    connector: str
    shop: FakeShop

    def settings(self) -> dict[str, Any]:
        return {"shop": self.name}

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        self.shop.stock |= {listing.sku: listing.quantity for listing in listings}
        return [listing.sku for listing in listings]

    def stock(self) -> dict[str, int]:
        return dict(self.shop.stock)

    def place_order(self, lines: Mapping[str, int]) -> str:
        return self.shop.place(lines)


@dataclass(frozen=True)
class Local:
    """Where the server answers, and its shops by name."""

    address: str
    shops: dict[str, LocalShop]


@contextlib.contextmanager
def local_server(folder: Path) -> Iterator[Local]:
    """A server over SQLite in `folder`, with a shop of each inventory mode to connect."""
    clock = SystemClock()
    shops = {
        mode.value.replace("_", "-"): LocalShop(
            mode.value.replace("_", "-"),
            f"fake-{mode.value.replace('_', '-')}",
            FakeShop(clock, mode),
        )
        for mode in InventoryMode
    }
    registry = Registry()
    memory = {name: shop.shop for name, shop in shops.items()}
    for shop in shops.values():
        kind = fake_connector(memory, shop.shop.mode, lambda moment, operation: None, Limits())
        registry.types[kind.id] = kind
    config = Config(
        listen="127.0.0.1:0",
        database=f"sqlite:///{folder}/zaiko.db",
        secret_keys=(SecretBox.new_key(),),
    )
    # In one process with the command line, whose output is looked at, the server keeps quiet.
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    async def start() -> tuple[Server, str]:
        server = Server(Engine(config.engine(), registry=registry), config)
        return server, await server.start()

    server, address = run(start())
    try:
        yield Local(address, shops)
    finally:
        run(server.stop(grace=1))
        structlog.configure(**before)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result(timeout=30)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop for all such servers of the process, never closed: what gRPC still had to say to a
    closed loop would be raised in another one, in the middle of somebody else's test."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="local servers", daemon=True).start()
    return loop


@dataclass(frozen=True)
class Said:
    """What a command wrote, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Zaiko:
    """The command line, in this process, against one server."""

    def __init__(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.address, self._capsys = address, capsys

    def __call__(self, *arguments: str, code: int | None = 0) -> Said:
        """Run a command; it must end with `code` (None: however it ends)."""
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--address", self.address])
        written = self._capsys.readouterr()
        said = Said(int(ended.value.code or 0), written.out, written.err)
        assert code is None or said.code == code, said
        return said
