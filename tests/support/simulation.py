"""The real engine on a real SQLite file, with shops in memory and virtual time. A day passes in a
second, and a seed repeats it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import structlog
from cryptography.fernet import Fernet
from zaiko_core.app import settling
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkState, ListingRecord, Page, ShopRecord
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.domain.decision import sellable
from zaiko_core.domain.demand import DemandState
from zaiko_core.domain.ids import listing_id
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.sync.translation import micros
from zaiko_sdk import InventoryMode, Limits, PlatformDown, Throttled, Timeout
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.fakeshop import FakeShop, fake_connector

from support.world import MERCHANT, World

VISIBILITY = 30.0
STEPS = 0.2
"""How many of the crashes come with a step of the clock."""
KEY = Fernet.generate_key().decode()


class Killed(BaseException):
    """The process dies here: nothing after this point happens, and nothing is cleaned up."""


def unsynced(uow: UnitOfWork) -> list[str]:
    """Return which links say SYNCED and are not: each is to show what its stock allows, less what
    it says is withheld."""
    found = []
    synced = [LinkState.SYNCED]
    for link in uow.links.page(Page(100), shop="", products=(), states=synced, sync_enabled=True):
        balances = {
            product: stock.balance
            for product, stock in uow.stocks.get([part.product for part in link.parts]).items()
        }
        if (link.target, link.sent) != (sellable(link.parts, balances), link.confirmed):
            found.append(
                f"{link.shop}/{link.listing} says SYNCED and shows {link.confirmed}: target "
                f"{link.target}, withheld {link.withheld}"
            )
    return found


@dataclass
class HostClock:
    """The clock of the engine's host, which may be wrong by `skew`. The platforms' is right."""

    real: FakeClock
    skew: timedelta = timedelta()

    def now(self) -> datetime:
        """Return what the host takes for the time."""
        return self.real.now() + self.skew

    def monotonic(self) -> float:
        """Return the seconds since the start, which no step changes."""
        return self.real.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await self.real.sleep(seconds)


@dataclass
class Simulation:
    """Shops named by their mode, which all sell `goods`: of an order the first of them, unless its
    product is exchanged for another one. `chaos` is the probability of an event at
    each request to a shop."""

    url: str
    seed: int
    chaos: float = 0.2
    clock: FakeClock = field(default_factory=FakeClock)
    calm: bool = False
    goods: Sequence[str] = ("tea",)
    faults: int = 0
    shipped: dict[tuple[str, str, str], int] | None = None
    """Units that the warehouse shipped, by shop, order and product; None: it reports nothing."""
    violations: list[str] = field(default_factory=list)
    synced: dict[str, int] = field(default_factory=dict)
    """The revision that each shop was synced to."""

    def __post_init__(self) -> None:
        self.random, self.keeper = random.Random(self.seed), random.Random(self.seed)
        self.notices = random.Random(self.seed)
        self.begun: tuple[int, int] | None = None
        self.host = HostClock(self.clock)
        self.shops = {
            mode.value.replace("_", "-"): FakeShop(self.clock, mode, dict.fromkeys(self.goods, 0))
            for mode in InventoryMode
        }
        self.ids = count(1)
        self.loop = asyncio.new_event_loop()
        self.engine = self.new_engine()
        self.world = World(self.engine.db)

    def new_engine(self) -> Engine:
        """Return an engine that stands for a new process."""
        limits = Limits(
            read_batch=10, write_batch=10, order_visibility=timedelta(seconds=VISIBILITY)
        )
        registry = Registry()
        for name, shop in self.shops.items():
            kind = fake_connector(
                self.shops,
                shop.mode,
                lambda moment, op, name=name: self.interfere(name, moment, op),
                limits,
            )
            registry.types[kind.id] = kind
        engine = Engine(
            EngineConfig(self.url, [KEY], run_shops=False),
            log=structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50)),
            registry=registry,
            clock=self.host,
            now=lambda: micros(self.host.now()),
            new_id=lambda: f"{next(self.ids):08d}",
            jitter=self.random.random,
        )
        self._watch_commits(engine)
        return engine

    def _watch_commits(self, engine: Engine) -> None:
        """Look at what every transaction of the engine leaves behind."""
        write: Any = engine.db.write

        async def watched(merchant: str, *args: Any, **kwargs: Any) -> Any:
            result = await write(merchant, *args, **kwargs)
            if merchant == MERCHANT:
                self.violations += engine.db.read_sync(MERCHANT, unsynced)
            return result

        engine.db.write = watched  # type: ignore[method-assign]

    def begin_alone(self, name: str, units: int) -> None:
        """Create the stock, and link one shop with sync enabled. The others do not exist."""
        self.world.begin(shops=())

        def shop(uow):
            uow.shops.insert(ShopRecord(name, f"fake-{name}", name, {"shop": name}, 600_000_000))
            uow.listings.upsert(
                name, [ListingRecord(name, listing_id("tea"), "tea", {}, sku="tea")]
            )

        self.world.db.write_sync(MERCHANT, shop)
        self.world.receive("tea", units)
        self.world.link(name, "tea")

    def begin(self, units: int) -> None:
        """Create the stock, and link every shop with sync enabled."""
        self.world.begin(self.goods, shops=())

        def shops(uow):
            for name in self.shops:
                uow.shops.insert(
                    ShopRecord(name, f"fake-{name}", name, {"shop": name}, 600_000_000)
                )
                uow.listings.upsert(
                    name,
                    [
                        ListingRecord(name, listing_id(each), each, {}, sku=each)
                        for each in self.goods
                    ],
                )

        self.world.db.write_sync(MERCHANT, shops)
        for each in self.goods:
            self.world.receive(each, units)
            for name in self.shops:
                self.world.link(name, each)
        # Units that a shop sold unseen just before its first reading cannot be distinguished from
        # its stock, so the storm begins after that.
        self.settle(turns=2)
        self.calm = False

    def interfere(self, name: str, moment: str, operation: str) -> None:
        """Let something happen before or after a request of the engine to a shop."""
        if moment == "after" and operation == "set_inventory":
            self.check_nothing_was_overwritten(name)
        # A request takes time: no two events happen in the same second.
        self.clock.advance(1.1)
        if self.calm or self.random.random() > self.chaos:
            return
        choice = self.random.random()
        if choice < 0.5:
            self.shop_event(name)
            if moment == "after" and operation == "set_inventory":
                return
        elif choice < 0.6:
            self.faults += 1
            raise Killed
        elif choice < 0.85:
            self.faults += 1
            raise Timeout("lost", sent=None if operation == "set_inventory" else False)
        elif moment == "before":
            self.faults += 1
            raise PlatformDown("down") if choice < 0.93 else Throttled("slow down", retry_after=3)

    def shop_event(self, name: str) -> None:
        """Let buyers or staff do something in a shop."""
        self.clock.advance(1.1)
        shop, choice = self.shops[name], self.random.random()
        if choice < 0.05:
            self.reserve(name)
        elif choice < 0.7 or not shop.orders:
            if shop.stock["tea"] > 0:
                units = self.random.randint(1, min(3, shop.stock["tea"]))
                shop.place(
                    {"tea": units},
                    visible_after=self.random.choice([0, 0, 1, 5, VISIBILITY / 2]),
                    is_understood=self.random.random() < 0.9,
                )
        else:
            order = self.random.choice(list(shop.orders))
            if choice > 0.9:
                shop.understand(order)
            if choice < 0.8:
                shop.cancel(order, restock=self.random.random() < 0.5)
            elif shop.orders[order].order.state != "OPEN":
                return
            elif choice < 0.9:
                shop.ship(order)
            elif choice > 0.96 and len(self.goods) > 1 and shop.stock[self.goods[1]] >= 3:
                units, restock = self.random.randint(1, 3), self.random.random() < 0.5
                shop.exchange(order, "tea", self.goods[1], units, restock=restock)
            else:
                shop.edit(
                    order, "tea", self.random.randint(0, 2), restock=self.random.random() < 0.5
                )

    def reserve(self, name: str) -> None:
        """Let a shop keep units off sale, sell such units, or put them back on sale."""
        shop = self.shops[name]
        kept, what = shop.reserved.get("tea", 0), self.random.random()
        if not kept:
            shop.reserve("tea", self.random.randint(0, max(0, min(3, shop.stock["tea"]))))
        elif what < 0.5:
            shop.reserve("tea", -kept)
        else:
            shop.sell_reserved("tea", kept, visible_after=self.random.choice([0, VISIBILITY / 2]))

    def unseen(self, name: str, listing: str = "tea") -> int:
        """Return the units of a listing that the shop's orders want beyond what the engine has
        ingested. Negative when the engine has missed cancellations."""
        total, orders = 0, self.shops[name].orders
        known_orders = self.world.db.read_sync(MERCHANT, lambda uow: uow.orders.get(name, orders))
        for order, placed in orders.items():
            stored = known_orders.get(order)
            known = (
                sum(line.wanted for line in stored.lines if line.listing == listing_id(listing))
                if stored and stored.state is not DemandState.CANCELLED
                else 0
            )
            lines = placed.order.lines if placed.order.state != "CANCELLED" else ()
            mine = [line for line in lines if line.listing == listing]
            total += sum(line.ordered - line.cancelled for line in mine) - known
        return total

    def check_nothing_was_overwritten(self, name: str) -> None:
        """Record a violation for a write that raised the shop's number although its own orders,
        unseen by the engine when it planned, have taken those units. An unconditional write cannot
        promise that, and is corrected in the next round."""
        shop = self.shops[name]
        for listing, before, after in shop.applied:
            target = self.world.link_of(name, listing).target or 0
            unseen = self.unseen(name, listing)
            if (
                shop.mode is not InventoryMode.SET
                and after > before
                and after > max(0, target - unseen)
            ):
                self.violations.append(
                    f"{name} raised {listing} from {before} to {after}: target {target}, {unseen} "
                    "units unseen"
                )
        shop.applied.clear()

    def run_due(self) -> None:
        """Run one turn of the scheduler. A killed process leaves its lease behind, and a new
        process continues once the lease has expired."""
        self.survive(self.engine.note_time, self.engine.run_due)
        self.check_settled()

    def survive(self, *steps: Callable[[], Awaitable[object]]) -> None:
        """Do this in the process. If it dies of it, a new one takes its place."""
        try:
            for step in steps:
                self.loop.run_until_complete(step())
        except Killed:
            self.engine.db.close()
            if self.random.random() < STEPS:
                self.step_clock()
            self.engine = self.new_engine()
            self.world.db = self.engine.db
            self.clock.advance(6)

    def notify(self) -> None:
        """Let a platform name an order in a notification, maybe one that nobody knows."""
        name = self.notices.choice(list(self.shops))
        order = self.notices.choice([*self.shops[name].orders, "nobody-knows-it"])
        headers, body = self.shops[name].notification(order)
        self.survive(lambda: self.engine.receive_webhook(MERCHANT, name, headers, body))

    def step_clock(self) -> None:
        """Set the clock of the host back, as a power cut with a dead battery does; or right
        again."""
        self.faults += 1
        back = timedelta(seconds=self.random.choice([3_600, 86_400]))
        self.host.skew = timedelta() if self.host.skew else -back

    def check_settled(self) -> None:
        """Record a violation for a shop whose synced revision falls, or with a link that lacks a
        change and will never be handled again."""

        def read(uow):
            records = list(uow.shops.get(self.shops).values())
            return settling.synced_revisions(uow, records), {
                record.shop: list(uow.links.get(record.shop, [listing_id("tea")]).values())
                for record in records
            }

        revisions, links = self.world.db.read_sync(MERCHANT, read)
        for name, revision in revisions.items():
            if revision < self.synced.get(name, 0):
                self.violations.append(f"{name} was synced to {self.synced[name]}, now {revision}")
            for link in links[name]:
                resting = link.state in (LinkState.SYNCED, LinkState.HELD)
                if link.sync_enabled and not resting and link.due_at is None:
                    self.violations.append(f"{name} is {link.state} and never due")
        self.synced |= revisions

    def settle(self, turns: int = 12, *, understood: bool = True) -> None:
        """Stop all events, and let the engine work until nothing is due. Every order can be read
        then, if all are `understood`."""
        self.calm = True
        for shop in self.shops.values() if understood else ():
            for order in shop.orders:
                shop.understand(order)
        for _ in range(turns):
            self.clock.advance(601)
            self.run_due()

    def storm(self, steps: int, pauses: Sequence[float]) -> None:
        """Take `steps` turns of the scheduler amid orders, receipts and reserves. After each turn
        one of `pauses` (seconds) passes."""
        for _ in range(steps):
            for name in self.shops:
                if self.random.random() < 0.4:
                    self.shop_event(name)
            if self.notices.random() < 0.3:
                self.notify()
            choice = self.random.random()
            if choice < 0.1:
                self.world.receive("tea", self.random.randint(1, 10))
            elif choice < 0.2 and self.shipped is not None:
                self.ship_from_warehouse(self.random.choice(list(self.shops)))
            elif choice < 0.15:
                self.world.reserve("tea", self.random.randint(0, 5))
            self.keep_warehouse()
            self.run_due()
            self.clock.advance(self.random.choice(pauses))

    def keep_warehouse(self) -> None:
        """Begin a count, or enter what was there when it began, however much has moved since; or
        move units to another shelf. Record a violation when that changes any number."""
        choice = self.keeper.random()
        if choice < 0.1:
            self.begun = self.world.counted_at("tea")
        elif choice < 0.2 and self.begun is not None:
            found = self.world.enter("tea", *self.begun)
            if found.movement.entry.delta:
                self.violations.append(f"a true count changed {found.movement.entry.delta}")
        elif choice < 0.3 and self.shipped is None:
            before = self.world.stock("tea").balance
            self.world.transfer("tea", self.keeper.randint(1, 5))
            if self.world.stock("tea").balance != before:
                self.violations.append("a transfer changed the stock of its product")

    def report_shipments(self) -> None:
        """Let the warehouse report from now on what it ships for orders of shops: then only that
        frees stock, whatever the shops call shipped."""
        shop = next(iter(self.shops))
        self.shops[shop].place({"tea": 1})
        self.settle(turns=1)
        self.shipped = {}
        self.ship_from_warehouse(shop)
        self.calm = False

    def ship_from_warehouse(self, shop: str) -> None:
        """Let the warehouse ship a part of an order that was read, by the number on its slip."""
        db, shipped = self.world.db, self.shipped
        assert shipped is not None
        waiting = db.read_sync(MERCHANT, lambda uow: uow.demands.unsettled(shop, limit=100))
        demands = db.read_sync(MERCHANT, lambda uow: uow.demands.get(shop, waiting))
        for (order, product), demand in self.random.sample(sorted(demands.items()), len(demands)):
            most = min(demand.open, self.world.stock(product).balance.physical)
            if most > 0:
                units = self.random.randint(1, most)
                self.world.bind("allocate", shop, f"#{order}", product, units)
                self.world.bind("ship", shop, f"#{order}", product, units)
                key = shop, order, product
                shipped[key] = shipped.get(key, 0) + units
                return

    def ordered_units(self, listing: str = "tea") -> int:
        """Return the units in open orders of all shops, whether the engine has seen them or not.
        Where the warehouse reports its shipments, an order is open until it has shipped it."""
        shipped = self.shipped
        states = ("OPEN",) if shipped is None else ("OPEN", "SHIPPED")
        return sum(
            max(
                0,
                sum(
                    line.ordered - line.cancelled - (line.fulfilled if shipped is None else 0)
                    for line in placed.order.lines
                    if line.listing == listing
                )
                - (shipped or {}).get((name, order, listing), 0),
            )
            for name, shop in self.shops.items()
            for order, placed in shop.orders.items()
            if placed.order.state in states
        )

    def wrong(self) -> list[str]:
        """Return what does not hold once everything has settled: nothing was overwritten, every
        order counts once, the journal adds up, and every shop shows its number."""
        found = [f"on the way: {violation}" for violation in self.violations]
        if self.world.db.read_sync(MERCHANT, lambda uow: uow.stocks.recompute()):
            found.append("the journal does not add up to the balances")
        if self.world.db.read_sync(
            MERCHANT, lambda uow: [*filter(None, map(uow.named_orders.next_due, self.shops))]
        ):
            found.append("orders that notifications named are still to be read")
        return found + [fault for listing in self.goods for fault in self._wrong(listing)]

    def _wrong(self, listing: str) -> list[str]:
        balance, ordered = self.world.stock(listing).balance, self.ordered_units(listing)
        found = []
        if balance.ordered != ordered:
            found.append(f"orders hold {ordered} units of {listing}, counted are {balance.ordered}")
        for name, shop in self.shops.items():
            link = self.world.link_of(name, listing)
            shown, wanted = shop.stock[listing], balance.sent - shop.reserved.get(listing, 0)
            if (shown, link.state) != (max(0, wanted), LinkState.SYNCED):
                found.append(f"{name} shows {shown} {listing} of {wanted} and is {link.state}")
        return found

    def close(self) -> None:
        """Close the store and the event loop."""
        self.engine.db.close()
        self.loop.close()
