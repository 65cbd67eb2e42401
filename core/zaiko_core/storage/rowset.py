"""Batches of rows as one JSON parameter that the database unnests. Join a batch, insert from it or
update from it: the number of statements does not depend on the number of rows. How each dialect
unnests it is known only here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Connection,
    Executable,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from zaiko_core.storage.sql import execute

_NAME, _ROWS, _SIZE = "batch", "batch_rows", "batch_size"


class _Document(TypeDecorator[Sequence[Mapping[str, Any]]]):
    """Rows as one JSON text: arrays of values in the order of the statement's columns, which the
    database takes apart in about half the time that objects take. Raises KeyError for a row that
    lacks a column."""

    impl, cache_ok = Text, True

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self._values: Callable[[Mapping[str, Any]], Any] = itemgetter(*names)

    def process_bind_param(self, value: Sequence[Mapping[str, Any]] | None, dialect: object) -> str:
        """See TypeDecorator."""
        values = map(self._values, value or ())
        arrays = [[value] for value in values] if len(self.names) == 1 else list(values)
        return json.dumps(arrays, ensure_ascii=False)


def rowset(
    connection: Connection, columns: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> FromClause:
    """Return `rows` as a table expression named `batch`. `columns` maps a name to Text, Integer,
    BigInteger, Boolean or JSON. Values are JSON values; a JSON column takes any."""
    document = bindparam(None, rows, type_=_Document(tuple(columns)))
    return _unnested(
        connection.dialect.name, columns, document, bindparam(None, len(rows), type_=Integer)
    )


def _unnested(
    dialect: str, columns: Mapping[str, Any], document: BindParameter[Any], size: BindParameter[int]
) -> FromClause:
    values = list(enumerate(columns.items()))
    if dialect == "postgresql":
        each = func.jsonb_array_elements(cast(document, postgresql.JSONB)).table_valued(
            "value", name="each_row"
        )
        picked = [
            _postgresql(each.c.value, place, kind).label(name) for place, (name, kind) in values
        ]
        # LIMIT tells the planner how many rows there are. Without it, the planner expects 100 and
        # reads whole tables.
        return select(*picked).select_from(each).limit(size).subquery(_NAME)
    each = func.json_each(document).table_valued("value", name="each_row")
    picked = [_sqlite(each.c.value, place, kind).label(name) for place, (name, kind) in values]
    # LIMIT keeps SQLite from folding this into the outer query, where it would scan the table and
    # parse the JSON for each of its rows. With it, the batch is unnested once and the table is
    # searched by its key.
    return select(*picked).select_from(each).limit(size).subquery(_NAME)


def typed_columns(table: Table, *names: str) -> dict[str, Any]:
    """Return the columns of `table` with these names, as `rowset` takes them."""
    return {name: table.c[name].type for name in names}


def param(column: Any) -> BindParameter[Any]:
    """Return the parameter of a built-once statement for a value of this column. `params` gives its
    value."""
    return bindparam(f"param_{column.name}", type_=column.type)


def params(**values: Any) -> dict[str, Any]:
    """Return the values of parameters that `param` made, by the names of their columns."""
    return {f"param_{name}": value for name, value in values.items()}


def batch_rows(connection_or_dialect: Connection | str, columns: Mapping[str, Any]) -> FromClause:
    """Return the batch of a built-once statement, named `batch`. `batch_params` gives its rows at
    each run."""
    dialect = (
        connection_or_dialect
        if isinstance(connection_or_dialect, str)
        else connection_or_dialect.dialect.name
    )
    return _given_rows(dialect, columns)


def _given_rows(dialect: str, columns: Mapping[str, Any]) -> FromClause:
    return _unnested(
        dialect,
        columns,
        bindparam(_ROWS, type_=_Document(tuple(columns))),
        bindparam(_SIZE, type_=Integer),
    )


def batch_params(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the parameters for the rows of a `batch_rows`. Each row has all columns of the
    batch."""
    return {_ROWS: rows, _SIZE: len(rows)}


def lookup(
    connection: Connection,
    table: Table,
    fixed: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    *,
    columns: tuple[str, ...] = (),
    order_by: tuple[str, ...] = (),
) -> Sequence[Any]:
    """Return the rows of `table` where the columns of `fixed` have these values, and the others
    those of one of `rows` (all with the same keys, none twice). The statement is built once per
    shape, because building it takes longer than running it."""
    if not rows:
        return []
    statement = looking(
        connection.dialect.name, table, tuple(fixed), tuple(rows[0]), columns, order_by
    )
    return execute(connection, statement, params(**fixed) | batch_params(rows))


