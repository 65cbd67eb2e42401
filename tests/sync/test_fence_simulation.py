"""Whatever breaks, shops converge, every order counts once, and no unseen order is overwritten. A
seed repeats a failure."""

from __future__ import annotations

import pytest
from support.simulation import Simulation


@pytest.mark.parametrize("seed", range(1))
def test_after_any_storm_shops_converge_and_orders_count_once(seed: int, sqlite_url: str) -> None:
    check(seed, sqlite_url, steps=40)


def test_a_storm_ends_well_on_both_stores(store_url: str) -> None:
    check(100, store_url, steps=20)


def test_a_storm_in_which_the_warehouse_reports_its_shipments_ends_well(sqlite_url: str) -> None:
    check(7, sqlite_url, steps=20, reports=True)


def check(seed: int, url: str, steps: int, *, reports: bool = False) -> None:
    simulation = Simulation(url, seed, goods=("tea", "cup"))
    simulation.begin(units=40)
    if reports:
        simulation.report_shipments()
    simulation.storm(steps, [0.1, 1, 5, 20])
    simulation.settle()
    try:
        assert simulation.wrong() == [], f"seed {seed}"
        assert simulation.faults > 0
    finally:
        simulation.close()
