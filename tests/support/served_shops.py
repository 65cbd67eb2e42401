"""One merchant whose shops are simulated platforms over real HTTP, run by the real engine with the
real connectors on a real SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

import structlog
from cryptography.fernet import Fernet
from sqlalchemy import select
from zaiko_core.app import links, shops
from zaiko_core.app.records import LinkRecord, ShopRecord
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.domain.links import Part
from zaiko_core.plugin_host.loader import Registry, load
from zaiko_core.storage import schema
from zaiko_core.sync import translation
from zaiko_sdk import SystemClock
from zaiko_sdk.testing.simulator import NewListing, SimulatorClient, SimulatorServer

from support.world import MERCHANT, World

PRODUCT = "tea"
INTERVAL = 600_000_000
T = TypeVar("T")
_KEY = Fernet.generate_key().decode()


class ShiftedClock(SystemClock):
    """The real time, and what a test has let pass beside it."""

    def __init__(self) -> None:
        self._shift = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._shift)

    def monotonic(self) -> float:
        return super().monotonic() + self._shift

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._shift += seconds


class Killed(BaseException):
    """The process ends here, without a chance to clean up."""


class AnotherServer:
    """A second engine on the store of a ServedShops. Its methods may be called from any thread,
    also while the first engine waits for a platform."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._thread = engine, ThreadPoolExecutor(1)
        self._serving: Future[None] | None = None
        self._loop = self._thread.submit(asyncio.new_event_loop).result()

    def run_due(self) -> int:
        """Run what is due, and return how many shops were run."""
        return self._do(self._engine.run_due())

    def start(self) -> None:
        """Run shops in the background from now on."""
        self._do(self._engine.start())
        self._serving = self._thread.submit(self._loop.run_forever)

    def close(self) -> None:
        """End it, and release its leases."""
        if self._serving is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._serving.result()
        self._do(self._engine.stop(grace=0.1))
        self._thread.submit(_close, self._loop).result()
        self._thread.shutdown()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(self._loop.run_until_complete, work).result()


