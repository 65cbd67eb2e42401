"""What a person changes takes hold at once: the next run is planned again (ADR 0036)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import shops
from zaiko_core.app.records import ShopRecord
from zaiko_sdk import CredentialsRejected

SHOP = "adjust"


class Stage:
    """Shops that show 10 of `tea` and have just been read."""

    def __init__(self, url: str) -> None:
        self.simulation = Simulation(url, 7, chaos=0)
        self.simulation.begin(units=10)
        self.simulation.calm = True
        self.world = self.simulation.world
        self.locked = False
        interfere, self.on_fetch = self.simulation.interfere, lambda: None

        def interfered(name: str, moment: str, operation: str) -> None:
            interfere(name, moment, operation)
            if (name, moment, operation) == (SHOP, "before", "fetch_orders"):
                was_locked = self.locked
                self.on_fetch()
                if was_locked:
                    raise CredentialsRejected("the key is not valid")

        self.simulation.interfere = interfered  # type: ignore[method-assign]

    @property
    def record(self) -> ShopRecord:
        return self.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP]

    def change(self, **changes: object) -> None:
        record = replace(self.record, **changes)  # type: ignore[arg-type]
        self.world.db.write_sync(MERCHANT, lambda uow: shops.update(uow, record))

    def run(self, seconds: float) -> None:
        self.simulation.clock.advance(seconds)
        self.simulation.run_due()

    def is_counted_within(self, seconds: float) -> bool:
        """Place an order, and say whether it is counted by then."""
        free = self.world.free("tea")
        self.simulation.shops[SHOP].place({"tea": 1})
        for _ in range(int(seconds // 5)):
            self.run(5)
        return self.world.free("tea") == free - 1


@pytest.fixture
def stage(store_url: str) -> Iterator[Stage]:
    stage = Stage(store_url)
    yield stage
    stage.simulation.close()


def test_a_shorter_interval_does_not_wait_out_the_old_one(stage: Stage) -> None:
    stage.run(61)
    stage.change(interval=10_000_000)
    stage.run(1)
    assert stage.is_counted_within(20)


def test_a_key_that_is_replaced_while_the_old_one_is_refused_is_tried_at_once(
    stage: Stage,
) -> None:
    def replace_key() -> None:
        stage.on_fetch = lambda: None
        stage.locked = False
        stage.change(settings={"shop": SHOP, "key": "new"})

    stage.locked, stage.on_fetch = True, replace_key
    stage.run(700)
    stage.run(5)
    assert stage.record.problem is None
    assert stage.is_counted_within(600)


def test_without_a_change_a_shop_whose_key_is_refused_waits_for_a_person(stage: Stage) -> None:
    stage.locked = True
    stage.run(700)
    assert stage.record.problem is not None
    stage.locked = False
    stage.world.receive("tea", 1)
    assert not stage.is_counted_within(600)
    stage.world.db.write_sync(MERCHANT, lambda uow: shops.resume(uow, SHOP))
    stage.run(5)
    assert stage.record.problem is None
