"""Reading orders and sending numbers are two abilities: what stops one does not stop the other (ADR
0036)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import runs, shops
from zaiko_core.app.records import LinkState, ShopRecord
from zaiko_core.app.sync import Write
from zaiko_core.sync.link_pusher import falls_first
from zaiko_sdk import ConnectorError, PermissionMissing, PlatformDown, SettingsInvalid, Throttled

MODES = ("compare-and-set", "adjust", "set")
TROUBLES = [
    PermissionMissing("write_inventory is not granted"),
    SettingsInvalid("there are two stock locations"),
    Throttled("the calls of this hour are used up", retry_after=3000),
    PlatformDown("the stock service is down", retry_after=3000),
]


class Stage:
    """Shops that show 10 of `tea`, of which one can refuse single operations."""

    def __init__(self, url: str, shop: str) -> None:
        self.simulation = Simulation(url, 7, chaos=0)
        self.simulation.begin(units=10)
        self.simulation.calm = True
        self.world, self.name = self.simulation.world, shop
        self.refused: dict[str, ConnectorError] = {}
        self.calls: dict[str, int] = {}
        interfere = self.simulation.interfere

        def interfered(name: str, moment: str, operation: str) -> None:
            interfere(name, moment, operation)
            if (name, moment) == (shop, "before"):
                self.calls[operation] = self.calls.get(operation, 0) + 1
                if operation in self.refused:
                    raise self.refused[operation]

        self.simulation.interfere = interfered  # type: ignore[method-assign]

    @property
    def record(self) -> ShopRecord:
        return self.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([self.name]))[self.name]

    @property
    def shown(self) -> int:
        return self.simulation.shops[self.name].stock["tea"]

    def pass_by(self, seconds: float, *, step: float = 20) -> None:
        for _ in range(int(seconds / step)):
            self.simulation.clock.advance(step)
            self.simulation.run_due()

    def write(self, work):
        return self.world.db.write_sync(MERCHANT, work)


@pytest.fixture(params=["set", "compare-and-set"])
def stage(store_url: str, request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(store_url, request.param)
    yield stage
    stage.simulation.close()


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: error.reason)
@pytest.mark.parametrize("operation", ["set_inventory", "read_inventory"])
def test_whatever_stops_sending_orders_are_read_within_the_interval(
    stage: Stage, trouble: ConnectorError, operation: str
) -> None:
    stage.refused[operation] = trouble
    stage.world.adjust("tea", delta=-1)
    if operation == "read_inventory":
        stage.write(lambda uow: runs.sync_now(uow, shops=[stage.name]))
    stage.pass_by(40)
    assert stage.record.problem is not None
    assert stage.record.problem.reason == trouble.reason

    for sold in (1, 2, 3):
        stage.simulation.shops[stage.name].place({"tea": 1})
        stage.pass_by(640)
        assert stage.world.free("tea") == 9 - sold
    others = {stage.simulation.shops[name].stock["tea"] for name in MODES if name != stage.name}
    assert others == {6}
    # What does not work is not tried all the time.
    assert stage.calls[operation] <= 3

    stage.refused.clear()
    stage.write(lambda uow: shops.resume(uow, stage.name))
    stage.pass_by(40)
    assert stage.record.problem is None
    assert stage.shown == 6
    assert stage.world.link_of(stage.name, "tea").state is LinkState.SYNCED


def test_sending_goes_on_by_itself_when_the_platform_serves_again(stage: Stage) -> None:
    stage.refused["set_inventory"] = Throttled("used up", retry_after=1500)
    stage.world.adjust("tea", delta=-1)
    stage.pass_by(40)
    stage.refused.clear()
    stage.pass_by(600)
    assert stage.shown == 10
    stage.pass_by(1800, step=60)
    assert (stage.shown, stage.record.problem) == (9, None)


def test_changes_do_not_make_a_shop_run_that_may_not_send(stage: Stage) -> None:
    stage.refused["set_inventory"] = Throttled("used up", retry_after=3000)
    stage.world.adjust("tea", delta=-1)
    stage.pass_by(40)
    fetched = stage.calls["fetch_orders"]
    for reserve in range(1, 10):
        stage.world.reserve("tea", reserve)
        stage.pass_by(20)
    assert stage.calls["fetch_orders"] - fetched <= 2


def test_orders_that_cannot_be_read_stop_what_rests_on_them(stage: Stage) -> None:
    stage.refused["fetch_orders"] = Throttled("used up", retry_after=3000)
    stage.world.adjust("tea", delta=-1)
    stage.pass_by(300)
    assert stage.calls.get("set_inventory", 0) == 0
    assert stage.shown == 10


def test_a_hot_product_that_uses_up_the_hour_does_not_make_the_shop_deaf(stage: Stage) -> None:
    """A tenth of the hour's 40 calls is kept for orders, and is spent on them."""
    began, kept = stage.simulation.clock.monotonic(), 4
    calls = {"orders": 0, "numbers": 0}
    interfere = stage.simulation.interfere

    def metered(name: str, moment: str, operation: str) -> None:
        interfere(name, moment, operation)
        if (name, moment) != (stage.name, "before"):
            return
        is_order = operation == "fetch_orders"
        if calls["orders"] + calls["numbers"] >= 40 - (0 if is_order else kept):
            left = 3600 - (stage.simulation.clock.monotonic() - began) % 3600
            raise Throttled("the calls of this hour are used up", retry_after=left)
        calls["orders" if is_order else "numbers"] += 1

    stage.simulation.interfere = metered  # type: ignore[method-assign]
    for reserve in range(400):
        stage.world.reserve("tea", reserve % 9)
        stage.pass_by(0.5, step=0.5)
        if stage.record.problem is not None:
            break
    assert stage.record.problem is not None
    numbers = calls["numbers"]

    stage.simulation.shops[stage.name].place({"tea": 1})
    stage.pass_by(1240)
    assert stage.world.free("tea") == 9
    assert calls["numbers"] == numbers


def test_numbers_that_fall_are_sent_before_numbers_that_rise() -> None:
    def write(name: str, quantity: int, expected: int | None) -> Write:
        return Write(name, name, {}, quantity, expected, name, 0)

    first, then = falls_first(
        [write("rise", 9, 4), write("new", 3, None), write("fall", 0, 4), write("drop", 3, 4)]
    )
    assert [item.listing for item in first] == ["fall", "drop"]
    assert [item.listing for item in then] == ["rise", "new"]
