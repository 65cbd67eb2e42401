"""Over any sequence of facts both forms of `free` agree, the journal adds up to the balances, and
every order counts once."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.stores import PostgreSQL
from support.world import World, order
from zaiko_core.domain.demand import DemandState, OrderRecord
from zaiko_core.domain.errors import DemandExceeded, InsufficientStock
from zaiko_core.storage.database import Database

PRODUCTS = ("tea", "pot")
SHOPS = ("a", "b")
ORDERS = ("1", "2", "3")
SHOP, ORDER, PRODUCT = st.sampled_from(SHOPS), st.sampled_from(ORDERS), st.sampled_from(PRODUCTS)
UNITS = st.integers(1, 5)


@dataclass
class Model:
    """What must come out, told apart from how it is computed: per demand the shop's and the
    warehouse's account."""

    wanted: int = 0
    fulfilled: int = 0
    shipped: int = 0
    alloc: int = 0
    awaited: int = 0
    frees: bool = True

    @property
    def left(self) -> int:
        """Units that are gone by the shop's word, as far as it counts."""
        return self.fulfilled - (0 if self.frees else max(0, self.awaited - self.shipped))

    @property
    def open(self) -> int:
        return max(self.wanted - max(self.shipped, self.left), 0)

    @property
    def counted(self) -> int:
        return max(self.open, self.alloc)


