"""Columns ↔ records, once per table: the names of a record's fields say in which columns they
are."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import Table, Text
from sqlalchemy.types import JSON

from zaiko_core.domain.problem import Problem, problem_from
from zaiko_core.domain.push import Term

R = TypeVar("R")
_Convert = Callable[[Any], Any]
Conversion = tuple[_Convert | None, _Convert | None]
"""Makes the field's value of the column's, and the other way round. None: they are the same."""


TERMS: Conversion = (
    lambda document: tuple(Term(label, units) for label, units in document),
    lambda terms: [[term.label, term.units] for term in terms],
)
"""The terms of a breakdown, as `[[label, units], …]`."""


class Codec(Generic[R]):
    """Makes records of the rows of one table, and rows of records. Each field of the record is

    - in the column of the same name. An enum is there as its value, a Problem as a document, a
    tuple as a list, and a dataclass in a JSON column as an object; - or a dataclass, whose fields
    are columns of their own. Where the field may be None, the names of these columns begin with its
    name, and all of them are NULL or empty when it is None; - or in `derived`, with its value in a
    record that is read: it is in no column of this table.

    `columns` names the columns of fields that are called otherwise, and `conversions` has the
    fields of other types; both by the field's path (`pending.key`). Raises TypeError for a field
    without a column, so that a field that is added to a record is added to its table, or declared
    as derived.
    """

    def __init__(
        self,
        table: Table,
        record: type[R],
        *,
        derived: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
        conversions: Mapping[str, Conversion] | None = None,
    ) -> None:
        self._table = table
        self._derived = dict(derived or {})
        self._named, self._conversions = columns or {}, conversions or {}
        self._writes: list[tuple[str, _Convert, _Convert | None]] = []
        self._names: dict[str, Any] = {"EMPTY": (None, "")}
        source = f"lambda row, derived: {self._reading(record, '', '')}"
        # Made once from names of our schema, as dataclasses do; as fast as one written by hand.
        self._read: Callable[[Any, Mapping[str, Any]], R] = eval(source, self._names)  # noqa: S307
        self.columns: tuple[str, ...] = tuple(name for name, _, _ in self._writes)
        """The columns that a record is in."""
        self._texts = {
            name
            for name in self.columns
            if isinstance(table.c[name].type, Text) and not table.c[name].nullable
        }

    def read(self, row: Any, **derived: Any) -> R:
        """Return the record in a row that has the columns. `derived`: fields that are in no column,
        where they differ from what the codec was given."""
        return self._read(row, {**self._derived, **derived} if derived else self._derived)

    def write(self, record: R) -> dict[str, Any]:
        """Return the columns of a record."""
        row = {}
        for name, value_of, convert in self._writes:
            value = value_of(record)
            if value is None:
                row[name] = "" if name in self._texts else None
            else:
                row[name] = value if convert is None else convert(value)
        return row

    def _reading(self, record: Any, path: str, prefix: str) -> str:
        """Return the expression that makes a record of `row`."""
        arguments = [] if path or not self._derived else ["**derived"]
        hints = typing.get_type_hints(record)
        for field in dataclasses.fields(record):
            if not path and field.name in self._derived:
                continue
            at = f"{path}{field.name}"
            kind, may_be_none = _without_none(hints[field.name])
            column = self._named.get(at, prefix + field.name)
            if column in self._table.c:
                read, write = self._conversions.get(at) or _conversion(self._table, column, kind)
                self._writes.append((column, _getter(at), write))
                value = f"row.{column}"
                if read is not None:
                    value = f"(None if {value} is None else {self._name(read)}({value}))"
            elif dataclasses.is_dataclass(kind):
                first = len(self._writes)
                inner = f"{prefix}{field.name}_" if may_be_none else prefix
                value = self._reading(kind, f"{at}.", inner)
                if may_be_none:
                    empty = (f"row.{name} in EMPTY" for name, _, _ in self._writes[first:])
                    value = f"(None if {' and '.join(empty)} else {value})"
            else:
                raise TypeError(f"{self._table.name} has no column for {record.__name__}.{at}")
            arguments.append(f"{field.name}={value}")
        return f"{self._name(record)}({', '.join(arguments)})"

    def _name(self, value: Any) -> str:
        name = f"_{len(self._names)}"
        self._names[name] = value
        return name


def _getter(path: str) -> _Convert:
    """Return a function that gets the value at a path, or None where something on the way is
    None."""
    if "." not in path:
        return attrgetter(path)
    names = path.split(".")

    def get(record: Any) -> Any:
        for name in names:
            if record is None:
                return None
            record = getattr(record, name)
        return record

    return get


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return the type of a field, and whether it may be None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return (kinds[0] if len(kinds) == 1 else hint), True
    return hint, False


def _conversion(table: Table, column: str, kind: Any) -> Conversion:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind, attrgetter("value")
    if kind is Problem:
        return problem_from, Problem.document
    if isinstance(table.c[column].type, JSON):
        if typing.get_origin(kind) is tuple:
            return tuple, list
        if dataclasses.is_dataclass(kind):
            make: Any = kind
            return lambda document: make(**document), dataclasses.asdict
        return None, dict
    return None, None
