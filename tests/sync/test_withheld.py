"""What is withheld of a link's target is said, with its reason, wherever the link's status is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.simulation import VISIBILITY, Simulation
from support.world import MERCHANT
from zaiko.v1 import link_pb2
from zaiko_core.domain.push import Label, Term
from zaiko_server.convert import links

SHOPS = ["compare-and-set", "adjust", "set"]


@pytest.fixture
def calm(sqlite_url: str) -> Iterator[Simulation]:
    simulation = Simulation(sqlite_url, seed=0)
    simulation.begin(units=10)
    simulation.interfere = lambda *_: simulation.clock.advance(0.5)  # type: ignore[method-assign]
    yield simulation
    simulation.close()


def turn(simulation: Simulation) -> None:
    """Let an interval pass, and the engine work."""
    simulation.clock.advance(601)
    simulation.run_due()


def status(simulation: Simulation, shop: str) -> link_pb2.LinkStatus:
    link = simulation.world.link_of(shop, "tea")
    return links.status(MERCHANT, link, sku="", held_by=None)


@pytest.mark.parametrize("shop", SHOPS)
def test_units_that_a_cancelled_order_may_have_kept_are_withheld_and_named(
    calm: Simulation, shop: str
) -> None:
    """The shop cancels an order and does not say whether it restocked the units."""
    order = calm.shops[shop].place({"tea": 2})
    turn(calm)
    calm.shops[shop].cancel(order, restock=False)
    turn(calm)

    link = calm.world.link_of(shop, "tea")
    assert (link.state, link.target, link.withheld) == ("SYNCED", 10, (Term(Label.DOUBT, 2),))
    assert (link.sent, link.confirmed, calm.shops[shop].stock["tea"]) == (8, 8, 8)
    message = status(calm, shop)
    assert (message.target, message.withheld, message.confirmed) == (10, 2, 8)
    assert [(part.label, part.units) for part in message.withheld_parts] == [("DOUBT", 2)]

    turn(calm)
    assert (status(calm, shop).withheld, calm.shops[shop].stock["tea"]) == (0, 10)
    assert calm.violations == []


@pytest.mark.parametrize("shop", SHOPS)
def test_units_that_are_missing_are_withheld_while_an_order_may_explain_them(
    calm: Simulation, shop: str
) -> None:
    calm.shops[shop].stock["tea"] = 7
    turn(calm)
    link = calm.world.link_of(shop, "tea")
    assert (link.state, link.target, link.confirmed) == ("SYNCED", 10, 7)
    assert link.withheld == (Term(Label.SUSPECTED, 3),)

    calm.clock.advance(VISIBILITY + 1)
    calm.run_due()
    turn(calm)
    assert calm.world.link_of(shop, "tea").withheld == ()
    assert calm.violations == []
