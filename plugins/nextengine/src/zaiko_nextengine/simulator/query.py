"""The simulated search (FACTS.md §2): named fields, conditions that must all hold, a fixed
order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DEFAULT_LIMIT, MOST_VALUES = 1000, 1000
_PAGING = frozenset({"access_token", "refresh_token", "wait_flag", "fields", "offset", "limit"})


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class ApiError(Exception):
    """A refusal of Next Engine, with this code."""


def found(
    rows: Sequence[Mapping[str, Any]], form: Mapping[str, str], known: frozenset[str]
) -> list[Mapping[str, Any]]:
    """Return the rows that meet every condition of the form, in their order. Raises ApiError for a
    condition that makes no sense."""
    for name, value in form.items():
        if name in _PAGING:
            continue
        column, _, operator = name.rpartition("-")
        if column not in known or operator not in _OPERATORS:
            raise ApiError("004001")
        if operator in ("in", "nin") and value.count(",") >= MOST_VALUES:
            raise ApiError("004002")
        # Codes are text, also those that look like numbers: they compare as they sort.
        test = (
            _TEXT_OPERATORS.get(operator, _OPERATORS[operator])
            if column.endswith("goods_id")
            else _OPERATORS[operator]
        )
        rows = [row for row in rows if test(row.get(column), value)]
    return list(rows)


def page(
    rows: Sequence[Mapping[str, Any]], form: Mapping[str, str], known: frozenset[str], *, cap: int
) -> list[dict[str, Any]]:
    """Return the rows and fields that the form asks for."""
    fields = [name for name in form.get("fields", "").split(",") if name]
    if not fields or not known.issuperset(fields):
        raise ApiError("004003")
    offset, limit = form.get("offset", "0"), form.get("limit", str(DEFAULT_LIMIT))
    if not offset.isdigit() or not limit.isdigit():
        raise ApiError("004004")
    part = rows[int(offset) : int(offset) + min(int(limit), cap)]
    return [{name: row[name] for name in fields} for row in part]


def _as_text(test: Callable[[Any, Any], bool]) -> Callable[[Any, str], bool]:
    return lambda value, given: value is not None and test(str(value), given)


def _as_number(test: Callable[[Any, Any], bool]) -> Callable[[Any, str], bool]:
    """Return two values as numbers if both are; otherwise, as with times, as text."""

    def compare(value: Any, given: str) -> bool:
        if value is not None and _NUMBER.fullmatch(value) and _NUMBER.fullmatch(given):
            return test(float(value), float(given))
        return value is not None and test(str(value), given)

    return compare


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, given: value == given,
    "neq": lambda value, given: value != given,
    "lt": lambda value, given: value < given,
    "lte": lambda value, given: value <= given,
    "gt": lambda value, given: value > given,
    "gte": lambda value, given: value >= given,
}
_TEXT_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    name: _as_text(test) for name, test in _COMPARISONS.items()
}
_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    **{name: _as_number(test) for name, test in _COMPARISONS.items()},
    "in": lambda value, given: value in given.split(","),
    "nin": lambda value, given: value not in given.split(","),
    "blank": lambda value, given: value == "",
    "nblank": lambda value, given: value != "",
    "null": lambda value, given: value is None,
    "nnull": lambda value, given: value is not None,
}
