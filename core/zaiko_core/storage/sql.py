"""The one way to run a statement (ADR 0032).

`execute` compiles a statement once and then runs its text on the driver's own cursor, because
SQLAlchemy's `Connection.execute` takes longer than SQLite takes for a small statement. The schema,
the statements, the pool and the transactions stay SQLAlchemy's. Tests and benchmarks observe
statements here (`observed`), so they see what production runs.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Engine, Executable, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

_Convert = Callable[[Any], Any]


class Result(list[Any]):
    """The rows of a statement as named tuples, and how many rows it changed."""

    __slots__ = ("rowcount",)

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        super().__init__(rows)
        self.rowcount = rowcount

    def one_or_none(self) -> Any:
        """Return the row, or None if there is none. Raises ValueError for several rows."""
        (row,) = self or (None,)
        return row

    def one(self) -> Any:
        """Return the row. Raises ValueError unless there is exactly one."""
        (row,) = self
        return row

    def scalars(self) -> list[Any]:
        """Return the first column of each row."""
        return [row[0] for row in self]

    def scalar(self) -> Any:
        """Return the first column of the first row, or None if there is no row."""
        return self[0][0] if self else None


@dataclass(frozen=True, slots=True)
class Execution:
    """A statement that is about to run: as it was built, and as the driver gets it."""

    statement: Executable
    text: str
    parameters: Any


_WRITES = "writes"
Observer = Callable[[Execution], None]
_OBSERVERS: WeakKeyDictionary[Engine, list[Observer]] = WeakKeyDictionary()


@contextlib.contextmanager
def observed(engine: Engine, observer: Observer) -> Iterator[None]:
    """Call `observer` before each statement that a connection of `engine` runs, until the block
    ends. What it raises fails the statement."""
    observers = _OBSERVERS.setdefault(engine, [])
    observers.append(observer)
    try:
        yield
    finally:
        observers.remove(observer)


def execute(
    connection: Connection, statement: Executable, params: Mapping[str, Any] | None = None
) -> Result:
    """Run a statement and return its rows.

    With `params`, the statement is one that is built once, and the same object each time: it is
    compiled at its first run. Raises KeyError for a parameter that is missing, and TypeError for a
    statement whose text depends on its values, such as an `in_` of a list. Without `params`, the
    statement was built for this call and has its values in it.

    Raises the DBAPIError that `Connection.execute` raises.
    """
    if params is None:
        return _execute_built(connection, statement)
    compiled = _compiled(connection.dialect, statement)
    if compiled.writes:
        _count_write(connection)
    parameters = compiled.parameters(params)
    for observer in _OBSERVERS.get(connection.engine, ()):
        observer(Execution(statement, compiled.text, parameters))
    dialect = connection.dialect
    pooled = connection.connection
    cursor = pooled.cursor()
    try:
        cursor.execute(compiled.text, parameters)
        return Result(compiled.rows(cursor), cursor.rowcount)
    except dialect.loaded_dbapi.Error as error:
        raise _wrapped(
            connection, compiled.text, error, gone=dialect.is_disconnect(error, pooled, cursor)
        ) from error
    finally:
        cursor.close()


def writes(connection: Connection) -> int:
    """Return how many statements that write this connection has run."""
    return int(connection.info.get(_WRITES, 0))


def _count_write(connection: Connection) -> None:
    connection.info[_WRITES] = connection.info.get(_WRITES, 0) + 1


def _execute_built(connection: Connection, statement: Executable) -> Result:
    if getattr(statement, "is_dml", False):
        _count_write(connection)
    observers = _OBSERVERS.get(connection.engine)
    if not observers:
        result = connection.execute(statement)
    else:

        def notify(
            _: Any, cursor: Any, text: str, parameters: Any, context: Any, many: bool
        ) -> None:
            for observer in observers:
                observer(Execution(statement, text, parameters))

        event.listen(connection, "before_cursor_execute", notify)
        try:
            result = connection.execute(statement)
        finally:
            event.remove(connection, "before_cursor_execute", notify)
    return Result(result.all() if result.returns_rows else (), result.rowcount)


class CompiledStatement:
    """One statement for one dialect. Raises TypeError for a statement whose text depends on its
    values."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        if compiled.post_compile_params:
            raise TypeError(f"the text of this statement depends on its values: {compiled}")
        self.text = str(compiled)
        self.writes = bool(statement.is_dml)
        self._order = compiled.positiontup
        self._required: list[tuple[str, _Convert | None]] = []
        self._fixed: dict[str, Any] = {}
        for bind in compiled.bind_names:
            name = compiled.bind_names[bind]
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                self._required.append((name, convert))
            else:
                value = bind.effective_value
                self._fixed[name] = value if convert is None else convert(value)
        columns = list(getattr(statement, "exported_columns", None) or ())
        self._make: _Convert | None = (
            _row([getattr(column, "name", "_") for column in columns]) if columns else None
        )
        found = [(place, column.type.dialect_impl(dialect)) for place, column in enumerate(columns)]
        converts = [(place, kind.result_processor(dialect, None)) for place, kind in found]
        self._converts = [(place, convert) for place, convert in converts if convert is not None]

    def parameters(self, params: Mapping[str, Any]) -> Any:
        """Return the parameters as the driver takes them. Raises KeyError for a missing one."""
        ready = self._fixed.copy()
        for name, convert in self._required:
            value = params[name]
            ready[name] = value if convert is None else convert(value)
        return ready if self._order is None else [ready[name] for name in self._order]

    def rows(self, cursor: Any) -> Sequence[Any]:
        """Return what was found, as named tuples."""
        if self._make is None:
            return ()
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


def _row(names: Sequence[str]) -> _Convert:
    maker: Any = namedtuple  # the names are known only now
    make: _Convert = maker("Row", names, rename=True)._make
    return make


_COMPILED: dict[tuple[Any, ...], WeakKeyDictionary[Executable, CompiledStatement]] = defaultdict(
    WeakKeyDictionary
)
"""By what the text of a statement may depend on. Every engine is made alike (connections.py), so
the engines of a process share."""


def _compiled(dialect: Dialect, statement: Executable) -> CompiledStatement:
    known = _COMPILED[type(dialect), dialect.server_version_info]
    compiled = known.get(statement)
    if compiled is None:
        compiled = known[statement] = CompiledStatement(statement, dialect)
    return compiled


def _wrapped(connection: Connection, text: str, error: Any, *, gone: bool) -> BaseException:
    """Return the error as SQLAlchemy would raise it. A pool that has lost one connection has lost
    all of them."""
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
