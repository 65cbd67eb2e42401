"""Observers get an oversell and its end once each, and only what was committed, on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from support.world import MERCHANT, World, order
from zaiko_core.app import orders
from zaiko_core.plugin_host.announcements import announce_oversell
from zaiko_core.plugin_host.observers import Observers
from zaiko_core.storage.database import Database
from zaiko_sdk import Oversold, OversoldCleared


class RecordedEvents:
    """Stands for the plugin host: keeps the events that it would publish, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def publish(self, hook: str, event: Any) -> None:
        self.events.append((hook, event))


@pytest.fixture
def recorded() -> RecordedEvents:
    return RecordedEvents()


@pytest.fixture
def world(store_url: str, recorded: RecordedEvents) -> Iterator[World]:
    observers: Observers = recorded  # type: ignore[assignment]
    db = Database(
        store_url, publish=lambda merchant, fact: announce_oversell(observers, merchant, fact)
    )
    world = World(db).begin(shops=("a", "b"))
    world.receive("tea", 3)
    for shop in ("a", "b"):
        world.link(shop, "tea")
    recorded.events.clear()
    yield world
    db.close()


def test_an_order_for_more_than_there_is_is_published_with_its_cause(
    world: World, recorded: RecordedEvents
) -> None:
    world.ingest("a", order("1", {"tea": 2}))
    world.ingest("b", order("2", {"tea": 3}))

    [(hook, event)] = recorded.events
    assert hook == "zaiko_oversold"
    assert isinstance(event, Oversold)
    assert (event.product, event.shop, event.units, event.short) == (
        f"merchants/{MERCHANT}/products/tea",
        f"merchants/{MERCHANT}/shops/b",
        2,
        2,
    )
    assert event.cause
    assert event.setting
    assert event.oversell.startswith(f"merchants/{MERCHANT}/oversells/")
    assert event.at.tzinfo is not None


def test_enough_again_is_published_once_with_what_it_ends(
    world: World, recorded: RecordedEvents
) -> None:
    world.ingest("a", order("1", {"tea": 4}))
    world.ingest("b", order("2", {"tea": 1}))
    sunk = [event.oversell for hook, event in recorded.events if hook == "zaiko_oversold"]
    recorded.events.clear()

    world.receive("tea", 1)
    assert recorded.events == []  # one unit is still missing
    world.receive("tea", 5)
    world.receive("tea", 5)

    [(hook, event)] = recorded.events
    assert hook == "zaiko_oversold_cleared"
    assert isinstance(event, OversoldCleared)
    assert (event.product, list(event.oversells)) == (f"merchants/{MERCHANT}/products/tea", sunk)


def test_the_same_order_read_again_is_not_published_again(
    world: World, recorded: RecordedEvents
) -> None:
    world.ingest("a", order("1", {"tea": 4}))
    world.ingest("a", order("1", {"tea": 4}))

    assert len(recorded.events) == 1


def test_what_is_rolled_back_is_not_published(world: World, recorded: RecordedEvents) -> None:
    def fails(uow: Any) -> None:
        orders.ingest(uow, "a", [order("1", {"tea": 4})])
        raise RuntimeError("the rest of the transaction")

    with pytest.raises(RuntimeError):
        world.db.write_sync(MERCHANT, fails)

    assert recorded.events == []


def test_a_transaction_that_is_repeated_is_published_once(
    world: World, recorded: RecordedEvents
) -> None:
    tries: list[int] = []

    def conflicts_once(uow: Any) -> None:
        orders.ingest(uow, "a", [order("1", {"tea": 4})])
        tries.append(1)
        if len(tries) == 1:
            raise _locked(world)

    world.db.write_sync(MERCHANT, conflicts_once)

    assert (len(tries), len(recorded.events)) == (2, 1)


def _locked(world: World) -> OperationalError:
    """What the store says when a transaction should be run again."""
    if world.db.is_postgresql:
        import psycopg.errors

        cause: Exception = psycopg.errors.SerializationFailure("could not serialize access")
    else:
        import sqlite3

        cause = sqlite3.OperationalError("database is locked")
        cause.sqlite_errorcode = sqlite3.SQLITE_BUSY  # type: ignore[attr-defined]
    return OperationalError("SELECT 1", {}, cause)
