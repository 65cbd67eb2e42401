"""Partial updates: which fields a request changes. Each field of a resource declares whether it is
mutable (`use` in zaiko/v1/options.proto)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from zaiko.v1 import options_pb2

from zaiko_server.options import requests
from zaiko_server.refusals import MaskInvalid


@dataclass(frozen=True, slots=True)
class UpdatableFields:
    """The fields of a resource that an update may name: `changeable` ones, and `fixed` ones, which
    are set at creation and must stay as they are."""

    changeable: tuple[str, ...]
    fixed: tuple[str, ...] = ()


def _fields_of(resource: Descriptor) -> UpdatableFields:
    uses = [
        (field.name, field.GetOptions().Extensions[options_pb2.rules].use)
        for field in resource.fields
    ]
    return UpdatableFields(
        tuple(name for name, use in uses if use == options_pb2.FieldRules.USE_UNSPECIFIED),
        tuple(name for name, use in uses if use == options_pb2.FieldRules.USE_IMMUTABLE),
    )


def _updates() -> Iterator[tuple[str, tuple[str, UpdatableFields]]]:
    for request in requests():
        if "update_mask" in request.fields_by_name:
            holder, resource = next(
                (field.name, field.message_type)
                for field in request.fields
                if field.message_type is not None and field.name != "update_mask"
            )
            yield request.name, (holder, _fields_of(resource))


UPDATES: Final[Mapping[str, tuple[str, UpdatableFields]]] = dict(_updates())
"""By request with an update mask: the field that holds the resource, and which of the resource's
fields can be changed."""


@dataclass(frozen=True, slots=True)
class Mask:
    """The fields that a request changes, and the fixed ones that it names."""

    changes: frozenset[str]
    fixed: frozenset[str] = frozenset()


def mask_of(request: Any) -> Mask:
    """Return what an update request changes. Without a mask these are the fields that are present;
    `*` means every field that can be changed. Raises MaskInvalid, which names every bad path."""
    holder, fields = UPDATES[request.DESCRIPTOR.name]
    resource: Message = getattr(request, holder)
    paths = list(request.update_mask.paths)
    if not paths:
        changes = frozenset(field.name for field, _ in resource.ListFields()) & frozenset(
            fields.changeable
        )
        if not changes:
            raise MaskInvalid(
                [("", f"nothing is to be changed; set one of {', '.join(fields.changeable)}")]
            )
        return Mask(changes, frozenset(name for name in fields.fixed if _is_set(resource, name)))
    if paths == ["*"]:
        return Mask(
            frozenset(fields.changeable),
            frozenset(name for name in fields.fixed if _is_set(resource, name)),
        )
    problems = [
        (path, _complaint(resource, path))
        for path in paths
        if path not in fields.changeable + fields.fixed
    ]
    if problems:
        raise MaskInvalid(problems)
    changes = frozenset(paths) & frozenset(fields.changeable)
    return Mask(changes, frozenset(paths) & frozenset(fields.fixed))


def check_fixed(mask: Mask, given: Message, stored: Message) -> None:
    """Compare the fixed fields that a request names with the stored ones. Raises MaskInvalid for
    those that differ."""
    differing = [
        name for name in sorted(mask.fixed) if getattr(given, name) != getattr(stored, name)
    ]
    if differing:
        raise MaskInvalid(
            [(name, "is set at creation and cannot be changed") for name in differing]
        )


def _is_set(resource: Message, name: str) -> bool:
    return any(field.name == name for field, _ in resource.ListFields())


def _complaint(resource: Message, path: str) -> str:
    if path == "*":
        return "must be the only path"
    name = path.split(".")[0]
    if name not in resource.DESCRIPTOR.fields_by_name:
        return f"{resource.DESCRIPTOR.name} has no such field"
    return "name the whole field" if "." in path else "is output-only"
