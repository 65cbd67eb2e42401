"""The rules that a field can have. A violation has a rule id (protovalidate's, where it has one)
and a sentence.

A rule checks one value. An empty value of a field without presence counts as absent: only
`Required` and the rules for numbers and enums refuse it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zaiko_server.names import Name
from zaiko_server.times import MICROS, micros_of, span_of

Complaint = tuple[str, str]
"""(rule id, what is wrong and what to do)"""

LONGEST_DURATION = 315_576_000_000
"""Seconds: the longest valid google.protobuf.Duration."""


class FieldRule:
    """One rule of one field. Not an ABC: check.py asks for the class of a rule at each value, which
    takes five times as long with an ABC."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        """Yield what is wrong with a value; nothing if it follows the rule."""
        raise NotImplementedError


@dataclass(frozen=True)
class Free(FieldRule):
    """Every value is accepted."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class Ignored(FieldRule):
    """The field is ignored here, and so is everything below it."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class Required(FieldRule):
    """The field must be set."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        # A message is passed only when it is absent; see check.py.
        if value is None or value == "":
            yield "required", "is required"


@dataclass(frozen=True)
class Text(FieldRule):
    """A text has at most `longest` characters."""

    longest: int

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and len(value) > self.longest:
            yield (
                "string.max_len",
                f"has {len(value)} characters, at most {self.longest} are allowed",
            )


@dataclass(frozen=True)
class Pattern(FieldRule):
    """A text, if not empty, matches a pattern; `says` describes it."""

    pattern: str
    says: str

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and re.fullmatch(self.pattern, value) is None:
            yield "string.pattern", self.says


@dataclass(frozen=True)
class Trimmed(FieldRule):
    """A text has no blanks around it."""

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value != value.strip():
            yield "string.trimmed", "begins or ends with a blank; remove it"


@dataclass(frozen=True)
class Uuid(FieldRule):
    """A text, if not empty, is a UUID in its usual form, and not the nil UUID: a program gives that
    one when it forgot to draw one, and then every call looks like a repetition."""

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and not _is_uuid(value):
            yield "string.uuid", "is not a UUID; use a new one for each operation"
        elif value and not uuid.UUID(value).int:
            yield "string.uuid_nil", "is the nil UUID; draw a new one for each operation"


@dataclass(frozen=True)
class Named(FieldRule):
    """A text, if not empty, is the name of a resource of this kind."""

    kind: Name
    wildcard: bool = False

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and not self.kind.matches(value, wildcard=self.wildcard):
            yield "name.form", self.kind.complaint(value, wildcard=self.wildcard)


@dataclass(frozen=True)
class Range(FieldRule):
    """A number is within bounds, both included."""

    least: int
    most: int

    def complaints(self, value: int) -> Iterator[Complaint]:
        if value < self.least:
            yield "int32.gte", f"is {value}, at least {self.least} is needed"
        if value > self.most:
            yield "int32.lte", f"is {value}, at most {self.most} is allowed"


@dataclass(frozen=True)
class NotZero(FieldRule):
    """A number is not zero."""

    def complaints(self, value: int) -> Iterator[Complaint]:
        if value == 0:
            yield "int32.not_in", "is 0, which changes nothing; do not send it"


@dataclass(frozen=True)
class Items(FieldRule):
    """A list has `least` to `most` items. More than `most` in a batch is BATCH_TOO_LARGE."""

    most: int
    least: int = 0
    batch: bool = False

    def complaints(self, value: Sequence[Any]) -> Iterator[Complaint]:
        if len(value) > self.most:
            yield "repeated.max_items", f"has {len(value)} items, at most {self.most} are allowed"
        if len(value) < self.least:
            yield "repeated.min_items", f"has {len(value)} items, at least {self.least} is needed"


