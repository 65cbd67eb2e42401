"""Suspect demand: what is odd, what a policy releases, what counts again, that the journal always
adds up (ADR 0022)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.world import MERCHANT, World, order
from zaiko_core.app import orders, shops, suspects
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import Page
from zaiko_core.domain.demand import Demand, DemandState
from zaiko_core.domain.errors import OrderNotOpen
from zaiko_core.domain.stock import MovementKind
from zaiko_core.domain.suspicion import DAY, SuspectPolicy, Suspicion, release_time, suspicions
from zaiko_core.storage.database import Database

START = 1_700_000_000_000_000


class Shop:
    """One shop that sells `tea`, of which there are 100, and a calendar."""

    def __init__(self, url: str) -> None:
        self.time = START
        self.world = World(Database(url, now=lambda: self.time)).begin(shops=("a",))
        self.world.receive("tea", 100)
        self.world.link("a", "tea")
        self.versions = 0

    def days(self, count: float) -> None:
        self.time += int(count * DAY)

    def policy(self, **days: Any) -> None:
        def work(uow: UnitOfWork) -> None:
            shops.update(uow, replace(shops.get(uow, "a"), suspect_policy=SuspectPolicy(**days)))

        self.world.db.write_sync(MERCHANT, work)

    def read(self, number: str, units: int = 5, *, paid: bool | None = True, **facts: Any) -> None:
        """The shop is read and says this of an order, in a version of its own."""
        self.versions += 1
        reading = order(number, {"tea": units}, version=self.versions, **facts)
        self.world.ingest("a", replace(reading, paid=paid, placed_at=START))

    def again(self, number: str) -> None:
        """The same reading comes once more."""
        record = self.world.order("a", number)
        assert record is not None
        bare: dict[str, Any] = {
            "archived_at": None,
            "released_at": None,
            "released_for": "",
            "kept": False,
            "vanished_at": None,
        }
        self.world.ingest("a", replace(record, read_at=record.read_at + 1, **bare))

    def vanish(self, number: str) -> None:
        self.world.db.write_sync(MERCHANT, lambda uow: orders.vanish(uow, "a", [number]))

    def run(self) -> int:
        """The pass at the end of a run; how many orders were released."""

        def work(uow: UnitOfWork) -> int:
            uow.hold_lease = lambda shop, token: None  # type: ignore[method-assign]
            return suspects.apply_policy(uow, "a", 0)

        return self.world.db.write_sync(MERCHANT, work)

    def release(self, number: str) -> None:
        self.world.db.write_sync(MERCHANT, lambda uow: suspects.release(uow, "a", number))

    def hold(self, number: str) -> None:
        self.world.db.write_sync(MERCHANT, lambda uow: suspects.hold(uow, "a", number))

    @property
    def free(self) -> int:
        self.world.assert_consistent()
        return self.world.free("tea")

    @property
    def listed(self) -> list[str]:
        """Suspect orders, as people are shown them."""
        found = self.world.db.read_sync(
            MERCHANT,
            lambda uow: uow.orders.page(
                Page(100), shop="a", states=(), suspect=True, uncounted=False
            ),
        )
        assert len(found) == self.world.db.read_sync(
            MERCHANT, lambda uow: uow.orders.count(suspect=True)
        )
        return [item.record.order for item in found]

    @property
    def open(self) -> list[str]:
        """Orders that are read again from time to time."""
        return self.world.db.read_sync(
            MERCHANT, lambda uow: uow.orders.holding("a", limit=9, after="")
        )

    def kinds(self) -> list[str]:
        rows = self.world.db.read_sync(
            MERCHANT,
            lambda uow: uow.stocks.movements(Page(100), products=(), warehouse="", kinds=()),
        )
        return [movement.entry.kind.value for movement in reversed(rows)][1:]


@pytest.fixture
def shop(store_url: str) -> Iterator[Shop]:
    shop = Shop(store_url)
    yield shop
    shop.world.db.close()


def test_an_order_that_was_never_understood_is_suspect_until_it_is_read_or_released(
    shop: Shop,
) -> None:
    unreadable = replace(order("1", {}, version=9), lines_known=False)
    shop.world.ingest("a", unreadable)
    assert shop.listed == ["1"]
    assert shop.open == ["1"]

    shop.release("1")
    assert shop.listed == []
    shop.world.ingest("a", replace(unreadable, version=10, read_at=10))
    assert shop.listed == []
    shop.hold("1")
    assert shop.listed == ["1"]

    shop.read("1", units=2)
    assert (shop.listed, shop.free) == ([], 98)
    shop.world.ingest("a", order("1", {"tea": 2}, version=20, state=DemandState.SHIPPED))
    with pytest.raises(OrderNotOpen):
        shop.release("1")


def test_a_line_that_nobody_removed_is_suspect_and_keeps_its_units(shop: Shop) -> None:
    both = order("1", {"tea": 5, "pot": 1}, version=7)
    shop.world.ingest("a", both)
    shop.world.ingest("a", replace(both, lines=both.lines[1:], read_at=8))
    assert (shop.listed, shop.free) == (["1"], 95)
    shop.world.ingest("a", replace(both, read_at=9))
    assert (shop.listed, shop.free) == ([], 95)


def test_by_default_everything_is_held_and_listed(shop: Shop) -> None:
    shop.read("1", archived=True)
    shop.read("2")
    shop.vanish("2")
    shop.read("3", paid=False)
    shop.read("4", state_known=False)
    shop.read("5")
    assert shop.listed == ["1", "2", "4"]

    shop.days(365)
    assert shop.listed == ["1", "2", "3", "4"]
    assert shop.run() == 0
    assert shop.free == 75


@pytest.mark.parametrize(
    ("suspicion", "began"),
    [(Suspicion.ARCHIVED, 0.0), (Suspicion.VANISHED, 0.0), (Suspicion.UNPAID, 14.0)],
)
def test_a_policy_releases_after_its_days_and_not_before(
    shop: Shop, suspicion: Suspicion, began: float
) -> None:
    shop.policy(**{suspicion.value.lower(): 3})
    shop.read("1", archived=suspicion is Suspicion.ARCHIVED, paid=suspicion is not Suspicion.UNPAID)
    if suspicion is Suspicion.VANISHED:
        shop.vanish("1")

    shop.days(began + 2.99)
    assert (shop.run(), shop.free) == (0, 95)
    shop.days(0.02)
    assert (shop.run(), shop.free) == (1, 100)
    assert (shop.run(), shop.free) == (0, 100)
    assert shop.listed == []
    record = shop.world.order("a", "1")
    assert record is not None
    assert record.released_for == suspicion
    assert shop.kinds() == ["ORDER_PLACED", "ORDER_WRITTEN_OFF"]


def test_what_only_another_suspicion_releases_is_held(shop: Shop) -> None:
    shop.policy(vanished=1, unpaid=1)
    shop.read("1", archived=True)
    shop.days(100)

    assert (shop.run(), shop.free) == (0, 95)


def test_a_repeated_reading_of_a_released_order_changes_nothing(shop: Shop) -> None:
    shop.policy(archived=1)
    shop.read("1", archived=True)
    shop.days(1)
    shop.run()

    shop.again("1")

    assert shop.free == 100


def test_an_order_that_is_alive_again_counts_again_once(shop: Shop) -> None:
    shop.policy(archived=1, vanished=1, unpaid=1)
    shop.read("1", archived=True)
    shop.read("2")
    shop.vanish("2")
    shop.read("3", paid=False)
    shop.days(16)
    assert (shop.run(), shop.free) == (3, 100)

    shop.read("1")
    shop.again("2")
    shop.read("3", paid=True)
    assert shop.free == 85
    for number in ("1", "2", "3"):
        shop.again(number)
    assert (shop.run(), shop.free) == (0, 85)


def test_an_edit_of_what_is_still_odd_leaves_it_released(shop: Shop) -> None:
    shop.policy(archived=1)
    shop.read("1", archived=True)
    shop.days(1)
    shop.run()

    shop.read("1", units=7, archived=True)

    assert shop.free == 100


def test_what_the_warehouse_holds_stays_held_and_may_ship(shop: Shop) -> None:
    shop.policy(archived=1)
    shop.read("1", archived=True)
    shop.world.bind("allocate", "a", "1", "tea", 2)
    shop.days(1)
    assert (shop.run(), shop.free) == (1, 98)

    shop.world.bind("ship", "a", "1", "tea", 2)

    assert shop.free == 98
    assert shop.world.stock("tea").balance.physical == 98


def test_a_person_releases_and_holds_and_is_not_overruled(shop: Shop) -> None:
    shop.policy(archived=1)
    shop.read("1", archived=True)
    shop.release("1")
    shop.release("1")
    assert (shop.free, shop.kinds()[-1]) == (100, MovementKind.ORDER_WRITTEN_OFF)

    shop.hold("1")
    shop.hold("1")
    shop.days(30)
    assert (shop.run(), shop.free, shop.kinds()[-1]) == (0, 95, MovementKind.ORDER_RESTORED)
    assert shop.listed == ["1"]

    shop.read("1", units=6, archived=True)
    assert (shop.run(), shop.free) == (0, 94)


def test_what_has_no_open_units_can_be_neither_released_nor_held(shop: Shop) -> None:
    shop.read("1", state=DemandState.CANCELLED)
    for verb in (shop.release, shop.hold):
        with pytest.raises(OrderNotOpen):
            verb("1")


def test_a_release_moves_no_fence(shop: Shop) -> None:
    shop.read("1", archived=True)
    before = shop.world.link_of("a", "tea").belief
    shop.release("1")
    shop.hold("1")
    assert shop.world.link_of("a", "tea").belief == before


def test_the_preview_is_what_the_pass_does(shop: Shop) -> None:
    shop.read("1", archived=True)
    shop.days(4)
    shop.read("2", units=3, archived=True)
    shop.read("3", units=1)
    wanted = SuspectPolicy(archived=5)
    revision = shop.world.db.read_sync(MERCHANT, lambda uow: uow.revision)
    shop.days(1)

    found, effects = shop.world.db.read_sync(
        MERCHANT, lambda uow: suspects.preview(uow, "a", wanted)
    )

    assert [(item.stored.record.order, item.suspicion, item.units) for item in found] == [
        ("1", Suspicion.ARCHIVED, {"tea": 5}),
        ("2", Suspicion.ARCHIVED, {"tea": 3}),
    ]
    effect = effects["tea"]
    assert (effect.now, effect.soon, effect.free, [shop_of for shop_of, _ in effect.links]) == (
        5,
        8,
        91,
        ["a"],
    )
    assert shop.world.db.read_sync(MERCHANT, lambda uow: uow.revision) == revision
    shop.policy(archived=5)
    assert (shop.run(), shop.free) == (1, 96)
    shop.days(4)
    assert (shop.run(), shop.free) == (1, 99)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_in_whatever_order_the_journal_adds_up(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    numbers = [str(number) for number in range(5)]
    for _ in range(60):
        number = chance.choice(numbers)
        known = shop.world.order("a", number)
        step = chance.choice(
            [
                "read",
                "read",
                "read",
                "again",
                "vanish",
                "run",
                "run",
                "days",
                "policy",
                "release",
                "hold",
                "ship",
            ]
        )
        if step == "read":
            state = chance.choice(
                [DemandState.OPEN] * 6 + [DemandState.CANCELLED, DemandState.SHIPPED]
            )
            paid, archived = chance.choice([True, False, None]), chance.random() < 0.4
            shop.read(number, chance.randint(0, 4), paid=paid, archived=archived, state=state)
        elif step == "days":
            shop.days(chance.choice([0.5, 2, 20]))
        elif step == "policy":
            shop.policy(
                **{name: chance.choice([None, 1, 5]) for name in ("archived", "vanished", "unpaid")}
            )
        elif step == "run":
            shop.run()
        elif known is None:
            continue
        elif step == "again":
            shop.again(number)
        elif step == "vanish":
            shop.vanish(number)
        elif step == "ship" and known.holds and known.released_at is None:
            shop.world.bind("allocate", "a", number, "tea", 1)
            shop.world.bind("ship", "a", number, "tea", 1)
        elif step in ("release", "hold") and known.holds:
            getattr(shop, step)(number)
        shop.world.assert_consistent()
        assert shop.free == shop.world.stock("tea").balance.physical - _promised(shop, numbers)


def _promised(shop: Shop, numbers: list[str]) -> int:
    """What the orders say, by their own account and the warehouse's."""
    total = 0
    for number in numbers:
        known = shop.world.order("a", number)
        gone = (DemandState.CANCELLED, DemandState.DELETED)
        if known is None or known.released_at is not None or known.state in gone:
            continue
        found = shop.world.db.read_sync(
            MERCHANT, lambda uow, number=number: uow.demands.get("a", [number])
        )  # type: ignore[misc]
        demand = found.get((number, "tea"), Demand())
        # Once a warehouse ships, the shop's own word frees nothing more.
        owed = 0 if demand.frees else max(0, demand.awaited - demand.shipped)
        left = max(demand.shipped, demand.fulfilled - owed)
        total += max(0, sum(line.wanted for line in known.lines) - left)
    return total


def test_the_pure_rules_say_since_when_and_until_when() -> None:
    odd = replace(
        order("1", {"tea": 1}), placed_at=START, archived=True, archived_at=START, paid=False
    )
    policy = SuspectPolicy(archived=10, unpaid=1, unpaid_after=2)

    assert suspicions(odd, policy, START) == {Suspicion.ARCHIVED: START}
    assert suspicions(odd, policy, START + 2 * DAY) == {
        Suspicion.ARCHIVED: START,
        Suspicion.UNPAID: START + 2 * DAY,
    }
    assert release_time(odd, policy, START) == (START + 10 * DAY, Suspicion.ARCHIVED)
    assert release_time(odd, policy, START + 2 * DAY) == (START + 3 * DAY, Suspicion.UNPAID)
    assert release_time(replace(odd, kept=True), policy, START + 90 * DAY) is None
    assert release_time(odd, SuspectPolicy(), START + 900 * DAY) is None
