"""Reading single fields of a reply without trusting their types.

Errors name the path of a field and the type that was found, never a value: a reply may hold a
buyer's data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Self

from zaiko_sdk.errors import ContractBroken

_LONGEST_NUMBER = 18
"""Digits of a number that is written as text. Longer ones are no quantity and no id."""


class ReplyFields:
    """The fields of one JSON object, with the types that the platform promises.

    `where` is the path of the object in errors. Each reader raises ContractBroken when the value is
    not of its type. `x(name)` needs a value; `x_or_…(name)` accepts null and a missing field.
    """

    def __init__(self, where: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise ContractBroken(f"{where} should be an object, not {_type_name(value)}")
        self.where = where
        self._values = value

    def __contains__(self, name: str) -> bool:
        """Return whether the field is there and not null."""
        return self._values.get(name) is not None

    def names(self, name: str) -> bool:
        """Return whether the field is there, also as null."""
        return name in self._values

    def raw(self, name: str) -> Any:
        """Return the value unchecked, or None."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        return self.text_or_empty(name) or self._fail(name, "a text")

    def text_or_empty(self, name: str) -> str:
        """Return a text; "" for null and a missing field."""
        value = self.raw(name)
        if value is None:
            return ""
        text = self._text(value)
        if text is None:
            return str(self._fail(name, "a text"))
        if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
            # A lone surrogate: JSON can contain it, but it cannot be stored or sent.
            self._fail(name, "a text that can be stored")
        return text

    def whole(self, name: str) -> int:
        """Return a whole number."""
        number = self._whole(self.raw(name))
        return self._fail(name, "a whole number") if number is None else number

    def whole_or_none(self, name: str) -> int | None:
        """Return a whole number; None for null and a missing field."""
        return None if self.raw(name) is None else self.whole(name)

    def units(self, name: str) -> int:
        """Return a whole number ≥ 0."""
        number = self.whole(name)
        if number < 0:
            raise ContractBroken(f"{self.where}.{name} is negative")
        return number

    def number(self, name: str) -> float:
        """Return any number."""
        value = self.raw(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._fail(name, "a number")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        flag = self._flag(self.raw(name))
        return self._fail(name, "true or false") if flag is None else flag

    def flag_or(self, name: str, default: bool) -> bool:
        """Return true or false; `default` for null and a missing field."""
        return default if self.raw(name) is None else self.flag(name)

    def moment(self, name: str) -> datetime:
        """Return a time with its zone."""
        return self.moment_or_none(name) or self._fail(name, "a time")

    def moment_or_none(self, name: str) -> datetime | None:
        """Return a time with its zone; None for null and a missing field."""
        value = self.raw(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self._fail(name, "a time")
        return moment if moment.tzinfo else self._fail(name, "a time with a zone")

    def inner(self, name: str) -> Self:
        """Return an object inside this one."""
        return type(self)(f"{self.where}.{name}", self.raw(name))

    def inner_or_none(self, name: str) -> Self | None:
        """Return an object inside this one; None for null and a missing field."""
        return None if self.raw(name) is None else self.inner(name)

    def rows(self, name: str) -> list[Any]:
        """Return a list, its entries unchecked."""
        value = self.raw(name)
        return value if isinstance(value, list) else self._fail(name, "a list")

    def rows_or_empty(self, name: str) -> list[Any]:
        """Return a list, its entries unchecked; an empty one for null and a missing field."""
        return [] if self.raw(name) is None else self.rows(name)

    def each(self, name: str) -> list[Self]:
        """Return the objects of a list."""
        return self._objects(name, self.rows(name))

    def each_or_empty(self, name: str) -> list[Self]:
        """Return the objects of a list; none for null and a missing field."""
        return self._objects(name, self.rows_or_empty(name))

    def members(self, name: str) -> Iterator[tuple[str, Self]]:
        """Yield the objects of a map with their keys; none for null, a missing field and an empty
        list, as which PHP writes an empty map."""
        value = self.raw(name)
        if value is None or value == []:
            return
        if not isinstance(value, Mapping):
            self._fail(name, "a map")
        for key, member in value.items():
            yield str(key), type(self)(f"{self.where}.{name}.{key}", member)

    def _objects(self, name: str, rows: list[Any]) -> list[Self]:
        return [type(self)(f"{self.where}.{name}[{place}]", row) for place, row in enumerate(rows)]

    def _text(self, value: Any) -> str | None:
        return value if isinstance(value, str) else None

    def _whole(self, value: Any) -> int | None:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def _flag(self, value: Any) -> bool | None:
        return value if isinstance(value, bool) else None

    def _fail(self, name: str, wanted: str) -> Any:
        if name not in self._values:
            raise ContractBroken(f"{self.where} has no {name}")
        value = self._values[name]
        found = "empty" if value == "" else _type_name(value)
        raise ContractBroken(f"{self.where}.{name} should be {wanted}, not {found}")


class LooseFields(ReplyFields):
    """Fields of a platform that mixes types: numbers as text and ids as numbers, 0 and 1 for false
    and true."""

    def _text(self, value: Any) -> str | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return super()._text(value)

    def _whole(self, value: Any) -> int | None:
        return whole(value)

    def _flag(self, value: Any) -> bool | None:
        if isinstance(value, bool | int | float):
            return bool(value)
        if isinstance(value, str):
            return value.strip().lower() not in ("", "0", "false", "f", "no")
        return None


def whole(value: Any) -> int | None:
    """Return the whole number that `value` is or spells, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    digits = text[1:] if text[:1] in ("+", "-") else text
    is_spelled = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    return int(text) if is_spelled else None


def _type_name(value: Any) -> str:
    return "null" if value is None else type(value).__name__
