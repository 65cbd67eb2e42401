"""A database of an older release, with data, becomes one of this release: nothing of it is lost,
and nothing is sent twice. How the data was made: `tests/data/README.md`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from google.protobuf.json_format import MessageToDict
from sqlalchemy import MetaData, create_engine
from support.released import Installation, Release, messages, upgraded
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import pending, versions
from zaiko_core.storage.schema import metadata
from zaiko_core.sync.state import StoredState

RELEASE = Release("fc62a62")
MERCHANTS = ("acme", "borealis", "clover")
WORDING = frozenset({"message", "action_en", "action_ja"})
"""Sentences for people, which a release may word in another way."""
RENAMED = {
    ("shops", "wanted"): "trigger_seq",
    ("shops", "taken"): "claimed_seq",
    ("shops", "triggered"): "pending_trigger",
    ("shops", "cancelled"): "cancelled_token",
    ("shops", "fence"): "lease_token",
    ("shops", "cause"): "trace_parent",
    ("links", "suspected"): "unexplained",
    ("links", "suspected_since"): "unexplained_since",
    ("links", "doubt"): "uncertain",
    ("links", "taken_over_at"): "adopted_at",
    ("links", "flight_key"): "pending_key",
    ("links", "flight_quantity"): "pending_quantity",
    ("links", "flight_absolute"): "pending_absolute",
    ("links", "flight_at"): "pending_at",
    ("links", "touched"): "due_revision",
    ("pushes", "believed"): "expected",
}
"""What columns of the older release are called today."""
ADDED = frozenset(
    {
        "synced_revision",
        "devices_off",
        "shipped_frees",
        "keep_unrestocked",
        "auto_link",
        "last_compared_time",
        "next_send_time",
    }
)
"""Fields of answers that later releases have added: an older release could not answer them."""
ADDED_WITHIN = {"drifts": frozenset({"owner"})}
"""Such fields whose names are of other fields too, by what they are in."""
PENDING = {
    ("main", "rice"): ["read", "write 29"],
    ("adj", "coffee"): ["read"],
    ("raw", "salt"): ["read", "write 37"],
}
"""Links with a write that the older release did not live to hear of, and what is said of them in
their shops then: 28 rice and 31 coffee had arrived there, 37 salt had not."""


@contextlib.contextmanager
def restored(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The older release's database in the store that the fixture is asked for."""
    if request.param == "sqlite":
        yield RELEASE.on_sqlite(folder / "zaiko.db")
    else:
        with RELEASE.on_postgresql(request.getfixturevalue("postgresql")) as url:
            yield url


@dataclass(frozen=True)
class Upgraded:
    """A database that was upgraded, and the rows that it had before."""

    url: str
    before: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    """An upgraded database for tests that change nothing."""
    with restored(request, tmp_path_factory.mktemp("upgrade")) as url:
        before = rows(url)
        upgraded(url)
        yield Upgraded(url, before)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An upgraded database for one test."""
    with restored(request, tmp_path) as url:
        upgraded(url)
        yield url


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, whatever its columns are called."""
    engine, tables = create_engine(url), MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        found = {
            name: [dict(row._mapping) for row in connection.execute(table.select())]
            for name, table in tables.tables.items()
        }
    engine.dispose()
    return found


def said(answer: Any) -> Any:
    """What an answer says, without its wording."""

    def bare(value: Any, within: str = "") -> Any:
        if isinstance(value, dict):
            left_out = WORDING | ADDED | ADDED_WITHIN.get(within, frozenset())
            return {k: bare(v, k) for k, v in value.items() if k not in left_out}
        return [bare(item, within) for item in value] if isinstance(value, list) else value

    return bare(MessageToDict(answer, preserving_proto_field_name=True))


async def differing(url: str) -> list[str]:
    """The RPCs that answer something else than the older release did, with both answers."""
    found: list[str] = []
    async with Installation(RELEASE, url).serving() as method:
        for rpc, request, answered in RELEASE.answers():
            asked, answer = messages(rpc)
            if "Watch" in rpc:
                continue
            before = said(answer.FromString(answered))
            now = said(await method(rpc)(asked.FromString(request), timeout=60))
            if now != before:
                found.append(f"{rpc} {asked.FromString(request)}\n  before: {before}\n  now: {now}")
    return found


