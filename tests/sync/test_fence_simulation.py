"""Whatever breaks, shops converge, every order counts once, and no unseen order is overwritten. A
seed repeats a failure."""

from __future__ import annotations

import pytest
from support.simulation import Simulation
from zaiko_core.app.records import LinkState


def storm(url: str, seed: int, steps: int) -> Simulation:
    """Events and faults for a while, then peace."""
    simulation = Simulation(url, seed)
    simulation.begin(units=40)
    for _ in range(steps):
        for name in simulation.shops:
            if simulation.random.random() < 0.4:
                simulation.shop_event(name)
        choice = simulation.random.random()
        if choice < 0.1:
            simulation.world.receive("tea", simulation.random.randint(1, 10))
        elif choice < 0.15:
            simulation.world.reserve("tea", simulation.random.randint(0, 5))
        simulation.run_due()
        simulation.clock.advance(simulation.random.choice([0.1, 1, 5, 20]))
    simulation.settle()
    return simulation


@pytest.mark.parametrize("seed", range(1))
def test_after_any_storm_shops_converge_and_orders_count_once(seed: int, sqlite_url: str) -> None:
    check(seed, sqlite_url, steps=40)


def test_a_storm_ends_well_on_both_stores(store_url: str) -> None:
    check(100, store_url, steps=20)


def check(seed: int, url: str, steps: int) -> None:
    simulation = storm(url, seed, steps)
    try:
        world = simulation.world
        balance = world.stock("tea").balance
        held = sum(
            line.ordered - line.cancelled - line.fulfilled
            for shop in simulation.shops.values()
            for placed in shop.orders.values()
            if placed.order.state == "OPEN"
            for line in placed.order.lines
        )
        assert balance.ordered == held
        world.assert_consistent()
        for name, shop in simulation.shops.items():
            link = world.link_of(name, "tea")
            assert (shop.stock["tea"], link.state) == (balance.sent, LinkState.SYNCED), (
                f"{name} of seed {seed}"
            )
        assert simulation.violations == [], f"seed {seed}"
        assert simulation.faults > 0
    finally:
        simulation.close()
