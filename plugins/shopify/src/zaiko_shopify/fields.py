"""Reading Shopify's JSON with care: nothing in it is trusted, and what is wrong is named by where
it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zaiko_sdk import ContractBroken


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON object of a reply. `where` names it in errors. Each reader raises ContractBroken
    when the value is not of the type that the schema promises."""

    where: str
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            raise self._broken(name, "a text", value)
        return value

    def text_or_empty(self, name: str) -> str:
        """A text; null and absence are the empty one."""
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._broken(name, "a text or null", value)
        return value

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self.values.get(name)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._broken(name, "a whole number", value)
        return value

    def number(self, name: str) -> float:
        """Any number; Shopify writes 2000 as well as 2000.0."""
        value = self.values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._broken(name, "a number", value)
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.values.get(name)
        if not isinstance(value, bool):
            raise self._broken(name, "true or false", value)
        return value

    def moment(self, name: str) -> datetime:
        """A time with its zone."""
        value = self.moment_or_none(name)
        if value is None:
            raise self._broken(name, "a time", None)
        return value

    def moment_or_none(self, name: str) -> datetime | None:
        """A time with its zone, or None for null."""
        value = self.values.get(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise self._broken(name, "a time", value) from None
        if moment.tzinfo is None:
            raise self._broken(name, "a time with a zone", value)
        return moment

    def node(self, name: str) -> Node:
        """An object."""
        return node_of(self.values.get(name), f"{self.where}.{name}")

    def node_or_none(self, name: str) -> Node | None:
        """An object, or None for null."""
        value = self.values.get(name)
        return None if value is None else node_of(value, f"{self.where}.{name}")

    def rows(self, name: str) -> Sequence[Any]:
        """A list, its entries unchecked."""
        value = self.values.get(name)
        if not isinstance(value, list):
            raise self._broken(name, "a list", value)
        return value

    def nodes(self, name: str) -> list[Node]:
        """A list of objects."""
        return [
            node_of(row, f"{self.where}.{name}[{index}]")
            for index, row in enumerate(self.rows(name))
        ]

    def _broken(self, name: str, wanted: str, value: object) -> ContractBroken:
        given = (
            "nothing"
            if name not in self.values
            else f"{type(value).__name__}"
            if value is not None
            else "null"
        )
        return ContractBroken(
            f"Shopify's reply has {given} at {self.where}.{name}, where {wanted} belongs"
        )


def node_of(value: object, where: str) -> Node:
    """The object `value`. Raises ContractBroken when it is none."""
    if not isinstance(value, dict):
        raise ContractBroken(
            f"Shopify's reply has {type(value).__name__} at {where}, where an object belongs"
        )
    return Node(where, value)


@dataclass(frozen=True, slots=True)
class Connection:
    """One page of a connection. `after` continues it, None when it is the last."""

    rows: Sequence[Any]
    after: str | None


def connection(parent: Node, name: str) -> Connection:
    """Read a page. Raises ContractBroken, also when there is more but no cursor to get it with."""
    page = parent.node(name)
    info = page.node("pageInfo")
    return Connection(
        page.rows("nodes"), info.text("endCursor") if info.flag("hasNextPage") else None
    )
