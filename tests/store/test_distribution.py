"""Every table leads with the merchant, and every statement of a merchant's transaction names it for
each table: so the data can be split by merchant over several databases, or over a distributed
PostgreSQL with `merchant` as the distribution key (ADR 0024)."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Column, Insert, Table
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression
from support.simulation import Simulation
from support.stores import PostgreSQL
from support.world import MERCHANT
from zaiko_core.app import stock
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_core.storage.sql import Execution, observed

OF_THE_INSTALLATION = {"accounts", "system", "tokens"}
"""Small, and the same for every merchant: reference tables, or in a database of their own."""
ACROSS_MERCHANTS = {
    "zaiko_core.storage.jobs",
    "zaiko_core.storage.catalogue",
    "zaiko_core.storage.statistics",
}
"""Where a statement may look at many merchants: claims of due shops, the list of merchants, counts
for gauges."""
_ON_THE_WAY = {
    f"zaiko_core.storage.{name}" for name in ("rowset", "scope", "sql", "transactions", "database")
}


def test_every_table_leads_with_the_merchant() -> None:
    first = {
        table.name: next(iter(table.primary_key.columns)).name
        for table in schema.metadata.sorted_tables
    }

    assert {name for name, column in first.items() if column != "merchant"} == OF_THE_INSTALLATION


def test_every_unique_rule_holds_within_a_merchant() -> None:
    loose = {
        rule.name
        for table in schema.metadata.sorted_tables
        for rule in (*table.constraints, *table.indexes)
        if table.name not in OF_THE_INSTALLATION
        and (
            getattr(rule, "unique", False)
            or type(rule).__name__ in ("UniqueConstraint", "PrimaryKeyConstraint")
        )
        and "merchant" not in {column.name for column in rule.columns}
    }
    assert loose == set()


@pytest.mark.parametrize("seed", [3])
def test_every_statement_of_a_merchant_names_it_for_each_of_its_tables(
    postgresql: PostgreSQL, seed: int
) -> None:
    url = postgresql.new_url()
    simulation = Simulation(url, seed)
    simulation.begin(units=30)
    with watched(simulation.world.db) as (seen, wrong):
        for turn in range(20):
            for name in simulation.shops:
                if simulation.random.random() < 0.5:
                    simulation.shop_event(name)
            if turn % 5 == 2:
                simulation.world.reserve("tea", simulation.random.randint(0, 9))
                simulation.world.db.write_sync(
                    MERCHANT, lambda uow: stock.set_escrow(uow, "tea", 15)
                )
            simulation.run_due()
            simulation.clock.advance(20)
    simulation.close()
    postgresql.drop(url)

    assert wrong == {}
    assert len(seen) > 40


@contextlib.contextmanager
def watched(db: Database) -> Iterator[tuple[set[str], dict[str, list[str]]]]:
    """The statements of transactions of merchants, and those that leave a table without its
    merchant."""
    seen: set[str] = set()
    wrong: dict[str, list[str]] = {}

    def check(execution: Execution) -> None:
        if _module() in ACROSS_MERCHANTS:
            return
        seen.add(execution.text)
        loose = sorted(table.name for table in unbound(execution.statement))
        if loose:
            wrong[execution.text] = loose

    with observed(db.engine, check):
        yield seen, wrong


def unbound(statement: Any) -> set[Table]:
    """Tables of a statement of which neither a condition nor an inserted value says the
    merchant."""
    tables: set[Table] = set()
    bound: set[Table] = set()
    for element in visitors.iterate(statement):
        if isinstance(element, Table):
            tables.add(element)
        if isinstance(element, Insert):
            # Every row of an insert has its merchant: the column is part of the key, and has no
            # default.
            bound.add(element.table)  # type: ignore[arg-type]
        if isinstance(element, BinaryExpression) and element.operator in (
            operators.eq,
            operators.in_op,
        ):
            bound |= {
                side.table
                for side in (element.left, element.right)
                if isinstance(side, Column) and side.name == "merchant"
            }
    return {table for table in tables - bound if table.name not in OF_THE_INSTALLATION}


def _module() -> str:
    """The module of ours that asked."""
    for frame in inspect.stack()[2:]:
        name = str(frame.frame.f_globals.get("__name__", ""))
        if name.startswith("zaiko_core.storage.") and name not in _ON_THE_WAY:
            return name
    return ""


def test_a_statement_that_forgets_the_merchant_is_noticed() -> None:
    shops, links = schema.shops, schema.links
    joined = links.join(shops, links.c.shop == shops.c.shop)

    assert unbound(joined.select().where(links.c.merchant == "acme")) == {shops}
    assert (
        unbound(
            joined.select().where(links.c.merchant == "acme", shops.c.merchant == links.c.merchant)
        )
        == set()
    )
    assert unbound(shops.update().where(shops.c.shop == "one").values(paused=True)) == {shops}
