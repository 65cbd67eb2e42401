"""Checks a request against the rule table: every violation at once, or none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from zaiko_core.domain.errors import InvalidField

from zaiko_server import names
from zaiko_server.masks import UPDATES, mask_of
from zaiko_server.refusals import BatchTooLarge, InvalidName, Repeated, Violation
from zaiko_server.validate.rules import (
    LONGEST_DURATION,
    FieldRule,
    Ignored,
    Items,
    Named,
    NotFuture,
    OneShop,
    Required,
    SameAs,
    Unique,
    With,
)
from zaiko_server.validate.table import TABLE

_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Of a valid google.protobuf.Timestamp: the years 1 to 9999."""


def check(request: Message, *, now: int) -> None:
    """Check a request at the time `now` (µs). Raises BatchTooLarge, MaskInvalid, InvalidField,
    InvalidName or Repeated, each with every violation of its kind."""
    _check_sizes(request)
    walk = _Walk(request, now)
    if request.DESCRIPTOR.name in UPDATES:
        holder, updates = UPDATES[request.DESCRIPTOR.name]
        if request.HasField(holder):
            mask = mask_of(request)
            walk.skipped = frozenset(
                f"{holder}.{name}"
                for name in (*updates.changeable, *updates.fixed)
                if name not in mask.changes
            )
    walk.message(request, "", "")
    walk.families()
    if walk.others or (walk.names and walk.repeats):
        raise InvalidField(
            [
                *walk.others,
                *walk.names,
                *((path, "repeated.unique", f"repeats {what}") for path, _, what in walk.repeats),
            ]
        )
    if walk.names:
        raise InvalidName(walk.names)
    if walk.repeats:
        raise Repeated(*walk.repeats[0])


def _check_sizes(request: Message) -> None:
    """Refuse a batch that is too large, before anything else is checked."""
    for path, rule in _batches(request.DESCRIPTOR.name):
        if (size := len(getattr(request, path))) > rule.most:
            raise BatchTooLarge(path, rule.most, size)


@cache
def _batches(message: str) -> tuple[tuple[str, Items], ...]:
    rules = ((path, rule) for path, rules in TABLE[message].items() for rule in rules)
    return tuple((path, rule) for path, rule in rules if isinstance(rule, Items) and rule.batch)


@dataclass(frozen=True, slots=True)
class _Field:
    """What is known of a field before there is a value: its rules, and the method of `_Walk` that
    visits it."""

    descriptor: FieldDescriptor
    name: str
    key: str
    rules: Sequence[FieldRule]
    visit: Callable[[_Walk, Any, _Field, Any, str], None]
    present: bool
    """Whether the field has presence. Without it an empty value counts as absent; see rules.py."""
    may_lack: bool
    """Whether an empty value breaks no rule."""


@cache
def _shape(
    root: str, pattern: str, descriptor: Descriptor
) -> tuple[Sequence[tuple[str, Sequence[FieldRule]]], Sequence[_Field]]:
    """Return the choices and fields of the messages at this place of a request."""
    table = TABLE[root]
    # A field with explicit presence has a choice of its own, named _field.
    choices = [
        (choice.name, table[f"{pattern}{choice.name}"])
        for choice in descriptor.oneofs
        if f"{pattern}{choice.name}" in table
    ]
    fields = [
        _field(found, pattern + found.name, table[pattern + found.name])
        for found in descriptor.fields
    ]
    return choices, [field for field in fields if not isinstance(field.rules[0], Ignored)]


def _field(descriptor: FieldDescriptor, key: str, rules: Sequence[FieldRule]) -> _Field:
    kind = descriptor.message_type
    single = kind is None and not descriptor.is_repeated
    visit = _Walk.single if single else _Walk.items if descriptor.is_repeated else _Walk.nested
    if kind is not None and kind.GetOptions().map_entry:
        visit = _Walk.entries
    present = single and descriptor.has_presence
    asked = (complaint for rule in rules for complaint in rule.complaints(descriptor.default_value))
    may_lack = (
        single
        and not present
        and not any(isinstance(rule, With) for rule in rules)
        and not any(asked)
    )
    return _Field(descriptor, descriptor.name, key, rules, visit, present, may_lack)