class ServedShops:
    """A merchant that sells `tea` in one shop of each platform named. Use as a context manager.

    `calls` lists what the engine asked of each platform, in order: (platform, operation).
    """

    def __init__(self, url: str, *platforms: str, units: int = 10) -> None:
        self._url, self._platforms, self._units = url, platforms, units
        self.clock = ShiftedClock()
        self.servers: dict[str, SimulatorServer] = {}
        self.shops: dict[str, SimulatorClient] = {}
        self.listings: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.writes: list[Any] = []
        """Every InventoryWrite that was sent."""
        self._once: dict[tuple[str, str, str], Callable[[], None]] = {}
        self._open = contextlib.ExitStack()
        self.loop = asyncio.new_event_loop()
        self.engine = self.new_engine()
        self.world = World(self.engine.db)

    def __enter__(self) -> ServedShops:
        self._open.callback(self._end)
        if "rakuten" in self._platforms:
            # The first fetch goes back for two years, in a dozen searches at one a second. These
            # shops are new.
            self._open.enter_context(patch("zaiko_rakuten.orders._HISTORY", timedelta(days=62)))
        for platform in self._platforms:
            simulator = load().simulators()[platform].create()
            simulator.switch("quotas", False)
            simulator.add_listings([NewListing(sku=PRODUCT, quantity=0, title=PRODUCT)])
            server = self.servers[platform] = self._open.enter_context(SimulatorServer(simulator))
            self.shops[platform] = SimulatorClient(server.base_url)
            self._open.callback(self.shops[platform].close)
        self.world.begin((PRODUCT,), shops=())
        self.loop.run_until_complete(self._create())
        self.world.receive(PRODUCT, self._units)
        self.run()
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def new_engine(self, *, run_shops: bool = False) -> Engine:
        """Return a process of its own, as far as the store can tell."""
        real, registry = load(), Registry()
        for platform in self._platforms:
            kind = real.types[platform]
            registry.types[platform] = replace(kind, open=self._watched(platform, kind.open))
        return Engine(
            EngineConfig(self._url, [_KEY], run_shops=run_shops),
            log=structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50)),
            registry=registry,
            clock=self.clock,
            now=lambda: translation.micros(self.clock.now()),
            jitter=lambda: 0.0,
        )

    def run(self, *, after: float = 0.0) -> None:
        """Run every shop that is due, once triggers have coalesced and `after` seconds have passed
        on the engine's clock. The platforms keep the real time, so an order that is placed after
        that seems older than it is."""
        self.wait(0.03)
        self.clock.advance(after)
        self.loop.run_until_complete(self.engine.run_due())

    def wait(self, seconds: float) -> None:
        """Let real time pass."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @contextlib.contextmanager
    def another_server(self, *, run_shops: bool = False) -> Iterator[AnotherServer]:
        """Have a second process on the same store, with a thread and an event loop of its own.
        `run_shops`: it runs shops in the background."""
        server = AnotherServer(self.new_engine(run_shops=run_shops))
        if run_shops:
            server.start()
        try:
            yield server
        finally:
            server.close()

    def restart(self) -> None:
        """Replace a killed process by a new one, once its leases have run out. Its connections are
        closed, as the system does for a process that is gone."""
        self.loop.run_until_complete(self.engine.connectors.aclose())
        self.engine.db.close()
        self.engine = self.new_engine()
        self.world.db = self.engine.db
        self.clock.advance(6)

    def once(self, when: str, platform: str, operation: str, do: Callable[[], object]) -> None:
        """Call `do` once, before or after the next `operation` of a platform."""
        self._once[when, platform, operation] = lambda: (do(), None)[1]

    def shown(self) -> Mapping[str, int]:
        """Return what each shop shows."""
        return {platform: client.stock()[PRODUCT] for platform, client in self.shops.items()}

    def sell(self, platform: str, units: int = 1, **options: Any) -> str:
        """Have a buyer order in a shop, and return the order's id."""
        return self.shops[platform].place_order({PRODUCT: units}, **options)

    def shop(self, platform: str) -> ShopRecord:
        """Return a shop."""
        return self.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([platform])[platform])

    def link(self, platform: str) -> LinkRecord:
        """Return the link of a shop's listing."""
        listing = self.listings[platform]
        return self.world.db.read_sync(
            MERCHANT, lambda uow: uow.links.get(platform, [listing])[listing]
        )

    def orders(self, platform: str) -> list[str]:
        """Return the platform's ids of the orders that are stored of a shop."""
        table = schema.orders
        wanted = select(table.c.order_id).where(table.c.shop == platform)
        with self.engine.db.engine.connect() as connection:
            return list(connection.execute(wanted).scalars())

    def pushes(self, platform: str) -> list[str]:
        """Return the outcomes of what was sent to a shop, oldest first."""
        table = schema.pushes
        wanted = select(table.c.outcome).where(table.c.shop == platform).order_by(table.c.at)
        with self.engine.db.engine.connect() as connection:
            return list(connection.execute(wanted).scalars())

    async def _create(self) -> None:
        for platform, server in self.servers.items():
            settings, kind = server.settings(), self.engine.registry.types[platform]
            hidden = {
                name: str(settings.pop(name))
                for name in kind.settings.secret_fields()
                if name in settings
            }
            draft = ShopRecord(
                platform,
                platform,
                platform,
                settings,
                INTERVAL,
                secrets=self.engine.secrets.seal(hidden),
            )
            self._write(lambda uow, draft=draft: shops.create(uow, draft))
            async with self.engine.open_shop(MERCHANT, platform) as connector:
                async for page in connector.list_listings(None):
                    found = [translation.listing_from(item, platform) for item in page.listings]
            self.listings[platform] = listing = found[0].listing
            draft_link = links.LinkDraft(platform, listing, (Part(PRODUCT),), True)
            self._write(
                lambda uow, shop=platform, found=found: shops.take_listings(uow, shop, found)
            )
            self._write(
                lambda uow, draft=draft_link: links.create(
                    uow, [draft], can_sync=self.engine.can_sync
                )
            )

    def _write(self, work: Callable[[Any], object]) -> None:
        self.world.db.write_sync(MERCHANT, work)

    def _watched(self, platform: str, opened: Callable[..., Any]) -> Callable[..., Any]:
        def open_shop(context: Any, settings: Any) -> Any:
            connector = opened(context, settings)
            for operation in ("read_inventory", "set_inventory"):
                setattr(
                    connector,
                    operation,
                    self._call(platform, operation, getattr(connector, operation)),
                )
            connector.fetch_orders = self._pages(platform, connector.fetch_orders)
            return connector

        return open_shop

    def _call(self, platform: str, operation: str, real: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any) -> Any:
            self._happen("before", platform, operation)
            if operation == "set_inventory":
                self.writes += args[0]
            result = await real(*args)
            self._happen("after", platform, operation)
            return result

        return call

    def _pages(self, platform: str, real: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
        async def pages(cursor: str | None) -> AsyncIterator[Any]:
            self._happen("before", platform, "fetch_orders")
            async for page in real(cursor):
                yield page

        return pages

    def _happen(self, when: str, platform: str, operation: str) -> None:
        if when == "before":
            self.calls.append((platform, operation))
        if (do := self._once.pop((when, platform, operation), None)) is not None:
            do()

    def _end(self) -> None:
        self.loop.run_until_complete(self.engine.stop(grace=0.1))
        _close(self.loop)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End what still runs on a loop, and close it: nothing is left for the garbage collector, which
    would warn in the middle of another test."""

    async def end_tasks() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop.run_until_complete(end_tasks())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
