"""A batch costs what it holds, not what the table holds: the table is looked up by its key, never
scanned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import and_, select
from support.stores import PostgreSQL
from support.world import MERCHANT, World
from zaiko_core.app.records import ProductRecord
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_core.storage.rowset import lookup, rowset, typed_columns
from zaiko_core.storage.sql import Execution, execute, observed


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    world = World(Database(sqlite_url)).begin()
    products = [ProductRecord(f"p{n}", f"P{n}") for n in range(3000)]
    world.db.write_sync(MERCHANT, lambda uow: uow.products.insert(products))
    yield world
    world.db.close()


@pytest.mark.parametrize("updating", [False, True])
def test_a_batch_looks_rows_up_by_key(world: World, updating: bool) -> None:
    table = schema.stock
    with world.db.engine.connect() as connection:
        batch = rowset(
            connection, typed_columns(table, "product"), [{"product": f"p{n}"} for n in range(20)]
        )
        condition = and_(table.c.merchant == MERCHANT, table.c.product == batch.c.product)
        statement = (
            table.update().where(condition).values(reserve=1)
            if updating
            else select(table).join(batch, condition)
        )
        ran: list[Execution] = []
        with observed(world.db.engine, ran.append):
            execute(connection, statement)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {ran[-1].text}", ran[-1].parameters)
        steps = [str(row[-1]) for row in plan]
    assert any(step.startswith("SEARCH stock USING") for step in steps), steps
    assert not any(step.startswith("SCAN stock") for step in steps), steps


def test_postgresql_looks_a_batch_up_by_its_whole_key_also_in_a_table_that_was_just_filled(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.new_url()
    world = World(Database(url)).begin()
    products = [ProductRecord(f"p{n}", f"P{n}") for n in range(3000)]
    world.db.write_sync(MERCHANT, lambda uow: uow.products.insert(products))
    ran: list[Execution] = []
    with world.db.engine.connect() as connection, observed(world.db.engine, ran.append):
        found = lookup(
            connection,
            schema.stock,
            {"merchant": MERCHANT},
            [{"product": f"p{n}"} for n in range(20)],
        )
        explained = connection.exec_driver_sql(f"EXPLAIN {ran[-1].text}", ran[-1].parameters)
        plan = [str(row[0]) for row in explained]
    world.db.close()
    postgresql.drop(url)

    assert len(found) == 20
    assert any(
        "Index Cond" in step and "merchant" in step and "product" in step for step in plan
    ), plan
    assert not any("Seq Scan" in step for step in plan), plan
