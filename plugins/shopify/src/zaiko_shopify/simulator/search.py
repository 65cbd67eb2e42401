"""Shopify's search syntax, as far as FACTS.md §2 has it. An unknown filter is ignored with a
warning, so it finds all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

Reader = Callable[[Any], Any]
"""Returns the value that a filter compares: a text, a number, a flag, a datetime, or a set of texts
(any of which may match)."""

_TERM = re.compile(
    r"""\s*(?P<negated>-|NOT\s+)?(?P<field>[A-Za-z0-9_.]+):(?P<compare><=|>=|<|>)?(?:'(?P<quoted>[^']*)'|"(?P<double>[^"]*)"|(?P<plain>[^\s:]*))"""
)
_WORD = re.compile(r"\s*(\S+)")


@dataclass(slots=True)
class Search:
    """A parsed query: a conjunction of alternatives, and what was ignored."""

    text: str
    groups: list[list[tuple[str, str, str, bool]]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def matches(self, row: Any, readers: Mapping[str, Reader], zone: str) -> bool:
        """Return whether `row` is found."""
        return all(
            any(
                _compares(readers[name](row), compare, value, zone) is not negated
                for name, compare, value, negated in alternatives
            )
            for alternatives in self.groups
        )

    def extension(self, path: Sequence[str]) -> dict[str, Any]:
        """Return the block of `extensions.search`."""
        parsed = {
            "and": [
                {"field": name, "match_value": value}
                for group in self.groups
                for name, _, value, _ in group
            ]
        }
        return {"path": list(path), "query": self.text, "parsed": parsed, "warnings": self.warnings}


def parse(text: str, known: Mapping[str, Reader], enums: Mapping[str, frozenset[str]]) -> Search:
    """Read a query. OR binds tighter than the implicit AND."""
    search = Search(text)
    position, joined = 0, False
    while position < len(text) and text[position:].strip():
        match = _TERM.match(text, position)
        if match is None:
            word = _WORD.match(text, position)
            assert word is not None
            position = word.end()
            joined = word[1] == "OR"
            if word[1] not in ("OR", "AND"):
                # The rest of an unquoted time after its second colon is parsed as another field.
                name = word[1].lstrip(":").split(":", 1)[0]
                search.warnings.append(
                    _warning(name, "Invalid search field for this query.", "invalid_field")
                )
            continue
        position = match.end()
        name, compare = match["field"], match["compare"] or ""
        value = next(
            part for part in (match["quoted"], match["double"], match["plain"]) if part is not None
        )
        if name not in known:
            search.warnings.append(
                _warning(name, "Invalid search field for this query.", "invalid_field")
            )
        elif name in enums and not set(value.lower().split(",")) <= enums[name]:
            search.warnings.append(
                _warning(name, f"Input `{value}` is not an accepted value.", "invalid_value")
            )
        else:
            term = (name, compare, value, bool(match["negated"]))
            if joined and search.groups:
                search.groups[-1].append(term)
            else:
                search.groups.append([term])
        joined = False
    return search


def _warning(name: str, message: str, code: str) -> dict[str, str]:
    return {"field": name, "message": message, "code": code}


def _compares(actual: Any, compare: str, value: str, zone: str) -> bool:
    if isinstance(actual, datetime):
        wanted: Any = _moment(value, zone)
    elif isinstance(actual, bool):
        return actual is (value.lower() == "true")
    elif isinstance(actual, int):
        wanted = int(value) if value.lstrip("-").isdigit() else None
    elif isinstance(actual, frozenset):
        return any(part.strip() in actual for part in value.lower().split(","))
    else:
        actual, wanted = (actual or "").lower(), value.lower()
    if wanted is None:
        return False
    match compare:
        case "<":
            return bool(actual < wanted)
        case "<=":
            return bool(actual <= wanted)
        case ">":
            return bool(actual > wanted)
        case ">=":
            return bool(actual >= wanted)
    return bool(actual == wanted)


def _moment(value: str, zone: str) -> datetime | None:
    """Return a time, or None. A time without a zone is in the shop's own."""
    text = f"{value}:00" if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d", value) else value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)
