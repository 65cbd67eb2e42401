"""Reading single values out of what RMS sent, trusting nothing about their types.

Texts that come out of an error name the field and the type, never the value: a row may hold a
buyer's data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from zaiko_sdk import ContractBroken

from zaiko_rakuten.times import moment


class Fields:
    """The members of one JSON object. `what` names it in errors, without data of its own in it."""

    def __init__(self, what: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise ContractBroken(f"{what} should be an object, not {type(value).__name__}")
        self.what, self._values = what, value

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str) -> str:
        """Text, or a number as text; "" for null or a missing key."""
        value = self._values.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise self._broken(name, "text", value)

    def whole(self, name: str) -> int | None:
        """A whole number, also written as text; None for null or a missing key."""
        value = self._values.get(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None:
            raise self._broken(name, "a whole number", value)
        return number

    def units(self, name: str) -> int:
        """A whole number ≥ 0 that must be there."""
        number = self.whole(name)
        if number is None:
            raise ContractBroken(f"{self.what} has no {name}")
        if number < 0:
            raise ContractBroken(f"{self.what} has a negative {name}")
        return number

    def flag(self, name: str) -> bool:
        """A flag, which is 0 or 1 in orders, true or false in items; off for null or a missing
        key."""
        value = self._values.get(name)
        if value is None:
            return False
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value != 0
        if isinstance(value, str):
            return value.strip().lower() not in ("", "0", "false")
        raise self._broken(name, "a flag", value)

    def moment(self, name: str) -> datetime | None:
        """A time; None for null, a missing key or what is not a time."""
        return moment(self._values.get(name))

    def inner(self, name: str) -> Fields | None:
        """An object inside; None for null or a missing key."""
        value = self._values.get(name)
        return None if value is None else Fields(f"{self.what}.{name}", value)

    def raw_list(self, name: str) -> list[Any]:
        """A list; empty for null or a missing key (RMS sends either)."""
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._broken(name, "a list", value)
        return value

    def each(self, name: str) -> Iterator[Fields]:
        """The objects of a list."""
        for number, value in enumerate(self.raw_list(name)):
            yield Fields(f"{self.what}.{name}[{number}]", value)

    def members(self, name: str) -> Iterator[tuple[str, Fields]]:
        """The objects of a map, with their keys; none for null, a missing key or an empty list."""
        value = self._values.get(name)
        if value is None or value == []:
            return
        if not isinstance(value, Mapping):
            raise self._broken(name, "a map", value)
        for key, member in value.items():
            yield str(key), Fields(f"{self.what}.{name}.{key}", member)

    def texts(self, name: str) -> list[str]:
        """The values of a map of texts, in its order; what is not text is left out."""
        value = self._values.get(name)
        return (
            [text for text in value.values() if isinstance(text, str) and text]
            if isinstance(value, Mapping)
            else []
        )

    def _broken(self, name: str, wanted: str, value: Any) -> ContractBroken:
        return ContractBroken(f"{self.what}: {name} should be {wanted}, not {type(value).__name__}")


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        text = value.strip()
        digits = text[1:] if text[:1] in ("+", "-") else text
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
    return None
