"""`sql.execute` answers, refuses and fails as SQLAlchemy's own execution would, and observers see every statement."""  # noqa: E501

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from support.stores import PostgreSQL
from support.world import MERCHANT, World
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_core.storage.rowset import insert_rows, param, params
from zaiko_core.storage.sql import CompiledStatement, Execution, execute, observed

_SHOPS = schema.shops
_OF = select(_SHOPS).where(_SHOPS.c.merchant == param(_SHOPS.c.merchant)).order_by(_SHOPS.c.shop)
_SILENT = select(func.max(_SHOPS.c.due_at), func.count() > 1).where(
    _SHOPS.c.merchant == param(_SHOPS.c.merchant)
)
_PAUSED = (
    update(_SHOPS)
    .where(_SHOPS.c.merchant == param(_SHOPS.c.merchant))
    .values(paused=param(_SHOPS.c.paused))
)
_FOUNDED = insert(schema.merchants).values(merchant=param(schema.merchants.c.merchant), head=1)
_LISTED = select(_SHOPS.c.shop).where(_SHOPS.c.shop.in_(["a", "b"]))


@pytest.fixture
def world(db: Database) -> World:
    return World(db).begin(shops=("a", "b"))


def test_rows_are_what_sqlalchemy_makes_of_them_numbers_texts_flags_documents_and_nulls(
    world: World,
) -> None:
    values = params(merchant=MERCHANT)
    with world.db.engine.begin() as connection:
        connection.execute(
            update(_SHOPS)
            .where(_SHOPS.c.shop == "a")
            .values(paused=True, settings={"a": [1, None, "é"]})
        )
        theirs = [dict(row._mapping) for row in connection.execute(_OF, values)]
        ours = [row._asdict() for row in execute(connection, _OF, values)]

    assert [row["paused"] for row in ours] == [True, False]
    assert ours[0]["settings"] == {"a": [1, None, "é"]}
    assert ours == theirs


def test_a_parameter_that_is_missing_is_an_error_and_no_null(world: World) -> None:
    with world.db.engine.begin() as connection, pytest.raises(KeyError):
        execute(connection, _OF, {})


def test_a_row_that_lacks_a_column_of_its_batch_is_an_error_and_no_null(world: World) -> None:
    rows: list[dict[str, Any]] = [{"merchant": MERCHANT, "warehouse": "w2"}, {"merchant": MERCHANT}]
    with world.db.engine.begin() as connection, pytest.raises(KeyError):
        insert_rows(connection, schema.warehouses, rows)


def test_columns_without_a_name_are_found_by_their_place(world: World) -> None:
    with world.db.engine.begin() as connection:
        assert len(execute(connection, _SILENT, params(merchant="nobody")).one()) == 2


def test_changed_rows_are_counted(world: World) -> None:
    with world.db.engine.begin() as connection:
        assert execute(connection, _PAUSED, params(merchant=MERCHANT, paused=True)).rowcount == 2
        assert execute(connection, _PAUSED, params(merchant="nobody", paused=True)).rowcount == 0


def test_what_the_driver_refuses_is_raised_as_sqlalchemy_raises_it(world: World) -> None:
    with pytest.raises(IntegrityError), world.db.engine.begin() as connection:
        execute(connection, _FOUNDED, params(merchant=MERCHANT))


def test_a_statement_whose_text_depends_on_its_values_is_refused(db: Database) -> None:
    with pytest.raises(TypeError, match="depends on its values"):
        CompiledStatement(_LISTED, db.engine.dialect)


def test_an_observer_sees_built_once_and_built_statements_as_the_driver_gets_them(
    world: World,
) -> None:
    seen: list[Execution] = []
    built = update(_SHOPS).where(_SHOPS.c.shop.in_(["a"])).values(settings={"size": 1})
    with world.db.engine.begin() as connection:
        with observed(world.db.engine, seen.append):
            found = execute(connection, _OF, params(merchant=MERCHANT))
            execute(connection, built)
        execute(connection, built)

    assert [row.shop for row in found] == ["a", "b"]
    assert [execution.statement for execution in seen] == [_OF, built]
    assert [MERCHANT in str(execution.parameters) for execution in seen] == [True, False]
    assert "size" in str(seen[1].parameters)


def test_what_an_observer_raises_fails_the_statement(world: World) -> None:
    def fail(execution: Execution) -> None:
        raise ZeroDivisionError

    with world.db.engine.begin() as connection, observed(world.db.engine, fail):
        for run in (lambda: execute(connection, _OF, params(merchant="x")),) * 2:
            with pytest.raises(ZeroDivisionError):
                run()


def test_a_pool_whose_connections_were_all_ended_costs_a_caller_nothing(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.new_url()
    world = World(Database(url)).begin()
    connections = [world.db.engine.connect() for _ in range(10)]
    for connection in connections:
        connection.close()
    with postgresql.admin() as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            (world.db.url.database,),
        )

    world.receive("tea", 3)

    assert world.free("tea") == 3
    world.db.close()
    postgresql.drop(url)
