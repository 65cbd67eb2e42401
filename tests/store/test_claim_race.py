"""A claim beside a transaction that triggers the same shop: whichever comes first, the run learns
of what became due, or another one follows. SQLite has one writer at a time; there it cannot
happen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from sqlalchemy import Text, cast, func, text
from store.test_jobs import LEASE
from support.stores import PostgreSQL
from support.waiting import until
from support.world import World
from zaiko_core.app.records import JobClaim
from zaiko_core.storage import jobs
from zaiko_core.storage.database import Database
from zaiko_core.storage.jobs import Jobs


@pytest.fixture
def world(postgresql: PostgreSQL) -> Iterator[World]:
    """Shop `a`, whose interval has come; nothing of it is due."""
    url = postgresql.new_url()
    world = World(Database(url)).begin(shops=["a"])
    world.receive("tea", 5)
    world.link("a", "tea")
    with world.db.engine.begin() as connection:
        connection.execute(text("UPDATE links SET due_at = NULL, must_read = false"))
        connection.execute(text("UPDATE shops SET due_at = 0, claimed_seq = trigger_seq"))
    yield world
    world.db.close()
    postgresql.drop(url)


def test_a_change_that_commits_while_a_claim_looks_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claiming_now = _slow_claims(monkeypatch)
    claims: list[JobClaim] = []

    def claim() -> None:
        # A look that meets the change under way passes over the shop, and the next one finds it.
        while not claims:
            claims.extend(_claim(world.db))

    claiming = threading.Thread(target=claim)

    claiming.start()
    assert claiming_now.wait(60)
    until(lambda: _looks(world.db) or claims, "the look has its snapshot, and no locks")
    world.receive("tea", 1)
    claiming.join()

    [found] = [item.found for item in claims]
    with world.db.engine.connect() as connection:
        again = connection.scalar(text("SELECT trigger_seq > claimed_seq FROM shops"))
    assert again or (found.links_due_at is not None and found.links_due_at <= found.at)


def _looks(db: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with db.engine.connect() as connection:
        return bool(connection.scalar(text(query)))


def _claim(db: Database) -> list[JobClaim]:
    with db.transactions.begin(writing=True) as connection:
        return Jobs(connection, None, owner="one", lease=LEASE).claim(1)


def _slow_claims(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make a claim take half a second between its snapshot and its locks. The event is set when one
    begins."""
    begun, honest = threading.Event(), jobs._due

    def slow(*shape: Any) -> Any:
        begun.set()
        return honest(*shape).where(cast(func.pg_sleep(0.5), Text) == "")

    slow_once = lru_cache(slow)
    monkeypatch.setattr(jobs, "_due", slow_once)
    return begun