class Journal(RuleBasedStateMachine):
    """Real use cases on a real store, beside a model of a few lines."""

    make: ClassVar

    def __init__(self) -> None:
        super().__init__()
        self.close, db = self.make()
        self.world = World(db)
        self.physical = dict.fromkeys(PRODUCTS, 0)
        self.demands: dict[tuple[str, str, str], Model] = {}
        self.readings: list[tuple[str, OrderRecord]] = []
        self.newest: dict[tuple[str, str], OrderRecord] = {}
        self.linked: set[tuple[str, str]] = set()
        self.clock = 0
        self.has_feed = False

    @initialize()
    def begin(self) -> None:
        self.world.begin(products=PRODUCTS, shops=SHOPS)
        self.link("a", "tea")

    def demand(self, shop: str, name: str, product: str) -> Model:
        return self.demands.setdefault((shop, name, product), Model())

    @rule(product=PRODUCT, units=UNITS)
    def receive(self, product: str, units: int) -> None:
        self.world.receive(product, units)
        self.physical[product] += units

    @rule(product=PRODUCT, counted=st.integers(0, 9))
    def count(self, product: str, counted: int) -> None:
        held = sum(model.alloc for (_, _, name), model in self.demands.items() if name == product)
        if counted < held:
            with pytest.raises(InsufficientStock):
                self.world.adjust(product, counted=counted)
        else:
            self.world.adjust(product, counted=counted)
            self.physical[product] = counted

    @rule(
        shop=SHOP,
        name=ORDER,
        tea=st.integers(0, 4),
        pot=st.integers(0, 4),
        done=st.integers(0, 4),
        state=st.sampled_from(DemandState),
    )
    def reading(
        self, shop: str, name: str, tea: int, pot: int, done: int, state: DemandState
    ) -> None:
        self.clock += 1
        units = {"tea": tea, "pot": pot}
        fulfilled = {product: min(done, count) for product, count in units.items()}
        self.take(shop, order(name, units, version=self.clock, fulfilled=fulfilled, state=state))

    @precondition(lambda self: self.readings)
    @rule(data=st.data())
    def replay_an_old_page(self, data: st.DataObject) -> None:
        shop = data.draw(SHOP)
        old = [reading for where, reading in self.readings if where == shop]
        if old:
            page = data.draw(st.lists(st.sampled_from(old), min_size=1, max_size=4))
            before = self.frees()
            self.world.ingest(shop, *page)
            assert self.frees() == before

    def take(self, shop: str, reading: OrderRecord) -> None:
        self.world.ingest(shop, reading)
        self.readings.append((shop, reading))
        is_first = (shop, reading.order) not in self.newest
        self.newest[shop, reading.order] = reading
        self.account(shop, reading, is_expected=not is_first)

    def account(self, shop: str, reading: OrderRecord, *, is_expected: bool) -> None:
        gone = reading.state in (DemandState.CANCELLED, DemandState.DELETED)
        for line in reading.lines:
            if (shop, line.sku) in self.linked:
                model = self.demand(shop, reading.order, line.sku)
                model.wanted = 0 if gone else line.wanted
                done = model.wanted if reading.state is DemandState.SHIPPED else line.fulfilled
                if self.has_feed and is_expected:
                    model.awaited = max(0, model.awaited + done - model.fulfilled)
                model.awaited = min(model.awaited, done)
                model.fulfilled, model.frees = done, not self.has_feed

    @rule(shop=SHOP, product=PRODUCT)
    def link(self, shop: str, product: str) -> None:
        if (shop, product) in self.linked:
            return
        self.world.link(shop, product)
        self.linked.add((shop, product))
        for (where, _), reading in self.newest.items():
            if where == shop:
                self.account(
                    shop,
                    replace(reading, lines=tuple(x for x in reading.lines if x.sku == product)),
                    is_expected=False,
                )

    @rule(shop=st.sampled_from((*SHOPS, "")), name=ORDER, product=PRODUCT, units=UNITS)
    def allocate(self, shop: str, name: str, product: str, units: int) -> None:
        held = sum(model.alloc for (_, _, other), model in self.demands.items() if other == product)
        before, model = self.world.free(product), self.demand(shop, name, product)
        fits = model.alloc + units <= model.open
        if units > self.physical[product] - held:
            with pytest.raises(InsufficientStock):
                self.world.bind("allocate", shop, name, product, units)
            return
        self.world.bind("allocate", shop, name, product, units)
        model.alloc += units
        self.has_feed = self.has_feed or bool(shop)
        if fits:
            assert self.world.free(product) == before, "allocating what is open never changes free"

    @rule(
        shop=st.sampled_from((*SHOPS, "")),
        name=ORDER,
        product=PRODUCT,
        units=UNITS,
        verb=st.sampled_from(["ship", "deallocate"]),
    )
    def let_go(self, shop: str, name: str, product: str, units: int, verb: str) -> None:
        model = self.demand(shop, name, product)
        before = self.world.free(product)
        if units > model.alloc:
            with pytest.raises(DemandExceeded):
                self.world.bind(verb, shop, name, product, units)
            return
        self.world.bind(verb, shop, name, product, units)
        model.alloc -= units
        if verb == "ship":
            self.physical[product] -= units
            in_step = model.left <= model.shipped
            model.shipped += units
            if in_step:
                assert self.world.free(product) == before, "shipping never changes free"

    @rule(product=PRODUCT, units=st.integers(0, 20))
    def reserve(self, product: str, units: int) -> None:
        before = self.world.free(product)
        self.world.reserve(product, units)
        assert self.world.free(product) == before, "a reserve never changes free"

    @invariant()
    def free_is_what_the_model_says(self) -> None:
        if not self.world.products:
            return
        for product in PRODUCTS:
            balance = self.world.stock(product).balance
            counted = sum(
                model.counted for (_, _, name), model in self.demands.items() if name == product
            )
            assert balance.free == self.physical[product] - counted
            assert balance.free == balance.deliverable - balance.unallocated
            assert balance.physical == self.physical[product]

    def frees(self) -> list[int]:
        return [self.world.free(product) for product in PRODUCTS]

    def teardown(self) -> None:
        self.world.assert_consistent()
        self.close()


def run(make: object, examples: int) -> None:
    machine = type("Machine", (Journal,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_journal_keeps_its_promises_on_sqlite(sqlite_template: Path) -> None:
    def make() -> tuple[object, Database]:
        folder = Path(tempfile.mkdtemp())
        shutil.copy(sqlite_template, folder / "zaiko.db")
        db = Database(f"sqlite:///{folder}/zaiko.db")

        def close() -> None:
            db.close()
            shutil.rmtree(folder)

        return close, db

    run(make, 15)


def test_the_journal_keeps_its_promises_on_postgresql(postgresql: PostgreSQL) -> None:
    def make() -> tuple[object, Database]:
        url = postgresql.new_url()
        db = Database(url)

        def close() -> None:
            db.close()
            postgresql.drop(url)

        return close, db

    run(make, 6)
