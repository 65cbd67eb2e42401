"""Statements that are built once run on the driver's own cursor: half the time of a small one was
SQLAlchemy's (ADR 0027).

The schema, the statements, the pool and the transactions stay SQLAlchemy's. Only what its
`Connection.execute` does anew each time is done once here: text, order of parameters, conversions,
names of the columns.
"""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

_Convert = Callable[[Any], Any]


class Prepared:
    """One statement for one dialect. Raises TypeError for a statement whose text depends on its
    values, as an `in_` of a list."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        if compiled.post_compile_params:
            raise TypeError(f"the text of this statement depends on its values: {compiled}")
        self.text = str(compiled)
        self._order = compiled.positiontup
        self._given: list[tuple[str, _Convert | None]] = []
        self._fixed: dict[str, Any] = {}
        for bind in compiled.bind_names:
            name, convert = (
                compiled.bind_names[bind],
                bind.type.dialect_impl(dialect).bind_processor(dialect),
            )
            if bind.required:
                self._given.append((name, convert))
            else:
                value = bind.effective_value
                self._fixed[name] = value if convert is None else convert(value)
        columns = (
            list(statement.exported_columns)
            if getattr(statement, "exported_columns", None) is not None
            else []
        )
        self._make: _Convert | None = (
            _row([getattr(column, "name", "_") for column in columns]) if columns else None
        )
        found = [(place, column.type.dialect_impl(dialect)) for place, column in enumerate(columns)]
        converts = [(place, kind.result_processor(dialect, None)) for place, kind in found]
        self._converts = [(place, convert) for place, convert in converts if convert is not None]

    def execute(self, cursor: Any, values: Mapping[str, Any]) -> None:
        """Raises KeyError for a parameter that was not given, and what the driver raises."""
        ready = self._fixed.copy()
        for name, convert in self._given:
            value = values[name]
            ready[name] = value if convert is None else convert(value)
        cursor.execute(
            self.text, ready if self._order is None else [ready[name] for name in self._order]
        )

    def rows(self, cursor: Any) -> list[Any]:
        """What was found, as named tuples."""
        if self._make is None:
            return []
        found = cursor.fetchall()
        if not self._converts:
            return list(map(self._make, found))
        made = []
        for row in found:
            converted = list(row)
            for place, convert in self._converts:
                converted[place] = convert(converted[place])
            made.append(self._make(converted))
        return made

    def changed(self, cursor: Any) -> int:
        """How many rows were."""
        return int(cursor.rowcount)


def _row(names: Sequence[str]) -> _Convert:
    maker: Any = namedtuple  # the names are known only now
    make: _Convert = maker("Row", names, rename=True)._make
    return make


def _is_heard(connection: Connection) -> bool:
    """Whether somebody listens to what SQLAlchemy executes."""
    return bool(connection.dispatch.before_cursor_execute or connection.dispatch.before_execute)


_KNOWN: dict[tuple[Any, ...], dict[Executable, Prepared]] = defaultdict(dict)


def _kind(dialect: Dialect) -> tuple[Any, ...]:
    """What the text of a statement may depend on. Every engine is made alike
    (storage/connections.py), so the engines of a process share."""
    return type(dialect), dialect.server_version_info


def run(connection: Connection, statement: Executable, values: Mapping[str, Any]) -> list[Any]:
    """The rows of a statement that is built once: the same object each time. Raises KeyError for a
    parameter that was not given, and what `Connection.execute` raises."""
    if _is_heard(connection):
        result = connection.execute(statement, values)
        return list(result) if result.returns_rows else []
    rows: list[Any] = _executed(connection, statement, values, Prepared.rows)
    return rows


def count(connection: Connection, statement: Executable, values: Mapping[str, Any]) -> int:
    """As `run`; how many rows were changed."""
    if _is_heard(connection):
        return int(connection.execute(statement, values).rowcount)
    changed: int = _executed(connection, statement, values, Prepared.changed)
    return changed


def _executed(
    connection: Connection,
    statement: Executable,
    values: Mapping[str, Any],
    answer: Callable[[Prepared, Any], Any],
) -> Any:
    dialect = connection.dialect
    known = _KNOWN[_kind(dialect)]
    prepared = known.get(statement)
    if prepared is None:
        prepared = known[statement] = Prepared(statement, dialect)
    pooled = connection.connection
    cursor = pooled.cursor()
    try:
        prepared.execute(cursor, values)
        return answer(prepared, cursor)
    except dialect.loaded_dbapi.Error as error:
        raise _wrapped(
            connection, prepared.text, error, gone=dialect.is_disconnect(error, pooled, cursor)
        ) from error
    finally:
        cursor.close()


def _wrapped(connection: Connection, text: str, error: Any, *, gone: bool) -> BaseException:
    """As SQLAlchemy would raise it. What has lost one connection has lost all of the pool's."""
    dialect = connection.dialect
    if gone:
        connection.invalidate(error)
        connection.engine.dispose()
    wrapped = DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=dialect,
    )
    assert isinstance(wrapped, BaseException)
    return wrapped


def only(rows: Sequence[Any]) -> Any:
    """The one row, or None."""
    (row,) = rows or (None,)
    return row
