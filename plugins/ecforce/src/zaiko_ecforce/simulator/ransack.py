"""Filters and sorting as the API's Ransack understands them: a known attribute with a known
predicate filters, anything else is ignored without a word."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from zaiko_sdk.fields import whole

from zaiko_ecforce.fields import moment

T = TypeVar("T")

_KEY = re.compile(r"^q\[(?P<name>\w+)\](?P<many>\[\])?$")
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "gteq": operator.ge,
    "lteq": operator.le,
    "gt": operator.gt,
    "lt": operator.lt,
    "not_eq": operator.ne,
    "eq": operator.eq,
}


def filters_of(query: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the `q[...]` parameters by name, repeated keys together."""
    filters: dict[str, list[str]] = {}
    for key, value in query:
        match = _KEY.match(key)
        if match:
            filters.setdefault(match["name"], []).append(value)
    return filters


def apply_filters(
    rows: Iterable[T], filters: dict[str, list[str]], known: Sequence[str]
) -> list[T]:
    """Return the rows that pass every filter on a `known` attribute."""
    kept = list(rows)
    for name, values in filters.items():
        test = _test(name, values, known)
        if test is not None:
            kept = [row for row in kept if test(row)]
    return kept


def apply_sort(rows: list[T], sort: str, known: Sequence[str]) -> list[T]:
    """Return the rows sorted by the known keys of a comma list, or by id without any. The sort is
    stable."""
    keys = [key for key in sort.split(",") if key.lstrip("-") in known] or ["id"]
    for key in reversed(keys):
        rows = sorted(rows, key=operator.attrgetter(key.lstrip("-")), reverse=key.startswith("-"))
    return rows


def _test(name: str, values: list[str], known: Sequence[str]) -> Callable[[Any], bool] | None:
    for attribute in known:
        predicate = name.removeprefix(f"{attribute}_")
        if predicate == name:
            continue
        if predicate in ("in", "not_in"):
            wanted = set(values)
            return lambda row: (str(getattr(row, attribute)) in wanted) is (predicate == "in")
        if predicate == "cont":
            return lambda row: values[-1] in str(getattr(row, attribute))
        if predicate == "start":
            return lambda row: str(getattr(row, attribute)).startswith(values[-1])
        if predicate in ("null", "not_null"):
            return lambda row: (getattr(row, attribute) is None) is (predicate == "null")
        if predicate in _ORDERED:
            return _comparison(attribute, _ORDERED[predicate], values[-1])
    return None


def _comparison(
    attribute: str, compare: Callable[[Any, Any], bool], text: str
) -> Callable[[Any], bool]:
    number, time = whole(text), moment(text)

    def test(row: Any) -> bool:
        value = getattr(row, attribute)
        bound: Any = (
            number if isinstance(value, int) else time if isinstance(value, datetime) else text
        )
        return value is not None and bound is not None and compare(value, bound)

    return test
