"""Credentials are looked at once a day, behind a run; their end is shown, and announced before it
comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import shops
from zaiko_core.app.records import ShopRecord
from zaiko_core.bootstrap import Engine
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage import schema
from zaiko_sdk import CredentialsExpiring, Finding, FindingLevel, PlatformDown, hookimpl
from zaiko_server.convert.shops import status

SHOP = "compare-and-set"
DAY = 24 * 3600


class Recorder:
    def __init__(self) -> None:
        self.events: list[CredentialsExpiring] = []

    @hookimpl
    def zaiko_credentials_expiring(self, event: CredentialsExpiring) -> None:
        self.events.append(event)


class Checked(Simulation):
    """One shop's key ends at a time; how often it was looked at is counted."""

    def __init__(self, url: str) -> None:
        self.recorder, self.looks, self.down, self.superseded = Recorder(), 0, False, False
        super().__init__(url, 0)
        self.chaos = 0
        self.begin(units=10)

    def new_engine(self) -> Engine:
        engine = super().new_engine()
        engine.registry._manager = load([("recorder", self.recorder)], entry_points=[])._manager
        return engine

    def interfere(self, name: str, moment: str, operation: str) -> None:
        if name == SHOP and operation == "check":
            self.looks += 1
            if self.down:
                raise PlatformDown("not now")
            if self.superseded:
                self.world.db.write_sync(MERCHANT, self._take_over)
        super().interfere(name, moment, operation)

    @staticmethod
    def _take_over(uow: Any) -> None:
        """Another process claims the shop."""
        uow._connection.execute(
            update(schema.shops)
            .where(schema.shops.c.shop == SHOP)
            .values(belief=schema.shops.c.lease_token + 1)
        )

    def ends_in(self, days: float) -> datetime:
        at = self.clock.now() + timedelta(days=days)
        self.shops[SHOP].findings = [
            Finding(FindingLevel.WARNING, "LICENCE", "a licence key", expires_at=at)
        ]
        return at

    def days(self, count: float) -> None:
        """Time passes; the shop runs as always."""
        for _ in range(int(count * 4)):
            self.clock.advance(DAY / 4)
            self.run_due()

    def observed(self) -> list[Any]:
        self.engine._observers.close(grace=10)
        self.engine._observers._queues.clear()
        events, self.recorder.events = self.recorder.events, []
        return [event.days for event in events]

    @property
    def shop(self) -> ShopRecord:
        return self.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP]

    def state(self) -> str:
        now = int(self.clock.now().timestamp() * 1_000_000)
        message = status(MERCHANT, self.shop, {}, differing=0, synced=0, missing=None, now=now)
        field = message.DESCRIPTOR.fields_by_name["credentials_state"]
        return str(field.enum_type.values_by_number[message.credentials_state].name).removeprefix(
            "CREDENTIALS_STATE_"
        )


@pytest.fixture
def simulation(sqlite_url: str) -> Any:
    simulation = Checked(sqlite_url)
    yield simulation
    simulation.close()


def test_credentials_are_looked_at_once_a_day(simulation: Checked) -> None:
    first = simulation.looks
    simulation.days(3)

    assert first == 1
    assert simulation.looks - first == 3


def test_each_step_before_the_end_is_told_once(simulation: Checked) -> None:
    simulation.ends_in(16.2)
    simulation.days(17)

    # At 30 and 14 days the first look after it tells; the end itself is 0.
    assert simulation.observed() == [30, 14, 7, 3, 1, 0]


def test_the_end_is_shown_on_the_shop_and_watchers_hear_of_it(simulation: Checked) -> None:
    assert simulation.state() == "VALID"
    before = simulation.shop.status_revision
    ends = simulation.ends_in(10)
    simulation.days(1)

    shown = simulation.shop.credentials_expire_at
    assert shown is not None
    assert datetime.fromtimestamp(shown / 1_000_000, UTC) == ends
    assert simulation.state() == "EXPIRING"
    assert simulation.shop.status_revision > before


def test_new_credentials_forget_the_end_of_the_old_ones(simulation: Checked) -> None:
    simulation.ends_in(2)
    simulation.days(1)
    simulation.shops[SHOP].findings = []
    record = simulation.shop

    def enter(uow: Any) -> None:
        shops.update(
            uow,
            ShopRecord(
                **{name: getattr(record, name) for name in record.__slots__} | {"secrets": b"other"}
            ),
        )

    simulation.world.db.write_sync(MERCHANT, enter)

    assert (simulation.shop.checked_at, simulation.shop.credentials_expire_at) == (None, None)


def test_a_look_that_fails_costs_the_run_nothing_and_is_made_again(simulation: Checked) -> None:
    simulation.down = True
    simulation.days(1.25)
    simulation.world.receive("tea", 5)
    simulation.days(0.25)

    assert simulation.shops[SHOP].stock["tea"] == 15
    assert simulation.shop.problem is None
    failed = simulation.looks
    simulation.down = False
    simulation.days(0.5)
    assert failed >= 2
    assert simulation.looks == failed + 1


def test_a_run_that_lost_its_lease_while_it_looked_writes_nothing_of_it(
    simulation: Checked,
) -> None:
    before = simulation.shop.checked_at
    simulation.superseded = True
    simulation.ends_in(10)
    simulation.days(1.25)

    assert simulation.looks > 1
    assert simulation.shop.checked_at == before
    assert simulation.observed() == []


@pytest.mark.parametrize("days", [None, 60])
def test_a_check_says_that_older_open_orders_are_not_read(
    sqlite_url: str, days: int | None
) -> None:
    simulation = Simulation(sqlite_url, seed=0, chaos=0)
    try:
        simulation.begin(units=10)
        simulation.shops[SHOP].order_reach = None if days is None else timedelta(days=days)
        found = simulation.loop.run_until_complete(simulation.engine.check_shop(MERCHANT, SHOP))
    finally:
        simulation.close()
    reaches = [finding for finding in found if finding.reason == "OLD_ORDERS_NOT_READ"]
    assert [finding.level for finding in reaches] == (
        [] if days is None else [FindingLevel.WARNING]
    )
    assert all(f"{days} days back" in finding.message for finding in reaches)