@lru_cache(maxsize=500)
def looking(
    dialect: str,
    table: Table,
    fixed: tuple[str, ...],
    keys: tuple[str, ...],
    columns: tuple[str, ...] = (),
    order_by: tuple[str, ...] = (),
) -> Select[Any]:
    """Return the statement of `lookup`, to be used in another one. Its parameters are `params` for
    `fixed`, and `batch_params`."""
    batch = _given_rows(dialect, typed_columns(table, *keys))
    chosen = select(*(table.c[name] for name in columns)) if columns else select(table)
    chosen = chosen.where(*(table.c[name] == param(table.c[name]) for name in fixed))
    if dialect == "postgresql":
        # Row by row, by the index: OFFSET keeps PostgreSQL from reordering the join. Without it,
        # while it believes the table to be small, it reads all that `fixed` allows for each row of
        # the batch.
        looked = (
            chosen.where(*(table.c[name] == batch.c[name] for name in keys))
            .offset(literal_column("0"))
            .lateral("looked")
        )
        return (
            select(looked)
            .select_from(batch.join(looked, true()))
            .order_by(*(looked.c[name] for name in order_by))
        )
    # A list instead of a join, for which SQLite, which has no statistics, may read all that `fixed`
    # allows instead of using the index.
    key = table.c[keys[0]] if len(keys) == 1 else tuple_(*(table.c[name] for name in keys))
    listed = chosen.where(key.in_(select(*(batch.c[name] for name in keys))))
    return listed.order_by(*(table.c[name] for name in order_by))


def insert_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    same: Mapping[str, Any] | None = None,
    update: Sequence[str] = (),
    ignore: bool = False,
) -> None:
    """Insert `rows` (all with the same keys), each with the values of `same`, in one statement. On
    a row that exists by primary key: take over the columns of `update`, or leave it when `ignore`;
    else the database's error is raised."""
    if not rows:
        return
    same = same or {}
    statement = insert_statement(
        connection.dialect.name, table, tuple(same), tuple(rows[0]), tuple(update), ignore
    )
    execute(connection, statement, params(**same) | batch_params(rows))


@lru_cache(maxsize=500)
def insert_statement(
    dialect: str,
    table: Table,
    same: tuple[str, ...],
    names: tuple[str, ...],
    update: tuple[str, ...] = (),
    ignore: bool = False,
) -> Any:
    """Return the statement of `insert_rows`, built once per shape."""
    batch = _given_rows(dialect, typed_columns(table, *names))
    # SQLite reads "… ON CONFLICT" after a bare SELECT … FROM as a join condition; the WHERE
    # prevents it.
    chosen = select(
        *(param(table.c[name]) for name in same), *(batch.c[name] for name in names)
    ).where(literal(1) == literal(1))
    words: Any = postgresql if dialect == "postgresql" else sqlite
    statement = words.insert(table).from_select((*same, *names), chosen)
    keys = [key.name for key in table.primary_key.columns]
    if update:
        return statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in update}
        )
    return statement.on_conflict_do_nothing(index_elements=keys) if ignore else statement


def update_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str]
) -> None:
    """Set every non-key column of `rows` (all with the same keys) on the rows that `keys` name, in
    one statement."""
    if not rows:
        return
    names = tuple(rows[0])
    execute(
        connection, _update(connection.dialect.name, table, names, tuple(keys)), batch_params(rows)
    )


@lru_cache(maxsize=500)
def _update(
    dialect: str, table: Table, names: tuple[str, ...], keys: tuple[str, ...]
) -> Executable:
    batch = _given_rows(dialect, typed_columns(table, *names))
    statement = table.update().values({name: batch.c[name] for name in names if name not in keys})
    for key in keys:
        statement = statement.where(table.c[key] == batch.c[key])
    return statement


def _postgresql(value: Any, place: int, kind: Any) -> Any:
    kind = kind if isinstance(kind, TypeEngine) else kind()
    if isinstance(kind, LargeBinary):
        raise TypeError("bytes do not travel in a row set; insert them by parameters")
    at = literal(place, Integer)
    if isinstance(kind, JSON):
        # A JSON null is SQL's NULL, as everywhere in the schema.
        return cast(
            func.nullif(value.op("->")(at), cast(literal("null", Text), postgresql.JSONB)),
            postgresql.JSON(),
        )
    return cast(value.op("->>")(at), kind)


def _sqlite(value: Any, place: int, kind: Any) -> Any:
    kind = kind if isinstance(kind, TypeEngine) else kind()
    extracted = func.json_extract(value, f"$[{place}]")
    if isinstance(kind, (Integer, BigInteger, Boolean, JSON)):
        return type_coerce(extracted, kind)
    return type_coerce(extracted, Text())
