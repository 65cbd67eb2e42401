"""Which field of which request has which rules, as the protos declare (zaiko/v1/options.proto).

Paths are dotted; `[]` stands for every item of a list. The entry of a message or of a list is about
itself, the entries below it are about what it holds. A name of a oneof stands for the choice. Below
`Ignored` nothing has an entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from zaiko.v1 import options_pb2

from zaiko_server import names
from zaiko_server.options import requests
from zaiko_server.validate.rules import (
    LONGEST_DURATION,
    Absent,
    Empty,
    Entries,
    FieldRule,
    Free,
    Ignored,
    Items,
    Known,
    Named,
    NotFuture,
    NotZero,
    OneShop,
    Pattern,
    Range,
    Required,
    SameAs,
    Text,
    Trimmed,
    Unique,
    Uuid,
    With,
    Within,
)

Rules = tuple[FieldRule, ...]
Fields = Mapping[str, Rules]

_USE = options_pb2.FieldRules
_KINDS: Final = {name.kind: name for name in names.ALL}
_BITS: Final = {FieldDescriptor.CPPTYPE_INT32: 31, FieldDescriptor.CPPTYPE_INT64: 63}
_CHOSEN_ID: Final = Pattern(
    names.CHOSEN_ID,
    "use 2 to 63 lower-case letters, digits and dashes, a letter first and no dash last",
)


def table_of(request: Descriptor) -> dict[str, Rules]:
    """Return the rules of every field that a request can hold."""
    return dict(_entries(request, "", {}, updates=False))


def _entries(
    message: Descriptor,
    prefix: str,
    within: Mapping[str, options_pb2.FieldRules],
    *,
    updates: bool,
) -> Iterator[tuple[str, Rules]]:
    """Yield path and rules of everything in a message. `within` has rules that replace those of its
    fields here. `updates` says whether the message belongs to a resource that is updated."""
    for choice in message.oneofs:
        # A field with explicit presence has a choice of its own, named _field.
        if not choice.name.startswith("_"):
            yield prefix + choice.name, _choice_rules(choice, updates=updates)
    for field in message.fields:
        declared = within.get(field.name) or _declared(field)
        rules = _rules(field, declared, updates=updates)
        yield prefix + field.name, rules
        held = _message_of(field)
        if held is not None and not isinstance(rules[0], Ignored):
            yield from _entries(
                held,
                prefix + field.name + ("[]." if field.is_repeated else "."),
                {item.field: item.rules for item in declared.within},
                updates=updates or "update_mask" in message.fields_by_name,
            )


def _declared(field: FieldDescriptor) -> options_pb2.FieldRules:
    return field.GetOptions().Extensions[options_pb2.rules]


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _message_of(field: FieldDescriptor) -> Descriptor | None:
    """Return the message of ours that a field holds, if it holds one."""
    kind = field.message_type
    if kind is None or _is_map(field) or kind.full_name.startswith("google."):
        return None
    return kind


def _choice_rules(choice: OneofDescriptor, *, updates: bool) -> Rules:
    immutable = all(_declared(field).use == _USE.USE_IMMUTABLE for field in choice.fields)
    required = choice.GetOptions().Extensions[options_pb2.choice].required
    return (Required(),) if required and not (updates and immutable) else (Free(),)


def _rules(field: FieldDescriptor, declared: options_pb2.FieldRules, *, updates: bool) -> Rules:
    ignored = {_USE.USE_OUTPUT_ONLY, _USE.USE_CREATE_ONLY if updates else _USE.USE_UPDATE_ONLY}
    if declared.use in ignored:
        return (Ignored(),)
    if updates and declared.use == _USE.USE_IMMUTABLE:
        # Compared with what is stored (masks.check_fixed).
        return (Ignored(),) if field.message_type is not None else (Free(),)
    return tuple(_made(field, declared)) or (Free(),)


def _made(field: FieldDescriptor, declared: options_pb2.FieldRules) -> Iterator[FieldRule]:
    """Yield the rules that a field declares, in the order in which their violations are listed."""
    if declared.max_items:
        yield Items(declared.max_items, declared.min_items, declared.batch)
    if declared.unique or declared.unique_by:
        yield Unique(tuple(declared.unique_by), not declared.repeats_are_invalid)
    if declared.required:
        yield Required()
    if declared.name:
        yield Named(_KINDS[declared.name], declared.wildcard)
    if declared.chosen_id:
        yield _CHOSEN_ID
    if declared.HasField("min") or declared.HasField("max"):
        bits = _BITS[field.cpp_type]
        yield Range(
            declared.min if declared.HasField("min") else -(2**bits),
            declared.max if declared.HasField("max") else 2**bits - 1,
        )
    if declared.not_zero:
        yield NotZero()
    if declared.HasField("min_seconds"):
        longest = declared.max_seconds if declared.HasField("max_seconds") else LONGEST_DURATION
        yield Within(declared.min_seconds, longest)
    if declared.HasField("max_seconds_ahead"):
        yield NotFuture(declared.max_seconds_ahead)
    if field.enum_type is not None:
        values = field.enum_type.values_by_name
        never = tuple(values[name].number for name in declared.not_in)
        yield Known(declared.unspecified_allowed, never, declared.instead)
    if _is_map(field):
        yield Entries(declared.max_pairs, declared.max_key_len, declared.max_len)
    elif declared.max_len:
        yield Text(declared.max_len)
    if declared.trimmed:
        yield Trimmed()
    if declared.uuid:
        yield Uuid()
    if declared.empty:
        yield Empty(declared.instead)
    if declared.absent:
        yield Absent(declared.instead)
    if declared.same_as:
        yield SameAs(declared.same_as)
    if declared.required_with:
        yield With(declared.required_with)
    if declared.one_shop:
        yield OneShop()


TABLE: Final[Mapping[str, Fields]] = {request.name: table_of(request) for request in requests()}
"""By request."""
