"""The rules that a field can have. Each says what it demands as a rule id (protovalidate's, where
it has one) and a sentence.

A rule looks at one value. An empty value of a field without presence counts as absent: only
`Required` and rules on numbers refuse it.
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


class Rule:
    """One demand on one field. Not an ABC: each value is asked for its kind of rule, which takes an
    ABC five times as long."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        """What is wrong with a value; nothing when it is as it should be."""
        raise NotImplementedError


@dataclass(frozen=True)
class Free(Rule):
    """Anything goes, on purpose. `why` is for the reader."""

    why: str = ""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class Ignored(Rule):
    """Output only: whatever comes is not looked at, nor anything below it."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class Required(Rule):
    """Must be given."""

    def complaints(self, value: Any) -> Iterator[Complaint]:
        # Messages come here only when they are absent; see check.py.
        if value is None or value == "":
            yield "required", "is required"


@dataclass(frozen=True)
class Text(Rule):
    """A length in characters, when it is given."""

    longest: int
    shortest: int = 0

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and len(value) > self.longest:
            yield (
                "string.max_len",
                f"has {len(value)} characters, at most {self.longest} are allowed",
            )
        if value and len(value) < self.shortest:
            yield (
                "string.min_len",
                f"has {len(value)} characters, at least {self.shortest} are needed",
            )


@dataclass(frozen=True)
class Pattern(Rule):
    """A form, when it is given."""

    pattern: str
    says: str

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and re.fullmatch(self.pattern, value) is None:
            yield "string.pattern", self.says


@dataclass(frozen=True)
class Trimmed(Rule):
    """No blanks around it."""

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value != value.strip():
            yield "string.trimmed", "begins or ends with a blank; remove it"


@dataclass(frozen=True)
class Uuid(Rule):
    """A UUID in its usual form, when it is given."""

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and not _is_uuid(value):
            yield "string.uuid", "is not a UUID; draw one for each intention"


@dataclass(frozen=True)
class Named(Rule):
    """The name of a resource of this kind, when it is given."""

    kind: Name
    wildcard: bool = False

    def complaints(self, value: str) -> Iterator[Complaint]:
        if value and not self.kind.matches(value, wildcard=self.wildcard):
            yield "name.form", self.kind.complaint(value, wildcard=self.wildcard)


@dataclass(frozen=True)
class Range(Rule):
    """A number within bounds, both included."""

    least: int
    most: int

    def complaints(self, value: int) -> Iterator[Complaint]:
        if value < self.least:
            yield "int32.gte", f"is {value}, at least {self.least} is needed"
        if value > self.most:
            yield "int32.lte", f"is {value}, at most {self.most} is allowed"


@dataclass(frozen=True)
class NotZero(Rule):
    """Any number but zero."""

    def complaints(self, value: int) -> Iterator[Complaint]:
        if value == 0:
            yield "int32.not_in", "is 0, which changes nothing; leave the call out"


@dataclass(frozen=True)
class Items(Rule):
    """How many items a list may have. More than `most` of a batch is BATCH_TOO_LARGE."""

    most: int
    least: int = 0
    batch: bool = False

    def complaints(self, value: Sequence[Any]) -> Iterator[Complaint]:
        if len(value) > self.most:
            yield "repeated.max_items", f"has {len(value)} items, at most {self.most} are allowed"
        if len(value) < self.least:
            yield "repeated.min_items", f"has {len(value)} items, at least {self.least} is needed"


@dataclass(frozen=True)
class Unique(Rule):
    """No item twice; of messages, compared by `by`, where empty values do not count. Twice in a
    batch is DUPLICATE_IN_BATCH."""

    by: tuple[str, ...] = ()
    batch: bool = True

    def complaints(self, value: Sequence[Any]) -> Iterator[Complaint]:
        return iter(())

    def repeated(self, value: Sequence[Any]) -> Iterator[tuple[int, str, str]]:
        """The place of every item that was there before, the field by which, and its value."""
        for path in self.by or ("",):
            seen: set[Any] = set()
            for index, item in enumerate(value):
                key = _at(item, path)
                if key in seen and key not in ("", 0):
                    yield index, path, repr(key)[:200]
                seen.add(key)


@dataclass(frozen=True)
class Known(Rule):
    """A value of an enum that this version knows, other than unspecified unless `unspecified`, and
    other than those in `never`."""

    unspecified: bool = False
    never: tuple[int, ...] = ()
    instead: str = ""

    def complaints(self, value: int) -> Iterator[Complaint]:
        if value == 0 and not self.unspecified:
            yield "enum.not_in", "is unspecified; choose a value"
        if value in self.never:
            yield "enum.not_in", f"cannot be asked for here; {self.instead}"


@dataclass(frozen=True)
class Within(Rule):
    """A span of time within bounds in seconds, when it is given; a longer or shorter one is
    refused."""

    least: float
    most: float

    def complaints(self, value: Any) -> Iterator[Complaint]:
        micros = span_of(value)
        if micros < int(self.least * MICROS):
            yield "duration.gte", f"is {micros / MICROS:g} s, at least {self.least:g} s is needed"
        if micros > int(self.most * MICROS):
            yield "duration.lte", f"is {micros / MICROS:g} s, at most {self.most:g} s is allowed"


@dataclass(frozen=True)
class NotFuture(Rule):
    """A moment not later than `ahead` seconds from now (clocks differ), and not before 1970."""

    ahead: float

    def complaints_at(self, value: Any, now: int) -> Iterator[Complaint]:
        """Like `complaints`, with the time."""
        if micros_of(value) > now + int(self.ahead * MICROS):
            yield (
                "timestamp.lt_now",
                f"is more than {self.ahead:g} s from now; check the clock that told it",
            )
        if value.seconds < 0:
            yield "timestamp.gte", "is before 1970"

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class Entries(Rule):
    """A map of texts: how many entries, how long keys and values may be."""

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
class Empty(Rule):
    """Must not be given here."""

    instead: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        if value:
            yield "string.const", f"must be empty here: {self.instead}"


@dataclass(frozen=True)
class Absent(Rule):
    """A field with presence that must not be there, whatever its value."""

    instead: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        yield "absent", f"is not taken here: {self.instead}"


@dataclass(frozen=True)
class SameAs(Rule):
    """Empty, or equal to the field `other` of the whole request."""

    other: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        return iter(())


@dataclass(frozen=True)
class With(Rule):
    """Needed when the field `other` beside it is set."""

    other: str

    def complaints(self, value: Any) -> Iterator[Complaint]:
        if not value:
            yield "required", f"is required with {self.other}"


@dataclass(frozen=True)
class OneShop(Rule):
    """Platform ids are unique in one shop only, so the request's `parent` must name one."""

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
