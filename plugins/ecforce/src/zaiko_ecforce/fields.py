"""Reading single values out of what ecforce sent, trusting nothing about their types.

Texts that come out of an error never carry a value, only its type: a row may hold a buyer's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from zaiko_sdk import ContractBroken

JAPAN = timezone(timedelta(hours=9), "JST")
_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d", "%Y-%m-%d")


class Fields:
    """The attributes of one resource. `what` names it in errors, without data of its own in it."""

    def __init__(self, what: str, values: Mapping[str, Any]) -> None:
        self.what, self._values = what, values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """Text or a number as text; "" for null or a missing key."""
        value = self._values.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
                # Half a character: JSON can spell it, but nothing can store or send it.
                raise self._broken(name, "text that can be stored", value)
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise self._broken(name, "text", value)

    def whole(self, name: str) -> int | None:
        """A whole number, also written as text; None for null or a missing key."""
        value = self._values.get(name)
        if value is None:
            return None
        number = whole(value)
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

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false; stray 0, 1 and texts occur. `default` for null or a missing key."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value != 0
        if isinstance(value, str):
            return value.strip().lower() not in ("", "0", "false", "f", "no")
        raise self._broken(name, "true or false", value)

    def moment(self, name: str) -> datetime | None:
        """A time; None for null, a missing key or what is not a time."""
        return moment(self._values.get(name))

    def _broken(self, name: str, wanted: str, value: Any) -> ContractBroken:
        return ContractBroken(f"{self.what}: {name} should be {wanted}, not {type(value).__name__}")


def whole(value: Any) -> int | None:
    """The whole number that `value` is or spells, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        digits = value.strip()
        if digits.lstrip("+-").isascii() and digits.lstrip("+-").isdigit() and len(digits) < 20:
            try:
                return int(digits)
            except ValueError:
                return None
    return None


def moment(value: Any) -> datetime | None:
    """A time as ecforce writes it: slashes without an offset are Japan time; a few resources send
    ISO 8601."""
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=JAPAN).astimezone(UTC)
        except ValueError:
            continue
        except OverflowError:
            return None
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=JAPAN)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def query_time(value: datetime) -> str:
    """A time as filters take it: Japan time, whole seconds (rounded down, so that a lower bound
    never moves up)."""
    return value.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S")
