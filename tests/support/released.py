"""The database that an older release has left, upgraded by this one, and its shops in memory."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import psycopg
import structlog
from google.protobuf import message_factory
from pydantic import SecretStr
from sqlalchemy import Engine as Sql
from sqlalchemy import create_engine
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage.migrate import migrate
from zaiko_core.sync.translation import micros
from zaiko_sdk import (
    InventoryLevel,
    InventoryMode,
    InventoryWrite,
    Limits,
    LinkView,
    ListingRef,
    Order,
    OrderLine,
    OrderState,
    WriteOutcome,
    WriteResult,
)
from zaiko_sdk.hooks import hookimpl
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.fakeshop import FakeConnector, FakeSettings, FakeShop, fake_connector
from zaiko_server.app import FILES
from zaiko_server.config import Config
from zaiko_server.lifecycle import running

from support.stores import PostgreSQL

DATA = Path(__file__).parents[1] / "data"
LIMITS = Limits(read_batch=10, write_batch=1, max_quantity=90)
"""As when the database was made."""


def upgraded(url: str, **options: Any) -> dict[str, str]:
    """Bring the database to the schema of this release, as `serve` and `migrate --finish` do."""
    engine: Sql = create_engine(url)
    try:
        migrate(engine, **options)
        return migrate(engine, finish=True, **options)
    finally:
        engine.dispose()


@dataclass(frozen=True)
class Release:
    """What `tests/data/make_upgrade_database.py` has kept of a release, in the folder of its
    commit."""

    commit: str

    @property
    def world(self) -> dict[str, Any]:
        """The shops, the time, the secret key, and what the release itself would have come to."""
        found: dict[str, Any] = json.loads((DATA / self.commit / "world.json").read_text())
        return found

    def answers(self) -> list[tuple[str, bytes, bytes]]:
        """RPCs with the bytes of requests and of what the release answered."""
        lines = self._unpacked("answers.jsonl.gz").decode().splitlines()
        decoded = base64.b64decode
        return [
            (found["rpc"], decoded(found["request"]), decoded(found["answer"]))
            for found in map(json.loads, lines)
        ]

    def on_sqlite(self, file: Path) -> str:
        """Return the URL of its database, which is written into `file`."""
        file.write_bytes(self._unpacked("zaiko.db.gz"))
        return f"sqlite:///{file}"

    @contextlib.contextmanager
    def on_postgresql(self, server: PostgreSQL) -> Iterator[str]:
        """Yield the URL of its database, and forget it afterwards."""
        url = server.new_url(template="template0")
        address = url.replace("+psycopg", "", 1)
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(self._unpacked("zaiko.sql.gz"))
            yield url
        finally:
            server.drop(url)

    def _unpacked(self, name: str) -> bytes:
        return gzip.decompress((DATA / self.commit / name).read_bytes())


class Settings(FakeSettings):
    """A shop in memory, with a credential."""

    key: SecretStr


class Dozens:
    """A plugin that sells cups by the dozen."""

    @hookimpl
    def zaiko_adjust_quantity(self, view: LinkView) -> int | None:
        return view.quantity // 12 * 12 if view.external_id == "cup" else None


class Recorder(FakeConnector):
    """Speaks to a shop in memory, and writes down what it reads and sends."""

    def __init__(self, shop: FakeShop, said: list[tuple[str, str]]) -> None:
        super().__init__(shop, lambda moment, operation: None)
        self._said = said

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        self._said += [("read", ref.external_id) for ref in refs]
        return await super().read_inventory(refs)

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        self._said += [(f"write {write.quantity}", write.ref.external_id) for write in writes]
        return await super().set_inventory(writes, key)


@dataclass
class Installation:
    """This release on the database at `url`, whose shops stand as the older release left them.

    `said` is what was read and written in each shop since; `secrets` the credentials that its
    connector was opened with.
    """

    release: Release
    url: str
    said: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = self.release.world
        self.clock = FakeClock(datetime.fromisoformat(self.world["time"]))
        self.shops = {name: _shop(self.clock, facts) for name, facts in self.world["shops"].items()}
        self.said = {name: [] for name in self.shops}
        registry = load([("dozens", Dozens())], entry_points=[])
        for name, shop in self.shops.items():
            kind = fake_connector(self.shops, shop.mode, lambda moment, operation: None, LIMITS)
            opened = partial(self._open, name)
            registry.types[f"fake-{name}"] = replace(
                kind, id=f"fake-{name}", settings=Settings, open=opened
            )
        # Its connector was taken away before the database was left.
        del registry.types["fake-gone"]
        ids = count(1)
        self.engine = Engine(
            EngineConfig(self.url, [self.world["key"]], run_shops=False),
            registry=registry,
            log=structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50)),
            clock=self.clock,
            now=lambda: micros(self.clock.now()),
            new_id=lambda: f"{next(ids):08d}-later",
            jitter=lambda: 0.5,
        )

    def _open(self, name: str, context: Any, settings: Settings) -> Recorder:
        self.secrets[name] = settings.key.get_secret_value()
        return Recorder(self.shops[name], self.said[name])

    async def turn(self, seconds: float) -> None:
        """Let time pass, and run what is due."""
        self.clock.advance(seconds)
        await self.engine.run_due()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Callable[[str], Any]]:
        """Yield what makes `Service.Method` callable, while a server runs."""
        config = Config(
            listen="127.0.0.1:0", secret_keys=(self.world["key"],), run_shops=False, grace=1.0
        )
        async with (
            running(self.engine, config) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield lambda rpc: _callable(channel, rpc)


def messages(rpc: str) -> tuple[type[Any], type[Any]]:
    """Return the classes of an RPC's requests and answers."""
    method = _method(rpc)
    return (
        message_factory.GetMessageClass(method.input_type),
        message_factory.GetMessageClass(method.output_type),
    )


def _method(rpc: str) -> Any:
    service, name = rpc.split(".")
    services = (file.DESCRIPTOR.services_by_name.get(service) for file in FILES)
    return next(found for found in services if found is not None).methods_by_name[name]


def _callable(channel: grpc.aio.Channel, rpc: str) -> Any:
    method, (asked, answer) = _method(rpc), messages(rpc)
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    return make(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=asked.SerializeToString,
        response_deserializer=answer.FromString,
    )


def _shop(clock: FakeClock, facts: dict[str, Any]) -> FakeShop:
    shop = FakeShop(clock, InventoryMode(facts["mode"]), dict(facts["stock"]))
    for key, placed in facts["orders"].items():
        # The shop has a class of its own for orders, which is made by placing one.
        name = shop.place({})
        found = shop.orders.pop(name)
        found.order, found.visible_at = _order(placed["order"]), _time(placed["visible_at"])
        shop.orders[key] = found
    for key, results in facts["keys"].items():
        shop.keys[key] = [WriteResult(name, WriteOutcome(outcome)) for name, outcome in results]
    return shop


def _order(facts: dict[str, Any]) -> Order:
    return Order(
        **facts
        | {
            "state": OrderState(facts["state"]),
            "placed_at": _time(facts["placed_at"]),
            "version": _time(facts["version"]),
            "lines": [OrderLine(**line) for line in facts["lines"]],
        }
    )


def _time(facts: str) -> datetime:
    return datetime.fromisoformat(facts)
