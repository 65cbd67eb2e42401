"""One connector over real HTTP against its own simulator: list everything, read everything, write
everything."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from zaiko_core.plugin_host.loader import load
from zaiko_sdk import (
    Connector,
    ConnectorError,
    ConnectorType,
    InventoryLevel,
    InventoryWrite,
    Listing,
    ListingRef,
    MemoryState,
    PlatformDown,
    ShopContext,
    Throttled,
    WriteOutcome,
)
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer, SimulatorType

from benchmarks.quota.fast_clock import FastClock
from benchmarks.quota.meters import Meter, meter

T = TypeVar("T")
FACTORS = {"shopify": 1.0, "ecforce": 30.0, "rakuten": 10.0, "base": 100.0, "nextengine": 1.0}
"""The factor of time for each platform: as fast as the machine can follow."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One row. `seconds` are by the benchmark's clock, `real` by the real one. `done` of `listings`
    were finished in the time given."""

    platform: str
    phase: str
    factor: float
    listings: int
    done: int
    used: float
    unit: str
    allowed: float | None
    throttled: int
    paused: int
    failed: int
    seconds: float
    real: float
    cpu: float

    @property
    def share(self) -> float | None:
        """The used share of what the quota allowed in the time taken; None where the quota could
        not bind."""
        return self.used / self.allowed if self.allowed else None


class SilentLog:
    """Logs nothing, because logging is not measured."""

    def _drop(self, event: str, **fields: Any) -> None:
        return None

    debug = info = warning = error = _drop


class Course:
    """One opened shop. `budget` is the real seconds after which a phase stops at its next batch."""

    def __init__(
        self,
        connector: Connector,
        kind: ConnectorType,
        server: SimulatorServer,
        clock: FastClock,
        used: Meter,
    ) -> None:
        self.connector, self.kind, self.server, self.clock, self.meter = (
            connector,
            kind,
            server,
            clock,
            used,
        )
        self.refs: list[ListingRef] = []
        self.shown: dict[str, int] = {}
        self.failed = self.paused = 0
        self.until = 0.0

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call like the host: repeat a refused call after the wait that the platform or the
        connector's budget asks for."""
        while True:
            try:
                return await call()
            except Throttled as error:
                self.paused += 1
                await self.clock.sleep(error.retry_after)
            except PlatformDown as error:
                raise AssertionError(f"the simulator is up, the connector says: {error}") from error

    def late(self) -> bool:
        """Whether the time of this phase is over."""
        return time.monotonic() > self.until

    async def list_all(self) -> int:
        """List every page, and continue where the connector had to stop."""
        cursor: str | None = None
        pages: AsyncIterator[Any] = self.connector.list_listings(None)
        seen: dict[str, ListingRef] = {}
        while not self.late():
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                break
            except Throttled as error:
                self.paused += 1
                await self.clock.sleep(error.retry_after)
                pages = self.connector.list_listings(cursor)
                continue
            cursor = page.cursor
            rows: Sequence[Listing] = page.listings
            seen.update((row.ref.external_id, row.ref) for row in rows)
        self.refs = list(seen.values())
        return len(seen)

    async def read_all(self) -> int:
        """Read every listing, in batches of Limits.read_batch."""
        size, done = self.kind.limits.read_batch, 0
        for start in range(0, len(self.refs), size):
            part = self.refs[start : start + size]

            async def read(part: Sequence[ListingRef] = part) -> Sequence[InventoryLevel]:
                return await self.connector.read_inventory(part)

            levels = await self.patiently(read)
            self.shown.update(
                (level.external_id, level.quantity)
                for level in levels
                if level.quantity is not None
            )
            self.failed += len(part) - sum(level.quantity is not None for level in levels)
            done += len(part)
            if self.late():
                break
        return done

    async def write_all(self) -> int:
        """Write one unit more for every listing, in batches of Limits.write_batch."""
        size, done = self.kind.limits.write_batch, 0
        known = [ref for ref in self.refs if ref.external_id in self.shown]
        for start in range(0, len(known), size):
            part = known[start : start + size]
            writes = [
                InventoryWrite(ref, self.shown[ref.external_id] + 1, self.shown[ref.external_id])
                for ref in part
            ]

            async def write(writes: Sequence[InventoryWrite] = writes) -> int:
                results = await self.connector.set_inventory(writes, str(uuid.uuid4()))
                return sum(result.outcome is WriteOutcome.APPLIED for result in results)

            self.failed += len(part) - await self.patiently(write)
            done += len(part)
            if self.late():
                break
        return done


async def run(platform: str, listings: int, budget: float, factor: float) -> list[Phase]:
    """Run the three phases of one platform. Raises ConnectorError for an error that repeating
    cannot cure."""
    kind, simulator = found(platform)
    clock, shop = FastClock(factor), simulator.create()
    counted = meter(platform, shop, clock)
    shop.add_listings(
        [NewListing(f"SKU-{number:06d}", 5, f"Goods {number}") for number in range(listings)]
    )
    with SimulatorServer(shop) as server:
        settings = kind.settings.model_validate(server.settings())

        def http() -> httpx.AsyncClient:
            return httpx.AsyncClient(timeout=120)

        context = ShopContext(
            "merchants/m/shops/quota",
            clock,
            SilentLog(),
            http,
            lambda: str(uuid.uuid4()),
            MemoryState(),
        )
        course = Course(kind.open(context, settings), kind, server, clock, counted)
        try:
            # The first call learns what the platform reports about itself (a token, its locations,
            # the size of its bucket).
            await course.connector.check()
            return [
                await measured(course, platform, phase, listings, budget)
                for phase in ("list", "read", "write")
            ]
        finally:
            await course.connector.aclose()


async def measured(
    course: Course, platform: str, phase: str, listings: int, budget: float
) -> Phase:
    """Run one phase between two readings of the meter."""
    work = {"list": course.list_all, "read": course.read_all, "write": course.write_all}[phase]
    throttled = course.server.simulator.counters()["throttled"]
    course.failed = course.paused = 0
    began, real, cpu = course.clock.monotonic(), time.monotonic(), time.process_time()
    course.until = real + budget
    course.meter.begin()
    done = await work()
    used, allowed = course.meter.used(), course.meter.allowed()
    taken = time.monotonic() - real
    return Phase(
        platform=platform,
        phase=phase,
        factor=course.clock.factor,
        listings=listings,
        done=done,
        used=used,
        unit=course.meter.unit,
        allowed=allowed,
        throttled=course.server.simulator.counters()["throttled"] - throttled,
        paused=course.paused,
        failed=course.failed,
        seconds=course.clock.monotonic() - began,
        real=taken,
        cpu=(time.process_time() - cpu) / taken,
    )


def found(platform: str) -> tuple[ConnectorType, SimulatorType]:
    """Return the installed connector and its simulator."""
    registry = load()
    return registry.types[platform], registry.simulators()[platform]


def play(platform: str, listings: int, budget: float, factor: float | None = None) -> list[Phase]:
    """Call `run` in a separate process: one platform's clock must not be another's."""
    try:
        return asyncio.run(run(platform, listings, budget, factor or FACTORS[platform]))
    except ConnectorError as error:
        raise RuntimeError(f"{platform}: {type(error).__name__}: {error}") from None
