"""A notification is used for what it says: the orders that it names are read by id before anything
is searched. In virtual time, with a search that runs behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.domain.named_orders import MOST
from zaiko_sdk import (
    Capability,
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    PlatformDown,
)

SHOP = "compare-and-set"
HOUR = 3_600_000_000
LAG = 300.0
"""Seconds that the search runs behind here: longer than any test lasts."""


@pytest.fixture
def simulation(sqlite_url: str) -> Iterator[Simulation]:
    simulation = Simulation(sqlite_url, seed=0)
    simulation.begin(units=50)
    simulation.calm = True

    def hourly(uow) -> None:
        uow.shops.update(replace(uow.shops.get([SHOP])[SHOP], interval=HOUR))

    simulation.world.db.write_sync(MERCHANT, hourly)
    simulation.run_due()
    yield simulation
    simulation.close()


def notify(simulation: Simulation, *orders: str) -> None:
    headers, body = simulation.shops[SHOP].notification(*orders)
    simulation.loop.run_until_complete(
        simulation.engine.receive_webhook(MERCHANT, SHOP, headers, body)
    )


def ordered(simulation: Simulation) -> int:
    return simulation.world.stock("tea").balance.ordered


def wait(simulation: Simulation, seconds: float) -> None:
    """Let the scheduler work until so much time has passed."""
    until = simulation.clock.monotonic() + seconds
    while simulation.clock.monotonic() < until:
        simulation.clock.advance(1)
        simulation.run_due()


def waiting(simulation: Simulation) -> int | None:
    return simulation.world.db.read_sync(MERCHANT, lambda uow: uow.named_orders.next_due(SHOP))


def test_an_order_that_a_notification_names_is_counted_before_the_search_shows_it(
    simulation: Simulation,
) -> None:
    order = simulation.shops[SHOP].place({"tea": 3}, visible_after=LAG)

    notify(simulation, order)
    simulation.run_due()

    assert ordered(simulation) == 3
    assert simulation.shops["set"].stock["tea"] == 47, "the other shops are not sent 47 at once"
    assert waiting(simulation) is None


def test_a_named_order_that_was_known_and_is_absent_has_vanished_at_once(
    simulation: Simulation,
) -> None:
    shop = simulation.shops[SHOP]
    order = shop.place({"tea": 3})
    notify(simulation, order)
    simulation.run_due()
    shop.delete(order)

    notify(simulation, order)
    simulation.run_due()

    found = simulation.world.order(SHOP, order)
    assert found is not None
    assert found.vanished_at is not None
    assert ordered(simulation) == 3, "it holds its units until somebody decides"


@pytest.mark.parametrize("late", [1, 6, 20])
def test_a_named_order_that_cannot_be_read_yet_is_asked_for_again_after_2_5_and_15_seconds(
    simulation: Simulation, late: int
) -> None:
    order = simulation.shops[SHOP].place({"tea": 3}, visible_after=LAG, readable_after=late)

    notify(simulation, order)
    wait(simulation, 30)

    assert ordered(simulation) == 3


def test_a_named_order_that_never_comes_is_left_to_the_search(simulation: Simulation) -> None:
    notify(simulation, "nobody-knows-it")

    wait(simulation, 60)

    assert waiting(simulation) is None
    assert simulation.world.order(SHOP, "nobody-knows-it") is None


def test_a_named_order_survives_the_death_of_the_process(simulation: Simulation) -> None:
    order = simulation.shops[SHOP].place({"tea": 3}, visible_after=LAG)
    notify(simulation, order)
    simulation.engine.db.close()
    simulation.engine = simulation.new_engine()
    simulation.world.db = simulation.engine.db

    simulation.run_due()

    assert ordered(simulation) == 3


@pytest.mark.parametrize("error", [ContractBroken("odd"), PlatformDown("down")])
def test_a_name_that_the_platform_chokes_on_stops_no_run(
    simulation: Simulation, error: ConnectorError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: object, ids: object) -> None:
        raise error

    monkeypatch.setattr("zaiko_sdk.testing.fakeshop.FakeConnector.read_orders", broken)
    simulation.shops[SHOP].place({"tea": 3})
    notify(simulation, "poison")

    simulation.run_due()
    assert ordered(simulation) == 3, "the search was not reached"
    wait(simulation, 10)
    simulation.clock.advance(3_601)
    simulation.run_due()

    assert waiting(simulation) is None, "it is asked for no longer than an hour"


def test_names_are_bounded_in_number_and_in_length(simulation: Simulation) -> None:
    notify(simulation, *(f"order-{number}" for number in range(MOST + 50)), "x" * 201, "\0", "")

    kept = simulation.world.db.read_sync(
        MERCHANT, lambda uow: uow.named_orders.due(SHOP, limit=10_000)
    )
    assert len(kept) == MOST


def test_a_forged_notification_names_nothing(simulation: Simulation) -> None:
    with pytest.raises(CredentialsRejected):
        simulation.loop.run_until_complete(
            simulation.engine.receive_webhook(MERCHANT, SHOP, {}, b"1")
        )
    assert waiting(simulation) is None


def test_names_are_not_kept_where_orders_cannot_be_read_by_id(simulation: Simulation) -> None:
    kind = simulation.engine.registry.types[f"fake-{SHOP}"]
    simulation.engine.registry.types[kind.id] = replace(
        kind, capabilities=kind.capabilities - {Capability.READ_ORDERS}
    )

    notify(simulation, "1")

    assert waiting(simulation) is None
