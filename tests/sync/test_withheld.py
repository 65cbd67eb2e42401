"""What is withheld of a link's target is said, with its reason, wherever the link's status is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.simulation import VISIBILITY, Simulation
from support.world import MERCHANT
from zaiko.v1 import link_pb2
from zaiko_core.app.records import Page
from zaiko_core.domain.drift import DriftCause
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


def causes(simulation: Simulation) -> list[DriftCause]:
    drifts = simulation.world.db.read_sync(
        MERCHANT, lambda uow: uow.drifts.page(Page(100), shop="", listing="", causes=())
    )
    return [drift.difference.cause for drift in drifts]


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


# What the shop keeps off sale itself


@pytest.mark.parametrize("shop", SHOPS)
def test_units_that_the_shop_reserves_are_withheld_and_not_offered_again(
    calm: Simulation, shop: str
) -> None:
    """A draft order of 4 waits for its payment for an hour, while stock comes in and is sold."""
    sold_in, other = calm.shops[shop], next(name for name in SHOPS if name != shop)
    sold_in.reserve("tea", 4)
    for _ in range(3):
        turn(calm)
    link = calm.world.link_of(shop, "tea")
    assert (sold_in.stock["tea"], link.state, link.target) == (6, "SYNCED", 10)
    assert link.withheld == (Term(Label.RESERVED, 4),)
    assert calm.shops[other].stock["tea"] == 10

    calm.world.receive("tea", 5)
    calm.shops[other].place({"tea": 2})
    turn(calm)
    turn(calm)
    assert [calm.shops[name].stock["tea"] for name in (shop, other)] == [9, 13]

    sold_in.reserve("tea", -4)
    turn(calm)
    turn(calm)
    assert (sold_in.stock["tea"], calm.world.link_of(shop, "tea").withheld) == (13, ())
    assert causes(calm) == calm.violations == []


@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize("visible_after", [0, VISIBILITY / 2])
def test_a_reservation_that_becomes_an_order_is_taken_off_once(
    calm: Simulation, shop: str, visible_after: float
) -> None:
    calm.shops[shop].reserve("tea", 4)
    turn(calm)
    calm.shops[shop].sell_reserved("tea", 4, visible_after=visible_after)
    for _ in range(3):
        turn(calm)
        assert calm.shops[shop].stock["tea"] == 6
    assert calm.world.link_of(shop, "tea").withheld == ()
    assert calm.shops[SHOPS[0] if shop != SHOPS[0] else "set"].stock["tea"] == 6
    assert causes(calm) == calm.violations == []


def test_a_write_that_meets_a_reservation_is_computed_again(calm: Simulation) -> None:
    """The shop reserves units between the reading and the write."""
    shop = calm.shops["compare-and-set"]
    shop.reserve("tea", 4)
    calm.world.receive("tea", 5)
    turn(calm)
    assert shop.stock["tea"] == 11
    assert calm.world.link_of("compare-and-set", "tea").withheld == (Term(Label.RESERVED, 4),)


# What the platform counts as open


def test_an_order_that_cannot_be_read_is_no_difference_of_counts(calm: Simulation) -> None:
    calm.shops["adjust"].place({"tea": 3}, is_understood=False)
    for _ in range(4):
        turn(calm)
    assert causes(calm) == []


@pytest.mark.parametrize("shop", SHOPS)
def test_an_order_that_the_shop_never_lists_shows_in_what_the_platform_counts(
    calm: Simulation, shop: str
) -> None:
    """Even where its number was set right by hand, so that nothing else shows it."""
    hidden = calm.shops[shop].place({"tea": 3}, visible_after=10**6)
    calm.shops[shop].stock["tea"] = 10
    turn(calm)
    assert causes(calm) == []
    message = status(calm, shop)
    assert (message.committed, message.counted) == (3, 0)
    turn(calm)
    turn(calm)
    assert causes(calm) == [DriftCause.COMMITTED_DIFFERS]
    assert calm.world.db.read_sync(MERCHANT, lambda uow: uow.links.differing_counts()) == 1

    calm.shops[shop].cancel(hidden, restock=False)
    turn(calm)
    assert not status(calm, shop).HasField("committed")
    assert calm.world.db.read_sync(MERCHANT, lambda uow: uow.links.differing_counts()) == 0


def test_an_order_in_flight_is_no_difference_in_what_is_counted(calm: Simulation) -> None:
    for _ in range(4):
        calm.shops["adjust"].place({"tea": 1}, visible_after=VISIBILITY / 2)
        turn(calm)
    turn(calm)
    assert causes(calm) == []
    assert calm.world.link_of("adjust", "tea").open_counts is None
