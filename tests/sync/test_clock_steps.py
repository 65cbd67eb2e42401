"""Time may step: whatever the clock says after a crash, no shop waits for it (ADR 0039)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from support.simulation import Killed, Simulation
from support.world import MERCHANT
from zaiko_core.app.records import LinkState
from zaiko_core.storage import schema
from zaiko_core.storage.stamps import WAITED_FOR
from zaiko_core.storage.system import SystemRows
from zaiko_server.services.sync import sync_status

ONLY_SHOWN = {"differ_since"}
"""A time since when something lasts, and for which nothing waits."""
HOUR, DAY = 3_600, 86_400


@pytest.fixture
def simulation(sqlite_url: str) -> Iterator[Simulation]:
    simulation = Simulation(sqlite_url, seed=0, chaos=0)
    simulation.begin(units=20)
    simulation.calm = True
    simulation.run_due()
    yield simulation
    simulation.close()


def dies(simulation: Simulation, name: str) -> None:
    """Let the process die in the middle of a run of this shop, which holds its lease then."""
    usual = simulation.interfere

    def kill(shop: str, moment: str, operation: str) -> None:
        if (shop, moment, operation) == (name, "before", "fetch_orders"):
            raise Killed
        usual(shop, moment, operation)

    simulation.interfere = kill  # type: ignore[method-assign]
    simulation.clock.advance(601)
    simulation.run_due()
    simulation.interfere = usual  # type: ignore[method-assign]


@pytest.mark.parametrize("seconds", [60, HOUR, DAY])
def test_a_clock_that_went_back_with_a_crash_delays_no_shop(
    simulation: Simulation, seconds: int
) -> None:
    name = next(iter(simulation.shops))
    dies(simulation, name)
    simulation.host.skew = -timedelta(seconds=seconds)
    for shop in simulation.shops.values():
        shop.place({"tea": 1})
    simulation.clock.advance(1)

    for _ in range(2):
        simulation.run_due()
        simulation.clock.advance(1)

    assert simulation.world.stock("tea").balance.ordered == len(simulation.shops)
    assert {shop.stock["tea"] for shop in simulation.shops.values()} == {20 - len(simulation.shops)}


@pytest.mark.parametrize("seconds", [HOUR, DAY])
def test_a_clock_that_goes_back_under_a_server_delays_no_shop(
    simulation: Simulation, seconds: int
) -> None:
    simulation.host.skew = -timedelta(seconds=seconds)
    simulation.world.receive("tea", 1)
    next(iter(simulation.shops.values())).place({"tea": 2})
    simulation.clock.advance(601)

    for _ in range(2):
        simulation.run_due()
        simulation.clock.advance(1)

    assert {shop.stock["tea"] for shop in simulation.shops.values()} == {19}
    assert simulation.world.link_of(next(iter(simulation.shops)), "tea").state is LinkState.SYNCED


def test_every_time_that_something_waits_for_is_brought_back() -> None:
    for name, table in schema.metadata.tables.items():
        times = {
            column.name
            for column in table.columns
            if column.name.endswith(("due_at", "try_at", "_since"))
        }
        assert times - ONLY_SHOWN <= set(WAITED_FOR.get(name, ())), name


def test_what_is_in_the_future_is_brought_back_and_what_is_not_stays(
    simulation: Simulation,
) -> None:
    world, now = simulation.world, int(simulation.host.now().timestamp() * 1_000_000)
    with world.db.engine.begin() as connection:
        connection.execute(text(f"UPDATE links SET due_at = {now + 1}, unexplained_since = 7"))
        connection.execute(text(f"UPDATE shops SET due_at = {now + 10**15}, audited_at = {now}"))

    def times(uow: Any) -> tuple[Any, ...]:
        shop = uow.shops.get(simulation.shops)[next(iter(simulation.shops))]
        link = simulation.world.link_of(shop.shop, "tea")
        return shop.due_at, shop.audited_at, link.due_at, link.belief.unexplained_since

    assert world.db.write_sync(MERCHANT, lambda uow: uow.stamps.bring_back()) == 6
    assert world.db.read_sync(MERCHANT, times) == (now, now, now, 7)
    assert world.db.write_sync(MERCHANT, lambda uow: uow.stamps.bring_back()) == 0


def test_the_highest_time_is_kept_until_the_clock_is_there_or_a_person_accepts_it(
    simulation: Simulation,
) -> None:
    def noted() -> tuple[int, int]:
        simulation.loop.run_until_complete(simulation.engine.note_time())
        found = simulation.loop.run_until_complete(
            simulation.engine.db.system.read(SystemRows.time)
        )
        return found.step // 1_000_000, found.behind // 1_000_000

    assert noted() == (0, 0)
    simulation.host.skew = -timedelta(seconds=HOUR)
    assert noted() == (0, HOUR), "noted once, the next note finds no step"
    simulation.clock.advance(HOUR - 60)
    assert noted() == (0, 60)
    simulation.clock.advance(60)
    assert noted() == (0, 0)

    simulation.host.skew -= timedelta(seconds=DAY)
    assert noted() == (0, DAY)
    watch = simulation.engine._clock_watch
    simulation.loop.run_until_complete(watch.start(accept=True))
    simulation.loop.run_until_complete(watch.stop())
    assert noted() == (0, 0)


@pytest.mark.parametrize(("seconds", "shown"), [(0, 0), (59, 0), (HOUR, HOUR)])
def test_status_says_by_how_much_the_clock_is_behind(
    simulation: Simulation, seconds: int, shown: int
) -> None:
    simulation.loop.run_until_complete(simulation.engine.note_time())
    simulation.host.skew = -timedelta(seconds=seconds)

    status = simulation.world.db.read_sync(
        MERCHANT, lambda uow: sync_status(uow, simulation.engine.can_sync)
    )

    assert status.clock_behind.seconds == shown