def test_the_schema_is_that_of_this_release(shared: Upgraded) -> None:
    engine = create_engine(shared.url)
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), metadata)
    current, newest, known = versions(engine)
    assert (difference, current, known, pending(engine)) == ([], newest, True, False)
    engine.dispose()


def test_every_value_that_was_stored_is_there_under_the_name_of_today(shared: Upgraded) -> None:
    now = rows(shared.url)
    for table, before in shared.before.items():
        if table in ("alembic_version", "system"):
            continue
        names = {old: RENAMED.get((table, old), old) for row in before for old in row}
        columns = sorted(set(names.values()))
        expected = [{names[old]: value for old, value in row.items()} for row in before]
        kept = [{name: row[name] for name in columns} for row in now[table]]
        assert _sorted(kept) == _sorted(expected), table


def _sorted(found: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in found)


def test_the_journal_adds_up_to_the_balances(shared: Upgraded) -> None:
    db = Database(shared.url)
    wrong = {name: db.read_sync(name, lambda uow: uow.stocks.recompute()) for name in MERCHANTS}
    db.close()
    assert wrong == {name: {} for name in MERCHANTS}


async def test_every_read_answers_what_the_older_release_answered(shared: Upgraded) -> None:
    assert await differing(shared.url) == []


async def test_a_watch_goes_on_after_the_change_that_it_was_told_of_last(shared: Upgraded) -> None:
    watches = [found for found in RELEASE.answers() if "Watch" in found[0]]
    assert len(watches) == 2
    async with Installation(RELEASE, shared.url).serving() as method:
        for rpc, request, answered in watches:
            asked, answer = messages(rpc)
            stream = method(rpc)(asked.FromString(request), timeout=60)
            now = said(await stream.read())
            stream.cancel()
            # A token says where to go on, and each server writes its own.
            before = said(answer.FromString(answered))
            assert now.pop("resume_token")
            assert before.pop("resume_token")
            assert now == before


async def test_a_request_that_was_answered_is_not_done_again(shared: Upgraded) -> None:
    rpc = "StockService.RecordReceipt"
    asked, _ = messages(rpc)
    request = asked(
        product="merchants/acme/products/salt",
        warehouse="merchants/acme/warehouses/tokyo",
        quantity=2,
        request_id="22222222-0000-4000-8000-000000000000",
    )
    async with Installation(RELEASE, shared.url).serving() as method:
        answer = await method(rpc)(request, timeout=60)
        stocks = method("StockService.GetStock")
        named = messages("StockService.GetStock")[0]
        now = await stocks(named(name="merchants/acme/products/salt/stock"), timeout=60)
    assert answer.movement.physical_delta == 2
    assert answer.revision < now.revision
    assert answer.stock.physical == now.stock.physical


async def test_what_was_sealed_opens(shared: Upgraded) -> None:
    installation = Installation(RELEASE, shared.url)
    engine = installation.engine
    for name in ("main", "adj", "desk"):
        async with engine.open_shop("acme", name):
            pass
    state = await StoredState(engine.db, engine.secrets, "acme", "adj").load()
    engine.db.close()
    assert installation.secrets == {name: f"secret of {name}" for name in ("main", "adj", "desk")}
    assert state == installation.world["state"]


async def test_the_engine_reads_what_was_pending_and_comes_to_where_the_older_release_came(
    url: str,
) -> None:
    installation = Installation(RELEASE, url)
    for seconds in installation.world["settle"]:
        await installation.turn(seconds)

    assert {n: shop.stock for n, shop in installation.shops.items()} == installation.world["end"]
    for (shop, listing), steps in PENDING.items():
        done = [step for step, name in installation.said[shop] if name == listing]
        assert [step for step, _ in groupby(done)][: len(steps)] == steps
    db = installation.engine.db
    wrong = {name: db.read_sync(name, lambda uow: uow.stocks.recompute()) for name in MERCHANTS}
    db.close()
    assert wrong == {name: {} for name in MERCHANTS}