@dataclass
class _Walk:
    root: Any
    now: int
    skipped: frozenset[str] = frozenset()
    names: list[Violation] = field(default_factory=list)
    repeats: list[tuple[str, int, str]] = field(default_factory=list)
    others: list[Violation] = field(default_factory=list)
    found: list[tuple[str, str]] = field(default_factory=list)
    """(path, name) of every well-formed name."""

    def message(self, message: Any, pattern: str, path: str) -> None:
        """Visit one message: its choices, then its fields."""
        choices, fields = _shape(self.root.DESCRIPTOR.name, pattern, message.DESCRIPTOR)
        for choice, rules in choices:
            if message.WhichOneof(choice) is None:
                self.values(None, rules, path + choice)
        for each in fields:
            value = getattr(message, each.name)
            if (
                (each.may_lack and not value)
                or (each.present and not message.HasField(each.name))
                or each.key in self.skipped
            ):
                continue
            each.visit(self, message, each, value, path + each.name)

    def entries(self, message: Any, field: _Field, value: Any, path: str) -> None:
        """Visit a map."""
        self.values(value, field.rules, path)
        for entry, text in value.items():
            self.text(entry + text, path)

    def items(self, message: Any, field: _Field, value: Any, path: str) -> None:
        """Visit a list: apply the rules about it, then those about each item."""
        for rule in field.rules:
            if isinstance(rule, Items) or (
                isinstance(rule, OneShop) and self.root.parent.endswith(f"/{names.ANY}")
            ):
                self.values(value, [rule], path)
            elif isinstance(rule, Unique):
                self.unique(rule, value, path)
        if field.descriptor.message_type is not None:
            for index, item in enumerate(value):
                self.message(item, f"{field.key}[].", f"{path}[{index}].")
            return
        each = replace(
            field,
            rules=[rule for rule in field.rules if not isinstance(rule, (Items, OneShop, Unique))],
        )
        for index, item in enumerate(value):
            self.single(message, each, item, f"{path}[{index}]")

    def nested(self, message: Any, field: _Field, value: Any, path: str) -> None:
        """Visit a message: check its presence, a time's value, and what it holds."""
        if not message.HasField(field.name):
            self.values(None, [rule for rule in field.rules if isinstance(rule, Required)], path)
            return
        kind = value.DESCRIPTOR.full_name
        if kind == "google.protobuf.Struct":
            for complaint in _struct(value):
                self.others.append((path, *complaint))
        elif kind in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
            self.time(value, field.rules, path, kind)
        elif not kind.startswith("google."):
            self.message(value, f"{field.key}.", f"{path}.")

    def time(self, value: Any, rules: Sequence[FieldRule], path: str, kind: str) -> None:
        """Visit a timestamp or a duration. Its rules apply only if it is a valid one."""
        is_moment = kind.endswith("Timestamp")
        low, high = (
            (_FIRST_SECOND, _LAST_SECOND) if is_moment else (-LONGEST_DURATION, LONGEST_DURATION)
        )
        signs = value.seconds * value.nanos >= 0 or is_moment
        if not (
            low <= value.seconds <= high
            and (0 if is_moment else -999_999_999) <= value.nanos <= 999_999_999
            and signs
        ):
            self.others.append(
                (
                    path,
                    "timestamp.valid" if is_moment else "duration.valid",
                    f"is not a valid {kind}",
                )
            )
            return
        for rule in rules:
            complaints = (
                rule.complaints_at(value, self.now)
                if isinstance(rule, NotFuture)
                else rule.complaints(value)
            )
            self.others += [(path, *complaint) for complaint in complaints]

    def single(self, message: Any, field: _Field, value: Any, path: str) -> None:
        """Visit one value, of a field or of a list."""
        if isinstance(value, str):
            self.text(value, path)
        elif (
            field.descriptor.enum_type is not None
            and value not in field.descriptor.enum_type.values_by_number
        ):
            self.others.append(
                (
                    path,
                    "enum.defined_only",
                    f"is {value}, which this server does not know; choose another",
                )
            )
            return
        for rule in field.rules:
            if isinstance(rule, SameAs):
                if value and value != getattr(self.root, rule.other):
                    self.names.append(
                        (path, "name.parent", f"differs from {rule.other}; leave it empty")
                    )
            elif not isinstance(rule, With) or message.WhichOneof("change") == rule.other:
                self.value(value, rule, path)

    def values(self, value: Any, rules: Sequence[FieldRule], path: str) -> None:
        """Apply rules to one value; None stands for an absent one."""
        for rule in rules:
            self.value(value, rule, path)

    def value(self, value: Any, rule: FieldRule, path: str) -> None:
        """Apply one rule."""
        wrong = [(path, *complaint) for complaint in rule.complaints(value)]
        if wrong:
            (self.names if isinstance(rule, Named) else self.others).extend(wrong)
        elif value and isinstance(rule, Named):
            self.found.append((path, value))

    def unique(self, rule: Unique, value: Any, path: str) -> None:
        """Note the items that come twice."""
        repeats = [
            (f"{path}[{index}]" + (f".{by}" if by else ""), index, what)
            for index, by, what in rule.repeated(value)
        ]
        if rule.batch:
            self.repeats += repeats
        else:
            self.others += [
                (place, "repeated.unique", f"repeats {what}; remove one")
                for place, _, what in repeats
            ]

    def text(self, value: str, path: str) -> None:
        """Refuse what no text may contain."""
        if "\x00" in value:
            self.others.append((path, "string.no_nul", "contains a NUL character; remove it"))

    def families(self) -> None:
        """Refuse names of several merchants, and names below another shop than the one in
        `parent`."""
        if not self.found:
            return
        first_path, first = next(
            ((path, name) for path, name in self.found if path == "parent"), self.found[0]
        )
        merchant = names.merchant_of(first)
        of_shop = first_path == "parent" and names.SHOP.matches(first)
        for path, name in self.found:
            if names.merchant_of(name) not in (merchant, ""):
                self.names.append(
                    (path, "name.merchant", f"is of another merchant than {first_path}")
                )
            elif of_shop and _is_below_shop(name) and not name.startswith(f"{first}/"):
                self.names.append((path, "name.parent", f"is not of the shop {first}"))


def _is_below_shop(name: str) -> bool:
    return names.LISTING.matches(name) or names.LINK.matches(name)


def _struct(value: Any) -> Iterator[tuple[str, str]]:
    """Yield what JSON, and so the store, cannot hold."""
    for key, item in value.fields.items():
        if "\x00" in key:
            yield "string.no_nul", "has a key with a NUL character; remove it"
        yield from _json(item)


def _json(value: Any) -> Iterator[tuple[str, str]]:
    kind = value.WhichOneof("kind")
    if kind == "number_value" and not math.isfinite(value.number_value):
        yield "double.finite", "has a number that is not finite; use another"
    elif kind == "string_value" and "\x00" in value.string_value:
        yield "string.no_nul", "has a text with a NUL character; remove it"
    elif kind == "struct_value":
        yield from _struct(value.struct_value)
    elif kind == "list_value":
        for item in value.list_value.values:
            yield from _json(item)
