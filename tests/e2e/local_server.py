"""A real server in a thread, with real runs, and shops in memory instead of platforms; and the command line against it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from zaiko_core.bootstrap import Engine
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage.secrets import SecretBox
from zaiko_sdk import InventoryMode, Limits, SystemClock
from zaiko_sdk.testing.fakeshop import FakeShop, fake_connector
from zaiko_sdk.testing.simulator import NewListing
from zaiko_server.cli import main
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server


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
            mode.value.replace("_", "-"), f"fake-{mode.value.replace('_', '-')}", FakeShop(clock, mode)
        )
        for mode in InventoryMode
    }
    registry = Registry()
    memory = {name: shop.shop for name, shop in shops.items()}
    for shop in shops.values():
        kind = fake_connector(memory, shop.shop.mode, lambda moment, operation: None, Limits())
        registry.types[kind.id] = kind
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        config = Config(listen="127.0.0.1:0", database=f"sqlite:///{folder}/zaiko.db", secret_keys=(SecretBox.new_key(),))
        server = Server(Engine(config.engine(), registry=registry), config)
        stop = asyncio.Event()
        started.set_result((await server.start(), asyncio.get_running_loop(), stop))
        await stop.wait()
        await server.stop(grace=1)

    # In one process with the command line, whose output is looked at, the server keeps quiet.
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="local server")
    thread.start()
    address, loop, stop = started.result(timeout=20)
    try:
        yield Local(address, shops)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
        structlog.configure(**before)


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