@dataclass(frozen=True)
class Unique(FieldRule):
    """No item comes twice. Messages are compared by the fields in `by`; empty values do not count.
    With `batch` a repeat is DUPLICATE_IN_BATCH."""

    by: tuple[str, ...] = ()
    batch: bool = True

    def complaints(self, value: Sequence[Any]) -> Iterator[Complaint]:
        return iter(())

    def repeated(self, value: Sequence[Any]) -> Iterator[tuple[int, str, str]]:
        """Yield the index of every repeated item, the field by which it repeats, and its value."""
        for path in self.by or ("",):
            seen: set[Any] = set()
            for index, item in enumerate(value):
                key = _at(item, path)
                if key in seen and key not in ("", 0):
                    yield index, path, repr(key)[:200]
                seen.add(key)


@dataclass(frozen=True)
class Known(FieldRule):
    """An enum value is one that this version knows. It is not unspecified, unless `unspecified`,
    and none of `never`."""

    unspecified: bool = False
    never: tuple[int, ...] = ()
    instead: str = ""

    def complaints(self, value: int) -> Iterator[Complaint]:
        if value == 0 and not self.unspecified:
            yield "enum.not_in", "is unspecified; choose a value"
        if value in self.never:
            yield "enum.not_in", f"cannot be asked for here; {self.instead}"


@dataclass(frozen=True)
class Within(FieldRule):
    """A duration, if set, is within bounds in seconds, both included."""

    least: float
    most: float

    def complaints(self, value: Any) -> Iterator[Complaint]:
        micros = span_of(value)
        if micros < int(self.least * MICROS):
            yield "duration.gte", f"is {micros / MICROS:g} s, at least {self.least:g} s is needed"
        if micros > int(self.most * MICROS):
            yield "duration.lte", f"is {micros / MICROS:g} s, at most {self.most:g} s is allowed"


@dataclass(frozen=True)
class NotFuture(FieldRule):
    """A time is not before 1970, and at most `ahead` seconds from now, since clocks differ."""

    ahead: float

    def complaints_at(self, value: Any, now: int) -> Iterator[Complaint]:
        """Yield what is wrong with a value at the time `now` (µs)."""
        if micros_of(value) > now + int(self.ahead * MICROS):
            yield (
                "timestamp.lt_now",
                f"is more than {self.ahead:g} s from now; check the clock that it is from",
            )
        if value.seconds < 0:
            yield "timestamp.gte", "is before 1970"

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class Entries(FieldRule):
    """A map of texts has at most `most` entries, and its keys and values are not too long."""

    most: int
    longest_key: int
    longest: int

    def complaints(self, value: Any) -> Iterator[Complaint]:
        if len(value) > self.most:
            yield "map.max_pairs", f"has {len(value)} entries, at most {self.most} are allowed"
        for key, text in value.items():
            if not 0 < len(key) <= self.longest_key:
                yield (
                    "map.keys",
                    f"has a key of {len(key)} characters, 1 to {self.longest_key} are allowed",
                )
            if len(text) > self.longest:
                yield (
                    "map.values",
                    (
                        f"has {len(text)} characters under {key[:50]!r}, at most {self.longest} "
                        "are allowed"
                    ),
                )


@dataclass(frozen=True)
class Empty(FieldRule):
    """A field is empty here."""

    instead: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        if value:
            yield "string.const", f"must be empty here: {self.instead}"


@dataclass(frozen=True)
class Absent(FieldRule):
    """A field with presence is not set here, to whatever value."""

    instead: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        yield "absent", f"is not accepted here: {self.instead}"


@dataclass(frozen=True)
class SameAs(FieldRule):
    """A field is empty, or equal to the field `other` of the request."""

    other: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class With(FieldRule):
    """A field is required when the field `other` of its message is set."""

    other: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        if not value:
            yield "required", f"is required with {self.other}"


@dataclass(frozen=True)
class OneShop(FieldRule):
    """The request's `parent` names one shop: platform ids are unique in one shop only."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        if value:
            yield (
                "parent",
                (
                    "needs one shop in parent instead of -, since platform ids are unique in "
                    "one shop only"
                ),
            )


def _at(item: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        item = getattr(item, part)
    return item


def _is_uuid(value: str) -> bool:
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False
